package s3

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// usEast1 is the region without a location constraint, and the one where making
// a bucket again that one already owns succeeds.
const usEast1 = "us-east-1"

// CreateBucket makes a bucket with the settings that AWS gives new ones: ACLs
// off, all public access blocked.
func (s *Service) CreateBucket(ctx context.Context, in *s3.CreateBucketInput) (*s3.CreateBucketOutput, error) {
	call := aws.CallFrom(ctx)
	if call.Principal.Type == aws.PrincipalAnonymous {
		return nil, errAccessDenied
	}
	b, err := newBucket(call, in)
	if err != nil {
		return nil, err
	}
	b.Created = s.clock.Now().UTC().Truncate(time.Second)
	if _, taken := s.publishedBucket(b.Name); taken {
		return nil, errBucketExists(b.Name)
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		old, err := buckets.Get(tx, bucketKey(b.Name))
		switch {
		case err == nil:
			return again(old, b, call)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		emit(tx, call, b, "created")
		return buckets.Insert(tx, bucketKey(b.Name), b)
	})
	if err != nil {
		return nil, err
	}
	return &s3.CreateBucketOutput{Location: aws.Ptr("/" + b.Name), BucketArn: aws.Ptr(bucketARN(b.Name))}, nil
}

func newBucket(call aws.Call, in *s3.CreateBucketInput) (*bucket, error) {
	b := &bucket{
		Name: aws.Val(in.Bucket), Account: call.Account, Token: call.Token,
		PublicAccess: &publicAccess{true, true, true, true},
		Ownership:    s3.ObjectOwnershipBucketOwnerEnforced,
	}
	if err := validBucketName(b.Name); err != nil {
		return nil, err
	}
	if err := refuseUnbuilt("CreateBucket", in); err != nil {
		return nil, err
	}
	if aws.Val(in.ObjectLockEnabledForBucket) {
		b.Lock, b.Versioning = &objectLock{}, s3.BucketVersioningStatusEnabled
	}
	if in.ObjectOwnership != "" {
		b.Ownership = in.ObjectOwnership
	}
	acl, given, err := owned{b.Account, b.Account}.requested(in, string(in.ACL))
	if err != nil {
		return nil, err
	}
	if given && b.enforced() && !acl.onlyOwner(b.Account) {
		return nil, awserr.New("InvalidBucketAclWithObjectOwnership",
			"Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	}
	if b.ACL = acl; acl.public() {
		// A new bucket blocks public access, so nobody can make a public one.
		return nil, awserr.New("InvalidBucketAclWithBlockPublicAccessError", "Bucket cannot have public ACLs set with BlockPublicAccess enabled")
	}
	if c := in.CreateBucketConfiguration; c != nil {
		if c.Location != nil || c.Bucket != nil {
			return nil, notBuilt("CreateBucket", "directory buckets")
		}
		if b.Tags, err = bucketTags(c.Tags); err != nil {
			return nil, err
		}
	}
	region, err := location(call.Region, in.CreateBucketConfiguration)
	b.Region = region
	return b, err
}

// location applies the rules of location constraints: outside us-east-1 the
// constraint must be given and be the endpoint's region.
func location(endpoint string, c *s3.CreateBucketConfiguration) (string, error) {
	want := ""
	if c != nil {
		want = string(c.LocationConstraint)
	}
	switch {
	case want == "" && endpoint == usEast1, want == "" && endpoint == "":
		return usEast1, nil
	case want == "":
		return "", awserr.New("IllegalLocationConstraintException",
			"The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	case want == usEast1:
		return "", awserr.New("InvalidLocationConstraint", "The specified location-constraint is not valid").With("LocationConstraint", want)
	case want == "EU":
		want = "eu-west-1"
	}
	if endpoint != usEast1 && endpoint != want {
		return "", awserr.New("IllegalLocationConstraintException",
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.", want)
	}
	return want, nil
}

// again decides about a name that is taken.
func again(old, b *bucket, call aws.Call) error {
	switch {
	case old.Account != b.Account:
		return errBucketExists(b.Name)
	case b.Token != "" && old.Token == b.Token:
		return nil
	case b.Token == "" && call.Region == usEast1 && old.Region == b.Region:
		return nil
	}
	return awserr.Status(http.StatusConflict, "BucketAlreadyOwnedByYou",
		"Your previous request to create the named bucket succeeded and you already own it.").With("BucketName", b.Name)
}

func errBucketExists(name string) error {
	return awserr.Status(http.StatusConflict, "BucketAlreadyExists",
		"The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").
		With("BucketName", name)
}

func emit(tx *store.Tx, call aws.Call, b *bucket, kind string) {
	tx.Emit(store.Event{
		Account: b.Account, Region: b.Region, Service: "s3", Resource: bucketARN(b.Name), Kind: kind,
		Cause: call.Operation + " by " + call.Principal.ARN, RequestID: call.RequestID,
	})
}
