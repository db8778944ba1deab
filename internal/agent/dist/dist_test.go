package dist

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
)

const version = "OFFICIAL_2.1.0_hardstand"

// newDist returns packages of a small "binary".
func newDist(cache string) *Dist {
	return New(Config{
		Version: version, Arch: "amd64", CacheDir: cache,
		Binary: func() ([]byte, error) { return bytes.Repeat([]byte("\x7fELF guest "), 5000), nil },
	})
}

func body(t *testing.T, d *Dist, key string) []byte {
	t.Helper()
	all, err := d.Objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if o.Key != key {
			continue
		}
		b, err := o.Read()
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(b)) != o.Size || fmt.Sprintf("%x", md5.Sum(b)) != o.ETag {
			t.Errorf("%s: size or ETag is not that of its bytes", key)
		}
		return b
	}
	t.Fatalf("no object %s", key)
	return nil
}

func TestObjects(t *testing.T) {
	d := newDist("")
	all, err := d.Objects()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range all {
		keys = append(keys, o.Key)
	}
	want := []string{"latest/LATEST_VERSION", "latest/codedeploy-agent.noarch.rpm", "latest/codedeploy-agent_all.deb", "latest/install", "latestv2/install"}
	if !slices.Equal(keys, want) || !slices.IsSorted(keys) {
		t.Errorf("keys %q", keys)
	}
	var latest map[string]string
	if err := json.Unmarshal(body(t, d, "latest/LATEST_VERSION"), &latest); err != nil {
		t.Fatal(err)
	}
	for kind, key := range latest {
		if !slices.Contains(keys, key) {
			t.Errorf("LATEST_VERSION names %s for %s, which does not exist", key, kind)
		}
	}
	digests, err := d.Digests()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{rpmFile, debFile} {
		sum := fmt.Sprintf("%x", sha256.Sum256(body(t, d, "latest/"+file)))
		if digests[sum] != (Digest{Package: "codedeploy-agent", Version: version, File: file}) {
			t.Errorf("%s: digest %+v", file, digests[sum])
		}
		if !strings.Contains(string(body(t, d, "latestv2/install")), sum) {
			t.Errorf("install does not know the digest of %s", file)
		}
	}
}

func TestSameBytes(t *testing.T) {
	a := newDist("")
	b := newDist(t.TempDir())
	for _, key := range []string{"latest/codedeploy-agent.noarch.rpm", "latest/codedeploy-agent_all.deb", "latest/install"} {
		if !bytes.Equal(body(t, a, key), body(t, b, key)) {
			t.Errorf("%s differs between two builds", key)
		}
	}
}

func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	first := newDist(dir)
	want := body(t, first, "latest/codedeploy-agent_all.deb")
	made, err := os.Stat(filepath.Join(dir, debFile))
	if err != nil {
		t.Fatal(err)
	}
	second := newDist(dir)
	got := body(t, second, "latest/codedeploy-agent_all.deb")
	if now, err := os.Stat(filepath.Join(dir, debFile)); err != nil || !os.SameFile(made, now) || !bytes.Equal(got, want) {
		t.Errorf("the second start did not use the cache: %v", err)
	}
	// Same size, other bytes: what a power failure may leave.
	if err := os.WriteFile(filepath.Join(dir, debFile), make([]byte, len(want)), 0o600); err != nil {
		t.Fatal(err)
	}
	third := newDist(dir)
	if got := body(t, third, "latest/codedeploy-agent_all.deb"); !bytes.Equal(got, want) {
		t.Error("a broken cache was served")
	}
	for _, c := range []struct{ name, version, binary string }{{"another version", "OFFICIAL_9.9.9_hardstand", "one"}, {"another binary", "OFFICIAL_9.9.9_hardstand", "two"}} {
		other := New(Config{Version: c.version, Arch: "amd64", CacheDir: dir, BinaryID: c.binary, Binary: func() ([]byte, error) { return []byte(c.binary), nil }})
		if bytes.Equal(body(t, other, "latest/codedeploy-agent_all.deb"), want) {
			t.Errorf("%s got the packages of the first", c.name)
		}
	}
}

// TestDeb has dpkg's own tool read the package.
func TestDeb(t *testing.T) {
	d := newDist("")
	path := filepath.Join(t.TempDir(), debFile)
	if err := os.WriteFile(path, body(t, d, "latest/"+debFile), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("dpkg-deb", "--field", path, "Package", "Version", "Architecture").CombinedOutput()
	if want := "Package: codedeploy-agent\nVersion: 2.1.0\nArchitecture: amd64\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, out)
	}
	root := t.TempDir()
	if out, err := exec.Command("dpkg-deb", "--extract", path, root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, e := range contents(version, nil) {
		info, err := os.Lstat(filepath.Join(root, e.path))
		if err != nil || info.Mode() != e.mode {
			t.Errorf("%s: %v, %v", e.path, info, err)
		}
	}
}

// TestRPM reads the payload behind the headers.
func TestRPM(t *testing.T) {
	d := newDist("")
	b := body(t, d, "latest/"+rpmFile)
	if !bytes.HasPrefix(b, []byte{0xed, 0xab, 0xee, 0xdb}) {
		t.Fatal("not an rpm")
	}
	start := bytes.Index(b, []byte{0x1f, 0x8b, 0x08})
	z, err := gzip.NewReader(bytes.NewReader(b[start:]))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for r := cpio.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = fmt.Sprintf("%o", h.Mode.Perm())
	}
	want := map[string]string{}
	for _, e := range contents(version, nil) {
		want[e.path] = fmt.Sprintf("%o", e.mode.Perm())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"x86_64", "2.1.0", "codedeploy-agent-2.1.0-1"} {
		if !bytes.Contains(b[:start], []byte(text)) {
			t.Errorf("headers lack %q", text)
		}
	}
}

func TestRegion(t *testing.T) {
	for _, c := range []struct{ bucket, want string }{
		{"aws-codedeploy-us-east-1", "us-east-1"}, {"aws-codedeploy-us-gov-west-1", "us-gov-west-1"},
		{"aws-codedeploy-", ""}, {"aws-codedeploy-x", ""}, {"my-bucket", ""}, {"aws-codedeploy-us-east-1x", ""},
	} {
		if got, ok := Region(c.bucket); got != c.want || ok != (c.want != "") {
			t.Errorf("Region(%q) = %q, %v", c.bucket, got, ok)
		}
	}
}
