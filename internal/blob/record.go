package blob

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

const (
	// packedMost is the size of the largest blob that goes into a pack.
	packedMost = 64 << 10
	// packFull is the size at which a pack gets no further blobs.
	packFull = 32 << 20

	headerSize = 32
	// recordAlign is where records begin: a search after damage looks there only.
	recordAlign = 8
)

var packMagic = [8]byte{'h', 's', 'b', 'l', 'o', 'b', '1', '\n'}

// place is where a packed blob is. Its id says so, so that nothing has to be kept in
// memory to find it:
//
//	p <run 8> <pack 6> <offset 8> <length 6> <nonce 8>    hexadecimal
type place struct {
	run    string
	pack   uint32
	offset uint32
	length uint32
	nonce  uint32
}

const packedIDLength = 1 + runLength + 6 + 8 + 6 + 8

func (p place) id() string {
	return fmt.Sprintf("p%s%06x%08x%06x%08x", p.run, p.pack, p.offset, p.length, p.nonce)
}

// file is the name of the place's pack.
func (p place) file() string { return fmt.Sprintf("%s-%06x", p.run, p.pack) }

// end is where the next record may begin.
func (p place) end() int64 { return recordEnd(int64(p.offset), int64(p.length)) }

func recordEnd(offset, length int64) int64 {
	return (offset + headerSize + length + recordAlign - 1) / recordAlign * recordAlign
}

// parsePlace reads the id of a packed blob.
func parsePlace(id string) (place, bool) {
	if len(id) != packedIDLength || id[0] != 'p' || strings.Trim(id[1:], "0123456789abcdef") != "" {
		return place{}, false
	}
	number := func(from, to int) uint32 {
		n, _ := strconv.ParseUint(id[from:to], 16, 32) // its digits were looked at above
		return uint32(n)
	}
	p := place{run: id[1:9], pack: number(9, 15), offset: number(15, 23), length: number(23, 29), nonce: number(29, 37)}
	return p, p.length <= packedMost && p.offset <= packFull
}

// parsePack reads a pack's name.
func parsePack(name string) (run string, pack uint32, ok bool) {
	run, digits, ok := strings.Cut(name, "-")
	n, err := strconv.ParseUint(digits, 16, 24)
	return run, uint32(n), ok && err == nil && len(run) == runLength && len(digits) == 6
}

// appendHeader writes a record's header:
//
//	magic 8, length 4, nonce 4, CRC-32C of the bytes 4, zeros 8, CRC-32C of the header 4
func appendHeader(buf []byte, data []byte, nonce uint32) []byte {
	from := len(buf)
	buf = append(buf, packMagic[:]...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(data)))
	buf = binary.BigEndian.AppendUint32(buf, nonce)
	buf = binary.BigEndian.AppendUint32(buf, crc32.Checksum(data, castagnoli))
	buf = append(buf, make([]byte, headerSize-4-(len(buf)-from))...)
	return binary.BigEndian.AppendUint32(buf, crc32.Checksum(buf[from:], castagnoli))
}

// header is what a record says of its bytes.
type header struct{ length, nonce, sum uint32 }

// parseHeader reports false for what no record begins with.
func parseHeader(b []byte) (header, bool) {
	if len(b) < headerSize || [8]byte(b[:8]) != packMagic ||
		binary.BigEndian.Uint32(b[headerSize-4:]) != crc32.Checksum(b[:headerSize-4], castagnoli) {
		return header{}, false
	}
	h := header{binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:])}
	return h, h.length <= packedMost
}
