package blob

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// packs keep small blobs behind each other in files of some megabytes, so that one
// sync of the disk serves all who write at the same time. A pack is only ever
// appended to; deleting a blob gives its range back to the file system, and a pack
// without blobs is removed.
type packs struct {
	dir string
	run string

	mu      sync.Mutex
	current *pack
	next    uint32
	// alive counts the blobs of each pack. Those of earlier runs are counted by the
	// sweep; until then gone remembers what was deleted of them.
	alive map[string]int
	gone  map[string]map[uint32]bool
}

// pack is the file being appended to.
type pack struct {
	file  *os.File
	name  string
	at    place
	size  int64
	group *groupSync
	// users are appends in flight; a full pack is closed after the last.
	users sync.WaitGroup
}

func openPacks(dir, run string) (*packs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open packs: %w", err)
	}
	return &packs{dir: dir, run: run, alive: map[string]int{}, gone: map[string]map[uint32]bool{}}, nil
}

// put returns the id of data when it is on the disk.
func (s *packs) put(data []byte) (string, error) {
	p, at, err := s.append(data)
	if err != nil {
		return "", fmt.Errorf("write blob: %w", err)
	}
	defer p.users.Done()
	if err := p.group.wait(); err != nil {
		s.abandon(p)
		return "", fmt.Errorf("write blob: %w", err)
	}
	return at.id(), nil
}

// append writes the record into the current pack. Records are written one after the
// other, so that each that is synced has only whole ones before it.
func (s *packs) append(data []byte) (*pack, place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.room()
	if err != nil {
		return nil, place{}, err
	}
	at := p.at
	at.offset, at.length, at.nonce = uint32(p.size), uint32(len(data)), rand.Uint32()
	record := append(appendHeader(make([]byte, 0, headerSize+len(data)+recordAlign), data, at.nonce), data...)
	record = append(record, make([]byte, at.end()-p.size-int64(len(record)))...)
	if _, err := p.file.WriteAt(record, p.size); err != nil {
		s.retire(p) // half a record may stand at its end
		return nil, place{}, err
	}
	p.size = at.end()
	p.users.Add(1)
	s.alive[p.name]++
	return p, at, nil
}

// room returns a pack that is not full.
func (s *packs) room() (*pack, error) {
	if p := s.current; p != nil && p.size < packFull {
		return p, nil
	}
	if s.current != nil {
		s.retire(s.current)
	}
	p := &pack{at: place{run: s.run, pack: s.next}}
	s.next++
	p.name = p.at.file()
	f, err := os.OpenFile(filepath.Join(s.dir, p.name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syncDir(s.dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p.file = f
	p.group = newGroupSync(func() error { return unix.Fdatasync(int(f.Fd())) })
	s.current = p
	return p, nil
}

// retire lets nobody append to p any more and closes it when the last is done. A pack
// whose blobs are all gone by now goes too: no deletion is to come that would remove it.
func (s *packs) retire(p *pack) {
	if s.current == p {
		s.current = nil
	}
	if s.alive[p.name] == 0 {
		_ = s.drop(p.name) // what stays behind is removed by the next start's sweep
	}
	go func() {
		p.users.Wait()
		_ = p.file.Close() // synced by its users
	}()
}

// abandon gives up a pack whose sync failed.
func (s *packs) abandon(p *pack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == p {
		s.retire(p)
	}
}

// get returns the bytes of a blob, compared with the sum they were written with.
func (s *packs) get(at place) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, at.file()))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", at.id(), ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	defer f.Close()
	record := make([]byte, headerSize+int(at.length))
	n, err := f.ReadAt(record, int64(at.offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	record = record[:n]
	h, ok := parseHeader(record)
	switch {
	case !ok && len(bytes.Trim(record, "\x00")) == 0:
		return nil, fmt.Errorf("blob %s: %w", at.id(), ErrNotFound)
	case !ok:
		return nil, fmt.Errorf("blob %s: no record where it should be: %w", at.id(), ErrDamaged)
	case h.nonce != at.nonce || h.length != at.length:
		return nil, fmt.Errorf("blob %s: %w", at.id(), ErrNotFound)
	}
	data := record[headerSize:]
	if len(data) != int(h.length) || crc32.Checksum(data, castagnoli) != h.sum {
		return nil, fmt.Errorf("blob %s: its bytes have changed: %w", at.id(), ErrDamaged)
	}
	return data, nil
}

// remove gives the range of a blob back. Without a sync: a range that comes back by a
// power failure is an orphan, and the sweep takes it.
func (s *packs) remove(at place) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.dir, at.file())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	defer f.Close()
	var b [headerSize]byte
	if _, err := f.ReadAt(b[:], int64(at.offset)); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("delete blob: %w", err)
	}
	if h, ok := parseHeader(b[:]); ok && h.nonce != at.nonce {
		return nil // its record is gone and was never this place's
	} else if !ok && b == ([headerSize]byte{}) {
		return nil
	}
	if err := punch(f, int64(at.offset), at.end()); err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	return s.count(at)
}

// count notes that a blob is gone and removes a pack that has none left.
func (s *packs) count(at place) error {
	name := at.file()
	n, known := s.alive[name]
	if !known {
		if s.gone[name] == nil {
			s.gone[name] = map[uint32]bool{}
		}
		s.gone[name][at.offset] = true
		return nil
	}
	s.alive[name] = n - 1
	if n > 1 || s.current != nil && s.current.name == name {
		return nil
	}
	return s.drop(name)
}

func (s *packs) drop(name string) error {
	delete(s.alive, name)
	if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}

// punch makes a range read as zeros and take no room. A file system that cannot gets
// zeros written over the header, which makes the record none.
func punch(f *os.File, from, to int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, to-from)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		_, err = f.WriteAt(make([]byte, min(headerSize, to-from)), from)
	}
	return err
}

// sweep gives back what lies between the blobs that are named, in packs of earlier
// runs, and returns how many packed blobs that removed. named are sorted here.
func (s *packs) sweep(ctx context.Context, named map[string][]place) (int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("sweep packs: %w", err)
	}
	removed := 0
	for _, e := range entries {
		run, _, ok := parsePack(e.Name())
		if !ok || run == s.run {
			continue
		}
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		n, err := s.sweepPack(e.Name(), named[e.Name()])
		if err != nil {
			return removed, fmt.Errorf("sweep pack %s: %w", e.Name(), err)
		}
		removed += n
	}
	return removed, nil
}

func (s *packs) sweepPack(name string, keep []place) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep = slices.DeleteFunc(keep, func(p place) bool { return s.gone[name][p.offset] })
	slices.SortFunc(keep, func(a, b place) int { return cmp.Compare(a.offset, b.offset) })
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if removed, err = clearGaps(f, name, keep); err != nil {
		return removed, err
	}
	delete(s.gone, name)
	s.alive[name] = len(keep)
	if len(keep) == 0 {
		return removed, s.drop(name)
	}
	return removed, nil
}

// clearGaps gives back the records between those that are kept.
func clearGaps(f *os.File, name string, keep []place) (removed int, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	run, number, _ := parsePack(name)
	from := int64(0)
	for i := range len(keep) + 1 {
		to := info.Size()
		if i < len(keep) {
			to = int64(keep[i].offset)
		}
		found, err := records(f, place{run: run, pack: number}, from, to)
		if err != nil {
			return removed, err
		}
		for _, r := range found {
			if err := punch(f, int64(r.offset), r.end()); err != nil {
				return removed, err
			}
			removed++
		}
		if i < len(keep) {
			from = keep[i].end()
		}
	}
	return removed, nil
}
