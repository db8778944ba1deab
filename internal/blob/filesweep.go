package blob

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// Verify implements Store.
func (f *Files) Verify(_ context.Context, id string) error {
	if at, ok := parsePlace(id); ok {
		_, err := f.packs.get(at)
		return err
	}
	file, err := f.openFile(id)
	if err != nil {
		return err
	}
	defer file.Close()
	own := crc32.New(castagnoli)
	if _, err := io.Copy(own, file); err != nil {
		return fmt.Errorf("read blob %s: %w", id, err)
	}
	switch {
	case len(id) != fileIDLength:
		return fmt.Errorf("blob %s: %w", id, ErrUnproven)
	case fmt.Sprintf("%08x", own.Sum32()) != id[sumBegin:sumBegin+8]:
		return fmt.Errorf("blob %s: its bytes have changed: %w", id, ErrDamaged)
	}
	return nil
}

// All implements Store.
func (f *Files) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		err := f.walk(ctx, func(id string, d os.DirEntry) error {
			info, err := d.Info()
			if err == nil && !yield(Entry{id, info.Size()}, nil) {
				err = errStop
			}
			return err
		})
		if err == nil {
			err = f.packs.all(ctx, func(p place) bool { return yield(Entry{p.id(), int64(p.length)}, nil) })
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(Entry{}, err)
		}
	}
}

var errStop = errors.New("stop walking")

// walk visits the files of large blobs.
func (f *Files) walk(ctx context.Context, visit func(id string, d os.DirEntry) error) error {
	shards, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("walk blobs: %w", err)
	}
	for _, shard := range shards {
		if len(shard.Name()) != shardNameChars {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(f.dir, shard.Name()))
		if err != nil {
			return fmt.Errorf("walk blobs: %w", err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := f.path(e.Name()); err != nil || !strings.HasSuffix(e.Name(), shard.Name()) {
				continue
			}
			if err := visit(e.Name(), e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Sweep implements Store.
func (f *Files) Sweep(ctx context.Context, named iter.Seq2[string, error]) (int, error) {
	files, packed := map[string]bool{}, map[string][]place{}
	for id, err := range named {
		if err != nil {
			return 0, err
		}
		if at, ok := parsePlace(id); !ok {
			files[id] = true
		} else if at.run != f.run {
			packed[at.file()] = append(packed[at.file()], at)
		}
	}
	removed := 0
	err := f.walk(ctx, func(id string, _ os.DirEntry) error {
		if runOf(id) == f.run || files[id] {
			return nil
		}
		removed++
		return f.Delete(ctx, id)
	})
	if err != nil {
		return removed, err
	}
	n, err := f.packs.sweep(ctx, packed)
	return removed + n, err
}

// all visits the packed blobs until visit returns false.
func (s *packs) all(ctx context.Context, visit func(place) bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("walk packs: %w", err)
	}
	for _, e := range entries {
		run, number, ok := parsePack(e.Name())
		if !ok {
			continue
		}
		found, err := s.recordsOf(e.Name(), place{run: run, pack: number})
		if err != nil {
			return fmt.Errorf("walk pack %s: %w", e.Name(), err)
		}
		for _, p := range found {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !visit(p) {
				return errStop
			}
		}
	}
	return nil
}

func (s *packs) recordsOf(name string, pack place) ([]place, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return records(f, pack, 0, info.Size())
}
