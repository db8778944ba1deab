package cfn

import (
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
