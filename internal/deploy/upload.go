package deploy

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// pack zips the application.
func (r *run) pack(context.Context) error {
	archive, hash, err := bundle(r.root())
	if err != nil {
		return usage("%v", err)
	}
	r.archive = archive
	r.key = r.Application + "/" + hash + ".zip"
	r.progress.detail(fmt.Sprintf("%s, %d bytes", r.AppDir, len(archive)))
	return nil
}

// upload puts the archive where instances fetch it.
func (r *run) upload(ctx context.Context) error {
	var err error
	if r.etag, err = r.put(ctx, r.key, r.archive); err != nil {
		return err
	}
	r.progress.detail("s3://" + r.bucket + "/" + r.key)
	return nil
}

// put stores an object in the project's bucket, which it makes if there is none, and
// returns its ETag.
func (r *run) put(ctx context.Context, key string, content []byte) (string, error) {
	etag, err := r.putObject(ctx, key, content)
	if errorCode(err) == "NoSuchBucket" {
		if err := r.createBucket(ctx); err != nil {
			return "", err
		}
		etag, err = r.putObject(ctx, key, content)
	}
	if err != nil {
		return "", &Failure{Cause: "s3://" + r.bucket + "/" + key + " could not be stored", Exit: ExitUnexpected, Err: err, Fix: r.bucketFix(err)}
	}
	return etag, nil
}

func (r *run) putObject(ctx context.Context, key string, content []byte) (string, error) {
	out, err := r.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &r.bucket, Key: &key, Body: bytes.NewReader(content), ExpectedBucketOwner: r.bucketOwner(),
	})
	if err != nil {
		return "", err
	}
	return strings.Trim(aws.ToString(out.ETag), `"`), nil
}

// bucketOwner is who has to own the bucket. One whose name nobody gave must be the
// caller's: the name can be guessed, and whoever had made it first would receive the
// archives.
func (r *run) bucketOwner() *string {
	if r.Bucket != "" {
		return nil
	}
	return &r.account
}

func (r *run) createBucket(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &r.bucket}
	if r.region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(r.region)}
	}
	_, err := r.s3.CreateBucket(ctx, in)
	if err == nil || errorCode(err) == "BucketAlreadyOwnedByYou" {
		return nil
	}
	return &Failure{Cause: "the bucket " + r.bucket + " does not exist and could not be made", Exit: ExitUnexpected, Err: err, Fix: r.bucketFix(err)}
}

// bucketFix is the way out when the bucket refuses.
func (r *run) bucketFix(err error) string {
	switch errorCode(err) {
	case "BucketAlreadyExists":
		return "somebody else has a bucket of that name: name another with --bucket"
	case "PermanentRedirect", "AuthorizationHeaderMalformed":
		return "the bucket is in another region than " + r.region + ": name one of this region with --bucket"
	case "AccessDenied":
		return "grant the caller s3:PutObject on the bucket, in its policy too if it is another account's, or name another with --bucket"
	}
	return "name a bucket that exists with --bucket"
}
