package s3

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// GetBucketEncryption returns the default encryption, which every bucket has.
func (s *Service) GetBucketEncryption(ctx context.Context, in *s3.GetBucketEncryptionInput) (*s3.GetBucketEncryptionOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	algorithm := s3.ServerSideEncryptionAes256
	if b.Managed {
		algorithm = s3.ServerSideEncryptionAwsKms
	}
	rule := s3.ServerSideEncryptionRule{
		ApplyServerSideEncryptionByDefault: &s3.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm},
		BucketKeyEnabled:                   &b.BucketKey,
	}
	if b.BlockCustomerKeys {
		rule.BlockedEncryptionTypes = &s3.BlockedEncryptionTypes{EncryptionType: []s3.EncryptionType{s3.EncryptionTypeSseC}}
	}
	return &s3.GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: &s3.ServerSideEncryptionConfiguration{
		Rules: []s3.ServerSideEncryptionRule{rule},
	}}, nil
}

// PutBucketEncryption makes new objects encrypted at rest, with SSE-S3, and says
// whether writers may bring keys of their own.
func (s *Service) PutBucketEncryption(ctx context.Context, in *s3.PutBucketEncryptionInput) (*s3.PutBucketEncryptionOutput, error) {
	c := in.ServerSideEncryptionConfiguration
	if c == nil || len(c.Rules) != 1 || c.Rules[0].ApplyServerSideEncryptionByDefault == nil && c.Rules[0].BlockedEncryptionTypes == nil {
		return nil, errMalformedXML
	}
	rule, managed := c.Rules[0], false
	if d := rule.ApplyServerSideEncryptionByDefault; d != nil {
		managed = d.SSEAlgorithm == s3.ServerSideEncryptionAwsKms
		switch {
		case managed && !managedKey(d.KMSMasterKeyID):
			return nil, notBuilt("PutBucketEncryption", "KMSMasterKeyID other than alias/aws/s3")
		case !managed && d.SSEAlgorithm != s3.ServerSideEncryptionAes256:
			return nil, notBuilt("PutBucketEncryption", "SSEAlgorithm "+string(d.SSEAlgorithm))
		case !managed && d.KMSMasterKeyID != nil:
			return nil, awserr.New("InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse").
				With("ArgumentName", "ApplyServerSideEncryptionByDefault")
		}
	}
	blocks := false
	if t := rule.BlockedEncryptionTypes; t != nil {
		blocks = slices.Contains(t.EncryptionType, s3.EncryptionTypeSseC)
		if len(t.EncryptionType) == 0 || blocks && slices.Contains(t.EncryptionType, s3.EncryptionTypeNone) {
			return nil, errMalformedXML
		}
	}
	err := s.change(ctx, in.Bucket, func(b *bucket) error {
		b.BucketKey, b.BlockCustomerKeys = aws.Val(rule.BucketKeyEnabled), blocks
		b.Managed = managed
		b.Encrypt = rule.ApplyServerSideEncryptionByDefault != nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutBucketEncryptionOutput{}, nil
}

// DeleteBucketEncryption goes back to what new buckets have. What was written
// encrypted stays so.
func (s *Service) DeleteBucketEncryption(ctx context.Context, in *s3.DeleteBucketEncryptionInput) (*s3.DeleteBucketEncryptionOutput, error) {
	err := s.change(ctx, in.Bucket, func(b *bucket) error {
		b.Encrypt, b.Managed, b.BucketKey, b.BlockCustomerKeys = false, false, false, false
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.DeleteBucketEncryptionOutput{}, nil
}
