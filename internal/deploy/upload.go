package deploy

import (
	"bytes"
	"context"
	"errors"
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
	if err := r.ensureBucket(ctx); err != nil {
		return err
	}
	out, err := r.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.bucket, Key: &r.key, Body: bytes.NewReader(r.archive)})
	if err != nil {
		return &Failure{Step: "upload", Cause: "the archive could not be stored in s3://" + r.bucket + "/" + r.key, Exit: ExitUnexpected, Err: err}
	}
	r.etag = strings.Trim(aws.ToString(out.ETag), `"`)
	r.progress.detail("s3://" + r.bucket + "/" + r.key)
	return nil
}

func (r *run) ensureBucket(ctx context.Context) error {
	_, err := r.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &r.bucket})
	var missing *types.NotFound
	if err == nil || !errors.As(err, &missing) {
		// A caller who may write to the bucket need not be allowed to look at it.
		return nil
	}
	in := &s3.CreateBucketInput{Bucket: &r.bucket}
	if r.region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(r.region)}
	}
	if _, err := r.s3.CreateBucket(ctx, in); err != nil && errorCode(err) != "BucketAlreadyOwnedByYou" {
		return &Failure{Step: "upload", Cause: "the bucket " + r.bucket + " does not exist and could not be made", Exit: ExitUnexpected, Err: err,
			Fix: "name a bucket that exists with --bucket"}
	}
	return nil
}
