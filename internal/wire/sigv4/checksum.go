package sigv4

import (
	"crypto/sha1" //nolint:gosec // one of S3's checksum algorithms
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"sync"
)

// castagnoli and nvme are built on first use: the tables take 1 and 2 KB.
var (
	castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })
	nvme       = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(0x9a6c9329ac4bc9b5) })
)

// NewChecksum returns the hash of one of S3's x-amz-checksum-* algorithms by the
// end of its header name: crc32, crc32c, crc64nvme, sha1, sha256; nil for any other.
// The header holds the base64 of Sum.
func NewChecksum(name string) hash.Hash {
	switch name {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(castagnoli())
	case "crc64nvme":
		return crc64.New(nvme())
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	}
	return nil
}
