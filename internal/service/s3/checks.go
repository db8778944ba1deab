package s3

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
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

// target returns the bucket that a request names and refuses it when it is in
// another region or not owned by whom the caller expects.
func (s *Service) target(ctx context.Context, name, expectedOwner *string) (*bucket, error) {
	b, err := s.lookup(ctx, aws.Val(name))
	if err != nil {
		return nil, err
	}
	if err := atHome(aws.CallFrom(ctx), b); err != nil {
		return nil, err
	}
	return b, b.ownedBy(expectedOwner)
}

// check is one permission on the bucket or, with a resource, on something in it,
// where the bucket's policy and ACL decide.
func (b *bucket) check(ctx context.Context, action, resource string) aws.Check {
	who := aws.CallFrom(ctx).Principal
	return aws.Check{
		Action: action, Resource: resource,
		ResourcePolicy: withStatements(b.effectivePolicy(who), b.bucketStatements(who)), ResourceAccount: b.Account,
		Context: map[string][]string{"s3:ResourceAccount": {b.Account}},
	}
}

// ownCheck is one permission on an object itself, where its owner decides: by the
// bucket's policy where that is the bucket's, and by the object's ACL.
func (b *bucket) ownCheck(ctx context.Context, action, key string, o *object) aws.Check {
	who := aws.CallFrom(ctx).Principal
	c := aws.Check{
		Action: action, Resource: objectARN(b.Name, key), ResourcePolicy: b.effectivePolicy(who), ResourceAccount: b.ownerOf(o),
		Context: map[string][]string{"s3:ResourceAccount": {b.Account}},
	}
	if c.ResourceAccount != b.Account {
		c.ResourcePolicy = onlyDenials(c.ResourcePolicy)
	}
	c.ResourcePolicy = withStatements(c.ResourcePolicy, b.objectStatements(who, key, o))
	return c
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

// bucketCheck is the check of the operation's action on the bucket that in names.
func (s *Service) bucketCheck(ctx context.Context, in any) (aws.Check, error) {
	name, _, owner := addressed(in)
	b, err := s.target(ctx, name, owner)
	if err != nil {
		return aws.Check{}, err
	}
	c := b.check(ctx, "", bucketARN(b.Name))
	s.describe(ctx, &c, in)
	return c, nil
}

// objectCheck is the check of the operation's action on the object that in names,
// where the bucket decides: on writing and deleting.
func (s *Service) objectCheck(ctx context.Context, in any) (aws.Check, error) {
	return s.checkObject(ctx, in, func(b *bucket, key string, _ *object) aws.Check {
		return b.check(ctx, "", objectARN(b.Name, key))
	})
}

// ownedCheck is objectCheck where the object's owner decides, on reading it and on
// what is said about it, with the object's tags as they are.
func (s *Service) ownedCheck(ctx context.Context, in any) (aws.Check, error) {
	return s.checkObject(ctx, in, func(b *bucket, key string, o *object) aws.Check {
		c := b.ownCheck(ctx, "", key, o)
		existingTags(&c, o)
		return c
	})
}

func (s *Service) checkObject(ctx context.Context, in any, of func(b *bucket, key string, o *object) aws.Check) (aws.Check, error) {
	name, key, owner := addressed(in)
	b, err := s.target(ctx, name, owner)
	if err != nil {
		return aws.Check{}, err
	}
	if err := validKey(aws.Val(key)); err != nil {
		return aws.Check{}, err
	}
	o, err := s.find(ctx, b, *key, member(in, "VersionId"))
	if err != nil {
		return aws.Check{}, err
	}
	c := of(b, *key, o)
	s.describe(ctx, &c, in)
	return c, nil
}

func existingTags(c *aws.Check, o *object) {
	if o == nil {
		return
	}
	for _, t := range o.Tags {
		c.Context["s3:ExistingObjectTag/"+t.Key] = []string{t.Value}
	}
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
	if o == nil && version != nil && b.Versioning != "" {
		if err := invented(*version); err != nil {
			return nil, err
		}
	}
	return nil, b.absent(ctx, key, o, version)
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
func (b *bucket) absent(ctx context.Context, key string, o *object, version *string) error {
	method, refuses := onMarker(aws.CallFrom(ctx).Operation)
	switch {
	case o == nil && version != nil && (b.Versioning != "" || *version != nullVersion):
		return errNoSuchVersion(key, *version)
	case o == nil:
		return errNoSuchKey(key)
	case version != nil, refuses:
		return b.markerHeaders(o, awserr.Status(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.").
			With("Method", method).With("ResourceType", "DeleteMarker")).
			WithHeader("Allow", "DELETE").WithHeader("Last-Modified", o.Modified.Format(http.TimeFormat))
	}
	return b.markerHeaders(o, errNoSuchKey(key))
}

// onMarker is the method of an operation on a delete marker, and whether the
// operation is refused also where the marker is just the latest version: changes
// and everything about tags are, while reading finds nothing there.
func onMarker(operation string) (method string, refuses bool) {
	switch {
	case strings.HasPrefix(operation, "Put"):
		return http.MethodPut, true
	case strings.HasPrefix(operation, "Delete"):
		return http.MethodDelete, true
	}
	return http.MethodGet, operation == "GetObjectTagging"
}

func (b *bucket) markerHeaders(o *object, err *awserr.Error) *awserr.Error {
	return err.WithHeader("x-amz-delete-marker", "true").WithHeader("x-amz-version-id", aws.Val(b.versionID(o)))
}
