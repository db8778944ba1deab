package unpack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type entry struct {
	name, body, link string
	mode             int64
	kind             byte
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if e.mode == 0 {
			e.mode = 0o644
		}
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: e.mode, Size: int64(len(e.body)), Linkname: e.link,
			Uid: 4711, Gid: 4711, ModTime: time.Unix(1e9, 0)}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: time.Unix(1e9, 0)}
		mode := fs.FileMode(0o644)
		if e.mode != 0 {
			mode = fs.FileMode(e.mode & 0o777)
		}
		if e.mode&0o4000 != 0 {
			mode |= fs.ModeSetuid
		}
		body := e.body
		switch e.kind {
		case tar.TypeSymlink:
			mode, body = mode|fs.ModeSymlink, e.link
		case tar.TypeDir:
			mode |= fs.ModeDir
		case tar.TypeFifo:
			mode |= fs.ModeNamedPipe
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func bundle(t testing.TB, data []byte, kind string, limit int64) (dir string, err error) {
	t.Helper()
	tmp := t.TempDir()
	file := filepath.Join(tmp, "bundle.tar")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(tmp, "archive")
	return dir, Bundle(file, kind, dir, Limits{Bytes: limit})
}

func TestBundle(t *testing.T) {
	content := []entry{
		{name: "./", kind: tar.TypeDir, mode: 0o755},
		{name: "appspec.yml", body: "version: 0.0\n"},
		{name: "scripts/run.sh", body: "#!/bin/sh\n", mode: 0o755},
		{name: "locked/", kind: tar.TypeDir, mode: 0o550},
		{name: "locked/a", body: "x", mode: 0o400},
		{name: "current", kind: tar.TypeSymlink, link: "scripts"},
	}
	for kind, data := range map[string][]byte{"tar": tarOf(t, content...), "tgz": gz(t, tarOf(t, content...)), "zip": zipOf(t, content[1:]...)} {
		t.Run(kind, func(t *testing.T) {
			dir, err := bundle(t, data, kind, 1000)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(filepath.Join(dir, "current", "run.sh"))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o755 || info.ModTime().Unix() != 1e9 {
				t.Errorf("run.sh has mode %v and time %v", info.Mode(), info.ModTime())
			}
			if info, err := os.Stat(filepath.Join(dir, "locked")); err != nil || info.Mode().Perm() != 0o750 {
				t.Errorf("locked: %v, %v", info, err)
			}
		})
	}
}

func TestTopDirectoryIsStrippedWhenItHoldsTheAppspec(t *testing.T) {
	dir, err := bundle(t, tarOf(t, entry{name: "app-1/AppSpec.yml", body: "x"}, entry{name: "app-1/d/e", body: "y"}), "tar", 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "d", "e")); err != nil {
		t.Error(err)
	}
	dir, err = bundle(t, tarOf(t, entry{name: "site/index.html", body: "x"}), "tar", 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "site", "index.html")); err != nil {
		t.Error(err)
	}
}

func TestBundleRefuses(t *testing.T) {
	link := func(name, to string) entry { return entry{name: name, kind: tar.TypeSymlink, link: to} }
	tests := []struct {
		name, want string
		zip        bool // also as zip
		entries    []entry
	}{
		{"dot dot", `"../evil" leaves the bundle`, true, []entry{{name: "../evil", body: "x"}}},
		{"dot dot inside", `"a/../../evil" leaves the bundle`, true, []entry{{name: "a/../../evil", body: "x"}}},
		{"absolute", `"/etc/evil" has an absolute path`, true, []entry{{name: "/etc/evil", body: "x"}}},
		{"backslash", "has a backslash", true, []entry{{name: `a\..\b`, body: "x"}}},
		{"absolute link", `"l" points to "/etc", outside`, true, []entry{link("l", "/etc")}},
		{"escaping link", `"d/l" points to "../../x", outside`, true, []entry{link("d/l", "../../x")}},
		{"two links", "leads out of the bundle", true, []entry{
			{name: "a/b/keep", body: "x"}, link("a/b/c", "../.."), link("a/b/c/x", "../../../q")}},
		{"setuid", `"s" is setuid or setgid`, true, []entry{{name: "s", body: "x", mode: 0o4755}}},
		{"fifo", `"p" is neither`, true, []entry{{name: "p", kind: tar.TypeFifo}}},
		{"device", `"p" is neither`, false, []entry{{name: "p", kind: tar.TypeChar}}},
		{"hard link out", "leaves the bundle", false, []entry{{name: "h", kind: tar.TypeLink, link: "../x"}}},
		{"hard link to nothing", "is no file of the bundle", false, []entry{{name: "h", kind: tar.TypeLink, link: "x"}}},
		{"growth", "grows beyond 1000 bytes", true, []entry{{name: "a", body: strings.Repeat("x", 600)}, {name: "b", body: strings.Repeat("x", 600)}}},
		{"empty", "the archive is empty", true, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			forms := map[string][]byte{"tar": tarOf(t, tc.entries...), "tgz": gz(t, tarOf(t, tc.entries...))}
			if tc.zip {
				forms["zip"] = zipOf(t, tc.entries...)
			}
			for kind, data := range forms {
				dir, err := bundle(t, data, kind, 1000)
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%s: error %v, want one with %q", kind, err, tc.want)
				}
				if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "*evil*")); len(left) > 0 {
					t.Errorf("%s wrote outside: %q", kind, left)
				}
			}
		})
	}
}

func TestBrokenBundles(t *testing.T) {
	for kind, want := range map[string]string{"zip": "not a zip archive", "tar": "not a tar archive", "tgz": "not a gzip file", "rar": "unsupported bundle type"} {
		if _, err := bundle(t, []byte(strings.Repeat("no archive ", 100)), kind, 100); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", kind, err, want)
		}
	}
}

func FuzzBundle(f *testing.F) {
	f.Add(tarOf(f, entry{name: "a/b", body: "x"}, entry{name: "l", kind: tar.TypeSymlink, link: "a"}), true)
	f.Add(zipOf(f, entry{name: "a/../b", body: "x"}, entry{name: "l", kind: tar.TypeSymlink, link: "a"}), false)
	f.Fuzz(func(t *testing.T, data []byte, isTar bool) {
		kind := "zip"
		if isTar {
			kind = "tar"
		}
		dir, err := bundle(t, data, kind, 1<<16)
		if err != nil {
			return
		}
		entries, err := os.ReadDir(filepath.Dir(dir))
		if err != nil || len(entries) != 2 {
			t.Errorf("beside the archive: %v, %v", entries, err)
		}
	})
}
