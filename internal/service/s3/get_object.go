package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// GetObject returns an object or a range of it.
func (s *Service) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	b, o, err := s.forReading(ctx, in)
	if err == nil {
		err = o.readable()
	}
	if err != nil {
		return nil, err
	}
	out, span, key, err := s.answer(ctx, b, o, in)
	if err != nil {
		return nil, err
	}
	if o.inline != nil {
		b, err := o.inline()
		if err != nil {
			return nil, err
		}
		out.Body = io.NopCloser(bytes.NewReader(b[span.start : span.start+span.length]))
		return out, nil
	}
	if len(o.Segments) == 0 {
		out.Body = io.NopCloser(strings.NewReader(""))
		return out, nil
	}
	// Once the bytes are pinned they stay; what was replaced before is found out
	// by looking at the row again.
	for {
		s.blobs.pin(o.Segments)
		now, err := s.find(ctx, b, aws.Val(in.Key), in.VersionId)
		if err == nil && now != nil && slices.Equal(now.Segments, o.Segments) {
			break
		}
		s.blobs.unpin(o.Segments)
		if err != nil {
			return nil, err
		}
		if o, err = s.read(ctx, b, aws.Val(in.Key), in.VersionId); err != nil {
			return nil, err
		}
		if out, span, key, err = s.answer(ctx, b, o, in); err != nil {
			return nil, err
		}
	}
	out.Body = s.blobs.open(ctx, key, o.Segments, span.start, span.length)
	return out, nil
}

// HeadObject is GetObject without the bytes.
func (s *Service) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	get := s3.GetObjectInput(*in)
	b, o, err := s.forReading(ctx, &get)
	if err != nil {
		return nil, err
	}
	g, span, _, err := s.answer(ctx, b, o, &get)
	if err != nil {
		return nil, err
	}
	out := &s3.HeadObjectOutput{
		AcceptRanges: g.AcceptRanges, LastModified: g.LastModified, ContentLength: g.ContentLength, ETag: g.ETag,
		CacheControl: g.CacheControl, ContentDisposition: g.ContentDisposition, ContentEncoding: g.ContentEncoding,
		ContentLanguage: g.ContentLanguage, ContentRange: g.ContentRange, ContentType: g.ContentType, Expires: g.Expires,
		WebsiteRedirectLocation: g.WebsiteRedirectLocation,
		ServerSideEncryption:    g.ServerSideEncryption, SSECustomerAlgorithm: g.SSECustomerAlgorithm, SSECustomerKeyMD5: g.SSECustomerKeyMD5,
		Metadata: g.Metadata, PartsCount: g.PartsCount, TagCount: g.TagCount,
		StorageClass: g.StorageClass, Expiration: g.Expiration, VersionId: g.VersionId, ObjectLockMode: g.ObjectLockMode, ObjectLockRetainUntilDate: g.ObjectLockRetainUntilDate,
		ObjectLockLegalHoldStatus: g.ObjectLockLegalHoldStatus,
	}
	if checksumMode(in.ChecksumMode) {
		setChecksum(out, o.checksumOf(span, in.PartNumber))
	}
	return out, nil
}

// forReading finds the object and judges the request.
func (s *Service) forReading(ctx context.Context, in *s3.GetObjectInput) (*bucket, *object, error) {
	if err := refuseUnbuilt("GetObject", in); err != nil {
		return nil, nil, err
	}
	overrides := in.ResponseCacheControl != nil || in.ResponseContentDisposition != nil || in.ResponseContentEncoding != nil ||
		in.ResponseContentLanguage != nil || in.ResponseContentType != nil || in.ResponseExpires != nil
	if overrides && aws.CallFrom(ctx).Principal.Type == aws.PrincipalAnonymous {
		return nil, nil, errInvalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
	}
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, nil, err
	}
	o, err := s.read(ctx, b, aws.Val(in.Key), in.VersionId)
	return b, o, err
}

// answer is everything but the body, the span of bytes to send, and their key.
func (s *Service) answer(ctx context.Context, b *bucket, o *object, in *s3.GetObjectInput) (*s3.GetObjectOutput, span, []byte, error) {
	with, err := customer(in, "")
	if err != nil {
		return nil, span{}, nil, err
	}
	key, err := s.dataKey(b.Name, aws.Val(in.Key), o.Crypt, with)
	if err != nil {
		return nil, span{}, nil, err
	}
	c := readCondition{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince}
	if err := c.judge(o, s.clock.Now()); err != nil {
		return nil, span{}, nil, err
	}
	sp, err := spanOf(o, in.Range, in.PartNumber)
	if err != nil {
		return nil, span{}, nil, err
	}
	out := &s3.GetObjectOutput{
		AcceptRanges: aws.Ptr("bytes"), LastModified: &o.Modified, ContentLength: &sp.length, ETag: quoted(o.ETag),
		ContentType: o.Headers.ContentType, CacheControl: o.Headers.CacheControl,
		ContentDisposition: o.Headers.ContentDisposition, ContentEncoding: o.Headers.ContentEncoding,
		ContentLanguage: o.Headers.ContentLanguage, Expires: o.Headers.Expires,
		WebsiteRedirectLocation: o.Headers.WebsiteRedirect,
		Metadata:                o.Metadata, VersionId: b.versionID(o),
		StorageClass: o.Class, Expiration: b.expiration(aws.Val(in.Key), o),
	}
	if out.ContentType == nil {
		out.ContentType = aws.Ptr(defaultType)
	}
	if sp.partial {
		out.ContentRange = aws.Ptr(fmt.Sprintf("bytes %d-%d/%d", sp.start, sp.start+sp.length-1, o.Size))
	}
	if in.PartNumber != nil && o.Upload != "" {
		out.PartsCount = aws.Ptr(int32(len(o.Segments)))
	}
	if len(o.Tags) > 0 {
		out.TagCount = aws.Ptr(int32(len(o.Tags)))
	}
	if checksumMode(in.ChecksumMode) {
		setChecksum(out, o.checksumOf(sp, in.PartNumber))
	}
	showEncryption(out, o.Crypt, with)
	override(out, in)
	return out, sp, key, s.showLock(ctx, b, aws.Val(in.Key), o, out)
}

// checksumOf is the checksum to show with the span: the object's with the whole of
// it, a part's with the part, none with another range.
func (o *object) checksumOf(sp span, part *int32) checksum {
	switch {
	case sp.length == o.Size && (part == nil || o.Upload == ""):
		return o.Checksum
	case part != nil && o.Segments[*part-1].Checksum != "":
		return checksum{o.Checksum.Algorithm, o.Segments[*part-1].Checksum, o.Checksum.Type}
	}
	return checksum{}
}

// override applies the response-* parameters.
func override(out *s3.GetObjectOutput, in *s3.GetObjectInput) {
	for _, h := range [...]struct {
		to   **string
		from *string
	}{
		{&out.CacheControl, in.ResponseCacheControl}, {&out.ContentDisposition, in.ResponseContentDisposition},
		{&out.ContentEncoding, in.ResponseContentEncoding}, {&out.ContentLanguage, in.ResponseContentLanguage},
		{&out.ContentType, in.ResponseContentType},
	} {
		if h.from != nil {
			*h.to = h.from
		}
	}
	if in.ResponseExpires != nil {
		out.Expires = aws.Ptr(in.ResponseExpires.UTC().Format(http.TimeFormat))
	}
}

// readCondition are the conditional headers of a read, with HTTP's precedence:
// a condition on the ETag silences the one on the date.
type readCondition struct {
	ifMatch, ifNoneMatch         *string
	modifiedSince, unmodifiedNow *time.Time
}

func (c readCondition) judge(o *object, now time.Time) error {
	switch {
	case c.ifMatch != nil && !matches(*c.ifMatch, o.ETag):
		return errPrecondition("If-Match")
	case c.ifMatch == nil && c.unmodifiedNow != nil && o.Modified.After(*c.unmodifiedNow):
		return errPrecondition("If-Unmodified-Since")
	case c.ifNoneMatch != nil && matches(*c.ifNoneMatch, o.ETag),
		c.ifNoneMatch == nil && c.unmodified(o, now):
		return errNotModified.WithHeader("ETag", *quoted(o.ETag)).WithHeader("Last-Modified", o.Modified.Format(http.TimeFormat))
	}
	return nil
}

// unmodified reports whether the object has not changed since the date asked for.
// A date in the future asks for nothing.
func (c readCondition) unmodified(o *object, now time.Time) bool {
	return c.modifiedSince != nil && !c.modifiedSince.After(now) && !o.Modified.After(*c.modifiedSince)
}

// span is a run of an object's bytes.
type span struct {
	start, length int64
	partial       bool
}

// spanOf is the span that a Range header or a part number selects. A header
// that is no single range of bytes is ignored, as HTTP says.
func spanOf(o *object, header *string, partNumber *int32) (span, error) {
	if partNumber != nil {
		if header != nil {
			return span{}, errInvalidRequest("Cannot specify both Range header and partNumber query parameter")
		}
		return partSpan(o, *partNumber)
	}
	whole := span{length: o.Size}
	if header == nil {
		return whole, nil
	}
	first, last, ok := parseRange(*header)
	if !ok {
		return whole, nil
	}
	switch {
	case first < 0: // the last bytes
		first, last = max(0, o.Size-last), o.Size-1
		ok = first <= last
	case last < 0 || last >= o.Size:
		last = o.Size - 1
		ok = first <= last
	}
	if !ok {
		return span{}, awserr.Status(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable").
			With("RangeRequested", *header).With("ActualObjectSize", strconv.FormatInt(o.Size, 10))
	}
	return span{start: first, length: last - first + 1, partial: true}, nil
}

func partSpan(o *object, number int32) (span, error) {
	count := max(1, len(o.Segments))
	if o.Upload == "" {
		count = 1
	}
	if number < 1 || int(number) > count {
		return span{}, awserr.Status(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber", "The requested partnumber is not satisfiable").
			With("ActualPartCount", strconv.Itoa(count)).With("PartNumberRequested", strconv.Itoa(int(number)))
	}
	if o.Upload == "" {
		return span{length: o.Size, partial: o.Size > 0}, nil
	}
	var sp span
	for _, seg := range o.Segments[:number-1] {
		sp.start += seg.Size
	}
	sp.length, sp.partial = o.Segments[number-1].Size, o.Segments[number-1].Size > 0
	return sp, nil
}

// parseRange reads "bytes=a-b", "bytes=a-" (last -1) and "bytes=-n" (first -1,
// last n).
func parseRange(header string) (first, last int64, ok bool) {
	value, ok := strings.CutPrefix(strings.TrimSpace(header), "bytes=")
	if !ok {
		return 0, 0, false
	}
	from, to, ok := strings.Cut(value, "-")
	if !ok {
		return 0, 0, false
	}
	first, last = -1, -1
	var err error
	if from != "" {
		if first, err = parseOffset(from); err != nil {
			return 0, 0, false
		}
	}
	if to != "" {
		if last, err = parseOffset(to); err != nil {
			return 0, 0, false
		}
	}
	return first, last, (first >= 0 || last >= 0) && (first < 0 || last < 0 || first <= last)
}

func parseOffset(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}
