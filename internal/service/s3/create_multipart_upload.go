package s3

import (
	"context"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	maxParts = 1000 // in one answer of ListParts
	// lastPart is the highest part number.
	lastPart = 10000
	// minPart is the size that all parts but the last need: 5 MiB.
	minPart = 5 << 20
)

// CreateMultipartUpload begins an upload in parts.
func (s *Service) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput) (*s3.CreateMultipartUploadOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	u, err := newUpload(aws.CallFrom(ctx), b, in)
	if err != nil {
		return nil, err
	}
	u.Lock, err = s.protect(b, lockRequest{mode: in.ObjectLockMode, until: in.ObjectLockRetainUntilDate, hold: in.ObjectLockLegalHoldStatus})
	if err != nil {
		return nil, err
	}
	var key *customerKey
	if u.Crypt, _, key, err = s.encryption(b, u.Key, in); err != nil {
		return nil, err
	}
	u.Initiated = s.clock.Now().UTC().Truncate(time.Second)
	u.Initiator = aws.CallFrom(ctx).Principal.ARN
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := buckets.Get(tx, bucketKey(b.Name)); err != nil {
			return orNoSuchBucket(err, b.Name)
		}
		return uploads.Insert(tx, uploadKey(u.Bucket, u.Key, u.ID), u)
	})
	if err != nil {
		return nil, err
	}
	s.overtaken.begin(objectKey(u.Bucket, u.Key).ID, u.ID)
	abortDate, abortRule := b.abortion(u)
	out := &s3.CreateMultipartUploadOutput{
		AbortDate: abortDate, AbortRuleId: abortRule,
		Bucket: &u.Bucket, Key: &u.Key, UploadId: &u.ID,
		ChecksumAlgorithm: s3.ChecksumAlgorithm(u.Algorithm), ChecksumType: u.ChecksumType,
	}
	showEncryption(out, u.Crypt, key)
	return out, nil
}

func newUpload(call aws.Call, b *bucket, in *s3.CreateMultipartUploadInput) (*upload, error) {
	if err := refuseUnbuilt("CreateMultipartUpload", in); err != nil {
		return nil, err
	}
	owner, acl, err := b.settle(call, in, string(in.ACL))
	if err != nil {
		return nil, err
	}
	class, err := classFor(in.StorageClass)
	if err != nil {
		return nil, err
	}
	tags, err := parseTagging(in.Tagging)
	if err != nil {
		return nil, err
	}
	u := &upload{
		Bucket: b.Name, Key: aws.Val(in.Key), ID: ids.Upper(64), Tags: tags, Metadata: in.Metadata, Owner: owner, ACL: acl, Class: class,
		Headers: headers{
			ContentType: in.ContentType, CacheControl: in.CacheControl, ContentDisposition: in.ContentDisposition,
			ContentEncoding: in.ContentEncoding, ContentLanguage: in.ContentLanguage, Expires: in.Expires, WebsiteRedirect: in.WebsiteRedirectLocation,
		},
		ChecksumType: in.ChecksumType,
	}
	if u.Algorithm, err = algorithm("CreateMultipartUpload", in.ChecksumAlgorithm); err != nil {
		return nil, err
	}
	if err := u.chooseType(); err != nil {
		return nil, err
	}
	return u, validDescription(u.Headers, in.Metadata)
}

// chooseType completes the checksum type: CRC64NVME is always one of the whole
// object, the others are composite unless a CRC is asked to be whole.
func (u *upload) chooseType() error {
	full := u.ChecksumType == s3.ChecksumTypeFullObject
	switch {
	case u.Algorithm == "" && u.ChecksumType != "":
		return errInvalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	case u.Algorithm == "":
	case u.Algorithm == blob.CRC64NVME && u.ChecksumType == s3.ChecksumTypeComposite, full && !combinable(u.Algorithm):
		return errInvalidRequest("The %s checksum type cannot be used with the %s checksum algorithm.", u.ChecksumType, u.Algorithm)
	case u.Algorithm == blob.CRC64NVME:
		u.ChecksumType = s3.ChecksumTypeFullObject
	case u.ChecksumType == "":
		u.ChecksumType = s3.ChecksumTypeComposite
	}
	return nil
}

// partAlgorithm is the checksum that parts get: S3 keeps a CRC64NVME when the
// upload names none.
func (u *upload) partAlgorithm() blob.Algorithm {
	if u.Algorithm == "" {
		return blob.CRC64NVME
	}
	return u.Algorithm
}
