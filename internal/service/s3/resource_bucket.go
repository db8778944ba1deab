package s3

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// Invoker calls operations as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (out any, err error)
}

// Resources returns the resource types that templates may use.
func (s *Service) Resources(inv Invoker) stack.Registry {
	return stack.Registry{
		"AWS::S3::Bucket":       resourceBucket{inv},
		"AWS::S3::BucketPolicy": resourceBucketPolicy{inv},
	}
}

func invoke[O any](ctx context.Context, inv Invoker, operation string, in any) (*O, error) {
	out, err := inv.Invoke(ctx, "s3", operation, in)
	if err != nil {
		return nil, err
	}
	o, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("s3 %s answered %T", operation, out)
	}
	return o, nil
}

// resourceBucket is AWS::S3::Bucket. Ref and the physical id are the name.
type resourceBucket struct{ inv Invoker }

// bucketProperties are the properties of a bucket; those that are set by operations
// of their own are in bucketSettings.
type bucketProperties struct {
	BucketName                     *string
	AccessControl                  *string
	OwnershipControls              *ownershipProperty
	PublicAccessBlockConfiguration *publicAccessProperty
	VersioningConfiguration        *versioningProperty
	ObjectLockEnabled              *bool
	ObjectLockConfiguration        *objectLockProperty
	BucketEncryption               *encryptionProperty
	LifecycleConfiguration         *lifecycleProperty
	CorsConfiguration              *corsProperty
	WebsiteConfiguration           *websiteProperty
	NotificationConfiguration      *notificationProperty
	Tags                           []stack.Tag
}

func (resourceBucket) Schema() stack.Schema {
	sc := stack.SchemaOf(bucketProperties{})
	sc.Attributes = []string{"Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"}
	sc.Taggable, sc.NameProperty = true, "BucketName"
	return sc
}

func (t resourceBucket) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p bucketProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.LowerName(63)
	if p.BucketName != nil {
		name = *p.BucketName
	}
	in := &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: p.ObjectLockEnabled}
	if p.OwnershipControls != nil && len(p.OwnershipControls.Rules) == 1 {
		in.ObjectOwnership = s3.ObjectOwnership(p.OwnershipControls.Rules[0].ObjectOwnership)
	}
	if p.OwnershipControls == nil || p.PublicAccessBlockConfiguration == nil {
		// Nothing opens the bucket to ACLs before it is made, so that the making
		// refuses one, as on AWS.
		in.ACL = cannedACL(p.AccessControl)
	}
	if r.Region != usEast1 {
		in.CreateBucketConfiguration = &s3.CreateBucketConfiguration{LocationConstraint: s3.BucketLocationConstraint(r.Region)}
	}
	if _, err := invoke[s3.CreateBucketOutput](ctx, t.inv, "CreateBucket", in); err != nil {
		return stack.Result{}, err
	}
	started(name)
	return bucketResult(name, r.Region), t.configure(ctx, r, name, p, bucketProperties{})
}

// cannedACL turns CloudFormation's "PublicRead" into S3's "public-read".
func cannedACL(control *string) s3.BucketCannedACL {
	names := map[string]s3.BucketCannedACL{
		"Private": "private", "PublicRead": "public-read", "PublicReadWrite": "public-read-write", "AuthenticatedRead": "authenticated-read",
		"AwsExecRead": "aws-exec-read", "LogDeliveryWrite": "log-delivery-write",
		"BucketOwnerRead": "bucket-owner-read", "BucketOwnerFullControl": "bucket-owner-full-control",
	}
	if acl, ok := names[aws.Val(control)]; ok {
		return acl
	}
	return s3.BucketCannedACL(aws.Val(control))
}

func bucketResult(name, region string) stack.Result {
	website := "." // the form of newer regions
	switch region {
	case usEast1, "us-west-1", "us-west-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-west-1", "sa-east-1":
		website = "-"
	}
	return stack.Result{PhysicalID: name, Attributes: map[string]any{
		"Arn":                 bucketARN(name),
		"DomainName":          name + ".s3.amazonaws.com",
		"DualStackDomainName": name + ".s3.dualstack." + region + ".amazonaws.com",
		"RegionalDomainName":  name + ".s3." + region + ".amazonaws.com",
		"WebsiteURL":          "http://" + name + ".s3-website" + website + region + ".amazonaws.com",
	}}
}

// configure brings the bucket's settings from old to p. A setting that p no
// longer has goes back to what new buckets have.
func (t resourceBucket) configure(ctx context.Context, r stack.Request, name string, p, old bucketProperties) error {
	for _, set := range bucketSettings {
		if err := set(ctx, t.inv, name, p, old); err != nil {
			return err
		}
	}
	var tags []s3.Tag
	for _, tag := range r.TagsWith(p.Tags) {
		tags = append(tags, s3.Tag{Key: &tag.Key, Value: &tag.Value})
	}
	if len(tags) == 0 {
		if len(old.Tags) == 0 {
			return nil
		}
		_, err := invoke[s3.DeleteBucketTaggingOutput](ctx, t.inv, "DeleteBucketTagging", &s3.DeleteBucketTaggingInput{Bucket: &name})
		return err
	}
	_, err := invoke[s3.PutBucketTaggingOutput](ctx, t.inv, "PutBucketTagging",
		&s3.PutBucketTaggingInput{Bucket: &name, Tagging: &s3.Tagging{TagSet: tags}})
	return err
}

func (t resourceBucket) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := invoke[s3.HeadBucketOutput](ctx, t.inv, "HeadBucket", &s3.HeadBucketInput{Bucket: &r.PhysicalID})
	if awserr.Is(err, "NoSuchBucket") {
		return stack.Result{}, stack.ErrNotFound
	}
	return bucketResult(r.PhysicalID, r.Region), err
}

func (t resourceBucket) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old bucketProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	return bucketResult(r.PhysicalID, r.Region), t.configure(ctx, r, r.PhysicalID, p, old)
}

func (t resourceBucket) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[s3.DeleteBucketOutput](ctx, t.inv, "DeleteBucket", &s3.DeleteBucketInput{Bucket: &r.PhysicalID})
	if awserr.Is(err, "NoSuchBucket") {
		return nil
	}
	return err
}
