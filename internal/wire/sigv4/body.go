package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// hashed verifies a body against the literal SHA-256 that was signed. It fails
// with the last byte, so that a reader who knows the length and never asks for
// EOF cannot miss the mismatch.
type hashed struct {
	body io.ReadCloser
	sum  hash.Hash
	want string
	left int64 // bytes until Content-Length; negative when unknown
	err  error
}

func newHashed(body io.ReadCloser, length int64, want string) (io.ReadCloser, error) {
	h := &hashed{body: body, sum: sha256.New(), want: want, left: length}
	if length == 0 {
		if err := h.verify(); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *hashed) Read(p []byte) (int, error) {
	if h.err != nil {
		return 0, h.err
	}
	n, err := h.body.Read(p)
	h.sum.Write(p[:n])
	h.left -= int64(n)
	if errors.Is(err, io.EOF) || (n > 0 && h.left == 0) {
		if bad := h.verify(); bad != nil {
			err = bad
		}
	}
	h.err = err
	return n, err
}

func (h *hashed) verify() error {
	got := hex.EncodeToString(h.sum.Sum(nil))
	if got == h.want {
		return nil
	}
	return &Failure{Kind: PayloadMismatch, client: h.want, server: got,
		Message: "The provided 'x-amz-content-sha256' header does not match what was computed."}
}

func (h *hashed) Close() error { return h.body.Close() }
