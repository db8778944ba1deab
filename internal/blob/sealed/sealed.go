// Package sealed keeps the bytes of a blob encrypted: a layer between the owner of
// a blob, who holds its key, and the store, which sees random bytes only.
//
// It owns the form of sealed blobs and imports blob. Flow enters by Put and Open,
// which read and write plain bytes, and leaves through a blob.Store.
//
//	salt (32 bytes), then for each 64 KiB: AES-256-GCM of it with a tag (16 bytes)
//
// The key of a blob is derived from its owner's and the salt, so that one key may
// seal many blobs. A chunk's nonce is its number, with a mark on the last: chunks
// cannot be exchanged, repeated or cut off. A range costs the chunks it lies in.
package sealed

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/hardstand/hardstand/internal/blob"
)

const (
	// KeySize is the length of keys.
	KeySize   = 32
	saltSize  = 32
	chunkSize = 64 << 10
	tagSize   = 16
)

// ErrCorrupt says that the bytes are not those that were sealed with the key.
var ErrCorrupt = errors.New("sealed blob does not open")

// StoredSize is how long a sealed blob of size plain bytes is.
func StoredSize(size int64) int64 { return saltSize + size + chunks(size)*tagSize }

func chunks(size int64) int64 { return max(1, (size+chunkSize-1)/chunkSize) }

func newAEAD(key, salt []byte) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, key, salt, "hardstand sealed blob", KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a blob: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func nonce(chunk int64, last bool) []byte {
	n := make([]byte, 12)
	binary.BigEndian.PutUint64(n[4:], uint64(chunk))
	if last {
		n[0] = 1
	}
	return n
}

// Put writes all of r, sealed with the key, as blob.Store's Put does. Size and Sums
// are of the plain bytes.
func Put(ctx context.Context, to blob.Store, key []byte, r io.Reader, sums ...blob.Algorithm) (blob.Info, error) {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt)
	aead, err := newAEAD(key, salt)
	if err != nil {
		return blob.Info{}, err
	}
	s := &sealer{r: r, aead: aead, ready: salt, hashes: map[blob.Algorithm]hash.Hash{}}
	for _, a := range sums {
		if h := blob.NewHash(a); h != nil {
			s.hashes[a] = h
		}
	}
	info, err := to.Put(ctx, s)
	if err != nil {
		return blob.Info{}, err
	}
	info.Size, info.Sums = s.size, map[blob.Algorithm][]byte{}
	for a, h := range s.hashes {
		info.Sums[a] = h.Sum(nil)
	}
	return info, nil
}

// sealer reads plain bytes and gives sealed ones.
type sealer struct {
	r      io.Reader
	aead   cipher.AEAD
	hashes map[blob.Algorithm]hash.Hash
	size   int64
	chunk  int64
	// plain is the chunk being filled, with one byte more: a chunk is the last when
	// nothing follows it.
	plain [chunkSize + 1]byte
	have  int
	out   [chunkSize + tagSize]byte
	ready []byte
	done  bool
}

// Read implements io.Reader.
func (s *sealer) Read(p []byte) (int, error) {
	for len(s.ready) == 0 {
		if s.done {
			return 0, io.EOF
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

func (s *sealer) next() error {
	err := s.fill()
	switch {
	case err == nil:
		s.ready = s.aead.Seal(s.out[:0], nonce(s.chunk, false), s.plain[:chunkSize], nil)
		s.plain[0], s.have = s.plain[chunkSize], 1
	case err == io.EOF: //nolint:errorlint // wrapped, it is no end
		s.ready = s.aead.Seal(s.out[:0], nonce(s.chunk, true), s.plain[:s.have], nil)
		s.done = true
	default:
		return err
	}
	s.chunk++
	return nil
}

// fill reads until a chunk and a byte are there or the reader ends, and returns how
// it ended. Only io.EOF itself is the end: a body that breaks off is not.
func (s *sealer) fill() error {
	for s.have < len(s.plain) {
		n, err := s.r.Read(s.plain[s.have:])
		for _, h := range s.hashes {
			_, _ = h.Write(s.plain[s.have : s.have+n]) // a hash never fails
		}
		s.size += int64(n)
		s.have += n
		if err != nil {
			return err
		}
	}
	return nil
}

// Open returns length plain bytes from offset of a sealed blob of size plain bytes.
func Open(ctx context.Context, from blob.Store, key []byte, id string, size, offset, length int64) (io.ReadCloser, error) {
	salt := make([]byte, saltSize)
	head, err := from.Open(ctx, id, 0, saltSize)
	if err != nil {
		return nil, err
	}
	_, err = io.ReadFull(head, salt)
	if err = errors.Join(err, head.Close()); err != nil {
		return nil, fmt.Errorf("blob %s: %w: %w", id, ErrCorrupt, err)
	}
	aead, err := newAEAD(key, salt)
	if err != nil {
		return nil, err
	}
	first, last := offset/chunkSize, max(offset, offset+length-1)/chunkSize
	start := saltSize + first*(chunkSize+tagSize)
	body, err := from.Open(ctx, id, start, min(StoredSize(size)-start, (last-first+1)*(chunkSize+tagSize)))
	if err != nil {
		return nil, err
	}
	return &opener{id: id, body: body, aead: aead, chunk: first, size: size, skip: offset - first*chunkSize, left: length}, nil
}

// opener reads sealed chunks and gives plain bytes.
type opener struct {
	id    string
	body  io.ReadCloser
	aead  cipher.AEAD
	chunk int64
	size  int64
	skip  int64 // within the next chunk
	left  int64
	in    [chunkSize + tagSize]byte
	ready []byte
}

// Read implements io.Reader.
func (o *opener) Read(p []byte) (int, error) {
	if o.left == 0 {
		return 0, io.EOF
	}
	if len(o.ready) == 0 {
		if err := o.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.ready[:min(int64(len(o.ready)), o.left)])
	o.ready, o.left = o.ready[n:], o.left-int64(n)
	return n, nil
}

func (o *opener) next() error {
	n := min(chunkSize, o.size-o.chunk*chunkSize)
	if n <= o.skip {
		return io.ErrUnexpectedEOF // the range lies behind the end
	}
	in := o.in[:n+tagSize]
	if _, err := io.ReadFull(o.body, in); err != nil {
		return fmt.Errorf("blob %s: %w: %w", o.id, ErrCorrupt, err)
	}
	plain, err := o.aead.Open(in[:0], nonce(o.chunk, o.chunk == chunks(o.size)-1), in, nil)
	if err != nil {
		return fmt.Errorf("blob %s: %w", o.id, ErrCorrupt)
	}
	o.ready, o.skip = plain[o.skip:], 0
	o.chunk++
	return nil
}

// Close implements io.Closer.
func (o *opener) Close() error { return o.body.Close() }
