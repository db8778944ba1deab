package s3

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
)

// lifecycle is a bucket's lifecycle configuration, as it was put, every rule with
// an id.
type lifecycle struct {
	Rules []s3.LifecycleRule
	// Minimum is the size from which objects change their class.
	Minimum s3.TransitionDefaultMinimumObjectSize
}

// GetBucketLifecycleConfiguration returns the rules.
func (s *Service) GetBucketLifecycleConfiguration(ctx context.Context, in *s3.GetBucketLifecycleConfigurationInput) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if b.Lifecycle == nil {
		return nil, awserr.Status(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist").
			With("BucketName", b.Name)
	}
	return &s3.GetBucketLifecycleConfigurationOutput{Rules: b.Lifecycle.Rules, TransitionDefaultMinimumObjectSize: b.Lifecycle.Minimum}, nil
}

// PutBucketLifecycleConfiguration replaces the rules.
func (s *Service) PutBucketLifecycleConfiguration(ctx context.Context, in *s3.PutBucketLifecycleConfigurationInput) (*s3.PutBucketLifecycleConfigurationOutput, error) {
	if in.LifecycleConfiguration == nil || len(in.LifecycleConfiguration.Rules) == 0 || len(in.LifecycleConfiguration.Rules) > maxLifecycleRules {
		return nil, errMalformedXML
	}
	l := &lifecycle{
		Rules:   slices.Clone(in.LifecycleConfiguration.Rules),
		Minimum: cmp.Or(in.TransitionDefaultMinimumObjectSize, s3.TransitionDefaultMinimumObjectSizeAllStorageClasses128k),
	}
	if err := validRules(l.Rules); err != nil {
		return nil, err
	}
	for i := range l.Rules {
		if l.Rules[i].ID == nil || *l.Rules[i].ID == "" {
			l.Rules[i].ID = aws.Ptr(ids.UUID())
		}
	}
	if err := s.change(ctx, in.Bucket, func(b *bucket) error { b.Lifecycle = l; return nil }); err != nil {
		return nil, err
	}
	s.wakeLifecycle()
	return &s3.PutBucketLifecycleConfigurationOutput{TransitionDefaultMinimumObjectSize: l.Minimum}, nil
}

// DeleteBucketLifecycle removes the rules; having none is no error.
func (s *Service) DeleteBucketLifecycle(ctx context.Context, in *s3.DeleteBucketLifecycleInput) (*s3.DeleteBucketLifecycleOutput, error) {
	if err := s.change(ctx, in.Bucket, func(b *bucket) error { b.Lifecycle = nil; return nil }); err != nil {
		return nil, err
	}
	return &s3.DeleteBucketLifecycleOutput{}, nil
}
