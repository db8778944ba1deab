package guest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Program is the guest binary as the server carries it. It is ten megabytes that
// are needed once per version, so it is read only when somebody writes it
// somewhere; its ID tells whether that has been done.
type Program struct {
	// ID names the content, in hex.
	ID   string
	Size int64
	Read func() ([]byte, error)
}

// headSize is how much of an ELF file of Go's linker surely holds its build ID,
// which stands in the first note.
const headSize = 16 << 10

// noteOwner precedes the build ID in the note: its owner, "Go", with the note's
// type, 4.
var noteOwner = []byte("\x04\x00\x00\x00Go\x00\x00")

// OpenProgram reads the ID of a binary that Go's linker has made: a digest of the
// size and of the head with the build ID, which is itself a hash of the whole.
func OpenProgram(r io.ReaderAt, size int64) (Program, error) {
	head := make([]byte, min(size, headSize))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return Program{}, fmt.Errorf("read the guest binary: %w", err)
	}
	if !bytes.Contains(head, noteOwner) {
		return Program{}, errors.New("the guest binary has no build ID: build it with `make build`")
	}
	sum := sha256.New()
	fmt.Fprintln(sum, size)
	sum.Write(head)
	return Program{ID: hex.EncodeToString(sum.Sum(nil)), Size: size, Read: func() ([]byte, error) {
		b := make([]byte, size)
		if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the guest binary: %w", err)
		}
		return b, nil
	}}, nil
}

// ProgramOf makes a Program of a binary in memory.
func ProgramOf(binary []byte) Program {
	sum := sha256.Sum256(binary)
	return Program{ID: hex.EncodeToString(sum[:]), Size: int64(len(binary)), Read: func() ([]byte, error) { return binary, nil }}
}
