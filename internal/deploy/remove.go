package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Remove takes away what Run has made for the project: the application with its
// group, the stack, the archives, and with WithIdentity the roles. What is gone
// already is no failure, so a removal that was cut off is simply repeated.
func Remove(ctx context.Context, o Options, s Settings) error {
	s = s.complete()
	_, err := walk(ctx, s, func(r *run) []stage {
		stages := []stage{
			{"check", func(ctx context.Context) error { return r.check(ctx, o, s) }},
			{"application", r.deregister},
			{"stack", func(ctx context.Context) error { return r.takeDown(ctx, r.Stack) }},
			{"archives", r.clear},
		}
		if o.WithIdentity {
			stages = append(stages, stage{"identity", func(ctx context.Context) error { return r.takeDown(ctx, r.identityStack()) }})
		}
		return stages
	})
	return err
}

func (r *run) deregister(ctx context.Context) error {
	_, err := r.deploy.DeleteApplication(ctx, &codedeploy.DeleteApplicationInput{ApplicationName: &r.Application})
	if err != nil {
		return &Failure{Exit: ExitUnexpected, Cause: "the application " + r.Application + " could not be removed", Err: err}
	}
	r.progress.detail(r.Application)
	return nil
}

func (r *run) takeDown(ctx context.Context, name string) error {
	st, err := r.currentStack(ctx, name)
	if err != nil {
		return err
	}
	if st == nil {
		r.progress.detail("there is no stack " + name)
		return nil
	}
	err = r.removeStack(ctx, st)
	var f *Failure
	if errors.As(err, &f) {
		f.Cause = "the stack " + name + " could not be removed"
	}
	if err == nil {
		r.progress.detail(name)
	}
	return err
}

// clear deletes the application's archives, and the bucket when it is the one that
// deploy makes and nothing else lies in it.
func (r *run) clear(ctx context.Context) error {
	prefix := r.Application + "/"
	n := 0
	pages := s3.NewListObjectsV2Paginator(r.s3, &s3.ListObjectsV2Input{Bucket: &r.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if errorCode(err) == "NoSuchBucket" {
			r.progress.detail("there is no bucket " + r.bucket)
			return nil
		}
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if _, err := r.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &r.bucket, Key: o.Key}); err != nil {
				return err
			}
			n++
		}
	}
	r.progress.detail(fmt.Sprintf("%d in s3://%s/%s", n, r.bucket, prefix))
	if r.Bucket != "" {
		return nil
	}
	_, err := r.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(r.bucket)})
	var gone *types.NoSuchBucket
	if errorCode(err) == "BucketNotEmpty" || errors.As(err, &gone) {
		return nil // other projects use it, or somebody was faster
	}
	return err
}
