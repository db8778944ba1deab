package container

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
)

// image is the default image: the host's /usr under a synthesised root. Nothing
// else of the host is in it.
type image struct {
	digest string
	root   string // lower layer of "/"
	usr    string // uppermost lower layer of "/usr": links and trust
	lower  string // lowest layer of "/usr"
	// shifted says that the layers are copies whose owners begin at base, the
	// same for all instances, because owners cannot be mapped here.
	shifted bool
	base    uint32
}

// imageSource is what an image is made from, besides the host.
type imageSource struct {
	Links []guest.Link
	Dirs  []string
	Files map[string][]byte
	CA    []byte

	clock clock.Clock
	log   *slog.Logger
}

// imageVersion changes the digest of every image when the builder changes.
const imageVersion = 1

// openImage makes the image below dir, or finds it there, in the form that this
// machine can use. hostUsers: instances have no ids of their own.
func openImage(dir string, src imageSource, hostUsers bool) (*image, error) {
	img, err := buildImage(dir, src)
	if err != nil || hostUsers {
		return img, err
	}
	cause := mappable(img.root, img.lower)
	if cause == nil {
		return img, nil
	}
	src.log.Warn("owners cannot be mapped on this machine: copying /usr once, instances will share one range of ids", "cause", cause)
	return shiftImage(img, src)
}

// shiftedSuffix ends the digest of an image in its copied form.
const shiftedSuffix = "-shifted"

// shiftImage returns the form of img for machines that cannot map owners.
func shiftImage(img *image, src imageSource) (*image, error) {
	home := filepath.Dir(img.root) + shiftedSuffix
	shifted := &image{
		digest: img.digest + shiftedSuffix, root: filepath.Join(home, "root"), usr: filepath.Join(home, "usr"),
		lower: filepath.Join(home, "lower"), shifted: true, base: firstRange * rangeSize,
	}
	if _, err := os.Stat(home); err == nil {
		return shifted, nil
	}
	start := src.clock.Now()
	tmp := home + ".building"
	if err := errors.Join(os.RemoveAll(tmp), os.Mkdir(tmp, 0o755)); err != nil {
		return nil, err
	}
	var files int
	var bytes int64
	for name, tree := range map[string]string{"root": img.root, "usr": img.usr, "lower": img.lower} {
		n, size, err := copyShifted(tree, filepath.Join(tmp, name), int(shifted.base))
		if err != nil {
			return nil, fmt.Errorf("copy %s: %w", tree, err)
		}
		files, bytes = files+n, bytes+size
	}
	if err := os.Rename(tmp, home); err != nil {
		return nil, err
	}
	src.log.Info("copied /usr for instances", "files", files, "MiB", bytes>>20, "took", src.clock.Now().Sub(start).Round(time.Millisecond), "path", home)
	return shifted, nil
}

// buildImage makes the layers, owned by the host's ids.
func buildImage(dir string, src imageSource) (*image, error) {
	start := src.clock.Now()
	digest, err := src.digest()
	if err != nil {
		return nil, fmt.Errorf("read the host's configuration: %w", err)
	}
	home := filepath.Join(dir, digest)
	img := &image{digest: digest, root: filepath.Join(home, "root"), usr: filepath.Join(home, "usr"), lower: "/usr"}
	if _, err := os.Stat(home); err == nil {
		return img, nil
	}
	tmp, err := os.MkdirTemp(dir, "building-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp) // nothing is mounted there
	b := builder{root: filepath.Join(tmp, "root"), usr: filepath.Join(tmp, "usr"), src: src}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("build image: %w", err)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, home); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("build image: %w", err)
	}
	src.log.Debug("image built", "digest", digest, "took", src.clock.Now().Sub(start))
	return img, nil
}

// digest covers what the image is made from: files of the host by size and time,
// the rest by content.
func (s imageSource) digest() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, imageVersion, rangeSize)
	if err := json.NewEncoder(h).Encode(s); err != nil {
		return "", err
	}
	for _, p := range slices.Concat(hostFiles, bundlePaths()) {
		err := filepath.WalkDir(p, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return skipMissing(err)
			}
			info, err := e.Info()
			if err != nil {
				return skipMissing(err)
			}
			fmt.Fprintln(h, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:24], nil
}

func skipMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// builder fills the layers of an image: root for "/", usr for "/usr". Owners are
// the host's ids 0 and up; idmapped mounts turn them into an instance's.
type builder struct {
	root, usr string
	src       imageSource
}

func (b *builder) build() error {
	for _, step := range []func() error{b.skeleton, b.copyHostFiles, b.writeFiles, b.trust, b.placeLinks} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// at returns where the instance's path lies: below /usr in the second layer.
func (b *builder) at(path string) string {
	if path == "/usr" || strings.HasPrefix(path, "/usr/") {
		return filepath.Join(b.usr, strings.TrimPrefix(path, "/usr"))
	}
	return filepath.Join(b.root, path)
}

// skeleton makes the directories and the links of a merged /usr.
func (b *builder) skeleton() error {
	for _, d := range skeletonDirs {
		if err := b.mkdir(d.path, d.mode, d.owner); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(b.root, "usr"), 0o755); err != nil { // the mount point
		return err
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if _, err := os.Stat("/usr/" + name); err != nil {
			continue
		}
		if err := os.Symlink("usr/"+name, filepath.Join(b.root, name)); err != nil {
			return err
		}
	}
	for _, l := range [][2]string{{"/run", "var/run"}, {"/run/lock", "var/lock"}, {"/proc/self/mounts", "etc/mtab"}} {
		if err := os.Symlink(l[0], filepath.Join(b.root, l[1])); err != nil {
			return err
		}
	}
	return nil
}

// mkdir makes one directory with exactly this mode and owner.
func (b *builder) mkdir(path string, mode os.FileMode, owner int) error {
	p := b.at(path)
	if err := os.MkdirAll(p, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(p, mode); err != nil {
		return err
	}
	return os.Chown(p, owner, owner)
}

func (b *builder) write(path, content string, mode os.FileMode) error {
	p := b.at(path)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(p, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(p, mode)
}

// copyHostFiles takes what the allow-list names from the host's /etc: plain files,
// directories and links, nothing else.
func (b *builder) copyHostFiles() error {
	for _, p := range hostFiles {
		err := filepath.WalkDir(p, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return skipMissing(err)
			}
			return b.copyEntry(path, e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) copyEntry(path string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return skipMissing(err)
	}
	to := b.at(path)
	switch {
	case e.IsDir():
		return os.MkdirAll(to, info.Mode().Perm()|0o700)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return skipMissing(err)
		}
		return b.symlink(target, path)
	case info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0:
		// Only what everybody may read: a private key that strayed into the
		// list's directories stays outside.
		content, err := os.ReadFile(path)
		if err != nil {
			return skipMissing(err)
		}
		return b.write(path, string(content), info.Mode().Perm())
	}
	return nil
}

func (b *builder) symlink(target, path string) error {
	to := b.at(path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, to)
}

// placeLinks makes the guest's directories, links and extra files, and the mount
// point of its binary.
func (b *builder) placeLinks() error {
	for _, d := range b.src.Dirs {
		if err := os.MkdirAll(b.at(d), 0o755); err != nil {
			return err
		}
	}
	if err := b.write(guest.Binary, "", 0o755); err != nil {
		return err
	}
	for path, content := range b.src.Files {
		if err := b.write(path, string(content), 0o644); err != nil {
			return err
		}
	}
	for _, l := range b.src.Links {
		if l.When == guest.IfAbsent && b.present(l.Path) {
			continue
		}
		if err := b.symlink(l.Target, l.Path); err != nil {
			return err
		}
	}
	return nil
}

// present reports whether the image has something at path already: its own
// layers, or the host's /usr below.
func (b *builder) present(path string) bool {
	if _, err := os.Lstat(b.at(path)); err == nil {
		return true
	}
	if !strings.HasPrefix(path, "/usr/") {
		return false
	}
	_, err := os.Lstat(path)
	return err == nil
}
