package s3

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/blob/sealed"
)

// shelf is the blob store with two additions: bytes that a reader has yet to
// open are not deleted under it, and deleting never fails an operation that has
// already committed.
type shelf struct {
	store blob.Store
	log   *slog.Logger

	mu     sync.Mutex
	pins   map[string]int
	doomed map[string]bool // pinned, and to be deleted with the last pin
}

func (s *shelf) pin(segments []segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range segments {
		s.pins[seg.Blob]++
	}
}

func (s *shelf) unpin(segments []segment) {
	var free []string
	s.mu.Lock()
	for _, seg := range segments {
		if s.pins[seg.Blob]--; s.pins[seg.Blob] > 0 {
			continue
		}
		delete(s.pins, seg.Blob)
		if s.doomed[seg.Blob] {
			delete(s.doomed, seg.Blob)
			free = append(free, seg.Blob)
		}
	}
	s.mu.Unlock()
	s.delete(free)
}

// discard deletes bytes that no row names any more.
func (s *shelf) discard(segments []segment) {
	var free []string
	s.mu.Lock()
	for _, seg := range segments {
		if s.pins[seg.Blob] > 0 {
			s.doomed[seg.Blob] = true
			continue
		}
		free = append(free, seg.Blob)
	}
	s.mu.Unlock()
	s.delete(free)
}

func (s *shelf) delete(ids []string) {
	for _, id := range ids {
		// What stays behind is removed by the next start's sweep.
		if err := s.store.Delete(context.Background(), id); err != nil {
			s.log.Error("s3: delete bytes", "blob", id, "error", err)
		}
	}
}

// reader reads length bytes from offset of consecutive segments, opening each
// when it comes to it. It holds pins until it is closed.
type reader struct {
	ctx      context.Context
	shelf    *shelf
	pinned   []segment
	rest     []segment
	offset   int64 // within rest[0]
	left     int64
	current  io.ReadCloser
	due      int64  // what current still has to give
	key      []byte // of sealed segments
	released sync.Once
}

// keep writes bytes, sealed when there is a key.
func (s *shelf) keep(ctx context.Context, key []byte, r io.Reader, sums ...blob.Algorithm) (blob.Info, error) {
	if key != nil {
		return sealed.Put(ctx, s.store, key, r, sums...)
	}
	return s.store.Put(ctx, r, sums...)
}

// open returns the reader. The caller has pinned the segments; key is that of
// sealed ones.
func (s *shelf) open(ctx context.Context, key []byte, segments []segment, offset, length int64) *reader {
	r := &reader{ctx: ctx, shelf: s, pinned: segments, rest: segments, offset: offset, left: length, key: key}
	for len(r.rest) > 0 && r.offset >= r.rest[0].Size {
		r.offset -= r.rest[0].Size
		r.rest = r.rest[1:]
	}
	return r
}

func (r *reader) Read(p []byte) (int, error) {
	for r.left > 0 {
		if r.current == nil {
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.current.Read(p)
		r.took(int64(n))
		if errors.Is(err, io.EOF) {
			err = r.finish()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// WriteTo implements io.WriterTo. It shows w what the store returns, so that a file
// can be sent by the kernel.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for r.left > 0 {
		if r.current == nil {
			if err := r.next(); err != nil {
				return written, err
			}
		}
		n, err := io.Copy(w, r.current)
		r.took(n)
		written += n
		if err != nil {
			return written, err
		}
		if err := r.finish(); err != nil {
			return written, err
		}
	}
	return written, nil
}

func (r *reader) took(n int64) { r.left, r.due = r.left-n, r.due-n }

// finish closes the segment that was read to its end. One shorter than its row says
// ends the answer: what follows must not move up.
func (r *reader) finish() error {
	err := r.current.Close()
	r.current = nil
	if err == nil && r.due > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (r *reader) next() error {
	if len(r.rest) == 0 {
		return io.ErrUnexpectedEOF // the row promised more bytes than there are
	}
	seg := r.rest[0]
	n := min(seg.Size-r.offset, r.left)
	f, err := r.openSegment(seg, n)
	if err != nil {
		return err
	}
	r.current, r.rest, r.offset, r.due = f, r.rest[1:], 0, n
	return nil
}

func (r *reader) openSegment(seg segment, n int64) (io.ReadCloser, error) {
	if r.key != nil {
		return sealed.Open(r.ctx, r.shelf.store, r.key, seg.Blob, seg.Size, r.offset, n)
	}
	return r.shelf.store.Open(r.ctx, seg.Blob, r.offset, n)
}

// Close releases the bytes.
func (r *reader) Close() error {
	var err error
	if r.current != nil {
		err = r.current.Close()
		r.current = nil
	}
	r.released.Do(func() { r.shelf.unpin(r.pinned) })
	return err
}
