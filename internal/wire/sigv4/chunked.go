package sigv4

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	// maxChunkLine bounds a chunk's header line and a trailer line.
	maxChunkLine = 1024
	// maxTrailers bounds the lines after the last chunk.
	maxTrailers = 16
)

// chunkSigner carries the chain of chunk signatures.
type chunkSigner struct {
	key              key
	algorithm        string
	timestamp, scope string
	previous         string
}

func (c *chunkSigner) verify(kind, rest, got string) error {
	text := c.algorithm + "-" + kind + "\n" + c.timestamp + "\n" + c.scope + "\n" + c.previous + "\n" + rest
	if _, ok := c.key.verify(text, got); !ok {
		return mismatchText("", signed{toSign: text}, got)
	}
	c.previous = strings.TrimRight(got, "*")
	return nil
}

// Chunked is a decoded aws-chunked body. Read fails with a *Failure as soon as
// a chunk's signature, the declared length or the trailing checksum is wrong.
type Chunked struct {
	src     *bufio.Reader
	closer  io.Closer
	signer  *chunkSigner // nil when chunks are not signed
	trailer http.Header
	expect  string // trailer name that was announced, lower case
	length  int64  // decoded length still to come

	left  int64 // of the current chunk
	open  bool  // a chunk is being read
	sig   string
	chunk hash.Hash
	check hash.Hash
	err   error
}

func newChunked(r *http.Request, payload string, signer *chunkSigner) (io.ReadCloser, error) {
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return nil, &Failure{Kind: MissingLength, Message: "You must provide the Content-Length HTTP header."}
	}
	body := bodyOf(r)
	c := &Chunked{src: bufio.NewReaderSize(body, 16<<10), closer: body, signer: signer, trailer: http.Header{}, length: length}
	if payload == streamingUnsigned {
		c.signer = nil
	}
	if c.signer != nil {
		c.chunk = sha256.New()
	}
	if payload != streamingSigned && payload != streamingA {
		if err := c.announce(r.Header.Get("X-Amz-Trailer")); err != nil {
			return nil, err
		}
	}
	if length == 0 {
		if err := c.advance(); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return c, nil
}

// announce prepares for the checksum that X-Amz-Trailer names.
func (c *Chunked) announce(names string) error {
	name := strings.ToLower(strings.TrimSpace(names))
	if name == "" {
		return &Failure{Kind: MalformedTrailer, Message: "The request contained trailing data that was not well-formed or did not conform to our published schema."}
	}
	c.expect = name
	if alg, ok := strings.CutPrefix(name, "x-amz-checksum-"); ok {
		c.check = NewChecksum(alg)
	}
	if c.check == nil {
		return &Failure{Kind: InvalidTrailer, Message: "The value specified in the x-amz-trailer header is not supported"}
	}
	return nil
}

// Trailer returns the trailing headers; they are complete once Read has
// returned the last byte.
func (c *Chunked) Trailer() http.Header { return c.trailer }

// Close closes the underlying body.
func (c *Chunked) Close() error { return c.closer.Close() }

func (c *Chunked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for c.left == 0 {
		if err := c.advance(); err != nil {
			return 0, err
		}
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	c.took(p[:n])
	if err != nil {
		return n, c.fail(incomplete())
	}
	if c.length == 0 && c.left == 0 {
		// Everything that was promised is here: verify what follows now, for
		// readers that stop at the known length.
		if err := c.advance(); err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
	}
	return n, nil
}

func (c *Chunked) took(p []byte) {
	c.left -= int64(len(p))
	c.length -= int64(len(p))
	if c.chunk != nil {
		c.chunk.Write(p)
	}
	if c.check != nil {
		c.check.Write(p)
	}
}

func (c *Chunked) fail(err error) error { c.err = err; return err }

// advance closes the current chunk and opens the next; after the last it reads
// the trailers and reports io.EOF.
func (c *Chunked) advance() error {
	if c.err != nil {
		return c.err
	}
	if c.open {
		if err := c.closeChunk(); err != nil {
			return c.fail(err)
		}
	}
	size, err := c.openChunk()
	switch {
	case err != nil:
		return c.fail(err)
	case size > c.length:
		return c.fail(incomplete())
	case size > 0:
		c.left = size
		return nil
	case c.length > 0:
		return c.fail(incomplete())
	}
	if err := c.finish(); err != nil {
		return c.fail(err)
	}
	return c.fail(io.EOF)
}

func (c *Chunked) openChunk() (int64, error) {
	line, err := c.line()
	if err != nil {
		return 0, incomplete() // also at EOF: the last chunk must be there
	}
	digits, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 62)
	if err != nil {
		return 0, incomplete()
	}
	c.open, c.sig = true, ""
	if c.signer != nil {
		sig, ok := strings.CutPrefix(strings.TrimSpace(extension), "chunk-signature=")
		if !ok {
			return 0, incomplete()
		}
		c.sig = sig
		c.chunk.Reset()
	}
	return int64(size), nil
}

// closeChunk reads the CRLF after the data and verifies the chunk.
func (c *Chunked) closeChunk() error {
	line, err := c.line()
	if err != nil || line != "" {
		return incomplete()
	}
	return c.verifyChunk()
}

func (c *Chunked) verifyChunk() error {
	c.open = false
	if c.signer == nil {
		return nil
	}
	return c.signer.verify("PAYLOAD", emptySHA256+"\n"+hex.EncodeToString(c.chunk.Sum(nil)), c.sig)
}

// finish verifies the last, empty chunk and what stands after it.
func (c *Chunked) finish() error {
	if err := c.verifyChunk(); err != nil {
		return err
	}
	signature, err := c.readTrailers()
	if err != nil || c.expect == "" {
		return err
	}
	if c.signer != nil {
		sum := sha256.Sum256([]byte(c.expect + ":" + c.trailer.Get(c.expect) + "\n"))
		if err := c.signer.verify("TRAILER", hex.EncodeToString(sum[:]), signature); err != nil {
			return err
		}
	}
	return c.verifyChecksum()
}

// readTrailers reads to the end of the body. A signed trailer has a blank line
// before its signature, and clients differ in the number of closing CRLFs, so
// blank lines are skipped.
func (c *Chunked) readTrailers() (signature string, err error) {
	for range maxTrailers {
		line, err := c.line()
		if errors.Is(err, io.EOF) {
			return signature, nil
		}
		if err != nil {
			return "", err
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case line == "":
		case !ok || c.expect == "":
			return "", malformedTrailer()
		case name == "x-amz-trailer-signature":
			signature = value
		case name == c.expect && c.trailer.Get(name) == "":
			c.trailer.Set(name, value)
		default:
			return "", malformedTrailer()
		}
	}
	return "", malformedTrailer()
}

func (c *Chunked) verifyChecksum() error {
	value := c.trailer.Get(c.expect)
	if value == "" {
		return malformedTrailer()
	}
	if value == base64.StdEncoding.EncodeToString(c.check.Sum(nil)) {
		return nil
	}
	alg := strings.ToUpper(strings.TrimPrefix(c.expect, "x-amz-checksum-"))
	return &Failure{Kind: BadChecksum, Message: "The " + alg + " you specified did not match the calculated checksum."}
}

// line returns the next line without its end, io.EOF at the end of the body.
func (c *Chunked) line() (string, error) {
	var b []byte
	for {
		ch, err := c.src.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && len(b) == 0:
			return "", io.EOF
		case err != nil, len(b) > maxChunkLine:
			return "", incomplete()
		case ch == '\n':
			return strings.TrimSuffix(string(b), "\r"), nil
		}
		b = append(b, ch)
	}
}

func incomplete() error {
	return &Failure{Kind: IncompleteBody, Message: "The request body terminated unexpectedly"}
}

func malformedTrailer() error {
	return &Failure{Kind: MalformedTrailer,
		Message: "The request contained trailing data that was not well-formed or did not conform to our published schema."}
}
