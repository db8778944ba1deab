package deploy

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// application writes the same application in a new place.
func application(t *testing.T) string {
	dir := files(t, map[string]string{"appspec.yml": "x", "scripts/run.sh": "#!/bin/sh\n", ".git/HEAD": "x", "sub/.hg/x": "x", "site/.hidden": "x"})
	if err := os.Chmod(filepath.Join(dir, "scripts/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("scripts/run.sh", filepath.Join(dir, "run")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBundle(t *testing.T) {
	first := application(t)
	b, hash, err := bundle(first)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	modes := map[string]fs.FileMode{}
	for _, f := range r.File {
		names = append(names, f.Name)
		modes[f.Name] = f.Mode()
	}
	if got, want := strings.Join(names, " "), "appspec.yml run scripts/ scripts/run.sh site/ site/.hidden sub/"; got != want {
		t.Errorf("members %q, want %q", got, want)
	}
	if modes["scripts/run.sh"] != 0o755 || modes["appspec.yml"] != 0o644 || modes["run"].Type() != fs.ModeSymlink || !modes["scripts/"].IsDir() {
		t.Errorf("modes %v", modes)
	}
	link, err := r.Open("run")
	if err != nil {
		t.Fatal(err)
	}
	if target, err := io.ReadAll(link); err != nil || string(target) != "scripts/run.sh" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	second := application(t)
	if err := os.Chtimes(filepath.Join(second, "appspec.yml"), time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if again, sameHash, err := bundle(second); err != nil || !bytes.Equal(again, b) || sameHash != hash {
		t.Errorf("the same files gave other bytes (%v)", err)
	}
	if err := os.Chmod(filepath.Join(second, "appspec.yml"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, otherHash, err := bundle(second); err != nil || otherHash == hash {
		t.Errorf("another mode gave the same archive (%v)", err)
	}
}

func TestBundleRefuses(t *testing.T) {
	dir := application(t)
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := bundle(dir); err == nil || !strings.Contains(err.Error(), "pipe is neither a file, a directory nor a link") {
		t.Errorf("a pipe: %v", err)
	}
	if _, _, err := bundle(filepath.Join(dir, "absent")); err == nil {
		t.Error("a directory that is not there was packed")
	}
	small := bounded{max: 3}
	if _, err := io.WriteString(&small, "four"); err == nil || small.buf.Len() != 0 {
		t.Errorf("more than the bound was taken: %v", err)
	}
}
