package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Where the owners of a tree cannot be mapped, a copy of it carries them shifted.
// All instances then share one range of ids, and one copy.

// copier copies a tree with its modes, links, file capabilities and times, owners
// shifted.
type copier struct {
	from, to string
	base     int
	// links maps the inodes of files with several names to the first copy.
	links map[uint64]string
	files int
	bytes int64
}

// copyShifted copies from to to, which must not exist.
func copyShifted(from, to string, base int) (files int, bytes int64, err error) {
	c := &copier{from: from, to: to, base: base, links: map[uint64]string{}}
	err = filepath.WalkDir(from, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return skipMissing(err)
		}
		return skipMissing(c.entry(path))
	})
	return c.files, c.bytes, err
}

func (c *copier) entry(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	to := c.to + strings.TrimPrefix(path, c.from)
	c.files++
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, to); err != nil {
			return err
		}
		return os.Lchown(to, c.base+int(st.Uid), c.base+int(st.Gid))
	case unix.S_IFREG:
		if done, err := c.link(&st, to); done || err != nil {
			return err
		}
		if err := c.content(path, to); err != nil {
			return err
		}
	default:
		return nil // devices, sockets and pipes are no part of an image
	}
	return c.attributes(path, to, &st)
}

// link makes another name of a file that was copied already.
func (c *copier) link(st *unix.Stat_t, to string) (bool, error) {
	if st.Nlink < 2 {
		return false, nil
	}
	first, ok := c.links[st.Ino]
	if !ok {
		c.links[st.Ino] = to
		return false, nil
	}
	return true, os.Link(first, to)
}

func (c *copier) content(path, to string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, in)
	c.bytes += n
	return errors.Join(err, out.Close())
}

func (c *copier) attributes(path, to string, st *unix.Stat_t) error {
	if err := os.Lchown(to, c.base+int(st.Uid), c.base+int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(to, st.Mode&0o7777); err != nil {
		return &os.PathError{Op: "chmod", Path: to, Err: err}
	}
	if err := copyCapability(path, to); err != nil {
		return err
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	return unix.UtimesNanoAt(unix.AT_FDCWD, to, times, unix.AT_SYMLINK_NOFOLLOW)
}

// copyCapability carries what lets ping work without being set-user-id.
func copyCapability(path, to string) error {
	const name = "security.capability"
	value := make([]byte, 64)
	n, err := unix.Lgetxattr(path, name, value)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("file capabilities of %s: %w", path, err)
	}
	return unix.Lsetxattr(to, name, value[:n], 0)
}
