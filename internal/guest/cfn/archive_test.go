package cfn

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Members that lead out of the target are refused, in whatever way they do.
func TestArchiveEscapes(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	evil := filepath.Join(t.TempDir(), "evil.tgz")
	write(t, evil, tgz(t, map[string]string{"../out": "x"}))
	f, err := os.Open(evil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x := extraction{root: root}
	if err := x.unpack(f, 0); err == nil {
		t.Error("../out was written")
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("top/a/b")
	io.WriteString(w, "in zip")
	z.Close()
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if err := (&extraction{root: root, strip: true}).zip(r); err != nil {
		t.Fatal(err)
	}
	if content, err := root.ReadFile("a/b"); err != nil || string(content) != "in zip" {
		t.Errorf("a/b = %q, %v", content, err)
	}
}

// An archive is unpacked again over what it brought: cfn-hup runs cfn-init at each
// change.
func TestArchiveTwice(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Name: "a", Mode: 0o644, Size: 1, Typeflag: tar.TypeReg},
		{Name: "hard", Linkname: "a", Typeflag: tar.TypeLink},
		{Name: "soft", Linkname: "a", Typeflag: tar.TypeSymlink},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			io.WriteString(w, "x")
		}
	}
	w.Close()
	for range 2 {
		if err := (&extraction{root: root}).tar(bytes.NewReader(b.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"hard", "soft"} {
		if content, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(content) != "x" {
			t.Errorf("%s = %q, %v", name, content, err)
		}
	}
}
