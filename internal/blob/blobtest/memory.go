package blobtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"sync"

	"github.com/hardstand/hardstand/internal/blob"
)

// Memory is a blob.Store that forgets.
type Memory struct {
	mu    sync.Mutex
	blobs map[string][]byte
	next  int
	run   int // ids up to it belong to earlier runs
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{blobs: map[string][]byte{}} }

// NextRun makes Sweep see what is stored as an earlier run's.
func (m *Memory) NextRun() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.run = m.next
}

// Len is the number of blobs stored.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.blobs)
}

func (m *Memory) add(b []byte) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	id := fmt.Sprintf("%08d", m.next)
	m.blobs[id] = b
	return id
}

func (m *Memory) get(id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[id]
	if !ok {
		return nil, fmt.Errorf("blob %q: %w", id, blob.ErrNotFound)
	}
	return b, nil
}

// Put implements blob.Store.
func (m *Memory) Put(ctx context.Context, r io.Reader, sums ...blob.Algorithm) (blob.Info, error) {
	if err := ctx.Err(); err != nil {
		return blob.Info{}, err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return blob.Info{}, err
	}
	info := blob.Info{Size: int64(len(b)), Sums: map[blob.Algorithm][]byte{}}
	for _, a := range sums {
		h := blob.NewHash(a)
		_, _ = h.Write(b)
		info.Sums[a] = h.Sum(nil)
	}
	info.ID = m.add(b)
	return info, nil
}

// Open implements blob.Store.
func (m *Memory) Open(_ context.Context, id string, offset, length int64) (io.ReadCloser, error) {
	b, err := m.get(id)
	if err != nil {
		return nil, err
	}
	b = b[min(offset, int64(len(b))):]
	if length >= 0 {
		b = b[:min(length, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Clone implements blob.Store.
func (m *Memory) Clone(_ context.Context, id string) (string, error) {
	b, err := m.get(id)
	if err != nil {
		return "", err
	}
	return m.add(b), nil
}

// Delete implements blob.Store.
func (m *Memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, id)
	return nil
}

// Verify implements blob.Store.
func (m *Memory) Verify(_ context.Context, id string) error {
	_, err := m.get(id)
	return err
}

// All implements blob.Store.
func (m *Memory) All(context.Context) iter.Seq2[blob.Entry, error] {
	return func(yield func(blob.Entry, error) bool) {
		m.mu.Lock()
		all := maps.Clone(m.blobs)
		m.mu.Unlock()
		for id, b := range all {
			if !yield(blob.Entry{ID: id, Size: int64(len(b))}, nil) {
				return
			}
		}
	}
}

// Sweep implements blob.Store.
func (m *Memory) Sweep(_ context.Context, named iter.Seq2[string, error]) (int, error) {
	kept := map[string]bool{}
	for id, err := range named {
		if err != nil {
			return 0, err
		}
		kept[id] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id := range m.blobs {
		if id <= fmt.Sprintf("%08d", m.run) && !kept[id] {
			delete(m.blobs, id)
			n++
		}
	}
	return n, nil
}
