package s3

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// Limits of tag sets.
const (
	maxBucketTags = 50
	maxObjectTags = 10
	maxTagKey     = 128
	maxTagValue   = 256
)

// tagForm is what keys and values may consist of.
var tagForm = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

func validTags(tags []tag, limit int) error {
	if len(tags) > limit {
		if limit == maxObjectTags {
			return awserr.New("BadRequest", "Object tags cannot be greater than 10")
		}
		return awserr.New("BadRequest", "Bucket tag count cannot be greater than 50")
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "" || units(t.Key) > maxTagKey || !tagForm.MatchString(t.Key):
			return awserr.New("InvalidTag", "The TagKey you have provided is invalid").With("TagKey", t.Key)
		case units(t.Value) > maxTagValue || !tagForm.MatchString(t.Value):
			return awserr.New("InvalidTag", "The TagValue you have provided is invalid").With("TagKey", t.Key).With("TagValue", t.Value)
		case seen[t.Key]:
			return awserr.New("InvalidTag", "Cannot provide multiple Tags with the same key").With("TagKey", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

// units is the length that AWS counts: UTF-16 units.
func units(s string) int { return len(utf16.Encode([]rune(s))) }

func fromTagSet(set []s3.Tag) []tag {
	var out []tag
	for _, t := range set {
		out = append(out, tag{aws.Val(t.Key), aws.Val(t.Value)})
	}
	return out
}

func tagSet(tags []tag) []s3.Tag {
	out := []s3.Tag{}
	for _, t := range tags {
		out = append(out, s3.Tag{Key: aws.Ptr(t.Key), Value: aws.Ptr(t.Value)})
	}
	return out
}

// bucketTags refuses the names that are kept for AWS, except from a stack's
// caller, whose aws:cloudformation tags the engine sets.
func bucketTags(set []s3.Tag) ([]tag, error) {
	tags := fromTagSet(set)
	return tags, validTags(tags, maxBucketTags)
}

func reserved(tags []tag, old []tag) error {
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") && !slices.Contains(old, t) {
			return awserr.New("InvalidTag", "System tags cannot be added/updated by requester").With("TagKey", t.Key)
		}
	}
	return nil
}

// unreserved is reserved for objects.
func unreserved(tags []tag) error {
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return awserr.New("InvalidTag", "Your TagKey cannot be prefixed with aws:").With("TagKey", t.Key)
		}
	}
	return nil
}

// parseTagging reads the x-amz-tagging header: tags as a URL query.
func parseTagging(header *string) ([]tag, error) {
	if aws.Val(header) == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(*header)
	twice := func(values []string) bool { return len(values) > 1 }
	odd := func(pair string) bool { return strings.Count(pair, "=") > 1 }
	if err != nil || slices.ContainsFunc(slices.Collect(maps.Values(q)), twice) || slices.ContainsFunc(strings.Split(*header, "&"), odd) {
		return nil, errInvalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.", "x-amz-tagging", *header)
	}
	var tags []tag
	for k, values := range q {
		for _, v := range values {
			tags = append(tags, tag{k, v})
		}
	}
	slices.SortFunc(tags, func(a, b tag) int { return cmp.Compare(a.Key, b.Key) })
	if err := unreserved(tags); err != nil {
		return nil, err
	}
	return tags, validTags(tags, maxObjectTags)
}

// GetBucketTagging returns the bucket's tags; none is an error, as on AWS.
func (s *Service) GetBucketTagging(ctx context.Context, in *s3.GetBucketTaggingInput) (*s3.GetBucketTaggingOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if len(b.Tags) == 0 {
		return nil, awserr.Status(http.StatusNotFound, "NoSuchTagSet", "The TagSet does not exist").With("BucketName", b.Name)
	}
	return &s3.GetBucketTaggingOutput{TagSet: tagSet(b.Tags)}, nil
}

// PutBucketTagging replaces the bucket's tags.
func (s *Service) PutBucketTagging(ctx context.Context, in *s3.PutBucketTaggingInput) (*s3.PutBucketTaggingOutput, error) {
	if in.Tagging == nil {
		return nil, errMalformedXML
	}
	tags, err := bucketTags(in.Tagging.TagSet)
	if err != nil {
		return nil, err
	}
	byStack := aws.CallFrom(ctx).Token != ""
	err = s.change(ctx, in.Bucket, func(b *bucket) error {
		if !byStack {
			if err := reserved(tags, b.Tags); err != nil {
				return err
			}
		}
		b.Tags = tags
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutBucketTaggingOutput{}, nil
}

// DeleteBucketTagging removes the bucket's tags.
func (s *Service) DeleteBucketTagging(ctx context.Context, in *s3.DeleteBucketTaggingInput) (*s3.DeleteBucketTaggingOutput, error) {
	err := s.change(ctx, in.Bucket, func(b *bucket) error { b.Tags = nil; return nil })
	if err != nil {
		return nil, err
	}
	return &s3.DeleteBucketTaggingOutput{}, nil
}

// GetObjectTagging returns the object's tags.
func (s *Service) GetObjectTagging(ctx context.Context, in *s3.GetObjectTaggingInput) (*s3.GetObjectTaggingOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	o, err := s.read(ctx, b, aws.Val(in.Key), in.VersionId)
	if awserr.Is(err, "NoSuchKey") {
		err = errNoSuchKey(b.Name + "/" + aws.Val(in.Key)) // as S3 names it here, and only here
	}
	if err != nil {
		return nil, err
	}
	return &s3.GetObjectTaggingOutput{TagSet: tagSet(o.Tags), VersionId: b.versionID(o)}, nil
}

// PutObjectTagging replaces the object's tags.
func (s *Service) PutObjectTagging(ctx context.Context, in *s3.PutObjectTaggingInput) (*s3.PutObjectTaggingOutput, error) {
	if in.Tagging == nil {
		return nil, errMalformedXML
	}
	tags := fromTagSet(in.Tagging.TagSet)
	if err := validTags(tags, maxObjectTags); err != nil {
		return nil, err
	}
	if err := unreserved(tags); err != nil {
		return nil, err
	}
	version, err := s.setObjectTags(ctx, in.Bucket, in.Key, in.VersionId, tags)
	if err != nil {
		return nil, err
	}
	return &s3.PutObjectTaggingOutput{VersionId: version}, nil
}

// DeleteObjectTagging removes the object's tags.
func (s *Service) DeleteObjectTagging(ctx context.Context, in *s3.DeleteObjectTaggingInput) (*s3.DeleteObjectTaggingOutput, error) {
	version, err := s.setObjectTags(ctx, in.Bucket, in.Key, in.VersionId, nil)
	if err != nil {
		return nil, err
	}
	return &s3.DeleteObjectTaggingOutput{VersionId: version}, nil
}

func (s *Service) setObjectTags(ctx context.Context, bucketName, key, version *string, tags []tag) (*string, error) {
	return s.edit(ctx, bucketName, key, version, func(_ *bucket, o *object) error {
		o.Tags = tags
		return nil
	})
}

// edit changes what is said about a version and returns the version's id.
func (s *Service) edit(ctx context.Context, bucketName, key, version *string, fn func(b *bucket, o *object) error) (*string, error) {
	b, err := s.lookup(ctx, aws.Val(bucketName))
	if err != nil {
		return nil, err
	}
	if _, err := s.read(ctx, b, aws.Val(key), version); err != nil {
		return nil, err
	}
	var id *string
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		o, err := pick(tx, b, aws.Val(key), version)
		if err != nil {
			return err
		}
		if o == nil || o.Marker {
			return b.absent(ctx, aws.Val(key), o, version)
		}
		if err := fn(b, o); err != nil {
			return err
		}
		id = b.versionID(o)
		if err := putRow(tx, b.Name, aws.Val(key), o); err != nil {
			return err
		}
		return s.announceEdited(tx, aws.CallFrom(ctx), b, aws.Val(key), o)
	})
	return id, err
}

// putRow writes the row of a version where it is.
func putRow(tx *store.Tx, bucketName, key string, o *object) error {
	if o.Noncurrent.IsZero() && !o.Marker {
		return objects.Put(tx, objectKey(bucketName, key), o)
	}
	return versions.Put(tx, versionKey(bucketName, key, o.Seq), o)
}
