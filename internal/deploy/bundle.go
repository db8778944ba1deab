package deploy

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// epoch is the time of every member, so that the same files give the same bytes.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// maxBundle bounds an archive, which is held in memory.
const maxBundle = 1 << 30

// skipped are directories that never belong to an application.
var skipped = map[string]bool{".git": true, ".hg": true, ".svn": true}

// bundle zips the application without an enclosing folder. The same files give
// the same bytes, so that the archive's name, made from its hash, says whether
// anything has changed.
func bundle(dir string) ([]byte, string, error) {
	out := bounded{max: maxBundle}
	w := zip.NewWriter(&out)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		if d.IsDir() && skipped[d.Name()] {
			return filepath.SkipDir
		}
		return addMember(w, path, filepath.ToSlash(rel), d)
	})
	if err != nil {
		return nil, "", fmt.Errorf("package %s: %w", dir, err)
	}
	if err := w.Close(); err != nil {
		return nil, "", fmt.Errorf("package %s: %w", dir, err)
	}
	sum := sha256.Sum256(out.buf.Bytes())
	return out.buf.Bytes(), hex.EncodeToString(sum[:8]), nil
}

// bounded is a buffer that refuses to grow beyond max bytes.
type bounded struct {
	buf bytes.Buffer
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > b.max {
		return 0, fmt.Errorf("the archive would be larger than %d MiB", b.max>>20)
	}
	return b.buf.Write(p)
}

func addMember(w *zip.Writer, path, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: epoch}
	h.SetMode(info.Mode())
	switch {
	case d.IsDir():
		h.Name += "/"
		h.Method = zip.Store
		_, err = w.CreateHeader(h)
		return err
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		m, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		_, err = io.WriteString(m, target)
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file, a directory nor a link", name)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(m, f)
	return err
}
