// Package blob keeps the bytes of objects. A blob is written once, never
// changed, and named by an id that its owner stores in a row: a caller's key never
// becomes a path.
//
// Files keeps them in a directory, small ones together in packs whose writers share
// a sync of the disk; Remote keeps them in a bucket of any S3 endpoint. Both pass
// blobtest.Suite. Each blob carries a sum of its bytes, so that Verify tells damage to
// the blob from a row that says something else.
//
// It imports x/sys, a CRC-64 that uses the processor's instructions, and the SDK for Remote. Flow enters by Put, which returns when the
// bytes are durable, before the owner commits the row that names them; it leaves by
// Open. Bytes whose row was never committed, or whose row is gone, are orphans: Sweep
// removes those that earlier runs left.
package blob

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"iter"

	"github.com/minio/crc64nvme"
)

var (
	// ErrNotFound says that no blob has the id.
	ErrNotFound = errors.New("blob not found")
	// ErrDamaged says that a blob's bytes are not those that were written.
	ErrDamaged = errors.New("blob is damaged")
	// ErrUnproven says that a blob carries no sum to compare its bytes with.
	ErrUnproven = errors.New("blob carries no sum")
)

// Algorithm names a hash that Put can compute while it writes.
type Algorithm string

// The hashes that S3 knows.
const (
	MD5       Algorithm = "MD5"
	SHA1      Algorithm = "SHA1"
	SHA256    Algorithm = "SHA256"
	SHA512    Algorithm = "SHA512"
	CRC32     Algorithm = "CRC32"
	CRC32C    Algorithm = "CRC32C"
	CRC64NVME Algorithm = "CRC64NVME"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewHash returns a fresh hash, nil for an unknown algorithm.
func NewHash(a Algorithm) hash.Hash {
	switch a {
	case MD5:
		return md5.New()
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(castagnoli)
	case CRC64NVME:
		return crc64nvme.New()
	}
	return nil
}

// Info describes a blob that was just written.
type Info struct {
	ID   string
	Size int64
	// Sums are the hashes that were asked for, big-endian.
	Sums map[Algorithm][]byte
}

// Store is a place for blobs.
type Store interface {
	// Put writes all of r and returns when it is durable. An error of r is
	// returned as it is, and nothing stays behind.
	Put(ctx context.Context, r io.Reader, sums ...Algorithm) (Info, error)
	// Open returns length bytes from offset, or all from there when length is
	// negative, or ErrNotFound. A blob that is deleted meanwhile is still read
	// to its end.
	Open(ctx context.Context, id string, offset, length int64) (io.ReadCloser, error)
	// Clone gives the bytes of a blob a second id.
	Clone(ctx context.Context, id string) (string, error)
	// Delete removes a blob; one that is gone is no error.
	Delete(ctx context.Context, id string) error
	// Verify reads a blob and compares it with the sum it carries: nil,
	// ErrNotFound, ErrDamaged, or ErrUnproven where it carries none.
	Verify(ctx context.Context, id string) error
	// All walks the blobs.
	All(ctx context.Context) iter.Seq2[Entry, error]
	// Sweep deletes the blobs of earlier runs that are not named and returns how
	// many. Blobs written since the store was opened stay. It begins to read named
	// after it was called and stops at an error of it.
	Sweep(ctx context.Context, named iter.Seq2[string, error]) (int, error)
}

// Entry is a blob as All finds it.
type Entry struct {
	ID   string
	Size int64
}

// summing computes the hashes asked for of what is written to it.
type summing map[Algorithm]hash.Hash

func newSumming(algorithms []Algorithm) summing {
	s := summing{}
	for _, a := range algorithms {
		if h := NewHash(a); h != nil {
			s[a] = h
		}
	}
	return s
}

func (s summing) Write(p []byte) (int, error) {
	for _, h := range s {
		_, _ = h.Write(p) // a hash never fails
	}
	return len(p), nil
}

func (s summing) sums() map[Algorithm][]byte {
	out := make(map[Algorithm][]byte, len(s))
	for a, h := range s {
		out[a] = h.Sum(nil)
	}
	return out
}
