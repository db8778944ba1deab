package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/store"
)

// findUpload returns the upload in progress or NoSuchUpload.
func (s *Service) findUpload(ctx context.Context, bucketName, key, id *string) (u *upload, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		u, err = getUpload(tx, aws.Val(bucketName), aws.Val(key), aws.Val(id))
		return err
	})
	return u, err
}

func getUpload(tx *store.Tx, bucketName, key, id string) (*upload, error) {
	u, err := uploads.Get(tx, uploadKey(bucketName, key, id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoSuchUpload.With("UploadId", id)
	}
	return u, err
}

func validPartNumber(n *int32) error {
	if v := aws.Val(n); v < 1 || v > lastPart {
		return errInvalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", strconv.Itoa(int(v)))
	}
	return nil
}

// UploadPart stores a part. The same number again replaces the part.
func (s *Service) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := refuseUnbuilt("UploadPart", in); err != nil {
		return nil, err
	}
	if err := validPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	u, err := s.findUpload(ctx, in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	if given, err := givenChecksum(in); err != nil {
		return nil, err
	} else if u.Algorithm != "" && given.Algorithm != "" && given.Algorithm != u.Algorithm {
		return nil, errInvalidRequest("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.Algorithm, given.Algorithm)
	}
	named := s3.ChecksumAlgorithm(u.partAlgorithm())
	data, key, err := s.uploadKey(u, in)
	if err != nil {
		return nil, err
	}
	info, sum, err := s.receive(ctx, "UploadPart", in, in.Body, data, in.ContentMD5, named)
	if err != nil {
		return nil, err
	}
	p, err := s.keepPart(ctx, u, *in.PartNumber, info, etagOf(info, data, key))
	if err != nil {
		return nil, err
	}
	out := &s3.UploadPartOutput{ETag: quoted(p.ETag)}
	showEncryption(out, u.Crypt, key)
	setChecksum(out, sum)
	return out, nil
}

// keepPart commits the row of a part whose bytes are written.
func (s *Service) keepPart(ctx context.Context, u *upload, number int32, info blob.Info, etag string) (*part, error) {
	p := &part{
		Number: number, Blob: info.ID, Size: info.Size, ETag: etag, Sealed: u.Crypt != nil,
		Modified: s.clock.Now().UTC().Truncate(time.Second),
	}
	if sum := info.Sums[u.partAlgorithm()]; sum != nil {
		p.Checksum = base64.StdEncoding.EncodeToString(sum)
	}
	var replaced []segment
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		replaced = nil
		if _, err := getUpload(tx, u.Bucket, u.Key, u.ID); err != nil {
			return err
		}
		old, err := parts.Get(tx, partKey(u.ID, number))
		switch {
		case err == nil:
			replaced = []segment{{Blob: old.Blob}}
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		return parts.Put(tx, partKey(u.ID, number), p)
	})
	if err != nil {
		if awserr.As(err) != nil { // after any other failure the row may have been committed
			s.blobs.discard([]segment{{Blob: info.ID}})
		}
		return nil, err
	}
	s.blobs.discard(replaced)
	return p, nil
}

// UploadPartCopy makes a part of an object's bytes.
func (s *Service) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (*s3.UploadPartCopyOutput, error) {
	if err := refuseUnbuilt("UploadPartCopy", in); err != nil {
		return nil, err
	}
	if err := validPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	u, err := s.findUpload(ctx, in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	data, key, err := s.uploadKey(u, in)
	if err != nil {
		return nil, err
	}
	info, sum, version, err := s.copyRange(ctx, in, data, expectation{compute: u.partAlgorithm()})
	if err != nil {
		return nil, err
	}
	p, err := s.keepPart(ctx, u, *in.PartNumber, info, etagOf(info, data, key))
	if err != nil {
		return nil, err
	}
	result := &s3.CopyPartResult{ETag: quoted(p.ETag), LastModified: &p.Modified}
	if u.Algorithm != "" {
		setChecksum(result, sum)
	}
	out := &s3.UploadPartCopyOutput{CopyPartResult: result, CopySourceVersionId: version}
	showEncryption(out, u.Crypt, key)
	return out, nil
}

// copyRange writes the source's bytes, or the range of them, as a new blob. A
// range must lie within the source.
func (s *Service) copyRange(ctx context.Context, in *s3.UploadPartCopyInput, data []byte, e expectation) (blob.Info, checksum, *string, error) {
	from, err := s.copySource(ctx, in, in.CopySource, readCondition{
		in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince,
	})
	if err != nil {
		return blob.Info{}, checksum{}, nil, err
	}
	if r := in.CopySourceRange; r != nil {
		first, last, ok := parseRange(*r)
		if !ok || first < 0 || last < 0 {
			return blob.Info{}, checksum{}, nil, errInvalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy", "x-amz-copy-source-range", *r)
		}
		if first >= from.object.Size {
			return blob.Info{}, checksum{}, nil, errInvalidRequest("The specified copy range is invalid for the source object size")
		}
		if last >= from.object.Size {
			return blob.Info{}, checksum{}, nil, errInvalidArgument("Range specified is not valid for source object of size: "+strconv.FormatInt(from.object.Size, 10), "x-amz-copy-source-range", *r)
		}
	}
	body, err := s.openSource(ctx, from, in.CopySourceRange)
	if err != nil {
		return blob.Info{}, checksum{}, nil, err
	}
	defer body.Close()
	info, err := s.blobs.keep(ctx, data, io.LimitReader(body, maxSinglePut+1), e.sums()...)
	if err != nil {
		return info, checksum{}, nil, err
	}
	if info.Size > maxSinglePut {
		s.blobs.discard([]segment{{Blob: info.ID}})
		return info, checksum{}, nil, errEntityTooLarge
	}
	return info, e.stored(info), from.in.written(from.object), nil
}
