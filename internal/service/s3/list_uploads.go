package s3

import (
	"cmp"
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/store"
)

// AbortMultipartUpload forgets an upload and its parts.
func (s *Service) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) (*s3.AbortMultipartUploadOutput, error) {
	if err := refuseUnbuilt("AbortMultipartUpload", in); err != nil {
		return nil, err
	}
	var gone []segment
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		u, err := getUpload(tx, aws.Val(in.Bucket), aws.Val(in.Key), aws.Val(in.UploadId))
		if err != nil {
			return err
		}
		gone, err = dropUpload(tx, uploadKey(u.Bucket, u.Key, u.ID), u.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.overtaken.end(objectKey(aws.Val(in.Bucket), aws.Val(in.Key)).ID, aws.Val(in.UploadId))
	s.blobs.discard(gone)
	return &s3.AbortMultipartUploadOutput{}, nil
}

// ListParts lists the parts of an upload in progress.
func (s *Service) ListParts(ctx context.Context, in *s3.ListPartsInput) (*s3.ListPartsOutput, error) {
	if err := refuseUnbuilt("ListParts", in); err != nil {
		return nil, err
	}
	limit, err := pageSize(in.MaxParts, "max-parts")
	if err != nil {
		return nil, err
	}
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	u, err := s.findUpload(ctx, in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	marker := aws.Val(in.PartNumberMarker)
	out := &s3.ListPartsOutput{
		Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumberMarker: &marker,
		MaxParts: aws.Ptr(int32(limit)), IsTruncated: aws.Ptr(false), StorageClass: cmp.Or(u.Class, s3.StorageClassStandard),
		NextPartNumberMarker: aws.Ptr(int32(0)),
		Owner:                owner(b.Account), Initiator: initiator(u),
		ChecksumAlgorithm: s3.ChecksumAlgorithm(u.Algorithm), ChecksumType: u.ChecksumType,
	}
	var rows []store.Row[part]
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = partRows(tx, u.ID)
		return err
	})
	for _, r := range rows {
		if r.Value.Number <= marker {
			continue
		}
		if len(out.Parts) == limit {
			*out.IsTruncated = true
			break
		}
		out.Parts = append(out.Parts, listedPart(u, r.Value))
		out.NextPartNumberMarker = &r.Value.Number
	}
	return out, err
}

func listedPart(u *upload, p *part) s3.Part {
	out := s3.Part{PartNumber: &p.Number, LastModified: &p.Modified, ETag: quoted(p.ETag), Size: &p.Size}
	if u.Algorithm != "" {
		setChecksum(&out, checksum{Algorithm: u.Algorithm, Value: p.Checksum})
	}
	return out
}

func initiator(u *upload) *s3.Initiator { return &s3.Initiator{ID: ptrIf(u.Initiator)} }

// ListMultipartUploads lists the bucket's uploads in progress by key.
func (s *Service) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (*s3.ListMultipartUploadsOutput, error) {
	enc, err := newEncoder(in.EncodingType)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(in.MaxUploads, "max-uploads")
	if err != nil {
		return nil, err
	}
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	out := &s3.ListMultipartUploadsOutput{
		Bucket: in.Bucket, KeyMarker: enc.text(aws.Val(in.KeyMarker)), UploadIdMarker: aws.Ptr(aws.Val(in.UploadIdMarker)),
		Prefix: enc.opt(in.Prefix), Delimiter: enc.opt(in.Delimiter), MaxUploads: aws.Ptr(int32(limit)),
		IsTruncated: aws.Ptr(false), EncodingType: in.EncodingType, NextKeyMarker: aws.Ptr(""), NextUploadIdMarker: aws.Ptr(""),
	}
	l := listing{prefix: aws.Val(in.Prefix), delimiter: aws.Val(in.Delimiter), after: aws.Val(in.KeyMarker), max: limit, past: true}
	switch id := aws.Val(in.UploadIdMarker); {
	case l.after == "":
		out.UploadIdMarker = aws.Ptr("") // means nothing without a key
	case id == "":
		l.after += "\x00" + afterAll
	default:
		l.after += "\x00" + id
	}
	var p page
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		p, err = l.run(func(from string, _ bool, limit int) ([]keyed, error) { return uploadsFrom(tx, b.Name, from, limit) })
		return err
	})
	fillUploads(out, b, p, enc)
	return out, err
}

// uploadsFrom returns at most limit uploads behind the place: the key, \x00 and the
// upload's id.
func uploadsFrom(tx *store.Tx, bucketName, from string, limit int) ([]keyed, error) {
	rows, err := uploads.List(tx, store.Scope{}, bucketName+"\x00"+from, limit)
	if err != nil {
		return nil, err
	}
	var out []keyed
	for _, r := range rows {
		place, ok := strings.CutPrefix(r.Key.ID, bucketName+"\x00")
		if !ok {
			break
		}
		out = append(out, keyed{key: r.Value.Key, place: place, upload: r.Value})
	}
	return out, nil
}

func fillUploads(out *s3.ListMultipartUploadsOutput, b *bucket, p page, enc encoder) {
	out.IsTruncated, out.CommonPrefixes = &p.truncated, commonPrefixes(p, enc)
	for _, o := range p.objects {
		u := o.upload
		out.Uploads = append(out.Uploads, s3.MultipartUpload{
			UploadId: &u.ID, Key: enc.text(u.Key), Initiated: &u.Initiated, StorageClass: cmp.Or(u.Class, s3.StorageClassStandard),
			Owner: owner(cmp.Or(u.Owner, b.Account)), Initiator: initiator(u),
			ChecksumAlgorithm: s3.ChecksumAlgorithm(u.Algorithm), ChecksumType: u.ChecksumType,
		})
	}
	if p.last == "" {
		return
	}
	out.NextKeyMarker = enc.text(p.last)
	if n := len(p.objects); n > 0 && p.objects[n-1].key == p.last {
		out.NextUploadIdMarker = &p.objects[n-1].upload.ID
	}
}
