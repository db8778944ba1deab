// Package logfile writes append-only files of bounded size: scripts.log, the log
// of all deployments and the agent's own. When one has reached its size it becomes
// PATH.1, what was PATH.1 becomes PATH.2, and so on; the oldest goes. It imports
// nothing of the project.
package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// File is an open log.
type File struct {
	path string
	max  int64
	keep int

	mu   sync.Mutex
	file *os.File
	size int64
}

// Open opens the log at path, with its directory if there is none. It is rotated
// when it has max bytes; keep old ones stay.
func Open(path string, max int64, keep int) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	f := &File{path: path, max: max, keep: keep}
	return f, f.open()
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f.file, f.size = file, info.Size()
	return nil
}

// Write appends p, which is a line as a rule: no line is in two files.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.size >= f.max {
		f.rotate()
	}
	n, err := f.file.Write(p)
	f.size += int64(n)
	return n, err
}

// rotate lets the log grow when it fails.
func (f *File) rotate() {
	for i := f.keep - 1; i >= 1; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", f.path, i), fmt.Sprintf("%s.%d", f.path, i+1))
	}
	if os.Rename(f.path, f.path+".1") != nil {
		return
	}
	old := f.file
	if f.open() == nil {
		_ = old.Close()
	}
}

// Fd is the descriptor of the file that is written to now.
func (f *File) Fd() uintptr {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Fd()
}

// Close closes the log.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
