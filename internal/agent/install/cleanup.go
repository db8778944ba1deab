package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// cleanup removes, last first, what the previous Install recorded, then the
// record. What is gone already, and a directory that holds something else, are
// left alone.
func cleanup(file string, tools Tools) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read cleanup file: %w", err)
	}
	lines := strings.Split(string(data), "\n")
	var last removal
	defer last.leave()
	// The last piece is empty, or a line that a crash cut short.
	for i := len(lines) - 2; i >= 0; i-- {
		if lines[i] == "" {
			continue
		}
		if err := last.remove(lines[i], tools); err != nil {
			return fmt.Errorf("remove what the previous deployment installed: %w", err)
		}
	}
	return os.Remove(file)
}

// removal keeps the directory of the last line open: those of one directory follow
// each other.
type removal struct {
	path string
	dir  *os.Root // nil: not there, or behind a link that is not root's
}

func (r *removal) remove(line string, tools Tools) error {
	if path, ok := strings.CutPrefix(line, "semanage\x00"); ok {
		// A rule that somebody removed already is no reason to fail, to AWS's agent either.
		_ = tools.run("semanage", "fcontext", "-d", path)
		return nil
	}
	if parent := filepath.Dir(line); r.path != parent {
		r.leave()
		r.path = parent
		r.dir, _ = openDir(parent)
	}
	if r.dir == nil {
		return nil
	}
	err := r.dir.Remove(filepath.Base(line)) // of a directory only when it is empty
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

func (r *removal) leave() {
	if r.dir != nil {
		_ = r.dir.Close()
		r.dir = nil
	}
}
