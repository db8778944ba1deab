package s3

import (
	"context"
	"net/http"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// GetBucketVersioning returns the state, nothing for a bucket that was never
// versioned.
func (s *Service) GetBucketVersioning(ctx context.Context, in *s3.GetBucketVersioningInput) (*s3.GetBucketVersioningOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	return &s3.GetBucketVersioningOutput{Status: b.Versioning}, nil
}

// PutBucketVersioning enables or suspends versioning. There is no way back to a
// bucket that was never versioned.
func (s *Service) PutBucketVersioning(ctx context.Context, in *s3.PutBucketVersioningInput) (*s3.PutBucketVersioningOutput, error) {
	c := in.VersioningConfiguration
	switch {
	case c == nil:
		return nil, errMalformedXML
	case c.MFADelete == s3.MFADeleteEnabled || in.MFA != nil:
		return nil, notBuilt("PutBucketVersioning", "MFADelete")
	case c.MFADelete != "" && c.MFADelete != s3.MFADeleteDisabled:
		return nil, errMalformedXML
	case c.Status == "":
		return nil, errIllegalVersioning
	case c.Status != s3.BucketVersioningStatusEnabled && c.Status != s3.BucketVersioningStatusSuspended:
		return nil, errMalformedXML
	}
	err := s.change(ctx, in.Bucket, func(b *bucket) error {
		if b.Lock != nil && c.Status != s3.BucketVersioningStatusEnabled {
			return awserr.Status(http.StatusConflict, "InvalidBucketState",
				"An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
		}
		b.Versioning = c.Status
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutBucketVersioningOutput{}, nil
}
