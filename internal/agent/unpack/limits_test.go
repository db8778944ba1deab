package unpack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A bundle that says nothing of its size, or lies about it, is measured by what
// it becomes.
func TestGrowthIsMeasuredWhileWriting(t *testing.T) {
	const limit = 1 << 20
	zeros := bytes.NewReader(make([]byte, 64<<20))
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	w := tar.NewWriter(z)
	for i := range 64 { // each is below the limit
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("zeros%d", i), Mode: 0o644, Size: limit - 1, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros, limit-1); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []io.Closer{w, z} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := bundle(t, small.Bytes(), "tgz", limit)
	if err == nil || !strings.Contains(err.Error(), `grows beyond 1048576 bytes at "zeros1"`) {
		t.Errorf("%d bytes that become 64 MB: %v", small.Len(), err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("what was unpacked of it is still there")
	}
	if _, err := bundle(t, lyingZip(t, 8*limit), "zip", limit); err == nil {
		t.Error("a zip file that lies about a member's size was accepted")
	}
}

// lyingZip holds size zeros in a member that claims to have 10 bytes.
func lyingZip(t *testing.T, size int) []byte {
	t.Helper()
	whole := zipOf(t, entry{name: "zeros", body: string(make([]byte, size))})
	r, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := r.File[0].OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	h := r.File[0].FileHeader
	h.UncompressedSize64 = 10
	f, err := w.CreateRaw(&h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, packed); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Sparse files, in each form that GNU tar has, count with what they become, and
// are refused before that is written.
func TestSparseFiles(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "holes"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("end"), 1<<20-3); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"} {
		args := []string{"-C", dir, "-S", "-cf", "-", "holes"}
		if form != "--format=gnu" {
			args = append([]string{"--format=pax"}, args...)
		}
		data, err := exec.Command("tar", append([]string{form}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 64<<10 {
			t.Fatalf("%s: %d bytes, which is not sparse", form, len(data))
		}
		at, err := bundle(t, data, "tar", 2<<20)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join(at, "holes"))
		if err != nil || len(got) != 1<<20 || !bytes.HasSuffix(got, []byte("end")) {
			t.Errorf("%s: %d bytes, %v", form, len(got), err)
		}
		if _, err = bundle(t, data, "tar", 1<<19); err == nil || !strings.Contains(err.Error(), `grows beyond 524288 bytes at "holes"`) {
			t.Errorf("%s: %v", form, err)
		}
	}
}

func TestDepthAndNumber(t *testing.T) {
	deep := strings.Repeat("d/", maxDepth)
	tests := []struct{ name, member, want string }{
		{"deep enough", deep + "x", ""},
		{"too deep", deep + "d/x", "has a path of more than 4096 bytes or 255 directories"},
		{"long name", strings.Repeat(strings.Repeat("n", 250)+"/", 17) + "x", "has a path of more than 4096 bytes or 255 directories"},
	}
	for _, tc := range tests {
		for kind, data := range map[string][]byte{"tar": tarOf(t, entry{name: tc.member, body: "x"}), "zip": zipOf(t, entry{name: tc.member, body: "x"})} {
			_, err := bundle(t, data, kind, 100)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s, %s: %v", tc.name, kind, err)
			}
		}
	}
	// Directories that only paths name count like others.
	w := &writer{made: map[string]bool{}, members: maxMembers - 3}
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w.root = root
	if err := w.parents("a/b/c/x"); err != nil {
		t.Error(err)
	}
	if err := w.parents("a/b/c/y"); err != nil {
		t.Errorf("counted again: %v", err)
	}
	if err := w.parents("a/z/y"); err == nil {
		t.Error("one directory too many")
	}
}

// Sizes in the form of zip64, and names that only pax or GNU headers hold.
func TestLargeAndLongForms(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.zip")
	script := "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\nwith z.open('a/b', 'w', force_zip64=True) as f: f.write(b'x')\nz.close()\n"
	if out, err := exec.Command("python3", "-c", script, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := bundle(t, data, "zip", 100)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a", "b")); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
	long := strings.Repeat("n", 200) + "/" + strings.Repeat("m", 200)
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatGNU} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []*tar.Header{
			{Name: long, Mode: 0o644, Typeflag: tar.TypeReg, Format: format},
			{Name: "l", Linkname: long, Typeflag: tar.TypeSymlink, Format: format},
			{Name: "h", Linkname: long, Typeflag: tar.TypeLink, Format: format},
		} {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		dir, err := bundle(t, b.Bytes(), "tar", 100)
		if err != nil {
			t.Errorf("%v: %v", format, err)
		}
		for _, name := range []string{long, "l", "h"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%v: %v", format, err)
			}
		}
	}
}

// A link of the bundle, and then a member below it, in whatever order: nothing is
// written where the link leads, if that is outside.
func TestMembersBelowLinks(t *testing.T) {
	for name, entries := range map[string][]entry{
		"link first":  {{name: "l", kind: tar.TypeSymlink, link: "a/../../.."}, {name: "l/evil", body: "x"}},
		"two links":   {{name: "a/x"}, {name: "up", kind: tar.TypeSymlink, link: "a/.."}, {name: "up/l", kind: tar.TypeSymlink, link: "a/../.."}, {name: "l/evil", body: "x"}},
		"link at end": {{name: "l/evil", body: "x"}, {name: "l", kind: tar.TypeSymlink, link: "../.."}},
	} {
		for kind, data := range map[string][]byte{"tar": tarOf(t, entries...), "zip": zipOf(t, entries...)} {
			dir, err := bundle(t, data, kind, 100)
			if err == nil {
				t.Errorf("%s, %s: accepted", name, kind)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "evil")); err == nil {
				t.Errorf("%s, %s: written outside", name, kind)
			}
		}
	}
}

func TestNoLinks(t *testing.T) {
	for kind, e := range map[string]entry{"symbolic": {name: "l", kind: tar.TypeSymlink, link: "a"}, "hard": {name: "l", kind: tar.TypeLink, link: "a"}} {
		tmp := t.TempDir()
		file := filepath.Join(tmp, "bundle.tar")
		if err := os.WriteFile(file, tarOf(t, entry{name: "a"}, e), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Bundle(file, "tar", filepath.Join(tmp, "archive"), Limits{Bytes: 100}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		err := Bundle(file, "tar", filepath.Join(tmp, "archive"), Limits{Bytes: 100, NoLinks: true})
		if err == nil || !strings.Contains(err.Error(), `member "l" is a link`) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
