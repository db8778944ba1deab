// Package blobtest holds the conformance suite of blob.Store and a store in
// memory for tests of what keeps blobs.
package blobtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/hardstand/hardstand/internal/blob"
)

// Suite checks what every blob.Store must do. open opens the store of the test
// it is given; called again with the same test it opens the same one in a new
// run.
func Suite(t *testing.T, open func(t *testing.T) blob.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) blob.Store)
	}{
		{"put and open", testPut},
		{"hashes", testSums},
		{"ranges", testRanges},
		{"failed put leaves nothing", testFailedPut},
		{"unknown ids", testUnknown},
		{"clone", testClone},
		{"delete while reading", testDelete},
		{"sweep", testSweep},
		{"large sweep", testLargeSweep},
		{"sweep while deleting", testSweepAndDelete},
		{"walk", testAll},
		{"verify", testVerify},
		{"many at once", testManyAtOnce},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

func put(t *testing.T, s blob.Store, text string) string {
	t.Helper()
	info, err := s.Put(t.Context(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return info.ID
}

func read(t *testing.T, s blob.Store, id string, offset, length int64) string {
	t.Helper()
	r, err := s.Open(t.Context(), id, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func named(ids ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

func wantGone(t *testing.T, s blob.Store, id string) {
	t.Helper()
	if r, err := s.Open(t.Context(), id, 0, -1); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("open %q: %v, want ErrNotFound", id, err)
		if err == nil {
			_ = r.Close()
		}
	}
}

func testPut(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	for _, text := range []string{"", "x", large} {
		info, err := s.Put(t.Context(), iotest.HalfReader(strings.NewReader(text)))
		if err != nil || info.Size != int64(len(text)) {
			t.Fatalf("put of %d bytes: %+v, %v", len(text), info, err)
		}
		if read(t, s, info.ID, 0, -1) != text {
			t.Errorf("%d bytes came back changed", len(text))
		}
	}
	a, b := put(t, s, "same"), put(t, s, "same")
	if a == b {
		t.Error("two blobs share an id")
	}
	again := open(t)
	if read(t, again, a, 0, -1) != "same" {
		t.Error("blob is lost in the next run")
	}
}

// testSums uses the check values of the algorithms' catalogues for "123456789".
func testSums(t *testing.T, open func(*testing.T) blob.Store) {
	want := map[blob.Algorithm]string{
		blob.MD5:       "25f9e794323b453885f5181f1b624d0b",
		blob.SHA1:      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		blob.SHA256:    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
		blob.CRC32:     "cbf43926",
		blob.CRC32C:    "e3069283",
		blob.CRC64NVME: "ae8b14860a799888",
	}
	var all []blob.Algorithm
	for a := range want {
		all = append(all, a)
	}
	info, err := open(t).Put(t.Context(), strings.NewReader("123456789"), all...)
	if err != nil {
		t.Fatal(err)
	}
	for a, sum := range want {
		if got := hex.EncodeToString(info.Sums[a]); got != sum {
			t.Errorf("%s = %s, want %s", a, got, sum)
		}
	}
}

func testRanges(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	id := put(t, s, "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, 3, "012"}, {3, 4, "3456"}, {7, -1, "789"}, {9, 10, "9"}, {10, -1, ""}, {4, 0, ""}} {
		if got := read(t, s, id, c.offset, c.length); got != c.want {
			t.Errorf("%d bytes from %d: %q, want %q", c.length, c.offset, got, c.want)
		}
	}
}

func testFailedPut(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	boom := errors.New("boom")
	_, err := s.Put(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(boom)))
	if !errors.Is(err, boom) {
		t.Errorf("put of a failing reader: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("put after the end of its context: %v", err)
	}
	n, err := open(t).Sweep(t.Context(), named())
	if n != 0 || err != nil {
		t.Errorf("failed puts left %d blobs, %v", n, err)
	}
}

func testUnknown(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	for _, id := range []string{"", "../../etc/passwd", "..", strings.Repeat("0", 32), strings.Repeat("/", 32), "tmp"} {
		wantGone(t, s, id)
		if _, err := s.Clone(t.Context(), id); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("clone %q: %v", id, err)
		}
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("delete %q: %v", id, err)
		}
	}
}

func testClone(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	id := put(t, s, "bytes")
	clone, err := s.Clone(t.Context(), id)
	if err != nil || clone == id {
		t.Fatalf("clone: %q, %v", clone, err)
	}
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, id)
	if read(t, s, clone, 0, -1) != "bytes" {
		t.Error("clone changed when its source was deleted")
	}
}

func testDelete(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	id := put(t, s, "bytes")
	r, err := s.Open(t.Context(), id, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil || b.String() != "bytes" {
		t.Errorf("reading on after delete: %q, %v", b.String(), err)
	}
	wantGone(t, s, id)
}

func testSweep(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	kept, orphan := put(t, s, "kept"), put(t, s, "orphan")
	s = open(t)
	fresh := put(t, s, "fresh")
	n, err := s.Sweep(t.Context(), named(kept))
	if n != 1 || err != nil {
		t.Errorf("swept %d, %v; want 1", n, err)
	}
	wantGone(t, s, orphan)
	if read(t, s, kept, 0, -1)+read(t, s, fresh, 0, -1) != "keptfresh" {
		t.Error("sweep took what it had to keep")
	}
}

// large is more than any store keeps together with other blobs.
var large = strings.Repeat("0123456789abcdef", 70000)

func testLargeSweep(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	kept, orphan := put(t, s, large), put(t, s, large)
	s = open(t)
	if n, err := s.Sweep(t.Context(), named(kept)); n != 1 || err != nil {
		t.Errorf("swept %d, %v; want 1", n, err)
	}
	wantGone(t, s, orphan)
	if read(t, s, kept, 0, -1) != large {
		t.Error("sweep took what it had to keep")
	}
	boom := errors.New("boom")
	_, err := open(t).Sweep(t.Context(), func(yield func(string, error) bool) { yield("", boom) })
	if !errors.Is(err, boom) {
		t.Errorf("a list that fails: %v", err)
	}
	if read(t, s, kept, 0, -1) != large {
		t.Error("a sweep with half a list took what it had to keep")
	}
}

// testSweepAndDelete deletes blobs of an earlier run before and while they are named.
func testSweepAndDelete(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	a, b, c := put(t, s, "a"), put(t, s, "b"), put(t, s, "c")
	s = open(t)
	if err := s.Delete(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	_, err := s.Sweep(t.Context(), func(yield func(string, error) bool) {
		_ = yield(b, nil) && s.Delete(t.Context(), b) == nil && yield(c, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, a)
	wantGone(t, s, b)
	if read(t, s, c, 0, -1) != "c" {
		t.Error("sweep took what it had to keep")
	}
	if err := s.Delete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, c)
}

func testAll(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	want := map[string]int64{put(t, s, ""): 0, put(t, s, "x"): 1, put(t, s, large): int64(len(large))}
	gone := put(t, s, "gone")
	if err := s.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for _, s := range []blob.Store{s, open(t)} {
		have := map[string]int64{}
		for e, err := range s.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			have[e.ID] = e.Size
		}
		if !maps.Equal(have, want) {
			t.Errorf("walked %v, want %v", have, want)
		}
		for range s.All(t.Context()) {
			break
		}
	}
}

func testVerify(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	for _, text := range []string{"", "x", large} {
		if err := s.Verify(t.Context(), put(t, s, text)); err != nil {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
	if err := s.Verify(t.Context(), "none"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func testManyAtOnce(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				text := strings.Repeat(fmt.Sprint(w, i, " "), 1+i*w*100)
				info, err := s.Put(t.Context(), strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				if r, err := s.Open(t.Context(), info.ID, 0, -1); err != nil {
					t.Error(err)
				} else if b, err := io.ReadAll(r); err != nil || string(b) != text {
					t.Errorf("%d bytes came back as %d, %v", len(text), len(b), err)
				} else if r.Close() != nil || i%2 == 0 && s.Delete(t.Context(), info.ID) != nil {
					t.Error("close or delete failed")
				}
			}
		})
	}
	wg.Wait()
}
