package s3

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// A bucket that does not exist is reported before permissions are looked at, as
// S3 does: without a bucket there is no policy to look at.

func bucketARN(name string) string      { return "arn:aws:s3:::" + name }
func objectARN(name, key string) string { return "arn:aws:s3:::" + name + "/" + key }

// lookup returns the bucket or NoSuchBucket.
func (s *Service) lookup(ctx context.Context, name string) (*bucket, error) {
	if b, ok := s.publishedBucket(name); ok {
		return b, nil
	}
	var b *bucket
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		b, err = buckets.Get(tx, bucketKey(name))
		return err
	})
	return b, orNoSuchBucket(err, name)
}

// target returns the bucket that a request names and refuses it when it is not
// owned by whom the caller expects.
func (s *Service) target(ctx context.Context, name, expectedOwner *string) (*bucket, error) {
	b, err := s.lookup(ctx, aws.Val(name))
	if err != nil {
		return nil, err
	}
	if expectedOwner != nil && *expectedOwner != b.Account {
		return nil, errAccessDenied
	}
	return b, nil
}

// check is one permission on the bucket or, with a resource, on something in it.
func (b *bucket) check(ctx context.Context, action, resource string) aws.Check {
	return aws.Check{
		Action: action, Resource: resource,
		ResourcePolicy: b.effectivePolicy(aws.CallFrom(ctx).Principal), ResourceAccount: b.Account,
		Context: map[string][]string{"s3:ResourceAccount": {b.Account}},
	}
}

// addressed returns the Bucket, Key and ExpectedBucketOwner members of in, a
// pointer to an input.
func addressed(in any) (bucket, key, owner *string) {
	return member(in, "Bucket"), member(in, "Key"), member(in, "ExpectedBucketOwner")
}

// member returns a member of in, a pointer to an input; nil where it has no such
// text.
func member(in any, name string) *string {
	if f := reflect.ValueOf(in).Elem().FieldByName(name); f.IsValid() {
		p, _ := f.Interface().(*string)
		return p
	}
	return nil
}

// onBucket checks the operation's action on the bucket itself.
func onBucket[I any](s *Service) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		name, _, owner := addressed(in)
		b, err := s.target(ctx, name, owner)
		if err != nil {
			return nil, err
		}
		return []aws.Check{b.check(ctx, "", bucketARN(b.Name))}, nil
	}
}

// onObject checks the operation's action on the object.
func onObject[I any](s *Service) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		c, err := s.objectCheck(ctx, in)
		return []aws.Check{c}, err
	}
}

// objectCheck is the check of the operation's action on the object that in
// names, with the object's tags as they are.
func (s *Service) objectCheck(ctx context.Context, in any) (aws.Check, error) {
	name, key, owner := addressed(in)
	b, err := s.target(ctx, name, owner)
	if err != nil {
		return aws.Check{}, err
	}
	if err := validKey(aws.Val(key)); err != nil {
		return aws.Check{}, err
	}
	return s.onExisting(ctx, b, "", aws.Val(key), member(in, "VersionId"))
}

// onVersion is onObject for an operation whose action has another name when the
// request names a version.
func onVersion[I any](s *Service, versioned string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		c, err := s.objectCheck(ctx, in)
		return []aws.Check{forVersion(c, in, versioned)}, err
	}
}

func forVersion(c aws.Check, in any, versioned string) aws.Check {
	if member(in, "VersionId") != nil {
		c.Action = versioned
	}
	return c
}

func (s *Service) onExisting(ctx context.Context, b *bucket, action, key string, version *string) (aws.Check, error) {
	c := b.check(ctx, action, objectARN(b.Name, key))
	if version != nil {
		c.Context["s3:VersionId"] = []string{*version}
	}
	o, err := s.find(ctx, b, key, version)
	if err != nil {
		return c, err
	}
	if o != nil {
		for _, t := range o.Tags {
			c.Context["s3:ExistingObjectTag/"+t.Key] = []string{t.Value}
		}
	}
	return c, nil
}

// find returns the version with the id, or the latest when the id is nil: an
// object, a delete marker, or nil when there is none.
func (s *Service) find(ctx context.Context, b *bucket, key string, version *string) (o *object, err error) {
	if b.published {
		return s.publishedObject(b.Name, key)
	}
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		o, err = pick(tx, b, key, version)
		return err
	})
	return o, err
}

func pick(tx *store.Tx, b *bucket, key string, version *string) (*object, error) {
	if version != nil {
		return versionOf(tx, b.Name, key, *version)
	}
	return latestOf(tx, b, key)
}

// read returns the object. That a key does not exist is told only to who may
// list the bucket; others are denied.
func (s *Service) read(ctx context.Context, b *bucket, key string, version *string) (*object, error) {
	if err := b.validVersion(version); err != nil {
		return nil, err
	}
	o, err := s.find(ctx, b, key, version)
	if err != nil || o != nil && !o.Marker {
		return o, err
	}
	if err := s.mayList(ctx, b, version); err != nil {
		return nil, err
	}
	return nil, b.absent(key, o, version)
}

// mayList refuses who may not list the bucket.
func (s *Service) mayList(ctx context.Context, b *bucket, version *string) error {
	action := "s3:ListBucket"
	if version != nil {
		action = "s3:ListBucketVersions"
	}
	return s.auth.Authorize(ctx, b.check(ctx, action, bucketARN(b.Name)))
}

// absent is the error of reading what is not there, or is the delete marker o.
func (b *bucket) absent(key string, o *object, version *string) error {
	switch {
	case o == nil && version != nil && (b.Versioning != "" || *version != nullVersion):
		return errNoSuchVersion(key, *version)
	case o == nil:
		return errNoSuchKey(key)
	case version != nil:
		return b.markerHeaders(o, awserr.Status(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.").
			With("Method", "GET").With("ResourceType", "DeleteMarker")).
			WithHeader("Allow", "DELETE").WithHeader("Last-Modified", o.Modified.Format(http.TimeFormat))
	}
	return b.markerHeaders(o, errNoSuchKey(key))
}

func (b *bucket) markerHeaders(o *object, err *awserr.Error) *awserr.Error {
	return err.WithHeader("x-amz-delete-marker", "true").WithHeader("x-amz-version-id", aws.Val(b.versionID(o)))
}

func (s *Service) createBucketChecks(_ context.Context, in *s3.CreateBucketInput) ([]aws.Check, error) {
	c := aws.Check{Resource: bucketARN(aws.Val(in.Bucket)), Context: map[string][]string{}}
	if in.CreateBucketConfiguration != nil && in.CreateBucketConfiguration.LocationConstraint != "" {
		c.Context["s3:LocationConstraint"] = []string{string(in.CreateBucketConfiguration.LocationConstraint)}
	}
	if in.ACL != "" {
		c.Context["s3:x-amz-acl"] = []string{string(in.ACL)}
	}
	checks := []aws.Check{c}
	if in.ObjectOwnership != "" {
		checks = append(checks, aws.Check{Action: "s3:PutBucketOwnershipControls", Resource: c.Resource})
	}
	if in.CreateBucketConfiguration != nil && len(in.CreateBucketConfiguration.Tags) > 0 {
		checks = append(checks, aws.Check{Action: "s3:TagResource", Resource: c.Resource})
	}
	return checks, nil
}

func (s *Service) listChecks(ctx context.Context, name, owner, prefix, delimiter *string, maxKeys *int32) ([]aws.Check, error) {
	b, err := s.target(ctx, name, owner)
	if err != nil {
		return nil, err
	}
	c := b.check(ctx, "", bucketARN(b.Name))
	// S3 takes an absent prefix for an empty one.
	c.Context["s3:prefix"] = []string{aws.Val(prefix)}
	if delimiter != nil {
		c.Context["s3:delimiter"] = []string{*delimiter}
	}
	if maxKeys != nil {
		c.Context["s3:max-keys"] = []string{strconv.Itoa(int(*maxKeys))}
	}
	return []aws.Check{c}, nil
}

func (s *Service) listObjectsChecks(ctx context.Context, in *s3.ListObjectsInput) ([]aws.Check, error) {
	return s.listChecks(ctx, in.Bucket, in.ExpectedBucketOwner, in.Prefix, in.Delimiter, in.MaxKeys)
}

func (s *Service) listObjectsV2Checks(ctx context.Context, in *s3.ListObjectsV2Input) ([]aws.Check, error) {
	return s.listChecks(ctx, in.Bucket, in.ExpectedBucketOwner, in.Prefix, in.Delimiter, in.MaxKeys)
}

func (s *Service) listObjectVersionsChecks(ctx context.Context, in *s3.ListObjectVersionsInput) ([]aws.Check, error) {
	return s.listChecks(ctx, in.Bucket, in.ExpectedBucketOwner, in.Prefix, in.Delimiter, in.MaxKeys)
}

// writeChecks adds to the check of s3:PutObject what the new object's ACL and
// tags need.
func (s *Service) writeChecks(ctx context.Context, in any, acl s3.ObjectCannedACL, tagging *string) ([]aws.Check, error) {
	c, err := s.objectCheck(ctx, in)
	if err != nil {
		return nil, err
	}
	checks := []aws.Check{c}
	if acl != "" {
		c.Context["s3:x-amz-acl"] = []string{string(acl)}
		checks = append(checks, withAction(c, "s3:PutObjectAcl"))
	}
	if tagging != nil {
		tags, err := parseTagging(tagging)
		if err != nil {
			return nil, err
		}
		for _, t := range tags {
			c.Context["s3:RequestObjectTag/"+t.Key] = []string{t.Value}
		}
		checks = append(checks, withAction(c, "s3:PutObjectTagging"))
	}
	return checks, nil
}

func withAction(c aws.Check, action string) aws.Check {
	c.Action = action
	return c
}

func (s *Service) putObjectChecks(ctx context.Context, in *s3.PutObjectInput) ([]aws.Check, error) {
	return s.writeChecks(ctx, in, in.ACL, in.Tagging)
}

func (s *Service) createMultipartUploadChecks(ctx context.Context, in *s3.CreateMultipartUploadInput) ([]aws.Check, error) {
	return s.writeChecks(ctx, in, in.ACL, in.Tagging)
}

func (s *Service) copyObjectChecks(ctx context.Context, in *s3.CopyObjectInput) ([]aws.Check, error) {
	checks, err := s.writeChecks(ctx, in, in.ACL, in.Tagging)
	if err != nil {
		return nil, err
	}
	return s.withSource(ctx, checks, in.CopySource, in.ExpectedSourceBucketOwner)
}

func (s *Service) uploadPartCopyChecks(ctx context.Context, in *s3.UploadPartCopyInput) ([]aws.Check, error) {
	c, err := s.objectCheck(ctx, in)
	if err != nil {
		return nil, err
	}
	return s.withSource(ctx, []aws.Check{c}, in.CopySource, in.ExpectedSourceBucketOwner)
}

// withSource adds the permission to read the object that is copied.
func (s *Service) withSource(ctx context.Context, checks []aws.Check, source, owner *string) ([]aws.Check, error) {
	from, err := parseCopySource(aws.Val(source))
	if err != nil {
		return nil, err
	}
	b, err := s.target(ctx, &from.bucket, owner)
	if err != nil {
		return nil, err
	}
	action := "s3:GetObject"
	if from.version != nil {
		action = "s3:GetObjectVersion"
	}
	c, err := s.onExisting(ctx, b, action, from.key, from.version)
	if err != nil {
		return nil, err
	}
	for i := range checks {
		checks[i].Context["s3:x-amz-copy-source"] = []string{from.bucket + "/" + from.key}
	}
	return append(checks, c), nil
}

func (s *Service) getObjectAttributesChecks(ctx context.Context, in *s3.GetObjectAttributesInput) ([]aws.Check, error) {
	c, err := s.objectCheck(ctx, in)
	if in.VersionId != nil {
		return []aws.Check{withAction(c, "s3:GetObjectVersion"), withAction(c, "s3:GetObjectVersionAttributes")}, err
	}
	return []aws.Check{withAction(c, "s3:GetObject"), withAction(c, "s3:GetObjectAttributes")}, err
}

func (s *Service) putObjectTaggingChecks(ctx context.Context, in *s3.PutObjectTaggingInput) ([]aws.Check, error) {
	c, err := s.objectCheck(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.Tagging != nil {
		for _, t := range in.Tagging.TagSet {
			c.Context["s3:RequestObjectTag/"+aws.Val(t.Key)] = []string{aws.Val(t.Value)}
		}
	}
	return []aws.Check{forVersion(c, in, "s3:PutObjectVersionTagging")}, nil
}
