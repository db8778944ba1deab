package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
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
	if err := r.ensureBucket(ctx); err != nil {
		return err
	}
	var err error
	if r.etag, err = r.put(ctx, r.key, r.archive); err != nil {
		return err
	}
	r.progress.detail("s3://" + r.bucket + "/" + r.key)
	return nil
}

// put stores an object in the project's bucket and returns its ETag.
func (r *run) put(ctx context.Context, key string, content []byte) (string, error) {
	out, err := r.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &r.bucket, Key: &key, Body: bytes.NewReader(content), ExpectedBucketOwner: r.bucketOwner(),
	})
	if err != nil {
		return "", &Failure{Cause: "s3://" + r.bucket + "/" + key + " could not be stored", Exit: ExitUnexpected, Err: err, Fix: r.bucketFix(err)}
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

// ensureBucket makes the bucket if it does not exist. A caller who may write to a
// bucket need not be allowed to look at it, so that a refusal is left for the
// writing to tell.
func (r *run) ensureBucket(ctx context.Context) error {
	_, err := r.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &r.bucket, ExpectedBucketOwner: r.bucketOwner()})
	switch httpStatus(err) {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		f := usage("the bucket %s is in another region than %s", r.bucket, r.region)
		f.Fix = "name one of this region with --bucket, which is made when it does not exist"
		return f
	case http.StatusNotFound:
		return r.createBucket(ctx)
	case http.StatusForbidden:
		return nil
	}
	return err
}

// httpStatus is what the server answered, 0 when err is nil or nobody answered.
func httpStatus(err error) int {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		return resp.HTTPStatusCode()
	}
	return 0
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
	case "AccessDenied":
		if r.Bucket == "" {
			return "grant the caller s3:PutObject on the bucket; if it belongs to another account, name another with --bucket"
		}
		return "grant the caller s3:PutObject on the bucket, here or in the bucket's policy, or name another with --bucket"
	}
	return "name a bucket that exists with --bucket"
}
