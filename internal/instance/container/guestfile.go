package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hardstand/hardstand/internal/guest"
)

// installGuest writes the guest binary below dir, under its ID, and opens it.
// Older ones stay: instances that run have them bound.
func installGuest(dir string, program guest.Program) (*os.File, error) {
	if program.Size == 0 {
		return nil, errors.New("install guest binary: it is empty; build cmd/hardstand-guest first (make build)")
	}
	dir = filepath.Join(dir, program.ID)
	path := filepath.Join(dir, "hardstand-guest")
	if info, err := os.Stat(path); err != nil || info.Size() != program.Size {
		binary, err := program.Read()
		if err != nil {
			return nil, err
		}
		if err := writeExecutable(dir, path, binary); err != nil {
			return nil, fmt.Errorf("install guest binary: %w", err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("install guest binary: %w", err)
	}
	return f, nil
}

// chunk is how much of the binary is written at once. The page cache keeps what
// comes in one piece in one piece, and maps it so: written whole, all of the
// binary would be resident in every PID 1 that touches a page of it.
const chunk = 64 << 10

// writeExecutable goes through a temporary name, so that a half-written file is
// never taken for the binary.
func writeExecutable(dir, path string, content []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(content, chunk) {
		if _, err := f.Write(part); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
