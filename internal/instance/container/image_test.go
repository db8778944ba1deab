package container

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
)

const testCA = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"

func testImage(t *testing.T) *image {
	t.Helper()
	src := imageSource{clock: clock.System{}, log: slog.New(slog.DiscardHandler), Links: guest.Links(), Dirs: guest.Dirs(), CA: []byte(testCA), Files: map[string][]byte{"/usr/lib/hardstand/digests.json": []byte("{}")}}
	img, err := buildImage(t.TempDir(), src)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestImageHoldsNothingOfTheHostButTheAllowList(t *testing.T) {
	img := testImage(t)
	for _, path := range []string{
		"etc/shadow-", "etc/ssh/ssh_host_ed25519_key", "etc/ssl/private", "etc/apt", "etc/hostname-", "etc/crontab",
		"etc/netplan", "etc/wgetrc", "etc/npmrc", "etc/pip.conf", "root/.ssh", "root/.bash_history", "var/lib/dpkg",
	} {
		if _, err := os.Lstat(filepath.Join(img.root, path)); err == nil {
			t.Errorf("/%s is in the image", path)
		}
	}
	shadow, err := os.ReadFile(filepath.Join(img.root, "etc/shadow"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(shadow)) {
		if fields := strings.Split(line, ":"); fields[1] != "*" {
			t.Errorf("%s has password field %q", fields[0], fields[1])
		}
	}
	err = filepath.WalkDir(img.root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 {
			t.Errorf("%s is a special file", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImageTrustsUs(t *testing.T) {
	img := testImage(t)
	bundles := []string{filepath.Join(img.root, systemBundle)}
	for _, p := range bundlePaths() {
		bundles = append(bundles, filepath.Join(img.usr, strings.TrimPrefix(p, "/usr")))
	}
	for _, path := range bundles {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(string(text), "-----END CERTIFICATE-----\n"+testCA) && string(text) != testCA {
			t.Errorf("%s ends with %q", path, text[max(0, len(text)-100):])
		}
	}
}

func TestImageLinksLeadToTheGuest(t *testing.T) {
	img := testImage(t)
	b := builder{root: img.root, usr: img.usr}
	for _, l := range guest.Links() {
		target, err := os.Readlink(b.at(l.Path))
		switch {
		case l.When == guest.IfAbsent && err != nil:
			if _, err := os.Lstat(l.Path); err != nil {
				t.Errorf("%s: neither the host nor the image has it", l.Path)
			}
		case err != nil:
			t.Error(err)
		case target != l.Target:
			t.Errorf("%s leads to %s, want %s", l.Path, target, l.Target)
		}
	}
}

func TestSameInputsSameImage(t *testing.T) {
	dir := t.TempDir()
	src := imageSource{CA: []byte(testCA), clock: clock.System{}, log: slog.New(slog.DiscardHandler)}
	first, err := buildImage(dir, src)
	if err != nil {
		t.Fatal(err)
	}
	again, err := buildImage(dir, src)
	if err != nil {
		t.Fatal(err)
	}
	src.CA = []byte("another")
	other, err := buildImage(dir, src)
	if err != nil {
		t.Fatal(err)
	}
	if first.digest != again.digest || first.digest == other.digest {
		t.Errorf("digests %s, %s, %s: want the first two equal, the third another", first.digest, again.digest, other.digest)
	}
}

func TestCopyShifted(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	file := filepath.Join(from, "bin", "tool")
	must(t, os.Mkdir(filepath.Join(from, "bin"), 0o755))
	must(t, os.WriteFile(file, []byte("content"), 0o755))
	must(t, os.Chown(file, 8, 42))
	must(t, unix.Chmod(file, 0o4755))
	must(t, os.Link(file, filepath.Join(from, "bin", "same")))
	must(t, os.Symlink("tool", filepath.Join(from, "bin", "link")))
	must(t, unix.Mkfifo(filepath.Join(from, "pipe"), 0o644))
	must(t, unix.Lsetxattr(file, "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))

	files, bytes, err := copyShifted(from, to, 1000000)
	must(t, err)
	if files != 6 || bytes != 7 {
		t.Errorf("copied %d entries and %d bytes, want 6 and 7", files, bytes)
	}
	var st, same unix.Stat_t
	must(t, unix.Lstat(filepath.Join(to, "bin", "tool"), &st))
	must(t, unix.Lstat(filepath.Join(to, "bin", "same"), &same))
	if st.Uid != 1000008 || st.Gid != 1000042 || st.Mode&0o7777 != 0o4755 || st.Ino != same.Ino {
		t.Errorf("copy has owner %d:%d, mode %o, inode %d (other name %d)", st.Uid, st.Gid, st.Mode&0o7777, st.Ino, same.Ino)
	}
	if n, err := unix.Lgetxattr(filepath.Join(to, "bin", "tool"), "security.capability", nil); err != nil || n != 20 {
		t.Errorf("file capability: %d bytes, %v", n, err)
	}
	if target, err := os.Readlink(filepath.Join(to, "bin", "link")); err != nil || target != "tool" {
		t.Errorf("link leads to %q, %v", target, err)
	}
	if _, err := os.Lstat(filepath.Join(to, "pipe")); err == nil {
		t.Error("the pipe was copied")
	}
}

// A machine that cannot map owners gets a copy of every layer, made once.
func TestShiftedImage(t *testing.T) {
	img := testImage(t)
	img.lower = t.TempDir()
	must(t, os.WriteFile(filepath.Join(img.lower, "program"), nil, 0o755))
	src := imageSource{clock: clock.System{}, log: slog.New(slog.DiscardHandler)}
	shifted, err := shiftImage(img, src)
	must(t, err)
	for path, owner := range map[string]uint32{
		filepath.Join(shifted.root, "etc", "passwd"):         0,
		filepath.Join(shifted.root, "home", "ubuntu"):        ubuntuID,
		filepath.Join(shifted.usr, "lib", "ssl", "cert.pem"): 0,
		filepath.Join(shifted.lower, "program"):              0,
	} {
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		if st.Uid != shifted.base+owner {
			t.Errorf("%s belongs to %d, want %d", path, st.Uid, shifted.base+owner)
		}
	}
	must(t, os.RemoveAll(img.lower)) // a second time copies nothing
	if again, err := shiftImage(img, src); err != nil || *again != *shifted {
		t.Errorf("second time: %+v, %v", again, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
