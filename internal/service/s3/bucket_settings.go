package s3

import (
	"context"
	"net/http"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// GetPublicAccessBlock returns what the bucket blocks.
func (s *Service) GetPublicAccessBlock(ctx context.Context, in *s3.GetPublicAccessBlockInput) (*s3.GetPublicAccessBlockOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	p := b.PublicAccess
	if p == nil {
		return nil, awserr.Status(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration",
			"The public access block configuration was not found").With("BucketName", b.Name)
	}
	return &s3.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: &s3.PublicAccessBlockConfiguration{
		BlockPublicAcls: &p.BlockACLs, IgnorePublicAcls: &p.IgnoreACLs, BlockPublicPolicy: &p.BlockPolicy, RestrictPublicBuckets: &p.Restrict,
	}}, nil
}

// PutPublicAccessBlock replaces what the bucket blocks.
func (s *Service) PutPublicAccessBlock(ctx context.Context, in *s3.PutPublicAccessBlockInput) (*s3.PutPublicAccessBlockOutput, error) {
	c := in.PublicAccessBlockConfiguration
	if c == nil {
		return nil, errMalformedXML
	}
	err := s.change(ctx, in.Bucket, func(b *bucket) error {
		b.PublicAccess = &publicAccess{
			BlockACLs: aws.Val(c.BlockPublicAcls), IgnoreACLs: aws.Val(c.IgnorePublicAcls),
			BlockPolicy: aws.Val(c.BlockPublicPolicy), Restrict: aws.Val(c.RestrictPublicBuckets),
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutPublicAccessBlockOutput{}, nil
}

// DeletePublicAccessBlock makes the bucket block nothing.
func (s *Service) DeletePublicAccessBlock(ctx context.Context, in *s3.DeletePublicAccessBlockInput) (*s3.DeletePublicAccessBlockOutput, error) {
	err := s.change(ctx, in.Bucket, func(b *bucket) error { b.PublicAccess = nil; return nil })
	if err != nil {
		return nil, err
	}
	return &s3.DeletePublicAccessBlockOutput{}, nil
}

// GetBucketOwnershipControls returns who owns new objects.
func (s *Service) GetBucketOwnershipControls(ctx context.Context, in *s3.GetBucketOwnershipControlsInput) (*s3.GetBucketOwnershipControlsOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if b.Ownership == "" {
		return nil, awserr.Status(http.StatusNotFound, "OwnershipControlsNotFoundError",
			"The bucket ownership controls were not found").With("BucketName", b.Name)
	}
	return &s3.GetBucketOwnershipControlsOutput{OwnershipControls: &s3.OwnershipControls{
		Rules: []s3.OwnershipControlsRule{{ObjectOwnership: b.Ownership}},
	}}, nil
}

// PutBucketOwnershipControls sets who owns new objects.
func (s *Service) PutBucketOwnershipControls(ctx context.Context, in *s3.PutBucketOwnershipControlsInput) (*s3.PutBucketOwnershipControlsOutput, error) {
	if in.OwnershipControls == nil || len(in.OwnershipControls.Rules) != 1 {
		return nil, errMalformedXML
	}
	rule := in.OwnershipControls.Rules[0].ObjectOwnership
	switch rule {
	case s3.ObjectOwnershipBucketOwnerEnforced, s3.ObjectOwnershipBucketOwnerPreferred, s3.ObjectOwnershipObjectWriter:
	default:
		return nil, errMalformedXML
	}
	err := s.change(ctx, in.Bucket, func(b *bucket) error {
		if rule == s3.ObjectOwnershipBucketOwnerEnforced && !b.ACL.onlyOwner(b.Account) {
			return awserr.New("InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
		}
		b.Ownership = rule
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutBucketOwnershipControlsOutput{}, nil
}

// DeleteBucketOwnershipControls removes the rule.
func (s *Service) DeleteBucketOwnershipControls(ctx context.Context, in *s3.DeleteBucketOwnershipControlsInput) (*s3.DeleteBucketOwnershipControlsOutput, error) {
	if err := s.change(ctx, in.Bucket, func(b *bucket) error { b.Ownership = ""; return nil }); err != nil {
		return nil, err
	}
	return &s3.DeleteBucketOwnershipControlsOutput{}, nil
}
