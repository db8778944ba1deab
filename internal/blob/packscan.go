package blob

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// scanWindow is how much a scan reads at a time.
const scanWindow = 4096

// records finds the records of a pack that begin in [from, to). Ranges given back are
// skipped without being read. Where no record begins it looks for the next one:
// damage to one blob hides no other.
func records(f *os.File, pack place, from, to int64) ([]place, error) {
	var out []place
	var window [scanWindow + headerSize]byte
	for at := from; at < to; {
		var err error
		if at, err = nextData(f, at, to); err != nil || at >= to {
			return out, err
		}
		n, err := f.ReadAt(window[:], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		i := 0
		for ; i < scanWindow && at+int64(i) < to && i+headerSize <= n; i += recordAlign {
			if h, ok := parseHeader(window[i:n]); ok {
				pack.offset, pack.length, pack.nonce = uint32(at)+uint32(i), h.length, h.nonce
				out = append(out, pack)
				i = int(pack.end() - at)
				break
			}
		}
		if i+headerSize > n && n < len(window) {
			return out, nil // the end of the file
		}
		at += int64(i)
	}
	return out, nil
}

// nextData is the first place from at on that is in no hole.
func nextData(f *os.File, at, to int64) (int64, error) {
	next, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return to, nil
	case errors.Is(err, unix.EINVAL):
		return at, nil // a file system without holes
	}
	return max(at, next/recordAlign*recordAlign), err
}
