package blob

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// TestGroupSync counts how many syncs many waiters need: those who come while one runs
// share the next.
func TestGroupSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		syncs, release := 0, make(chan struct{})
		g := newGroupSync(func() error { syncs++; <-release; return nil })
		var wg sync.WaitGroup
		wait := func() {
			if err := g.wait(); err != nil {
				t.Error(err)
			}
		}
		wg.Go(wait)
		synctest.Wait() // until the first sync runs
		for range 20 {
			wg.Go(wait)
		}
		synctest.Wait() // until all wait
		close(release)
		wg.Wait()
		if syncs != 2 {
			t.Errorf("%d syncs, want 2", syncs)
		}
	})
	boom := errors.New("boom")
	g := newGroupSync(func() error { return boom })
	for range 2 { // after a sync that failed nobody is told that all is well
		if err := g.wait(); !errors.Is(err, boom) {
			t.Error(err)
		}
	}
}

// TestFullPacks fills packs, deletes, and holds that the disk gets its room back.
func TestFullPacks(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	body := bytes.Repeat([]byte("x"), packedMost)
	for range packFull/packedMost + 10 {
		info, err := f.Put(t.Context(), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, info.ID)
	}
	packs := func() int {
		entries, err := os.ReadDir(filepath.Join(dir, packsDir))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if packs() != 2 {
		t.Fatalf("%d packs", packs())
	}
	for _, id := range ids {
		if err := f.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if packs() != 1 { // the one that is appended to
		t.Errorf("%d packs are left", packs())
	}
}

// TestPacksOfWhatIsGone fills packs with blobs that are deleted before the pack is full.
func TestPacksOfWhatIsGone(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), packedMost)
	for range packFull/packedMost + 10 {
		info, err := f.Put(t.Context(), bytes.NewReader(body))
		if err == nil {
			err = f.Delete(t.Context(), info.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, packsDir))
	if err != nil || len(entries) != 1 || len(f.packs.alive) != 1 {
		t.Errorf("%d packs and %d counts, %v, want those of the one that is appended to", len(entries), len(f.packs.alive), err)
	}
}

func FuzzParsePlace(f *testing.F) {
	f.Add(place{run: "0123abcd", pack: 1, offset: 32, length: 5, nonce: 7}.id())
	f.Add("p" + strings.Repeat("f", 36))
	f.Fuzz(func(t *testing.T, id string) {
		if p, ok := parsePlace(id); ok && p.id() != id {
			t.Errorf("%q is read as %q", id, p.id())
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	f.Add(appendHeader(nil, []byte("bytes"), 1))
	f.Add([]byte("hsblob1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := parseHeader(b); ok && h.length > packedMost {
			t.Errorf("%d bytes", h.length)
		}
	})
}
