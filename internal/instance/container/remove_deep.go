package container

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxDescent bounds the directories that are open at once while a tree is removed,
// and how deep the removal calls itself.
const maxDescent = 64

// removeDeep is os.RemoveAll for what an instance may have made. That one keeps a
// descriptor for every level it is below, so that ten thousand directories, each in
// the other, would take all the daemon has, and stay. Here, what lies deeper than
// maxDescent is moved up, beside tree, and its turn comes later.
func removeDeep(tree string) error {
	top, err := os.Open(filepath.Dir(tree))
	if err != nil {
		return err
	}
	defer top.Close()
	r := &remover{top: int(top.Fd()), name: filepath.Base(tree)}
	left := []string{r.name}
	for len(left) > 0 {
		next := left[len(left)-1]
		left = left[:len(left)-1]
		r.moved = nil
		err := r.entry(r.top, next, 0)
		if err != nil && !(next == r.name && errors.Is(err, unix.ENOENT)) {
			return &os.PathError{Op: "remove", Path: tree, Err: err}
		}
		left = append(left, r.moved...)
	}
	return nil
}

type remover struct {
	top   int    // the directory that holds the tree
	name  string // the tree's; names of what is moved up begin with it
	count int
	moved []string
}

func (r *remover) directory(parent int, name string, depth int) error {
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	d := os.NewFile(uintptr(fd), name)
	defer d.Close()
	for {
		names, err := d.Readdirnames(1024)
		if errors.Is(err, io.EOF) {
			return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
		}
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := r.entry(fd, n, depth); err != nil {
				return err
			}
		}
		// A removal may bring what is left to where reading has passed already.
		if _, err := d.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

func (r *remover) entry(dir int, name string, depth int) error {
	err := unix.Unlinkat(dir, name, 0)
	if !errors.Is(err, unix.EISDIR) {
		return err
	}
	if depth < maxDescent {
		return r.directory(dir, name, depth+1)
	}
	r.count++
	up := r.name + "." + strconv.Itoa(r.count)
	if err := unix.Renameat(dir, name, r.top, up); err != nil {
		return err
	}
	r.moved = append(r.moved, up)
	return nil
}
