package sealed_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/blob/blobtest"
	"github.com/hardstand/hardstand/internal/blob/sealed"
)

const chunk = 64 << 10

func key(b byte) []byte { return bytes.Repeat([]byte{b}, sealed.KeySize) }

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.IntN(256))
	}
	return b
}

func read(ctx context.Context, s blob.Store, k []byte, id string, size, offset, length int64) ([]byte, error) {
	r, err := sealed.Open(ctx, s, k, id, size, offset, length)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// stored returns the sealed bytes.
func stored(t *testing.T, s blob.Store, id string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), id, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	s := blobtest.NewMemory()
	for _, size := range []int{0, 1, 100, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk + 7} {
		plain := noise(size)
		info, err := sealed.Put(t.Context(), s, key(1), iotest.HalfReader(bytes.NewReader(plain)), blob.MD5)
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.Sum(plain)
		if info.Size != int64(size) || !bytes.Equal(info.Sums[blob.MD5], sum[:]) {
			t.Errorf("%d bytes: %+v", size, info)
		}
		raw := stored(t, s, info.ID)
		if int64(len(raw)) != sealed.StoredSize(int64(size)) {
			t.Errorf("%d bytes are stored as %d, want %d", size, len(raw), sealed.StoredSize(int64(size)))
		}
		if size > 16 && bytes.Contains(raw, plain[:16]) {
			t.Errorf("%d bytes are stored readable", size)
		}
		for _, r := range [][2]int{{0, size}, {0, 0}, {size / 2, size - size/2}, {max(0, size-1), min(1, size)}, {chunk - 1, 2}, {chunk, 1}} {
			if r[0]+r[1] > size {
				continue
			}
			got, err := read(t.Context(), s, key(1), info.ID, int64(size), int64(r[0]), int64(r[1]))
			if err != nil || !bytes.Equal(got, plain[r[0]:r[0]+r[1]]) {
				t.Errorf("%d bytes from %d of %d: %d, %v", r[1], r[0], size, len(got), err)
			}
		}
	}
}

// TestWhatWasChanged: another key, a changed, moved or missing chunk, another size.
func TestWhatWasChanged(t *testing.T) {
	s := blobtest.NewMemory()
	plain := noise(3 * chunk)
	info, err := sealed.Put(t.Context(), s, key(1), bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	raw := stored(t, s, info.ID)
	const step = chunk + 16
	one := raw[32 : 32+step]
	for name, changed := range map[string][]byte{
		"bit":     append(append(bytes.Clone(raw[:100]), raw[100]^1), raw[101:]...),
		"salt":    append([]byte{raw[0] ^ 1}, raw[1:]...),
		"moved":   append(append(append(bytes.Clone(raw[:32]), raw[32+step:32+2*step]...), one...), raw[32+2*step:]...),
		"missing": raw[:32+2*step],
		"empty":   {},
	} {
		id, err := s.Put(t.Context(), bytes.NewReader(changed))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read(t.Context(), s, key(1), id.ID, int64(len(plain)), 0, int64(len(plain))); !errors.Is(err, sealed.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read(t.Context(), s, key(2), info.ID, int64(len(plain)), 0, 10); !errors.Is(err, sealed.ErrCorrupt) {
		t.Errorf("another key: %v", err)
	}
	// Cut at a chunk, with a row that agrees: the last chunk is not marked as such.
	cut, err := s.Put(t.Context(), bytes.NewReader(raw[:32+2*step]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(t.Context(), s, key(1), cut.ID, 2*chunk, 0, 2*chunk); !errors.Is(err, sealed.ErrCorrupt) {
		t.Errorf("cut off: %v", err)
	}
}

func TestReadersErrorIsKept(t *testing.T) {
	for _, want := range []error{errors.New("broken"), io.ErrUnexpectedEOF} {
		s := blobtest.NewMemory()
		r := io.MultiReader(bytes.NewReader(noise(100)), iotest.ErrReader(want))
		if _, err := sealed.Put(t.Context(), s, key(1), r); !errors.Is(err, want) {
			t.Errorf("%v instead of %v", err, want)
		}
		if s.Len() != 0 {
			t.Error("something stays behind")
		}
	}
}
