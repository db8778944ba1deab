package s3

import (
	"context"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// DeleteBucket removes an empty bucket, and with it the multipart uploads that
// were never completed.
func (s *Service) DeleteBucket(ctx context.Context, in *s3.DeleteBucketInput) (*s3.DeleteBucketOutput, error) {
	name := aws.Val(in.Bucket)
	var gone []segment
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		gone = nil
		b, err := buckets.Get(tx, bucketKey(name))
		if err != nil {
			return orNoSuchBucket(err, name)
		}
		if err := empty(tx, b); err != nil {
			return err
		}
		if gone, err = abortAll(tx, name); err != nil {
			return err
		}
		emit(tx, aws.CallFrom(ctx), b, "deleted")
		return buckets.Delete(tx, bucketKey(name))
	})
	if err != nil {
		return nil, err
	}
	s.overtaken.leave(name)
	s.blobs.discard(gone)
	return &s3.DeleteBucketOutput{}, nil
}

// empty refuses a bucket that holds an object, a version or a delete marker.
func empty(tx *store.Tx, b *bucket) error {
	refusal := errBucketNotEmpty
	if b.Versioning != "" {
		refusal = awserr.Status(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.")
	}
	for _, table := range []*store.Table[object]{&objects, &versions} {
		first, err := table.List(tx, store.Scope{}, b.Name+"\x00", 1)
		if err != nil {
			return err
		}
		if len(first) > 0 && strings.HasPrefix(first[0].Key.ID, b.Name+"\x00") {
			return refusal.With("BucketName", b.Name)
		}
	}
	return nil
}

// abortAll removes the bucket's uploads and returns the bytes of their parts.
func abortAll(tx *store.Tx, bucket string) ([]segment, error) {
	var gone []segment
	after := bucket + "\x00"
	for {
		rows, err := uploads.List(tx, store.Scope{}, after, 100)
		if err != nil || len(rows) == 0 {
			return gone, err
		}
		for _, r := range rows {
			if !strings.HasPrefix(r.Key.ID, bucket+"\x00") {
				return gone, nil
			}
			after = r.Key.ID
			pieces, err := dropUpload(tx, r.Key, r.Value.ID)
			if err != nil {
				return nil, err
			}
			gone = append(gone, pieces...)
		}
	}
}
