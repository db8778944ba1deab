package s3

import (
	"context"
	"errors"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// maxDelete is how many keys one DeleteObjects may name.
const maxDelete = 1000

// deleteCondition are the conditions under which an object is deleted.
type deleteCondition struct {
	etag     *string
	modified *time.Time
	size     *int64
}

func (c deleteCondition) judge(old *object) error {
	switch {
	case old == nil:
		return nil
	case c.etag != nil && !matches(*c.etag, old.ETag):
		return errPrecondition("If-Match")
	case c.modified != nil && !c.modified.Equal(old.Modified):
		return errPrecondition("x-amz-if-match-last-modified-time")
	case c.size != nil && *c.size != old.Size:
		return errPrecondition("x-amz-if-match-size")
	}
	return nil
}

// DeleteObject deletes an object; one that is not there is no error.
func (s *Service) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if err := refuseUnbuilt("DeleteObject", in); err != nil {
		return nil, err
	}
	if err := refuseVersion(in.VersionId); err != nil {
		return nil, err
	}
	cond := deleteCondition{in.IfMatch, in.IfMatchLastModifiedTime, in.IfMatchSize}
	if err := s.remove(ctx, aws.Val(in.Bucket), aws.Val(in.Key), cond); err != nil {
		return nil, err
	}
	return &s3.DeleteObjectOutput{}, nil
}

func (s *Service) remove(ctx context.Context, bucketName, key string, cond deleteCondition) error {
	var gone []segment
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		gone = nil
		k := objectKey(bucketName, key)
		old, err := objects.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := cond.judge(old); err != nil {
			return err
		}
		gone = old.Segments
		return objects.Delete(tx, k)
	})
	if err != nil {
		return err
	}
	s.blobs.discard(gone)
	return nil
}

// DeleteObjects deletes many objects and says of each how it went.
func (s *Service) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (*s3.DeleteObjectsOutput, error) {
	if err := refuseUnbuilt("DeleteObjects", in); err != nil {
		return nil, err
	}
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > maxDelete {
		return nil, errMalformedXML
	}
	b, err := s.target(ctx, in.Bucket, in.ExpectedBucketOwner)
	if err != nil {
		return nil, err
	}
	out := &s3.DeleteObjectsOutput{}
	for _, id := range in.Delete.Objects {
		switch err := s.removeOne(ctx, b, id); {
		case err != nil:
			e, ok := entryError(id, err)
			if !ok {
				return nil, err
			}
			out.Errors = append(out.Errors, e)
		case !aws.Val(in.Delete.Quiet):
			out.Deleted = append(out.Deleted, s3.DeletedObject{Key: id.Key})
		}
	}
	return out, nil
}

func (s *Service) removeOne(ctx context.Context, b *bucket, id s3.ObjectIdentifier) error {
	key := aws.Val(id.Key)
	if err := validKey(key); err != nil {
		return err
	}
	if err := refuseVersion(id.VersionId); err != nil {
		return err
	}
	c, err := s.onExisting(ctx, b, "s3:DeleteObject", key)
	if err != nil {
		return err
	}
	if err := s.auth.Authorize(ctx, c); err != nil {
		return err
	}
	return s.remove(ctx, b.Name, key, deleteCondition{id.ETag, id.LastModifiedTime, id.Size})
}

// entryError puts an error into the answer; false means that it is the
// server's own and fails the whole call.
func entryError(id s3.ObjectIdentifier, err error) (s3.Error, bool) {
	e := s3.Error{Key: id.Key, VersionId: id.VersionId}
	var denied *aws.Denied
	switch coded := awserr.As(err); {
	case errors.As(err, &denied):
		e.Code, e.Message = aws.Ptr("AccessDenied"), aws.Ptr(denied.Error())
	case coded != nil:
		e.Code, e.Message = &coded.Code, &coded.Message
	default:
		return e, false
	}
	return e, true
}

func orNoSuchKey(err error, key string) error {
	if errors.Is(err, store.ErrNotFound) {
		return errNoSuchKey(key)
	}
	return err
}
