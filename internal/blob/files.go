package blob

import (
	"bytes"
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

// Files keeps blobs in a directory:
//
//	tmp/           what is being written
//	ab/<id>        large blobs, 256 directories by the last two characters of the id
//	packs/         small blobs, many in a file
//
// The id of a large blob is f, the run's 8 hex digits, the CRC-32C of its bytes in 8
// and 16 random ones; earlier versions made ids of the run and 24 random digits. The
// run tells a sweep the blobs of this run, whose rows may not be committed yet, from
// older ones.
type Files struct {
	dir   string
	run   string
	packs *packs
	// buffers are reused between writes.
	buffers sync.Pool
}

const (
	bufferSize     = 256 << 10
	fileIDLength   = 1 + runLength + 8 + 16
	olderIDLength  = runLength + 24
	sumBegin       = 1 + runLength
	temporaryDir   = "tmp"
	packsDir       = "packs"
	shardNameChars = 2
)

// OpenFiles opens the directory, makes it when absent, and removes what an
// earlier run was writing when it ended.
func OpenFiles(dir string) (*Files, error) {
	tmp := filepath.Join(dir, temporaryDir)
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
	f.buffers.New = func() any { b := make([]byte, bufferSize); return &b }
	if f.packs, err = openPacks(filepath.Join(dir, packsDir), f.run); err != nil {
		return nil, err
	}
	return f, syncDir(dir)
}

func random(digits int) string {
	b := make([]byte, digits/2)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// path refuses what is not an id of ours: nothing else reaches the file system.
func (f *Files) path(id string) (string, error) {
	digits := id
	if len(id) == fileIDLength && id[0] == 'f' {
		digits = id[1:]
	} else if len(id) != olderIDLength {
		return "", fmt.Errorf("blob %q: %w", id, ErrNotFound)
	}
	if strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fmt.Errorf("blob %q: %w", id, ErrNotFound)
	}
	return filepath.Join(f.dir, id[len(id)-shardNameChars:], id), nil
}

// runOf is the run in the id of a large blob.
func runOf(id string) string {
	if len(id) == fileIDLength {
		id = id[1:]
	}
	return id[:runLength]
}

func (f *Files) fileID(sum uint32) string { return fmt.Sprintf("f%s%08x%s", f.run, sum, random(16)) }

// Put implements Store. What fits goes into a pack; the rest into a temporary file,
// synced, then renamed, then its directory synced.
func (f *Files) Put(ctx context.Context, r io.Reader, sums ...Algorithm) (Info, error) {
	buf := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buf)
	r = reader{ctx, r}
	n, err := io.ReadFull(r, (*buf)[:packedMost+1])
	if err == nil {
		begin := bytes.Clone((*buf)[:n])
		return f.putFile(io.MultiReader(bytes.NewReader(begin), r), sums)
	}
	if !endOf(n, err) {
		return Info{}, err
	}
	h := newSumming(sums)
	_, _ = h.Write((*buf)[:n])
	id, err := f.packs.put((*buf)[:n])
	return Info{ID: id, Size: int64(n), Sums: h.sums()}, err
}

func (f *Files) putFile(r io.Reader, sums []Algorithm) (Info, error) {
	tmp := filepath.Join(f.dir, temporaryDir, f.run+random(24))
	info, sum, err := f.write(tmp, r, sums)
	if err == nil {
		info.ID = f.fileID(sum)
		err = f.publish(info.ID, func(path string) error { return os.Rename(tmp, path) })
		if err != nil {
			err = fmt.Errorf("write blob: %w", err)
		}
	}
	if err != nil {
		_ = os.Remove(tmp)
		return Info{}, err
	}
	return info, nil
}

// reader ends when its context does, and tells the end that a body announced from
// one that io.ReadFull makes up.
type reader struct {
	ctx context.Context
	r   io.Reader
}

// cutShort hides an io.ErrUnexpectedEOF of the source from io.ReadFull's caller.
type cutShort struct{ err error }

func (c cutShort) Error() string { return c.err.Error() }
func (c cutShort) Unwrap() error { return c.err }

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = cutShort{err}
	}
	return n, err
}

// endOf reports that an error of io.ReadFull is the source's end, not its failure.
func endOf(n int, err error) bool {
	return n == 0 && err == io.EOF || err == io.ErrUnexpectedEOF //nolint:errorlint // a wrapped one is the source's failure
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
	if at, ok := parsePlace(id); ok {
		data, err := f.packs.get(at)
		if err != nil {
			return nil, err
		}
		data = data[min(offset, int64(len(data))):]
		if length >= 0 {
			data = data[:min(length, int64(len(data)))]
		}
		return held{bytes.NewReader(data)}, nil
	}
	file, err := f.openFile(id)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open blob: %w", err)
	}
	if length < 0 {
		return file, nil
	}
	return &part{io.LimitedReader{R: file, N: length}, file}, nil
}

func (f *Files) openFile(id string) (*os.File, error) {
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
	return file, nil
}

// held is a small blob, read already.
type held struct{ *bytes.Reader }

func (held) Close() error { return nil }

// part is a range of a file. WriteTo shows the file to a network connection, which
// lets the kernel copy it.
type part struct {
	io.LimitedReader
	file *os.File
}

func (p *part) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, &p.LimitedReader) }
func (p *part) Close() error                       { return p.file.Close() }

// Clone implements Store by a hard link, or by a copy where the file has no
// links left or the file system knows none, and for small blobs.
func (f *Files) Clone(ctx context.Context, id string) (string, error) {
	if _, packed := parsePlace(id); packed {
		return f.copy(ctx, id)
	}
	from, err := f.path(id)
	if err != nil {
		return "", err
	}
	clone := f.run + random(24)
	if len(id) == fileIDLength {
		clone = "f" + f.run + id[sumBegin:sumBegin+8] + random(16)
	}
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
	return f.copy(ctx, id)
}

func (f *Files) copy(ctx context.Context, id string) (string, error) {
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
	if at, ok := parsePlace(id); ok {
		return f.packs.remove(at)
	}
	path, err := f.path(id)
	if err != nil {
		return nil
	}
	// Freeing a large file takes long, and happens when the last who has it open
	// closes it: not while the caller waits.
	if file, err := os.Open(path); err == nil {
		defer func() { go file.Close() }()
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}
