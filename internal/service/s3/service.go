// Package s3 is Amazon S3: buckets, objects, multipart uploads, and the
// resource types AWS::S3::Bucket and AWS::S3::BucketPolicy.
//
// It owns the tables s3.bucket, s3.object, s3.version, s3.upload and s3.part and the blobs
// they name. It imports wire (its rows), stack (its resource types), policy
// (bucket policies), store and blob. Flow enters through the operations in
// Wire, called by the server with a verified caller; checks.go says which
// permission each needs. Flow leaves to the blob store and the database, always
// in this order: bytes first, then one transaction that names them, then the
// bytes that nothing names any more are deleted. A crash between two of these
// steps leaves bytes without a row, which Sweep removes.
//
// Beside the callers' buckets there are published ones, aws-codedeploy-<region>,
// which belong to the service, are readable by everybody and cannot be changed.
//
// Objects report the encryption that AWS applies to all of them (AES256). Bytes are
// encrypted on disk where the writer or the bucket's configuration asks for it; all
// others are protected by the data dir's permissions.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Authorizer decides on permissions that are only known within an operation: one
// for each key of DeleteObjects, and whether a caller may learn that a key does
// not exist.
type Authorizer interface {
	Authorize(ctx context.Context, c aws.Check) error
}

// Published are the buckets that the service itself owns.
type Published interface {
	// Region returns the region of the published bucket with the name, or false
	// when there is none.
	Region(bucket string) (string, bool)
	// Objects returns the bucket's objects in the order of their keys.
	Objects(bucket string) ([]PublishedObject, error)
}

// PublishedObject is an object of a published bucket.
type PublishedObject struct {
	Key, ContentType string
	Size             int64
	ETag             string // MD5 in hex
	Read             func() ([]byte, error)
}

// Config is what the service works with; all but Published is required.
type Config struct {
	Store      *store.DB
	Blobs      blob.Store
	Clock      clock.Clock
	Authorizer Authorizer
	Keeper     Keeper
	Published  Published
	// Invoker sends notifications.
	Invoker Invoker
	Log     *slog.Logger
}

// Service implements the operations.
type Service struct {
	db        *store.DB
	blobs     *shelf
	clock     clock.Clock
	auth      Authorizer
	keeper    Keeper
	published Published
	invoker   Invoker
	log       *slog.Logger
	// lifecycles wakes the worker when rules have changed.
	lifecycles chan struct{}
	overtaken  overtakings
}

// New returns the service.
func New(cfg Config) *Service {
	return &Service{
		db: cfg.Store, clock: cfg.Clock, auth: cfg.Authorizer, keeper: cfg.Keeper, published: cfg.Published, invoker: cfg.Invoker, log: cfg.Log,
		lifecycles: make(chan struct{}, 1),
		blobs:      &shelf{store: cfg.Blobs, log: cfg.Log, pins: map[string]int{}, doomed: map[string]bool{}},
	}
}

// Wire lists the operations. Those of the API that have no row are answered
// with NotImplemented.
func (s *Service) Wire() wire.Service {
	var rows []wire.Operation
	rows = append(rows, s.bucketRows()...)
	rows = append(rows, s.settingRows()...)
	rows = append(rows, s.objectRows()...)
	rows = append(rows, s.uploadRows()...)
	rows = append(rows, s.siteRows()...)
	rows = append(rows, s.unsetRows()...)
	return wire.Service{Model: s3.Model(), Operations: rows, Anonymous: true, Web: s, Invalid: invalid, Headers: s.headers}
}

func (s *Service) bucketRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("ListBuckets", "s3:ListAllMyBuckets", s.ListBuckets, s.listBucketsChecks),
		wire.Op("CreateBucket", "s3:CreateBucket", s.CreateBucket, s.createBucketChecks),
		wire.Op("DeleteBucket", "s3:DeleteBucket", s.DeleteBucket, onBucket[s3.DeleteBucketInput](s)),
		wire.Op("HeadBucket", "s3:ListBucket", s.HeadBucket, onBucket[s3.HeadBucketInput](s)),
		wire.Op("GetBucketLocation", "s3:GetBucketLocation", s.GetBucketLocation, onBucket[s3.GetBucketLocationInput](s)),
		wire.Op("ListObjects", "s3:ListBucket", s.ListObjects, s.listObjectsChecks),
		wire.Op("ListObjectsV2", "s3:ListBucket", s.ListObjectsV2, s.listObjectsV2Checks),
		wire.Op("ListObjectVersions", "s3:ListBucketVersions", s.ListObjectVersions, s.listObjectVersionsChecks),
	}
}

func (s *Service) settingRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("GetBucketPolicy", "s3:GetBucketPolicy", s.GetBucketPolicy, onBucket[s3.GetBucketPolicyInput](s)),
		wire.Op("PutBucketPolicy", "s3:PutBucketPolicy", s.PutBucketPolicy, onBucket[s3.PutBucketPolicyInput](s)),
		wire.Op("DeleteBucketPolicy", "s3:DeleteBucketPolicy", s.DeleteBucketPolicy, onBucket[s3.DeleteBucketPolicyInput](s)),
		wire.Op("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", s.GetBucketPolicyStatus, onBucket[s3.GetBucketPolicyStatusInput](s)),
		wire.Op("GetBucketTagging", "s3:GetBucketTagging", s.GetBucketTagging, onBucket[s3.GetBucketTaggingInput](s)),
		wire.Op("PutBucketTagging", "s3:PutBucketTagging", s.PutBucketTagging, onBucket[s3.PutBucketTaggingInput](s)),
		wire.Op("DeleteBucketTagging", "s3:PutBucketTagging", s.DeleteBucketTagging, onBucket[s3.DeleteBucketTaggingInput](s)),
		wire.Op("GetBucketAcl", "s3:GetBucketAcl", s.GetBucketAcl, onBucket[s3.GetBucketAclInput](s)),
		wire.Op("PutBucketAcl", "s3:PutBucketAcl", s.PutBucketAcl, onBucket[s3.PutBucketAclInput](s)),
		wire.Op("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", s.GetBucketLifecycleConfiguration, onBucket[s3.GetBucketLifecycleConfigurationInput](s)),
		wire.Op("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", s.PutBucketLifecycleConfiguration, onBucket[s3.PutBucketLifecycleConfigurationInput](s)),
		wire.Op("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", s.DeleteBucketLifecycle, onBucket[s3.DeleteBucketLifecycleInput](s)),
		wire.Op("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", s.GetObjectLockConfiguration, onBucket[s3.GetObjectLockConfigurationInput](s)),
		wire.Op("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", s.PutObjectLockConfiguration, onBucket[s3.PutObjectLockConfigurationInput](s)),
		wire.Op("PutBucketVersioning", "s3:PutBucketVersioning", s.PutBucketVersioning, onBucket[s3.PutBucketVersioningInput](s)),
		wire.Op("GetBucketVersioning", "s3:GetBucketVersioning", s.GetBucketVersioning, onBucket[s3.GetBucketVersioningInput](s)),
		wire.Op("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", s.GetPublicAccessBlock, onBucket[s3.GetPublicAccessBlockInput](s)),
		wire.Op("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", s.PutPublicAccessBlock, onBucket[s3.PutPublicAccessBlockInput](s)),
		wire.Op("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", s.DeletePublicAccessBlock, onBucket[s3.DeletePublicAccessBlockInput](s)),
		wire.Op("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", s.GetBucketOwnershipControls, onBucket[s3.GetBucketOwnershipControlsInput](s)),
		wire.Op("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", s.PutBucketOwnershipControls, onBucket[s3.PutBucketOwnershipControlsInput](s)),
		wire.Op("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", s.DeleteBucketOwnershipControls, onBucket[s3.DeleteBucketOwnershipControlsInput](s)),
		wire.Op("GetBucketEncryption", "s3:GetEncryptionConfiguration", s.GetBucketEncryption, onBucket[s3.GetBucketEncryptionInput](s)),
		wire.Op("PutBucketEncryption", "s3:PutEncryptionConfiguration", s.PutBucketEncryption, onBucket[s3.PutBucketEncryptionInput](s)),
		wire.Op("DeleteBucketEncryption", "s3:PutEncryptionConfiguration", s.DeleteBucketEncryption, onBucket[s3.DeleteBucketEncryptionInput](s)),
	}
}

func (s *Service) objectRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("PutObject", "s3:PutObject", s.PutObject, s.putObjectChecks),
		wire.Op("GetObject", "s3:GetObject", s.GetObject, onOwn[s3.GetObjectInput](s, "s3:GetObjectVersion")),
		wire.Op("HeadObject", "s3:GetObject", s.HeadObject, onOwn[s3.HeadObjectInput](s, "s3:GetObjectVersion")),
		wire.Op("GetObjectAttributes", "s3:GetObject", s.GetObjectAttributes, s.getObjectAttributesChecks),
		wire.Op("DeleteObject", "s3:DeleteObject", s.DeleteObject, s.deleteObjectChecks),
		wire.FreeOp("DeleteObjects", "each key is authorized by itself as s3:DeleteObject and refused in the answer", s.DeleteObjects),
		wire.Op("CopyObject", "s3:PutObject", s.CopyObject, s.copyObjectChecks),
		wire.Op("GetObjectAcl", "s3:GetObjectAcl", s.GetObjectAcl, onOwn[s3.GetObjectAclInput](s, "s3:GetObjectVersionAcl")),
		wire.Op("PutObjectAcl", "s3:PutObjectAcl", s.PutObjectAcl, onOwn[s3.PutObjectAclInput](s, "s3:PutObjectVersionAcl")),
		wire.Op("GetObjectRetention", "s3:GetObjectRetention", s.GetObjectRetention, onOwn[s3.GetObjectRetentionInput](s, "")),
		wire.Op("PutObjectRetention", "s3:PutObjectRetention", s.PutObjectRetention, s.putObjectRetentionChecks),
		wire.Op("GetObjectLegalHold", "s3:GetObjectLegalHold", s.GetObjectLegalHold, onOwn[s3.GetObjectLegalHoldInput](s, "")),
		wire.Op("PutObjectLegalHold", "s3:PutObjectLegalHold", s.PutObjectLegalHold, s.putObjectLegalHoldChecks),
		wire.Op("GetObjectTagging", "s3:GetObjectTagging", s.GetObjectTagging, onOwn[s3.GetObjectTaggingInput](s, "s3:GetObjectVersionTagging")),
		wire.Op("PutObjectTagging", "s3:PutObjectTagging", s.PutObjectTagging, s.putObjectTaggingChecks),
		wire.Op("DeleteObjectTagging", "s3:DeleteObjectTagging", s.DeleteObjectTagging, onOwn[s3.DeleteObjectTaggingInput](s, "s3:DeleteObjectVersionTagging")),
	}
}

func (s *Service) siteRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("GetBucketCors", "s3:GetBucketCORS", s.GetBucketCors, onBucket[s3.GetBucketCorsInput](s)),
		wire.Op("PutBucketCors", "s3:PutBucketCORS", s.PutBucketCors, onBucket[s3.PutBucketCorsInput](s)),
		wire.Op("DeleteBucketCors", "s3:PutBucketCORS", s.DeleteBucketCors, onBucket[s3.DeleteBucketCorsInput](s)),
		wire.Op("GetBucketNotificationConfiguration", "s3:GetBucketNotification", s.GetBucketNotificationConfiguration, onBucket[s3.GetBucketNotificationConfigurationInput](s)),
		wire.Op("PutBucketNotificationConfiguration", "s3:PutBucketNotification", s.PutBucketNotificationConfiguration, onBucket[s3.PutBucketNotificationConfigurationInput](s)),
		wire.Op("GetBucketWebsite", "s3:GetBucketWebsite", s.GetBucketWebsite, onBucket[s3.GetBucketWebsiteInput](s)),
		wire.Op("PutBucketWebsite", "s3:PutBucketWebsite", s.PutBucketWebsite, onBucket[s3.PutBucketWebsiteInput](s)),
		wire.Op("DeleteBucketWebsite", "s3:DeleteBucketWebsite", s.DeleteBucketWebsite, onBucket[s3.DeleteBucketWebsiteInput](s)),
	}
}

func (s *Service) uploadRows() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateMultipartUpload", "s3:PutObject", s.CreateMultipartUpload, s.createMultipartUploadChecks),
		wire.Op("UploadPart", "s3:PutObject", s.UploadPart, onObject[s3.UploadPartInput](s)),
		wire.Op("UploadPartCopy", "s3:PutObject", s.UploadPartCopy, s.uploadPartCopyChecks),
		wire.Op("CompleteMultipartUpload", "s3:PutObject", s.CompleteMultipartUpload, onObject[s3.CompleteMultipartUploadInput](s)),
		wire.Op("AbortMultipartUpload", "s3:AbortMultipartUpload", s.AbortMultipartUpload, onObject[s3.AbortMultipartUploadInput](s)),
		wire.Op("ListParts", "s3:ListMultipartUploadParts", s.ListParts, onObject[s3.ListPartsInput](s)),
		wire.Op("ListMultipartUploads", "s3:ListBucketMultipartUploads", s.ListMultipartUploads, onBucket[s3.ListMultipartUploadsInput](s)),
	}
}

// Sweep deletes the bytes of earlier runs that no row names. The composition
// root runs it once after the start, beside the traffic.
func (s *Service) Sweep(ctx context.Context) error {
	n, err := s.blobs.store.Sweep(ctx, s.named(ctx))
	if n > 0 {
		s.log.Info("s3: removed bytes that no object names", "blobs", n)
	}
	if err != nil {
		return fmt.Errorf("sweep s3: %w", err)
	}
	return nil
}

// incomplete turns the end of a connection within a body into S3's error.
func incomplete(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errIncompleteBody
	}
	return err
}
