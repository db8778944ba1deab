package container

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Every instance has 65,536 user and group ids of its own, beginning at a
// multiple of that. They lie above what systemd gives to its containers and below
// 2^31, beyond which ids confuse old programs.
const (
	rangeSize  = 65536
	firstRange = 0x7000
	lastRange  = 0x7ffe
)

// ranges says which instance has which ids. What is taken is kept in the records
// of the instances, so nothing else is stored.
type ranges struct {
	mu sync.Mutex
	// shared is set where all instances have the same range: that of a shifted
	// image, or the host's ids.
	shared bool
	same   uint32
	next   uint32
	base   map[string]uint32 // by instance
	used   map[uint32]bool
}

// loadRanges reads what the records below dir say.
func loadRanges(dir string) (*ranges, error) {
	r := &ranges{next: firstRange, base: map[string]uint32{}, used: map[uint32]bool{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read instances: %w", err)
	}
	for _, e := range entries {
		rec, err := readRecord(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // a launch that was cut short; Sweep removes it
		}
		r.base[e.Name()], r.used[rec.Base/rangeSize] = rec.Base, true
	}
	return r, nil
}

// share makes base the range of all instances from now on.
func (r *ranges) share(base uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shared, r.same = true, base
}

// take returns the first id of the instance's range, the same for its whole life.
func (r *ranges) take(id string) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if base, ok := r.base[id]; ok {
		return base, nil
	}
	if r.shared {
		r.base[id] = r.same
		return r.same, nil
	}
	for range lastRange - firstRange + 1 {
		n := r.next
		if r.next++; r.next > lastRange {
			r.next = firstRange
		}
		if !r.used[n] {
			r.used[n], r.base[id] = true, n*rangeSize
			return n * rangeSize, nil
		}
	}
	return 0, fmt.Errorf("all %d ranges of user ids are taken by instances", lastRange-firstRange+1)
}

// rename gives a range that a shell took to the instance it became.
func (r *ranges) rename(from, to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if base, ok := r.base[from]; ok {
		delete(r.base, from)
		r.base[to] = base
	}
}

func (r *ranges) release(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if base, ok := r.base[id]; ok {
		delete(r.base, id)
		if !r.shared {
			delete(r.used, base/rangeSize)
		}
	}
}

// taken reports whether this daemon gave a range to the instance or shell.
func (r *ranges) taken(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.base[name]
	return ok
}
