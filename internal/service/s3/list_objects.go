package s3

import (
	"context"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// maxKeys is the most that one answer lists.
const maxKeys = 1000

// pageSize applies S3's rules to max-keys.
func pageSize(n *int32, name string) (int, error) {
	switch {
	case n == nil:
		return maxKeys, nil
	case *n < 0:
		return 0, errInvalidArgument("Argument "+name+" must be an integer between 0 and 2147483647", name, strconv.Itoa(int(*n)))
	}
	return min(int(*n), maxKeys), nil
}

// encoder writes keys as encoding-type asks: url keeps "/" and S3's own safe
// characters and escapes the rest.
type encoder struct{ on bool }

func newEncoder(t s3.EncodingType) (encoder, error) {
	switch t {
	case "":
		return encoder{}, nil
	case s3.EncodingTypeUrl:
		return encoder{on: true}, nil
	}
	return encoder{}, errInvalidArgument("Invalid Encoding Method specified in Request", "encoding-type", string(t))
}

func (e encoder) text(s string) *string {
	if e.on {
		s = urlEncode(s)
	}
	return &s
}

func (e encoder) opt(s *string) *string {
	if s == nil {
		return nil
	}
	return e.text(*s)
}

func urlEncode(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.*/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// ListObjects is the first version of the listing, by marker.
func (s *Service) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (*s3.ListObjectsOutput, error) {
	b, p, enc, err := s.listing(ctx, in.Bucket, in.EncodingType, in.MaxKeys, listing{
		prefix: aws.Val(in.Prefix), delimiter: aws.Val(in.Delimiter), after: aws.Val(in.Marker), past: true,
	})
	if err != nil {
		return nil, err
	}
	size, _ := pageSize(in.MaxKeys, "max-keys")
	out := &s3.ListObjectsOutput{
		Name: in.Bucket, Prefix: enc.text(aws.Val(in.Prefix)), Marker: enc.text(aws.Val(in.Marker)),
		Delimiter: enc.opt(in.Delimiter), MaxKeys: aws.Ptr(int32(size)), EncodingType: in.EncodingType,
		IsTruncated: &p.truncated, CommonPrefixes: commonPrefixes(p, enc),
	}
	if p.truncated && aws.Val(in.Delimiter) != "" {
		out.NextMarker = enc.text(p.last)
	}
	for _, o := range p.objects {
		entry := listed(o, enc)
		entry.Owner = owner(b.ownerOf(o.object))
		out.Contents = append(out.Contents, entry)
	}
	return out, nil
}

// ListObjectsV2 is the listing by continuation token.
func (s *Service) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	after := aws.Val(in.StartAfter)
	if in.ContinuationToken != nil {
		var err error
		if after, err = decodeToken(in.ContinuationToken); err != nil {
			return nil, err
		}
	}
	b, p, enc, err := s.listing(ctx, in.Bucket, in.EncodingType, in.MaxKeys, listing{
		prefix: aws.Val(in.Prefix), delimiter: aws.Val(in.Delimiter), after: after,
	})
	if err != nil {
		return nil, err
	}
	size, _ := pageSize(in.MaxKeys, "max-keys")
	out := &s3.ListObjectsV2Output{
		Name: in.Bucket, Prefix: enc.text(aws.Val(in.Prefix)), Delimiter: enc.opt(in.Delimiter),
		StartAfter: enc.opt(in.StartAfter), MaxKeys: aws.Ptr(int32(size)), EncodingType: in.EncodingType,
		IsTruncated: &p.truncated, CommonPrefixes: commonPrefixes(p, enc),
		KeyCount: aws.Ptr(int32(len(p.objects) + len(p.prefixes))), ContinuationToken: in.ContinuationToken,
	}
	if p.truncated {
		out.NextContinuationToken = encodeToken(p.last)
	}
	for _, o := range p.objects {
		entry := listed(o, enc)
		if aws.Val(in.FetchOwner) {
			entry.Owner = owner(b.ownerOf(o.object))
		}
		out.Contents = append(out.Contents, entry)
	}
	return out, nil
}

func (s *Service) listing(ctx context.Context, name *string, encoding s3.EncodingType, max *int32, l listing) (*bucket, page, encoder, error) {
	enc, err := newEncoder(encoding)
	if err != nil {
		return nil, page{}, enc, err
	}
	if l.max, err = pageSize(max, "max-keys"); err != nil {
		return nil, page{}, enc, err
	}
	b, err := s.lookup(ctx, aws.Val(name))
	if err != nil {
		return nil, page{}, enc, err
	}
	p, err := s.list(ctx, b, l)
	return b, p, enc, err
}

func listed(o keyed, enc encoder) s3.Object {
	out := s3.Object{
		Key: enc.text(o.key), Size: &o.object.Size, ETag: quoted(o.object.ETag),
		LastModified: &o.object.Modified, StorageClass: s3.ObjectStorageClass(o.object.class()),
	}
	if c := o.object.Checksum; c.Algorithm != "" {
		out.ChecksumAlgorithm = []s3.ChecksumAlgorithm{s3.ChecksumAlgorithm(c.Algorithm)}
		out.ChecksumType = c.Type
	}
	return out
}

func commonPrefixes(p page, enc encoder) []s3.CommonPrefix {
	var out []s3.CommonPrefix
	for _, prefix := range p.prefixes {
		out = append(out, s3.CommonPrefix{Prefix: enc.text(prefix)})
	}
	return out
}

func quoted(etag string) *string { return aws.Ptr(`"` + etag + `"`) }
