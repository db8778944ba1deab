package s3

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/blob/sealed"
)

// What is encrypted is checked as it is stored: by the sum that the bytes carry and by
// their length. That they are what was sealed is found out at each reading, by their
// tags; a customer's key is not there to do so here. A row of such an object never
// follows the bytes: from them nothing can be learned.

// sealedSegments returns the first segment that is not as it was written.
func (c *check) sealedSegments(ctx context.Context, segments []segment) (broken, error) {
	for _, seg := range segments {
		err := c.s.blobs.store.Verify(ctx, seg.Blob)
		if err == nil || errors.Is(err, blob.ErrUnproven) {
			var n int64
			if n, err = c.copy(ctx, seg.Blob); err == nil && n != sealed.StoredSize(seg.Size) {
				err = blob.ErrDamaged
			}
		}
		switch {
		case errors.Is(err, blob.ErrNotFound), errors.Is(err, blob.ErrDamaged):
			return broken{seg.Blob, err}, nil
		case err != nil:
			return broken{}, err
		}
	}
	return broken{}, nil
}
