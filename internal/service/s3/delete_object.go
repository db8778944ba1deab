package s3

import (
	"context"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// deleteCondition are the conditions under which an object is deleted.
type deleteCondition struct {
	etag     *string
	modified *time.Time
	size     *int64
}

func (c deleteCondition) judge(key string, old *object) error {
	if c == (deleteCondition{}) {
		return nil
	}
	switch {
	case old == nil:
		return errNoSuchKey(key)
	case old.Marker, c.etag != nil && !matches(*c.etag, old.ETag):
		return errPrecondition("If-Match")
	case c.modified != nil && !c.modified.Equal(old.Modified):
		return errPrecondition("x-amz-if-match-last-modified-time")
	case c.size != nil && *c.size != old.Size:
		return errPrecondition("x-amz-if-match-size")
	}
	return nil
}

// removal is one object, or one version of it, to delete.
type removal struct {
	key     string
	version *string
	cond    deleteCondition
	// bypass asks to delete in spite of a retention in governance mode.
	bypass bool
}

// removed tells what a deletion did.
type removed struct {
	// version is the one that was deleted, or the marker that was added.
	version *string
	marker  bool
}

// DeleteObject deletes an object, or puts a delete marker over it where the
// bucket keeps versions; one that is not there is no error.
func (s *Service) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if err := refuseUnbuilt("DeleteObject", in); err != nil {
		return nil, err
	}
	if in.BypassGovernanceRetention != nil {
		b, err := s.lookup(ctx, aws.Val(in.Bucket))
		if err == nil {
			err = b.bypassable()
		}
		if err != nil {
			return nil, err
		}
	}
	done, err := s.remove(ctx, aws.Val(in.Bucket), removal{
		key: aws.Val(in.Key), version: in.VersionId, bypass: aws.Val(in.BypassGovernanceRetention),
		cond: deleteCondition{in.IfMatch, in.IfMatchLastModifiedTime, in.IfMatchSize},
	})
	if err != nil {
		return nil, err
	}
	out := &s3.DeleteObjectOutput{VersionId: done.version}
	if done.marker {
		out.DeleteMarker = &done.marker
	}
	return out, nil
}

// bypassable refuses the header that bypasses a retention, whatever it says, where
// there can be none.
func (b *bucket) bypassable() error {
	if b.Lock != nil {
		return nil
	}
	return awserr.New("InvalidArgument", "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.").
		With("ArgumentName", "x-amz-bypass-governance-retention")
}

func (s *Service) remove(ctx context.Context, bucketName string, r removal) (removed, error) {
	if r.version != nil && r.cond != (deleteCondition{}) {
		return removed{}, errHeader("If-Match", "A version named by its id has no conditions")
	}
	if r.version != nil && r.bypass {
		b, err := s.lookup(ctx, bucketName)
		if err == nil {
			r.bypass, err = s.mayBypass(ctx, b, r.key, r.version, true)
		}
		if err != nil {
			return removed{}, err
		}
	}
	var gone []segment
	var done removed
	now := s.clock.Now().UTC()
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		b, err := buckets.Get(tx, bucketKey(bucketName))
		if err != nil {
			return orNoSuchBucket(err, bucketName)
		}
		if err := b.validVersion(r.version); err != nil {
			return err
		}
		if r.version != nil {
			gone, done, err = removeVersion(tx, b, r, now)
		} else {
			gone, done, err = removeCurrent(tx, b, r, now)
		}
		if err != nil || gone == nil && !done.marker {
			return err
		}
		event := s3.Event("s3:ObjectRemoved:Delete")
		if done.marker && r.version == nil {
			event = "s3:ObjectRemoved:DeleteMarkerCreated"
		}
		return s.announce(tx, aws.CallFrom(ctx), b, event, r.key, eventObject{VersionID: done.version})
	})
	if err != nil {
		return removed{}, err
	}
	s.overtaken.happen(objectKey(bucketName, r.key).ID)
	s.blobs.discard(gone)
	return done, nil
}

// removeVersion deletes one version for good.
func removeVersion(tx *store.Tx, b *bucket, r removal, now time.Time) ([]segment, removed, error) {
	done := removed{}
	if b.Versioning != "" {
		done.version = r.version
	}
	o, err := versionOf(tx, b.Name, r.key, *r.version)
	if err == nil && o == nil && b.Versioning != "" {
		err = invented(*r.version)
	}
	if err != nil || o == nil {
		return nil, done, err
	}
	if err := o.Lock.holds(now, r.bypass); err != nil {
		return nil, done, err
	}
	done.marker = o.Marker
	return o.Segments, done, dropVersion(tx, b.Name, r.key, o)
}

// removeCurrent deletes what the key names now.
func removeCurrent(tx *store.Tx, b *bucket, r removal, now time.Time) ([]segment, removed, error) {
	old, err := latestOf(tx, b, r.key)
	if err != nil {
		return nil, removed{}, err
	}
	if err := r.cond.judge(r.key, old); err != nil {
		return nil, removed{}, err
	}
	if b.Versioning == "" {
		if old == nil {
			return nil, removed{}, nil
		}
		return old.Segments, removed{}, objects.Delete(tx, objectKey(b.Name, r.key))
	}
	marker := &object{Marker: true, Modified: now.Truncate(time.Second)}
	gone, err := addVersion(tx, b, r.key, old, marker, now)
	return gone, removed{b.versionID(marker), true}, err
}

// entryError puts an error into the answer; false means that it is the
// server's own and fails the whole call.
func entryError(id s3.ObjectIdentifier, err error) (s3.Error, bool) {
	e := s3.Error{Key: id.Key, VersionId: id.VersionId}
	switch coded := awserr.As(err); {
	case isDenied(err):
		e.Code, e.Message = aws.Ptr("AccessDenied"), aws.Ptr(err.Error())
	case coded != nil:
		e.Code, e.Message = &coded.Code, &coded.Message
	default:
		return e, false
	}
	return e, true
}
