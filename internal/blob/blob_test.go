package blob_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/blob/blobtest"
)

func TestFiles(t *testing.T) {
	dirs := map[string]string{}
	blobtest.Suite(t, func(t *testing.T) blob.Store {
		if dirs[t.Name()] == "" {
			dirs[t.Name()] = t.TempDir()
		}
		f, err := blob.OpenFiles(dirs[t.Name()])
		if err != nil {
			t.Fatal(err)
		}
		return f
	})
}

func TestMemory(t *testing.T) {
	stores := map[string]*blobtest.Memory{}
	blobtest.Suite(t, func(t *testing.T) blob.Store {
		if stores[t.Name()] == nil {
			stores[t.Name()] = blobtest.NewMemory()
		}
		stores[t.Name()].NextRun()
		return stores[t.Name()]
	})
}

// TestModes holds that nobody else on the machine can read an object.
func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	f, err := blob.OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Put(t.Context(), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestInterruptedPutIsRemoved(t *testing.T) {
	dir := t.TempDir()
	if _, err := blob.OpenFiles(dir); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "tmp", strings.Repeat("a", 32))
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.OpenFiles(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("half-written file: %v", err)
	}
}
