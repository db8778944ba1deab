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
	"slices"
	"strings"
	"syscall"
)

// shareFrom is the size from which a file is worth a comparison.
const shareFrom = 4096

// sharing replaces the name of a file while it becomes a link.
const sharing = ".hardstand-sharing"

// ShareDormant turns files that two kept revisions of a group have both, at the
// same place with the same bytes, mode, owner and time, into hard links of each
// other, and returns how many bytes that saved: revisions of one application
// differ little, so that all but the live ones are kept for little more than the
// price of one.
//
// Live revisions, the last successful and the most recent one, are left alone:
// their scripts run, and may write in place into what lies beside them. Those of
// the others never run again.
func (d Dir) ShareDormant(group string) (saved int64, err error) {
	dormant, err := d.revisions(group)
	if err != nil {
		return 0, err
	}
	for _, live := range []func(string) (string, error){d.LastSuccessful, d.MostRecent} {
		path, err := live(group)
		if err != nil {
			return 0, err
		}
		dormant = slices.DeleteFunc(dormant, func(p string) bool { return p == path })
	}
	for i := 1; i < len(dormant); i++ {
		done := filepath.Join(dormant[i], sharedMark)
		if _, err := os.Lstat(done); err == nil {
			continue
		}
		n, err := d.share(group, filepath.Base(dormant[i]), filepath.Base(dormant[i-1]))
		saved += n
		if err == nil {
			err = os.WriteFile(done, nil, 0o644)
		}
		if err != nil {
			return saved, err
		}
	}
	return saved, nil
}

// sharedMark is the file in a deployment's directory that tells that its files were
// compared: a revision that never runs again does not change either.
const sharedMark = ".shared"

// share makes the files of one revision links to an earlier one's.
func (d Dir) share(group, deployment, earlier string) (saved int64, err error) {
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
		n, err := shareFile(root, name, path.Join(earlier, rest), rest == "bundle.tar")
		saved += n
		return err
	})
	if err != nil {
		return saved, fmt.Errorf("share files with an earlier revision: %w", err)
	}
	return saved, nil
}

// shareFile makes name a link to other if they are alike; anyTime is for a file whose
// time says only when it was downloaded.
func shareFile(root *os.Root, name, other string, anyTime bool) (saved int64, err error) {
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
