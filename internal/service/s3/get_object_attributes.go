package s3

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// GetObjectAttributes returns the attributes that are asked for.
func (s *Service) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (*s3.GetObjectAttributesOutput, error) {
	if err := refuseUnbuilt("GetObjectAttributes", in); err != nil {
		return nil, err
	}
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	o, err := s.read(ctx, b, aws.Val(in.Key), in.VersionId)
	if err != nil {
		return nil, err
	}
	with, err := customer(in, "")
	if err != nil {
		return nil, err
	}
	if _, err := s.dataKey(b.Name, aws.Val(in.Key), o.Crypt, with); err != nil {
		return nil, err
	}
	out := &s3.GetObjectAttributesOutput{LastModified: &o.Modified, VersionId: b.versionID(o)}
	for _, a := range in.ObjectAttributes {
		switch a {
		case s3.ObjectAttributesETag:
			out.ETag = &o.ETag // this answer has it without quotes
		case s3.ObjectAttributesChecksum:
			if o.Checksum.Algorithm != "" {
				out.Checksum = &s3.Checksum{}
				setChecksum(out.Checksum, o.Checksum)
			}
		case s3.ObjectAttributesObjectSize:
			out.ObjectSize = &o.Size
		case s3.ObjectAttributesStorageClass:
			out.StorageClass = o.class()
		case s3.ObjectAttributesObjectParts:
			if o.Upload != "" {
				out.ObjectParts = objectParts(o, in)
			}
		default:
			return nil, errInvalidArgument("Invalid attribute name specified.", "x-amz-object-attributes", string(a))
		}
	}
	return out, nil
}

// objectParts lists the parts of a multipart object, with their checksums where
// they have them; without, S3 gives the count only.
func objectParts(o *object, in *s3.GetObjectAttributesInput) *s3.GetObjectAttributesParts {
	out := &s3.GetObjectAttributesParts{TotalPartsCount: aws.Ptr(int32(len(o.Segments)))}
	if !slices.ContainsFunc(o.Segments, func(seg segment) bool { return seg.Checksum != "" }) {
		return out
	}
	marker, limit := int(aws.Val(in.PartNumberMarker)), maxParts
	if in.MaxParts != nil {
		limit = min(limit, int(*in.MaxParts))
	}
	out.PartNumberMarker, out.MaxParts = aws.Ptr(int32(marker)), aws.Ptr(int32(limit))
	for i := marker; i < len(o.Segments) && len(out.Parts) < limit; i++ {
		p := s3.ObjectPart{PartNumber: aws.Ptr(int32(i + 1)), Size: &o.Segments[i].Size}
		setChecksum(&p, checksum{o.Checksum.Algorithm, o.Segments[i].Checksum, o.Checksum.Type})
		out.Parts = append(out.Parts, p)
	}
	next := marker + len(out.Parts)
	out.IsTruncated = aws.Ptr(next < len(o.Segments))
	if len(out.Parts) == 0 {
		next = 0
	}
	out.NextPartNumberMarker = aws.Ptr(int32(next))
	return out
}
