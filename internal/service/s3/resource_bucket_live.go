package s3

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// Live implements stack.Live.
func (t resourceBucket) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	if _, err := t.Read(ctx, r); err != nil {
		return nil, err
	}
	name := &r.PhysicalID
	live := map[string]any{"BucketName": r.PhysicalID}
	tags, err := setting[s3.GetBucketTaggingOutput](ctx, t.inv, "GetBucketTagging", &s3.GetBucketTaggingInput{Bucket: name}, "NoSuchTagSet")
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, tag := range tags.TagSet {
		list = append(list, map[string]any{"Key": aws.Val(tag.Key), "Value": aws.Val(tag.Value)})
	}
	live["Tags"] = list
	block, err := setting[s3.GetPublicAccessBlockOutput](ctx, t.inv, "GetPublicAccessBlock", &s3.GetPublicAccessBlockInput{Bucket: name}, "NoSuchPublicAccessBlockConfiguration")
	if err != nil {
		return nil, err
	}
	live["PublicAccessBlockConfiguration"] = stack.Plain(block.PublicAccessBlockConfiguration)
	owner, err := setting[s3.GetBucketOwnershipControlsOutput](ctx, t.inv, "GetBucketOwnershipControls", &s3.GetBucketOwnershipControlsInput{Bucket: name}, "OwnershipControlsNotFoundError")
	if err != nil {
		return nil, err
	}
	live["OwnershipControls"] = stack.Plain(owner.OwnershipControls)
	crypt, err := setting[s3.GetBucketEncryptionOutput](ctx, t.inv, "GetBucketEncryption", &s3.GetBucketEncryptionInput{Bucket: name}, "ServerSideEncryptionConfigurationNotFoundError")
	if err != nil {
		return nil, err
	}
	live["BucketEncryption"] = encryptionLive(crypt.ServerSideEncryptionConfiguration)
	if err := t.liveVersions(ctx, name, live); err != nil {
		return nil, err
	}
	rules, err := setting[s3.GetBucketLifecycleConfigurationOutput](ctx, t.inv, "GetBucketLifecycleConfiguration", &s3.GetBucketLifecycleConfigurationInput{Bucket: name}, "NoSuchLifecycleConfiguration")
	if err != nil {
		return nil, err
	}
	live["LifecycleConfiguration"] = lifecycleLive(rules, r.Properties)
	return live, t.liveWeb(ctx, name, live)
}

// liveVersions reads versioning, object lock and the ACL.
func (t resourceBucket) liveVersions(ctx context.Context, name *string, live map[string]any) error {
	v, err := invoke[s3.GetBucketVersioningOutput](ctx, t.inv, "GetBucketVersioning", &s3.GetBucketVersioningInput{Bucket: name})
	if err != nil {
		return err
	}
	live["VersioningConfiguration"] = nil
	if v.Status != "" {
		live["VersioningConfiguration"] = map[string]any{"Status": string(v.Status)}
	}
	lock, err := setting[s3.GetObjectLockConfigurationOutput](ctx, t.inv, "GetObjectLockConfiguration", &s3.GetObjectLockConfigurationInput{Bucket: name}, "ObjectLockConfigurationNotFoundError")
	if err != nil {
		return err
	}
	live["ObjectLockEnabled"] = lock.ObjectLockConfiguration != nil
	live["ObjectLockConfiguration"] = stack.Plain(lock.ObjectLockConfiguration)
	return nil
}

// setting reads one setting of a bucket; none is its zero value.
func setting[O any](ctx context.Context, inv Invoker, operation string, in any, none string) (*O, error) {
	out, err := invoke[O](ctx, inv, operation, in)
	if awserr.Is(err, none) {
		return new(O), nil
	}
	return out, err
}

// encryptionLive gives S3's rules the names that templates have.
func encryptionLive(c *s3.ServerSideEncryptionConfiguration) any {
	if c == nil {
		return nil
	}
	rules := []any{}
	for _, r := range c.Rules {
		rules = append(rules, map[string]any{"BucketKeyEnabled": stack.Plain(r.BucketKeyEnabled),
			"BlockedEncryptionTypes":        stack.Plain(r.BlockedEncryptionTypes),
			"ServerSideEncryptionByDefault": stack.Plain(r.ApplyServerSideEncryptionByDefault)})
	}
	return map[string]any{"ServerSideEncryptionConfiguration": rules}
}
