package s3

import (
	"context"
	"net/http"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// Settings that hardstand does not have are answered as S3 answers for a bucket on
// which they were never made; making them is NotImplemented. Putting what a new
// bucket has anyway is let through: tools do so to begin and to end.

func errNoConfiguration() error {
	return awserr.Status(http.StatusNotFound, "NoSuchConfiguration", "The specified configuration does not exist.")
}

// unset is an operation that answers the same for every bucket.
func unset[I, O any](s *Service, name, action string, answer func(bucketName string) (*O, error)) wire.Operation {
	return wire.Op(name, action, func(ctx context.Context, in *I) (*O, error) {
		bucketName, _, _ := addressed(in)
		b, err := s.lookup(ctx, aws.Val(bucketName))
		if err != nil {
			return nil, err
		}
		return answer(b.Name)
	}, onBucket[I](s))
}

// none answers that the configuration of an id does not exist.
func none[I, O any](s *Service, name, action string) wire.Operation {
	return unset[I](s, name, action, func(string) (*O, error) { return nil, errNoConfiguration() })
}

// constant answers with out.
func constant[I, O any](s *Service, name, action string, out O) wire.Operation {
	return unset[I](s, name, action, func(string) (*O, error) { return &out, nil })
}

func (s *Service) unsetRows() []wire.Operation {
	no := aws.Ptr(false)
	const analytics, inventory, metrics, tiering = "AnalyticsConfiguration", "InventoryConfiguration", "MetricsConfiguration", "IntelligentTieringConfiguration"
	return []wire.Operation{
		constant[s3.GetBucketAccelerateConfigurationInput](s, "GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", s3.GetBucketAccelerateConfigurationOutput{}),
		constant[s3.GetBucketLoggingInput](s, "GetBucketLogging", "s3:GetBucketLogging", s3.GetBucketLoggingOutput{}),
		wire.Op("PutBucketLogging", "s3:PutBucketLogging", s.PutBucketLogging, onBucket[s3.PutBucketLoggingInput](s)),
		constant[s3.GetBucketRequestPaymentInput](s, "GetBucketRequestPayment", "s3:GetBucketRequestPayment", s3.GetBucketRequestPaymentOutput{Payer: s3.PayerBucketOwner}),
		wire.Op("PutBucketRequestPayment", "s3:PutBucketRequestPayment", s.PutBucketRequestPayment, onBucket[s3.PutBucketRequestPaymentInput](s)),
		constant[s3.GetBucketAbacInput](s, "GetBucketAbac", "s3:GetBucketAbac", s3.GetBucketAbacOutput{AbacStatus: &s3.AbacStatus{Status: s3.BucketAbacStatusDisabled}}),
		unset[s3.GetBucketReplicationInput](s, "GetBucketReplication", "s3:GetReplicationConfiguration", func(name string) (*s3.GetBucketReplicationOutput, error) {
			return nil, awserr.Status(http.StatusNotFound, "ReplicationConfigurationNotFoundError", "The replication configuration was not found").With("BucketName", name)
		}),
		constant[s3.DeleteBucketReplicationInput](s, "DeleteBucketReplication", "s3:PutReplicationConfiguration", s3.DeleteBucketReplicationOutput{}),

		none[s3.GetBucketAnalyticsConfigurationInput, s3.GetBucketAnalyticsConfigurationOutput](s, "GetBucket"+analytics, "s3:GetAnalyticsConfiguration"),
		none[s3.DeleteBucketAnalyticsConfigurationInput, s3.DeleteBucketAnalyticsConfigurationOutput](s, "DeleteBucket"+analytics, "s3:PutAnalyticsConfiguration"),
		constant[s3.ListBucketAnalyticsConfigurationsInput](s, "ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration", s3.ListBucketAnalyticsConfigurationsOutput{IsTruncated: no}),
		none[s3.GetBucketInventoryConfigurationInput, s3.GetBucketInventoryConfigurationOutput](s, "GetBucket"+inventory, "s3:GetInventoryConfiguration"),
		none[s3.DeleteBucketInventoryConfigurationInput, s3.DeleteBucketInventoryConfigurationOutput](s, "DeleteBucket"+inventory, "s3:PutInventoryConfiguration"),
		constant[s3.ListBucketInventoryConfigurationsInput](s, "ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration", s3.ListBucketInventoryConfigurationsOutput{IsTruncated: no}),
		none[s3.GetBucketMetricsConfigurationInput, s3.GetBucketMetricsConfigurationOutput](s, "GetBucket"+metrics, "s3:GetMetricsConfiguration"),
		none[s3.DeleteBucketMetricsConfigurationInput, s3.DeleteBucketMetricsConfigurationOutput](s, "DeleteBucket"+metrics, "s3:PutMetricsConfiguration"),
		constant[s3.ListBucketMetricsConfigurationsInput](s, "ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration", s3.ListBucketMetricsConfigurationsOutput{IsTruncated: no}),
		none[s3.GetBucketIntelligentTieringConfigurationInput, s3.GetBucketIntelligentTieringConfigurationOutput](s, "GetBucket"+tiering, "s3:GetIntelligentTieringConfiguration"),
		none[s3.DeleteBucketIntelligentTieringConfigurationInput, s3.DeleteBucketIntelligentTieringConfigurationOutput](s, "DeleteBucket"+tiering, "s3:PutIntelligentTieringConfiguration"),
		constant[s3.ListBucketIntelligentTieringConfigurationsInput](s, "ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration", s3.ListBucketIntelligentTieringConfigurationsOutput{IsTruncated: no}),
	}
}

// PutBucketLogging accepts that nothing is logged.
func (s *Service) PutBucketLogging(ctx context.Context, in *s3.PutBucketLoggingInput) (*s3.PutBucketLoggingOutput, error) {
	if in.BucketLoggingStatus == nil {
		return nil, errMalformedXML
	}
	if in.BucketLoggingStatus.LoggingEnabled != nil {
		return nil, notBuilt("PutBucketLogging", "LoggingEnabled")
	}
	_, err := s.lookup(ctx, aws.Val(in.Bucket))
	return &s3.PutBucketLoggingOutput{}, err
}

// PutBucketRequestPayment accepts that the owner pays.
func (s *Service) PutBucketRequestPayment(ctx context.Context, in *s3.PutBucketRequestPaymentInput) (*s3.PutBucketRequestPaymentOutput, error) {
	if in.RequestPaymentConfiguration == nil || in.RequestPaymentConfiguration.Payer == "" {
		return nil, errMalformedXML
	}
	if p := in.RequestPaymentConfiguration.Payer; p != s3.PayerBucketOwner {
		return nil, notBuilt("PutBucketRequestPayment", "Payer "+string(p))
	}
	_, err := s.lookup(ctx, aws.Val(in.Bucket))
	return &s3.PutBucketRequestPaymentOutput{}, err
}
