package s3

import (
	"context"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/blob"
)

// parseCopySource reads x-amz-copy-source: bucket/key, URL-encoded, perhaps with
// a slash before it and a version behind it.
func parseCopySource(source string) (bucketName, key string, err error) {
	path, query, _ := strings.Cut(source, "?")
	if strings.HasPrefix(path, "arn:") {
		return "", "", notBuilt("CopyObject", "CopySource by ARN")
	}
	if version, ok := strings.CutPrefix(query, "versionId="); ok && version != "null" {
		return "", "", errInvalidArgument("Invalid version id specified", "versionId", version)
	}
	plain, err := url.PathUnescape(path)
	if err == nil {
		bucketName, key, _ = strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	}
	if err != nil || bucketName == "" || key == "" {
		return "", "", errInvalidArgument("Invalid copy source object key", "x-amz-copy-source", source)
	}
	return bucketName, key, validKey(key)
}

// copySource finds the object to copy and judges the conditions on it.
func (s *Service) copySource(ctx context.Context, source *string, c readCondition) (*bucket, string, *object, error) {
	name, key, err := parseCopySource(aws.Val(source))
	if err != nil {
		return nil, "", nil, err
	}
	b, err := s.lookup(ctx, name)
	if err != nil {
		return nil, "", nil, err
	}
	o, err := s.read(ctx, b, key)
	if err != nil {
		return nil, "", nil, err
	}
	if err := c.judge(o); err != nil {
		// A copy has no "not modified": every condition that fails is one.
		return nil, "", nil, errPrecondition("x-amz-copy-source-If-")
	}
	return b, key, o, nil
}

// CopyObject stores a copy of an object.
func (s *Service) CopyObject(ctx context.Context, in *s3.CopyObjectInput) (*s3.CopyObjectOutput, error) {
	if err := refuseUnbuilt("CopyObject", in); err != nil {
		return nil, err
	}
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if err := acceptACL("CopyObject", b, in.ACL); err != nil {
		return nil, err
	}
	from, fromKey, src, err := s.copySource(ctx, in.CopySource, readCondition{
		in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince,
	})
	if err != nil {
		return nil, err
	}
	replaces := in.MetadataDirective == s3.MetadataDirectiveReplace || in.StorageClass != "" || in.ServerSideEncryption != ""
	if from.Name == b.Name && fromKey == aws.Val(in.Key) && !replaces {
		return nil, errInvalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if src.Size > maxSinglePut {
		return nil, errInvalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxSinglePut))
	}
	o, err := copied(src, in)
	if err != nil {
		return nil, err
	}
	if err := s.copyBytes(ctx, from, fromKey, src, o, in.ChecksumAlgorithm); err != nil {
		return nil, err
	}
	if err := s.install(ctx, b, aws.Val(in.Key), o, writeCondition{in.IfMatch, in.IfNoneMatch}, nil); err != nil {
		return nil, err
	}
	result := &s3.CopyObjectResult{ETag: quoted(o.ETag), LastModified: &o.Modified}
	setChecksum(result, o.Checksum)
	return &s3.CopyObjectOutput{CopyObjectResult: result, ServerSideEncryption: s3.ServerSideEncryptionAes256}, nil
}

// copied is the new object, still without bytes: what the directives say of the
// source's description and tags, and the request's.
func copied(src *object, in *s3.CopyObjectInput) (*object, error) {
	o := &object{Headers: src.Headers, Metadata: src.Metadata, Tags: src.Tags}
	if in.MetadataDirective == s3.MetadataDirectiveReplace {
		o.Metadata = in.Metadata
		o.Headers = headers{
			ContentType: in.ContentType, CacheControl: in.CacheControl, ContentDisposition: in.ContentDisposition,
			ContentEncoding: in.ContentEncoding, ContentLanguage: in.ContentLanguage, Expires: in.Expires,
		}
	}
	if in.TaggingDirective == s3.TaggingDirectiveReplace {
		tags, err := parseTagging(in.Tagging)
		if err != nil {
			return nil, err
		}
		o.Tags = tags
	}
	return o, validMetadata(o.Metadata)
}

// copyBytes gives o the bytes of src: a second name for them where nothing has
// to be computed, else a copy that is read through.
func (s *Service) copyBytes(ctx context.Context, from *bucket, key string, src, o *object, named s3.ChecksumAlgorithm) error {
	want, err := algorithm("CopyObject", named)
	if err != nil {
		return err
	}
	if want == "" {
		want = src.Checksum.Algorithm
	}
	o.Size = src.Size
	if src.inline == nil && src.Upload == "" && want == src.Checksum.Algorithm && len(src.Segments) == 1 {
		id, err := s.blobs.store.Clone(ctx, src.Segments[0].Blob)
		if err != nil {
			return err
		}
		o.ETag, o.Checksum, o.Segments = src.ETag, src.Checksum, []segment{{Blob: id, Size: src.Size}}
		return nil
	}
	get, err := s.GetObject(ctx, &s3.GetObjectInput{Bucket: &from.Name, Key: &key, IfMatch: &src.ETag})
	if err != nil {
		return err
	}
	defer get.Body.Close()
	e := expectation{compute: want}
	info, err := s.blobs.store.Put(ctx, get.Body, e.sums()...)
	if err != nil {
		return err
	}
	o.ETag, o.Checksum = hex.EncodeToString(info.Sums[blob.MD5]), e.stored(info)
	o.Segments = []segment{{Blob: info.ID, Size: info.Size}}
	return nil
}
