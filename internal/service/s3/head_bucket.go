package s3

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// HeadBucket tells that the bucket exists and the caller may list it.
func (s *Service) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	return &s3.HeadBucketOutput{
		BucketRegion: &b.Region, BucketArn: aws.Ptr(bucketARN(b.Name)), AccessPointAlias: aws.Ptr(false),
	}, nil
}

// GetBucketLocation returns the bucket's region, "" for us-east-1.
func (s *Service) GetBucketLocation(ctx context.Context, in *s3.GetBucketLocationInput) (*s3.GetBucketLocationOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	out := &s3.GetBucketLocationOutput{}
	if b.Region != usEast1 {
		out.LocationConstraint = s3.BucketLocationConstraint(b.Region)
	}
	return out, nil
}
