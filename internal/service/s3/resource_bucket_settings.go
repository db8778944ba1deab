package s3

import (
	"context"
	"reflect"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// bucketSetting brings one setting of a bucket from what old says to what p says.
type bucketSetting func(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error

// bucketSettings are in the order in which they may be set: ownership and the
// public access block decide about the ACL, versioning about object lock.
var bucketSettings = []bucketSetting{
	withdrawACL, setOwnership, setPublicAccess, setVersioning, setObjectLock, setEncryption, setLifecycle, setACL, setCORS, setWebsite, setNotifications,
}

type (
	ownershipProperty struct {
		Rules []struct{ ObjectOwnership string } `cfn:",required"`
	}
	publicAccessProperty struct{ BlockPublicAcls, BlockPublicPolicy, IgnorePublicAcls, RestrictPublicBuckets *bool }
	versioningProperty   struct {
		Status string `cfn:",required"`
	}
	objectLockProperty struct {
		ObjectLockEnabled *string
		Rule              *struct {
			DefaultRetention *struct {
				Mode        *string
				Days, Years *int32
			}
		}
	}
	encryptionProperty struct {
		ServerSideEncryptionConfiguration []struct {
			BucketKeyEnabled              *bool
			BlockedEncryptionTypes        *struct{ EncryptionType []string }
			ServerSideEncryptionByDefault *struct {
				SSEAlgorithm   string `cfn:",required"`
				KMSMasterKeyID *string
			}
		} `cfn:",required"`
	}
)

func same(a, b any) bool { return reflect.DeepEqual(a, b) }

func setOwnership(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if same(p.OwnershipControls, old.OwnershipControls) || p.OwnershipControls == nil && old.OwnershipControls == nil {
		return nil
	}
	rules := []s3.OwnershipControlsRule{{ObjectOwnership: s3.ObjectOwnershipBucketOwnerEnforced}}
	if p.OwnershipControls != nil {
		rules = nil // the operation refuses none, and more than one
		for _, r := range p.OwnershipControls.Rules {
			rules = append(rules, s3.OwnershipControlsRule{ObjectOwnership: s3.ObjectOwnership(r.ObjectOwnership)})
		}
	}
	_, err := invoke[s3.PutBucketOwnershipControlsOutput](ctx, inv, "PutBucketOwnershipControls", &s3.PutBucketOwnershipControlsInput{
		Bucket: &name, OwnershipControls: &s3.OwnershipControls{Rules: rules},
	})
	return err
}

func setPublicAccess(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	c := p.PublicAccessBlockConfiguration
	if same(c, old.PublicAccessBlockConfiguration) {
		return nil
	}
	config := &s3.PublicAccessBlockConfiguration{
		BlockPublicAcls: aws.Ptr(true), BlockPublicPolicy: aws.Ptr(true), IgnorePublicAcls: aws.Ptr(true), RestrictPublicBuckets: aws.Ptr(true),
	}
	if c != nil {
		config = &s3.PublicAccessBlockConfiguration{
			BlockPublicAcls: aws.Ptr(aws.Val(c.BlockPublicAcls)), BlockPublicPolicy: aws.Ptr(aws.Val(c.BlockPublicPolicy)),
			IgnorePublicAcls: aws.Ptr(aws.Val(c.IgnorePublicAcls)), RestrictPublicBuckets: aws.Ptr(aws.Val(c.RestrictPublicBuckets)),
		}
	}
	_, err := invoke[s3.PutPublicAccessBlockOutput](ctx, inv, "PutPublicAccessBlock",
		&s3.PutPublicAccessBlockInput{Bucket: &name, PublicAccessBlockConfiguration: config})
	return err
}

// setVersioning: a bucket that was versioned can only be suspended.
func setVersioning(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if same(p.VersioningConfiguration, old.VersioningConfiguration) {
		return nil
	}
	status := s3.BucketVersioningStatusSuspended
	if p.VersioningConfiguration != nil {
		status = s3.BucketVersioningStatus(p.VersioningConfiguration.Status)
	}
	if status == s3.BucketVersioningStatusSuspended && aws.Val(p.ObjectLockEnabled) && p.VersioningConfiguration == nil {
		return nil // object lock keeps it enabled
	}
	_, err := invoke[s3.PutBucketVersioningOutput](ctx, inv, "PutBucketVersioning", &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &s3.VersioningConfiguration{Status: status},
	})
	return err
}

func setObjectLock(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if same(p.ObjectLockConfiguration, old.ObjectLockConfiguration) && aws.Val(p.ObjectLockEnabled) == aws.Val(old.ObjectLockEnabled) {
		return nil
	}
	c := &s3.ObjectLockConfiguration{ObjectLockEnabled: s3.ObjectLockEnabledEnabled}
	switch l := p.ObjectLockConfiguration; {
	case l == nil && !aws.Val(p.ObjectLockEnabled) && old.ObjectLockConfiguration == nil:
		return nil
	case l != nil && l.ObjectLockEnabled != nil:
		c.ObjectLockEnabled = s3.ObjectLockEnabled(*l.ObjectLockEnabled)
	}
	if l := p.ObjectLockConfiguration; l != nil && l.Rule != nil {
		c.Rule = &s3.ObjectLockRule{}
		if d := l.Rule.DefaultRetention; d != nil {
			c.Rule.DefaultRetention = &s3.DefaultRetention{Mode: s3.ObjectLockRetentionMode(aws.Val(d.Mode)), Days: d.Days, Years: d.Years}
		}
	}
	_, err := invoke[s3.PutObjectLockConfigurationOutput](ctx, inv, "PutObjectLockConfiguration",
		&s3.PutObjectLockConfigurationInput{Bucket: &name, ObjectLockConfiguration: c})
	return err
}

func setEncryption(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if same(p.BucketEncryption, old.BucketEncryption) {
		return nil
	}
	if p.BucketEncryption == nil {
		_, err := invoke[s3.DeleteBucketEncryptionOutput](ctx, inv, "DeleteBucketEncryption", &s3.DeleteBucketEncryptionInput{Bucket: &name})
		return err
	}
	var rules []s3.ServerSideEncryptionRule
	for _, rule := range p.BucketEncryption.ServerSideEncryptionConfiguration {
		out := s3.ServerSideEncryptionRule{BucketKeyEnabled: rule.BucketKeyEnabled}
		if d := rule.ServerSideEncryptionByDefault; d != nil {
			out.ApplyServerSideEncryptionByDefault = &s3.ServerSideEncryptionByDefault{
				SSEAlgorithm: s3.ServerSideEncryption(d.SSEAlgorithm), KMSMasterKeyID: d.KMSMasterKeyID,
			}
		}
		if b := rule.BlockedEncryptionTypes; b != nil {
			out.BlockedEncryptionTypes = &s3.BlockedEncryptionTypes{}
			for _, t := range b.EncryptionType {
				out.BlockedEncryptionTypes.EncryptionType = append(out.BlockedEncryptionTypes.EncryptionType, s3.EncryptionType(t))
			}
		}
		rules = append(rules, out)
	}
	_, err := invoke[s3.PutBucketEncryptionOutput](ctx, inv, "PutBucketEncryption", &s3.PutBucketEncryptionInput{
		Bucket: &name, ServerSideEncryptionConfiguration: &s3.ServerSideEncryptionConfiguration{Rules: rules},
	})
	return err
}

// withdrawACL takes away an ACL that is no longer wanted, as long as the bucket's
// ownership still takes ACLs.
func withdrawACL(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if private(old.AccessControl) || !private(p.AccessControl) {
		return nil
	}
	_, err := invoke[s3.PutBucketAclOutput](ctx, inv, "PutBucketAcl", &s3.PutBucketAclInput{Bucket: &name, ACL: s3.BucketCannedACLPrivate})
	return err
}

func private(control *string) bool { return control == nil || *control == "Private" }

// setACL sets an ACL that grants something.
func setACL(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if private(p.AccessControl) || aws.Val(p.AccessControl) == aws.Val(old.AccessControl) {
		return nil
	}
	_, err := invoke[s3.PutBucketAclOutput](ctx, inv, "PutBucketAcl", &s3.PutBucketAclInput{Bucket: &name, ACL: cannedACL(p.AccessControl)})
	return err
}
