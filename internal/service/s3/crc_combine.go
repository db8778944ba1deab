package s3

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/hardstand/hardstand/internal/blob"
)

// A CRC is linear: the CRC of two pieces follows from the pieces' CRCs and the
// second's length, without their bytes. That is how a multipart upload gets the
// checksum of the whole object.

// polynomials of the CRCs that combine, reversed, with their width in bytes.
var polynomials = map[blob.Algorithm]struct {
	poly  uint64
	bytes int
}{
	blob.CRC32:     {crc32.IEEE, 4},
	blob.CRC32C:    {crc32.Castagnoli, 4},
	blob.CRC64NVME: {0x9a6c9329ac4bc9b5, 8},
}

// combinable reports whether the algorithm has a checksum of the whole object
// without reading it again.
func combinable(a blob.Algorithm) bool {
	_, ok := polynomials[a]
	return ok
}

// combineCRC returns the checksum, in base64, of pieces with the checksums and
// sizes given.
func combineCRC(a blob.Algorithm, sums []string, sizes []int64) (string, error) {
	p := polynomials[a]
	var whole uint64
	for i, text := range sums {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", err
		}
		if len(b) != p.bytes {
			return "", fmt.Errorf("a %s of %d bytes", a, len(b))
		}
		var crc uint64
		for _, c := range b {
			crc = crc<<8 | uint64(c)
		}
		if i > 0 {
			crc ^= shiftCRC(whole, p.poly, p.bytes*8, sizes[i])
		}
		whole = crc
	}
	var out [8]byte
	binary.BigEndian.PutUint64(out[:], whole)
	return base64.StdEncoding.EncodeToString(out[8-p.bytes:]), nil
}

// matrix is a linear map on CRC registers: column i is the image of bit i.
type matrix [64]uint64

func (m *matrix) apply(v uint64) uint64 {
	var sum uint64
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func (m *matrix) square(width int) matrix {
	var sq matrix
	for i := range width {
		sq[i] = m.apply(m[i])
	}
	return sq
}

// shiftCRC is what crc becomes when size zero bytes follow, by squaring the map
// of one zero bit.
func shiftCRC(crc, poly uint64, width int, size int64) uint64 {
	var m matrix
	m[0] = poly
	for i := 1; i < width; i++ {
		m[i] = 1 << (i - 1)
	}
	for range 3 { // from one bit to one byte
		m = m.square(width)
	}
	for ; size > 0; size >>= 1 {
		if size&1 != 0 {
			crc = m.apply(crc)
		}
		m = m.square(width)
	}
	return crc
}
