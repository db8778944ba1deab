package dist

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	return New(Config{Version: version, CacheDir: cache, Programs: []Program{program("amd64"), program("arm64")}})
}

func program(arch string) Program {
	return Program{Arch: arch, ID: arch, Read: func() ([]byte, error) { return bytes.Repeat([]byte("\x7fELF "+arch), 5000), nil }}
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
	want := []string{"latest/LATEST_VERSION", "latest/VERSION", "latest/codedeploy-agent.aarch64.rpm", "latest/codedeploy-agent.noarch.rpm",
		"latest/codedeploy-agent_all.deb", "latest/codedeploy-agent_arm64.deb", "latest/install", "latestv2/install"}
	if !slices.Equal(keys, want) || !slices.IsSorted(keys) {
		t.Errorf("keys %q", keys)
	}
	var latest map[string]string
	if err := json.Unmarshal(body(t, d, "latest/LATEST_VERSION"), &latest); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"rpm": "latest/" + rpmFile, "zypper": "latest/" + rpmFile, "deb": "latest/" + debFile}; !maps.Equal(latest, want) {
		t.Errorf("LATEST_VERSION names %v", latest)
	}
	digests, err := d.Digests()
	if err != nil {
		t.Fatal(err)
	}
	if len(digests) != 4 {
		t.Errorf("digests %v", digests)
	}
	for _, file := range []string{rpmFile, debFile, "codedeploy-agent.aarch64.rpm", "codedeploy-agent_arm64.deb"} {
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
		other := New(Config{Version: c.version, CacheDir: dir, Programs: []Program{{Arch: "amd64", ID: c.binary, Read: func() ([]byte, error) { return []byte(c.binary), nil }}}})
		if bytes.Equal(body(t, other, "latest/codedeploy-agent_all.deb"), want) {
			t.Errorf("%s got the packages of the first", c.name)
		}
	}
}

// TestDeb has dpkg's own tools read and unpack the packages.
func TestDeb(t *testing.T) {
	d := newDist("")
	for file, arch := range map[string]string{debFile: "amd64", "codedeploy-agent_arm64.deb": "arm64"} {
		path := filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(path, body(t, d, "latest/"+file), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("dpkg-deb", "--field", path, "Package", "Version", "Architecture").CombinedOutput()
		if want := "Package: codedeploy-agent\nVersion: 2.1.0\nArchitecture: " + arch + "\n"; err != nil || string(out) != want {
			t.Errorf("%v\n%s", err, out)
		}
		root := t.TempDir()
		dpkg := func(args ...string) {
			t.Helper()
			args = append([]string{"--root=" + root, "--log=/dev/null", "--force-architecture", "--force-depends"}, args...)
			if out, err := exec.Command("dpkg", args...).CombinedOutput(); err != nil {
				t.Errorf("dpkg %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
		if err := errors.Join(os.MkdirAll(root+"/var/lib/dpkg/updates", 0o755), os.MkdirAll(root+"/var/lib/dpkg/info", 0o755), os.WriteFile(root+"/var/lib/dpkg/status", nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		dpkg("--unpack", path)
		dpkg("--verify", "codedeploy-agent")
		for _, e := range contents(version, nil) {
			name := e.path
			if e.config {
				name += ".dpkg-new" // its owner is asked when the package is configured
			}
			info, err := os.Lstat(filepath.Join(root, name))
			if err != nil || info.Mode() != e.mode {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		if binary, err := os.ReadFile(root + "/opt/codedeploy-agent/bin/codedeploy-agent"); err != nil || !bytes.HasPrefix(binary, []byte("\x7fELF "+arch)) {
			t.Errorf("the program of %s is %.12q, %v", arch, binary, err)
		}
	}
}

// TestRPM reads the payload behind the headers.
func TestRPM(t *testing.T) {
	d := newDist("")
	for file, arch := range map[string]string{rpmFile: "x86_64", "codedeploy-agent.aarch64.rpm": "aarch64"} {
		b := body(t, d, "latest/"+file)
		if !bytes.HasPrefix(b, []byte{0xed, 0xab, 0xee, 0xdb}) {
			t.Fatal("not an rpm")
		}
		start := bytes.Index(b, []byte{0x1f, 0x8b, 0x08})
		z, err := gzip.NewReader(bytes.NewReader(b[start:]))
		if err != nil {
			t.Fatal(err)
		}
		want, got := map[string]string{}, map[string]string{}
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
		for _, e := range contents(version, nil) {
			want[e.path] = fmt.Sprintf("%o", e.mode.Perm())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, text := range []string{arch, "2.1.0", "codedeploy-agent-2.1.0-1"} {
			if !bytes.Contains(b[:start], []byte(text)) {
				t.Errorf("%s: headers lack %q", file, text)
			}
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
