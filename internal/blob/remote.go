package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// remotePart is the size of a part of a large blob: what a write holds in memory. Ten
// thousand of them are more than an object can have.
const remotePart = 8 << 20

// Remote keeps blobs as objects of a bucket at any S3 endpoint. A blob's key is the
// prefix, the run that wrote it and a random part.
type Remote struct {
	client         *s3.Client
	bucket, prefix string
	run            string
	buffers        sync.Pool
}

// OpenRemote opens the bucket that a URL names and makes sure that it can be listed:
//
//	s3://bucket/prefix?endpoint=https://host:port&region=name
//
// Credentials come from where the SDK finds them, the environment first.
func OpenRemote(ctx context.Context, address string) (*Remote, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the URL cannot be read") // it may hold what nobody should see
	}
	if u.User != nil {
		return nil, errors.New("credentials do not belong into the URL: give them in the environment")
	}
	q := u.Query()
	for name := range q {
		if name != "endpoint" && name != "region" {
			return nil, fmt.Errorf("%q is not known: the parameters are endpoint and region", name)
		}
	}
	if u.Scheme != "s3" || u.Host == "" {
		return nil, errors.New("the URL does not begin with s3:// and a bucket's name")
	}
	var options []func(*config.LoadOptions) error
	if region := q.Get("region"); region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	r := &Remote{bucket: u.Host, prefix: strings.TrimPrefix(u.Path, "/"), run: random(runLength)}
	if r.prefix != "" && !strings.HasSuffix(r.prefix, "/") {
		r.prefix += "/"
	}
	r.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		// The endpoint is the URL's only: AWS_ENDPOINT_URL may mean this very server.
		o.BaseEndpoint = nil
		o.DisableLogOutputChecksumValidationSkipped = true
		if endpoint := q.Get("endpoint"); endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = &endpoint, true
		}
	})
	r.buffers.New = func() any { b := make([]byte, remotePart); return &b }
	_, err = r.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &r.bucket, Prefix: &r.prefix, MaxKeys: aws.Int32(1)})
	return r, err
}

func (r *Remote) newID() string { return r.run + random(24) }

// key refuses what is not an id of ours: nothing else becomes a key.
func (r *Remote) key(id string) (*string, error) {
	if len(id) != olderIDLength || strings.Trim(id, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("blob %q: %w", id, ErrNotFound)
	}
	return aws.String(r.prefix + id), nil
}

// Put implements Store: one request for what fits into a part, else an upload in parts.
func (r *Remote) Put(ctx context.Context, body io.Reader, sums ...Algorithm) (Info, error) {
	h := newSumming(sums)
	buf := r.buffers.Get().(*[]byte)
	defer r.buffers.Put(buf)
	body = reader{ctx, body}
	n, err := io.ReadFull(body, *buf)
	if err != nil && !endOf(n, err) {
		return Info{}, err
	}
	id := r.newID()
	key, _ := r.key(id)
	_, _ = h.Write((*buf)[:n])
	info := Info{ID: id, Size: int64(n)}
	if err != nil {
		_, err = r.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.bucket, Key: key, Body: bytes.NewReader((*buf)[:n]), ContentLength: aws.Int64(int64(n)),
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c})
	} else {
		info.Size, err = r.upload(ctx, key, body, *buf, h)
	}
	if err != nil {
		return Info{}, fmt.Errorf("write blob: %w", err)
	}
	info.Sums = h.sums()
	return info, nil
}

// upload sends buf, which is full, and what follows it in parts.
func (r *Remote) upload(ctx context.Context, key *string, body io.Reader, buf []byte, h summing) (size int64, err error) {
	made, err := r.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &r.bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		ChecksumType: types.ChecksumTypeFullObject})
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			// Without the caller's context: that may be what has ended.
			_, _ = r.client.AbortMultipartUpload(context.WithoutCancel(ctx), &s3.AbortMultipartUploadInput{Bucket: &r.bucket, Key: key, UploadId: made.UploadId})
		}
	}()
	var done []types.CompletedPart
	for n, last := len(buf), false; n > 0; {
		number := aws.Int32(int32(len(done) + 1))
		out, err := r.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &r.bucket, Key: key, UploadId: made.UploadId, PartNumber: number,
			Body: bytes.NewReader(buf[:n]), ContentLength: aws.Int64(int64(n)), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c})
		if err != nil {
			return size, err
		}
		done = append(done, types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32C: out.ChecksumCRC32C})
		size += int64(n)
		if last {
			break
		}
		n, err = io.ReadFull(body, buf)
		if err != nil && !endOf(n, err) {
			return size, err
		}
		last = err != nil
		_, _ = h.Write(buf[:n])
	}
	_, err = r.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &r.bucket, Key: key, UploadId: made.UploadId, ChecksumType: types.ChecksumTypeFullObject,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done}})
	return size, err
}

// gone turns the endpoint's answer about an object that is not there into ErrNotFound.
func gone(id string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && (api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == "NotFound") {
		return fmt.Errorf("blob %s: %w", id, ErrNotFound)
	}
	return fmt.Errorf("read blob %s: %w", id, err)
}

// Open implements Store.
func (r *Remote) Open(ctx context.Context, id string, offset, length int64) (io.ReadCloser, error) {
	key, err := r.key(id)
	if err != nil {
		return nil, err
	}
	in := &s3.GetObjectInput{Bucket: &r.bucket, Key: key}
	switch {
	case length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case length < 0 && offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	if length == 0 {
		if _, err := r.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &r.bucket, Key: key}); err != nil {
			return nil, gone(id, err)
		}
		return io.NopCloser(strings.NewReader("")), nil
	}
	out, err := r.client.GetObject(ctx, in)
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "InvalidRange" {
		return io.NopCloser(strings.NewReader("")), nil // from the end, or of nothing
	}
	if err != nil {
		return nil, gone(id, err)
	}
	return out.Body, nil
}

// Clone implements Store.
func (r *Remote) Clone(ctx context.Context, id string) (string, error) {
	from, err := r.key(id)
	if err != nil {
		return "", err
	}
	clone := r.newID()
	to, _ := r.key(clone)
	_, err = r.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &r.bucket, Key: to, CopySource: aws.String(r.bucket + "/" + url.PathEscape(*from))})
	if err != nil {
		return "", gone(id, err)
	}
	return clone, nil
}

// Delete implements Store.
func (r *Remote) Delete(ctx context.Context, id string) error {
	key, err := r.key(id)
	if err != nil {
		return nil
	}
	if _, err := r.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &r.bucket, Key: key}); err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}

// Verify implements Store: the endpoint keeps a checksum, which the SDK compares.
func (r *Remote) Verify(ctx context.Context, id string) error {
	key, err := r.key(id)
	if err != nil {
		return err
	}
	out, err := r.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return gone(id, err)
	}
	defer out.Body.Close()
	if _, err := io.Copy(io.Discard, out.Body); err != nil {
		if strings.Contains(err.Error(), "checksum did not match") {
			return fmt.Errorf("blob %s: %w", id, ErrDamaged)
		}
		return fmt.Errorf("read blob %s: %w", id, err)
	}
	return nil
}

// All implements Store.
func (r *Remote) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		pages := s3.NewListObjectsV2Paginator(r.client, &s3.ListObjectsV2Input{Bucket: &r.bucket, Prefix: &r.prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Entry{}, fmt.Errorf("walk blobs: %w", err))
				return
			}
			for _, o := range page.Contents {
				id := strings.TrimPrefix(aws.ToString(o.Key), r.prefix)
				if _, err := r.key(id); err == nil && !yield(Entry{id, aws.ToInt64(o.Size)}, nil) {
					return
				}
			}
		}
	}
}

// Sweep implements Store. Uploads that earlier runs have not finished go too.
func (r *Remote) Sweep(ctx context.Context, named iter.Seq2[string, error]) (int, error) {
	kept := map[string]bool{}
	for id, err := range named {
		if err != nil {
			return 0, err
		}
		kept[id] = true
	}
	removed := 0
	for e, err := range r.All(ctx) {
		if err != nil {
			return removed, err
		}
		if strings.HasPrefix(e.ID, r.run) || kept[e.ID] {
			continue
		}
		if err := r.Delete(ctx, e.ID); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, r.abortUploads(ctx)
}

func (r *Remote) abortUploads(ctx context.Context) error {
	pages := s3.NewListMultipartUploadsPaginator(r.client, &s3.ListMultipartUploadsInput{Bucket: &r.bucket, Prefix: &r.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("sweep uploads: %w", err)
		}
		for _, u := range page.Uploads {
			id := strings.TrimPrefix(aws.ToString(u.Key), r.prefix)
			if _, err := r.key(id); err != nil || strings.HasPrefix(id, r.run) {
				continue
			}
			if _, err := r.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &r.bucket, Key: u.Key, UploadId: u.UploadId}); err != nil {
				return fmt.Errorf("sweep uploads: %w", err)
			}
		}
	}
	return nil
}
