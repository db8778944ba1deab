package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// shareFrom is the size from which a file is worth a comparison.
const shareFrom = 4096

// sharing replaces the name of a file while it becomes a link.
const sharing = ".hardstand-sharing"

// Share turns the files of a deployment that an earlier one of its group has too,
// at the same place with the same bytes, mode, owner and time, into hard links to
// those, and returns how many bytes that saved. Revisions of one application differ
// little: several of them are kept for little more than the price of one. What
// Install puts in place is copied and shared with nothing.
func (d Dir) Share(group, deployment, earlier string) (saved int64, err error) {
	if earlier == "" || filepath.Dir(earlier) != filepath.Join(d.Root, group) || filepath.Base(earlier) == deployment {
		return 0, nil
	}
	root, err := os.OpenRoot(filepath.Join(d.Root, group))
	if err != nil {
		return 0, fmt.Errorf("share files with an earlier revision: %w", err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), deployment, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		rest := strings.TrimPrefix(name, deployment+"/")
		if strings.HasPrefix(rest, "logs/") {
			return nil
		}
		n, err := share(root, name, path.Join(filepath.Base(earlier), rest), rest == "bundle.tar")
		saved += n
		return err
	})
	if err != nil {
		return saved, fmt.Errorf("share files with an earlier revision: %w", err)
	}
	return saved, nil
}

// share makes name a link to other if they are alike; anyTime is for a file whose
// time says only when it was downloaded.
func share(root *os.Root, name, other string, anyTime bool) (saved int64, err error) {
	own, err := root.Lstat(name)
	if err != nil {
		return 0, err
	}
	old, err := root.Lstat(other)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if own.Size() < shareFrom || own.Size() != old.Size() || own.Mode() != old.Mode() || !sameOwner(own, old) || os.SameFile(own, old) ||
		!anyTime && !own.ModTime().Equal(old.ModTime()) {
		return 0, nil
	}
	if same, err := sameBytes(root, name, other); err != nil || !same {
		return 0, err
	}
	if err := root.Link(other, name+sharing); err != nil {
		return 0, nil // a file system without links, or with no more of them: the copy stays
	}
	return own.Size(), root.Rename(name+sharing, name)
}

func sameOwner(a, b fs.FileInfo) bool {
	x, ok := a.Sys().(*syscall.Stat_t)
	y, is := b.Sys().(*syscall.Stat_t)
	return ok && is && x.Uid == y.Uid && x.Gid == y.Gid
}

func sameBytes(root *os.Root, a, b string) (bool, error) {
	x, err := root.Open(a)
	if err != nil {
		return false, err
	}
	defer x.Close()
	y, err := root.Open(b)
	if err != nil {
		return false, err
	}
	defer y.Close()
	const piece = 64 << 10
	left, right := make([]byte, piece), make([]byte, piece)
	for {
		n, err := io.ReadFull(x, left)
		m, other := io.ReadFull(y, right)
		if !bytes.Equal(left[:n], right[:m]) {
			return false, nil
		}
		if err != nil || other != nil { // both have ended, or one cannot be read
			return (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && (errors.Is(other, io.EOF) || errors.Is(other, io.ErrUnexpectedEOF)), nil
		}
	}
}
