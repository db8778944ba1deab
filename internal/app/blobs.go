package app

import (
	"context"

	"github.com/hardstand/hardstand/internal/blob"
)

// openBlobs opens the place of the objects' bytes: the data dir's, or the bucket that a
// URL names.
func openBlobs(ctx context.Context, dir *dataDir, url string) (blob.Store, error) {
	if url == "" {
		return blob.OpenFiles(dir.join("blobs"))
	}
	remote, err := blob.OpenRemote(ctx, url)
	if err != nil {
		return nil, &Refusal{Cause: "the bucket for the objects' bytes cannot be used",
			Remedy: "correct --blob, which has the form s3://BUCKET/PREFIX?endpoint=URL&region=REGION, and give its credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", Err: err}
	}
	return remote, nil
}
