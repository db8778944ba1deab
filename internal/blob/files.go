package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// runLength is how many characters of an id name the run that wrote it.
const runLength = 8

// Files keeps blobs as files in a directory:
//
//	tmp/           what is being written
//	ab/<id>        256 directories by the last two characters of the id
//
// An id is the run's 8 hex digits and 24 random ones, so that a sweep tells the
// blobs of this run, whose rows may not be committed yet, from older ones.
type Files struct {
	dir string
	run string
	// buffers are reused between writes.
	buffers sync.Pool
}

// OpenFiles opens the directory, makes it when absent, and removes what an
// earlier run was writing when it ended.
func OpenFiles(dir string) (*Files, error) {
	tmp := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	left, err := os.ReadDir(tmp)
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	for _, e := range left {
		if err := os.Remove(filepath.Join(tmp, e.Name())); err != nil {
			return nil, fmt.Errorf("open blobs: %w", err)
		}
	}
	f := &Files{dir: dir, run: random(runLength)}
	f.buffers.New = func() any { b := make([]byte, 256<<10); return &b }
	return f, nil
}

func random(digits int) string {
	b := make([]byte, digits/2)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (f *Files) newID() string { return f.run + random(24) }

// path refuses what is not an id of ours: nothing else reaches the file system.
func (f *Files) path(id string) (string, error) {
	if len(id) != runLength+24 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", fmt.Errorf("blob %q: %w", id, ErrNotFound)
	}
	return filepath.Join(f.dir, id[len(id)-2:], id), nil
}

// Put implements Store: a temporary file, synced, then renamed, then its
// directory synced.
func (f *Files) Put(ctx context.Context, r io.Reader, sums ...Algorithm) (Info, error) {
	id := f.newID()
	tmp := filepath.Join(f.dir, "tmp", id)
	info, err := f.write(ctx, tmp, r, sums)
	if err != nil {
		_ = os.Remove(tmp)
		return Info{}, err
	}
	if err := f.publish(id, func(path string) error { return os.Rename(tmp, path) }); err != nil {
		_ = os.Remove(tmp)
		return Info{}, fmt.Errorf("write blob: %w", err)
	}
	info.ID = id
	return info, nil
}

func (f *Files) write(ctx context.Context, path string, r io.Reader, sums []Algorithm) (Info, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Info{}, fmt.Errorf("write blob: %w", err)
	}
	defer file.Close()
	h := newSumming(sums)
	buf := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buf)
	// The struct hides the file's ReadFrom, which would leave the buffer unused.
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(file, h)}, reader{ctx, r}, *buf)
	if err != nil {
		return Info{}, err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return Info{}, fmt.Errorf("write blob: %w", err)
	}
	return Info{Size: n, Sums: h.sums()}, nil
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// publish makes the file of id appear by place and makes that durable.
func (f *Files) publish(id string, place func(path string) error) error {
	path, err := f.path(id)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := place(path); errors.Is(err, os.ErrNotExist) {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := syncDir(f.dir); err != nil {
			return err
		}
		if err := place(path); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open implements Store.
func (f *Files) Open(_ context.Context, id string, offset, length int64) (io.ReadCloser, error) {
	path, err := f.path(id)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open blob: %w", err)
	}
	if length < 0 {
		return file, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(file, length), file}, nil
}

// Clone implements Store by a hard link, or by a copy where the file has no
// links left or the file system knows none.
func (f *Files) Clone(ctx context.Context, id string) (string, error) {
	from, err := f.path(id)
	if err != nil {
		return "", err
	}
	clone := f.newID()
	err = f.publish(clone, func(path string) error {
		if _, err := os.Stat(from); err != nil {
			return errGone
		}
		return os.Link(from, path)
	})
	switch {
	case err == nil:
		return clone, nil
	case errors.Is(err, errGone):
		return "", fmt.Errorf("blob %s: %w", id, ErrNotFound)
	case !errors.Is(err, syscall.EMLINK) && !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EOPNOTSUPP):
		return "", fmt.Errorf("clone blob: %w", err)
	}
	r, err := f.Open(ctx, id, 0, -1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	info, err := f.Put(ctx, r)
	return info.ID, err
}

var errGone = errors.New("source of a clone is gone")

// Delete implements Store.
func (f *Files) Delete(_ context.Context, id string) error {
	path, err := f.path(id)
	if err != nil {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}

// Sweep implements Store.
func (f *Files) Sweep(ctx context.Context, keep func(id string) bool) (int, error) {
	shards, err := os.ReadDir(f.dir)
	if err != nil {
		return 0, fmt.Errorf("sweep blobs: %w", err)
	}
	removed := 0
	for _, shard := range shards {
		if len(shard.Name()) != 2 {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(f.dir, shard.Name()))
		if err != nil {
			return removed, fmt.Errorf("sweep blobs: %w", err)
		}
		for _, e := range entries {
			id := e.Name()
			if err := ctx.Err(); err != nil {
				return removed, err
			}
			if _, err := f.path(id); err != nil || strings.HasPrefix(id, f.run) || keep(id) {
				continue
			}
			if err := f.Delete(ctx, id); err != nil {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}
