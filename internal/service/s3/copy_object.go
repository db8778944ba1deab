package s3

import (
	"context"
	"encoding/base64"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// origin is what a copy is made of.
type origin struct {
	bucket, key string
	version     *string // as the request names it
	in          *bucket
	object      *object
	data        []byte       // the key of its bytes
	customer    *customerKey // as the request brings it
}

// parseCopySource reads x-amz-copy-source: bucket/key, URL-encoded, perhaps with
// a slash before it and a version behind it.
func parseCopySource(source string) (from origin, err error) {
	path, query, _ := strings.Cut(source, "?")
	if strings.HasPrefix(path, "arn:") {
		return from, notBuilt("CopyObject", "CopySource by ARN")
	}
	if v, ok := strings.CutPrefix(query, "versionId="); ok {
		from.version = &v
	}
	plain, err := url.PathUnescape(path)
	if err == nil {
		from.bucket, from.key, _ = strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	}
	if err != nil || from.bucket == "" || from.key == "" {
		return from, errInvalidArgument("Invalid copy source object key", "x-amz-copy-source", source)
	}
	return from, validKey(from.key)
}

// copySource finds the object to copy and judges the conditions on it.
func (s *Service) copySource(ctx context.Context, in any, source *string, c readCondition) (from origin, err error) {
	if from, err = parseCopySource(aws.Val(source)); err != nil {
		return from, err
	}
	if from.in, err = s.lookup(ctx, from.bucket); err != nil {
		return from, err
	}
	if from.object, err = s.read(ctx, from.in, from.key, from.version); err != nil {
		if awserr.Is(err, "MethodNotAllowed") {
			err = errInvalidRequest("The source of a copy request may not specifically refer to a delete marker by version id.")
		}
		return from, err
	}
	if err := from.object.copyable(); err != nil {
		return from, err
	}
	if from.customer, err = customer(in, "CopySource"); err != nil {
		return from, err
	}
	if from.data, err = s.dataKey(from.bucket, from.key, from.object.Crypt, from.customer); err != nil {
		return from, err
	}
	if broken := c.judgeCopy(from.object, s.clock.Now()); broken != "" {
		return from, errPrecondition(broken)
	}
	return from, nil
}

// judgeCopy returns the header whose condition does not hold. A copy knows no
// "not modified".
func (c readCondition) judgeCopy(o *object, now time.Time) string {
	switch {
	case c.ifMatch != nil && !matches(*c.ifMatch, o.ETag):
		return "x-amz-copy-source-If-Match"
	case c.ifMatch == nil && c.unmodifiedNow != nil && o.Modified.After(*c.unmodifiedNow):
		return "x-amz-copy-source-If-Unmodified-Since"
	case c.ifNoneMatch != nil && matches(*c.ifNoneMatch, o.ETag):
		return "x-amz-copy-source-If-None-Match"
	case c.ifNoneMatch == nil && c.unmodified(o, now):
		return "x-amz-copy-source-If-Modified-Since"
	}
	return ""
}

// open reads the source's bytes, or a range of them.
func (s *Service) openSource(ctx context.Context, from origin, header *string) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &from.bucket, Key: &from.key, Range: header, IfMatch: &from.object.ETag, VersionId: from.version}
	if c := from.customer; c != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKeyMD5 = aws.Ptr("AES256"), &c.md5
		in.SSECustomerKey = aws.Ptr(base64.StdEncoding.EncodeToString(c.key))
	}
	get, err := s.GetObject(ctx, in)
	if err != nil {
		return nil, err
	}
	return get.Body, nil
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
	account, acl, err := b.settle(aws.CallFrom(ctx), in, string(in.ACL))
	if err != nil {
		return nil, err
	}
	from, err := s.copySource(ctx, in, in.CopySource, readCondition{
		in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince,
	})
	if err != nil {
		return nil, err
	}
	replaces := in.MetadataDirective == s3.MetadataDirectiveReplace || in.StorageClass != "" || in.ServerSideEncryption != "" ||
		in.WebsiteRedirectLocation != nil || in.SSECustomerAlgorithm != nil || from.customer != nil
	src := from.object
	if from.bucket == b.Name && from.key == aws.Val(in.Key) && src.Noncurrent.IsZero() && !replaces {
		return nil, errInvalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if src.Size > maxSinglePut {
		return nil, errInvalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxSinglePut))
	}
	o, err := copied(src, in)
	if err != nil {
		return nil, err
	}
	o.Owner, o.ACL = account, acl
	if o.Class, err = classFor(in.StorageClass); err != nil {
		return nil, err
	}
	o.Lock, err = s.protect(b, lockRequest{mode: in.ObjectLockMode, until: in.ObjectLockRetainUntilDate, hold: in.ObjectLockLegalHoldStatus})
	if err != nil {
		return nil, err
	}
	var data []byte
	var key *customerKey
	if o.Crypt, data, key, err = s.encryption(b, aws.Val(in.Key), in); err != nil {
		return nil, err
	}
	if err := s.copyBytes(ctx, from, o, data, key, in.ChecksumAlgorithm); err != nil {
		return nil, err
	}
	if err := s.install(ctx, b, aws.Val(in.Key), o, writeCondition{in.IfMatch, in.IfNoneMatch}, nil); err != nil {
		return nil, err
	}
	result := &s3.CopyObjectResult{ETag: quoted(o.ETag), LastModified: &o.Modified}
	setChecksum(result, o.Checksum)
	result.ChecksumType = "" // S3 leaves it out here
	out := &s3.CopyObjectOutput{
		CopyObjectResult: result,
		VersionId:        b.versionID(o), CopySourceVersionId: from.in.written(src), Expiration: b.expiration(aws.Val(in.Key), o),
	}
	showEncryption(out, o.Crypt, key)
	return out, nil
}

// copied is the new object, still without bytes: what the directives say of the
// source's description and tags, and the request's.
func copied(src *object, in *s3.CopyObjectInput) (*object, error) {
	o := &object{Headers: src.Headers, Metadata: src.Metadata, Tags: src.Tags}
	if in.MetadataDirective == s3.MetadataDirectiveReplace {
		o.Metadata = in.Metadata
		o.Headers = headers{
			ContentType: in.ContentType, CacheControl: in.CacheControl, ContentDisposition: in.ContentDisposition,
			ContentEncoding: in.ContentEncoding, ContentLanguage: in.ContentLanguage, Expires: in.Expires, WebsiteRedirect: in.WebsiteRedirectLocation,
		}
	}
	o.Headers.WebsiteRedirect = in.WebsiteRedirectLocation // never the source's
	if in.TaggingDirective == s3.TaggingDirectiveReplace {
		tags, err := parseTagging(in.Tagging)
		if err != nil {
			return nil, err
		}
		o.Tags = tags
	}
	return o, validDescription(o.Headers, o.Metadata)
}

// copyBytes gives o the bytes of src: a second name for them where nothing has
// to be computed, else a copy that is read through.
func (s *Service) copyBytes(ctx context.Context, from origin, o *object, data []byte, key *customerKey, named s3.ChecksumAlgorithm) error {
	src := from.object
	want, err := algorithm("CopyObject", named)
	if err != nil {
		return err
	}
	if want == "" {
		want = src.Checksum.Algorithm
	}
	o.Size = src.Size
	if from.data == nil && data == nil && src.inline == nil && src.Upload == "" && want == src.Checksum.Algorithm && len(src.Segments) == 1 {
		id, err := s.blobs.store.Clone(ctx, src.Segments[0].Blob)
		if err != nil {
			return err
		}
		o.ETag, o.Checksum, o.Segments = src.ETag, src.Checksum, []segment{{Blob: id, Size: src.Size}}
		return nil
	}
	body, err := s.openSource(ctx, from, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	e := expectation{compute: want}
	info, err := s.blobs.keep(ctx, data, body, e.sums()...)
	if err != nil {
		return err
	}
	o.ETag, o.Checksum = etagOf(info, data, key), e.stored(info)
	o.Segments = []segment{{Blob: info.ID, Size: info.Size}}
	return nil
}
