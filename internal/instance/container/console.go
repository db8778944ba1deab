package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// consoleTail is how much of the console GetConsoleOutput shows.
const consoleTail = 64 << 10

// Console implements instance.Driver.
func (d *Driver) Console(id string) ([]byte, time.Time, error) {
	f, err := os.Open(d.consolePath(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("console of %s: %w", id, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("console of %s: %w", id, err)
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-consoleTail), consoleTail))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("console of %s: %w", id, err)
	}
	return text, info.ModTime(), nil
}

// A console that has grown beyond consoleMax is cut to its last consoleTail, as
// nobody can read more of it. A program that floods the console writes hundreds of
// megabytes a second to the host's disk: in a minute it could fill it.
const (
	consoleMax  = 1 << 20
	consoleTick = 5 * time.Second
)

// trimConsoles runs until the driver closes.
func (d *Driver) trimConsoles() {
	for clock.Sleep(d.closing, d.cfg.Clock, consoleTick) == nil {
		entries, err := os.ReadDir(d.path("console"))
		for _, e := range entries {
			err = errors.Join(err, trimConsole(d.path("console", e.Name())))
		}
		if err != nil {
			d.cfg.Log.Error("consoles not trimmed", "error", err)
		}
	}
}

// trimConsole keeps the end of a console that has grown too long. PID 1 has the
// file open for appending, so what it writes afterwards follows what is kept; a
// line written in between may be lost.
func trimConsole(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return skipMissing(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() <= consoleMax {
		return err
	}
	tail := make([]byte, consoleTail)
	n, err := f.ReadAt(tail, info.Size()-consoleTail)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(tail[:n], 0)
	return err
}
