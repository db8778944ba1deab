// Package unpack writes a bundle (zip, tar or tgz) into a directory, trusting
// nothing in it.
//
// Refused, with the name of the member: paths with .. or a leading slash, links
// that leave the directory, devices, fifos and sockets, setuid and setgid files,
// and bundles that grow beyond a limit. All writing goes through os.Root, so that even a path these checks missed cannot
// leave the directory. Ownership in the bundle is not applied: files belong to
// the agent's user. Times and permission bits are kept.
package unpack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// A bundle made of empty files and directories is bounded too: how many there may
// be, with the directories that only a path names, and how deep.
const (
	maxMembers = 1_000_000
	maxDepth   = 255
	maxName    = 4096
)

// Limits are what a bundle may become.
type Limits struct {
	Bytes   int64 // of content
	NoLinks bool  // neither symbolic nor hard ones
}

// Bundle unpacks the file of the type given (zip, tar, tgz) into dir, which it
// replaces, within the limits. A single top directory that
// holds the appspec is taken away, as the official agent does.
func Bundle(file, kind, dir string, limits Limits) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear archive directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make archive directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open archive directory: %w", err)
	}
	defer root.Close()
	w := &writer{root: root, left: limits.Bytes, limit: limits.Bytes, noLinks: limits.NoLinks, made: map[string]bool{}}
	switch kind {
	case "zip":
		err = w.zip(file)
	case "tar":
		err = w.tar(file, false)
	case "tgz":
		err = w.tar(file, true)
	default:
		err = fmt.Errorf("unsupported bundle type %q", kind)
	}
	if err == nil {
		err = w.finishDirectories()
	}
	if err == nil {
		err = w.checkLinks()
	}
	if err != nil {
		// What is of no use takes no room.
		return errors.Join(fmt.Errorf("unpack %s bundle: %w", kind, err), os.RemoveAll(dir))
	}
	return stripTop(dir)
}

type writer struct {
	root        *os.Root
	left, limit int64
	noLinks     bool
	members     int
	links       []string
	dirs        []member        // modes and times are set when their content is there
	made        map[string]bool // directories, also those that only a path names
}

type member struct {
	name  string // cleaned, slash-separated, inside the root
	mode  fs.FileMode
	mtime time.Time
}

var errTooLarge = errors.New("too large")

// clean checks the member's name; "" means the root itself.
func (w *writer) clean(name string) (string, error) {
	if err := w.count(); err != nil {
		return "", err
	}
	if len(name) > maxName || strings.Count(name, "/") > maxDepth {
		return "", fmt.Errorf("member %.80q... has a path of more than %d bytes or %d directories", name, maxName, maxDepth)
	}
	if strings.ContainsAny(name, "\\\x00") {
		return "", fmt.Errorf("member %q has a backslash or a NUL in its name", name)
	}
	if path.IsAbs(name) {
		return "", fmt.Errorf("member %q has an absolute path", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fmt.Errorf("member %q leaves the bundle", name)
		}
	}
	c := path.Clean(name)
	if c == "." {
		return "", nil
	}
	return c, nil
}

// count counts one more file or directory.
func (w *writer) count() error {
	if w.members++; w.members > maxMembers {
		return fmt.Errorf("more than %d members", maxMembers)
	}
	return nil
}

func (w *writer) parents(name string) error { return w.mkdirAll(path.Dir(name)) }

// mkdirAll makes the directory and those above it.
func (w *writer) mkdirAll(dir string) error {
	for d := dir; d != "." && !w.made[d]; d = path.Dir(d) {
		w.made[d] = true
		if err := w.count(); err != nil {
			return err
		}
	}
	if dir == "." {
		return nil
	}
	return w.root.MkdirAll(dir, 0o755)
}

// fits refuses a member whose own header says that it is too large, before
// anything of it is written. What is written is counted all the same.
func (w *writer) fits(name string, size uint64) error {
	if w.left < 0 || size > uint64(w.left) {
		return fmt.Errorf("the bundle grows beyond %d bytes at %q: %w", w.limit, name, errTooLarge)
	}
	return nil
}

func (w *writer) directory(m member) error {
	if m.name == "" {
		return nil
	}
	if err := w.mkdirAll(m.name); err != nil {
		return err
	}
	w.dirs = append(w.dirs, m)
	return nil
}

func (w *writer) file(m member, content io.Reader) error {
	if m.mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		return fmt.Errorf("member %q is setuid or setgid", m.name)
	}
	if err := w.parents(m.name); err != nil {
		return err
	}
	if err := w.root.Remove(m.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := w.root.OpenFile(m.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, w.left+1))
	if err == nil && n > w.left {
		err = fmt.Errorf("the bundle grows beyond %d bytes at %q: %w", w.limit, m.name, errTooLarge)
	}
	w.left -= n
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := w.root.Chmod(m.name, m.mode.Perm()); err != nil {
		return err
	}
	return w.root.Chtimes(m.name, m.mtime, m.mtime)
}

// symlink makes a link whose text, taken from the place of the link, stays
// inside.
func (w *writer) symlink(m member, target string) error {
	if w.noLinks {
		return fmt.Errorf("member %q is a link", m.name)
	}
	if path.IsAbs(target) || strings.ContainsRune(target, 0) {
		return fmt.Errorf("symbolic link %q points to %q, outside the bundle", m.name, target)
	}
	at := path.Join(path.Dir(m.name), target)
	if at == ".." || strings.HasPrefix(at, "../") {
		return fmt.Errorf("symbolic link %q points to %q, outside the bundle", m.name, target)
	}
	if err := w.parents(m.name); err != nil {
		return err
	}
	if err := w.root.Remove(m.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.root.Symlink(target, m.name); err != nil {
		return err
	}
	w.links = append(w.links, m.name)
	return nil
}

func (w *writer) hardlink(m member, target string) error {
	if w.noLinks {
		return fmt.Errorf("member %q is a link", m.name)
	}
	to, err := w.clean(target)
	if err != nil {
		return fmt.Errorf("hard link %q: %w", m.name, err)
	}
	if info, err := w.root.Lstat(to); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("hard link %q points to %q, which is no file of the bundle", m.name, target)
	}
	if err := w.parents(m.name); err != nil {
		return err
	}
	if err := w.root.Remove(m.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.root.Link(to, m.name)
}

// finishDirectories sets modes and times, innermost last made first. A mode
// that would lock the agent's own user out gets the bits it needs.
func (w *writer) finishDirectories() error {
	for i := len(w.dirs) - 1; i >= 0; i-- {
		d := w.dirs[i]
		if err := w.root.Chmod(d.name, d.mode.Perm()|0o700); err != nil {
			return err
		}
		if err := w.root.Chtimes(d.name, d.mtime, d.mtime); err != nil {
			return err
		}
	}
	return nil
}

// checkLinks opens every link when all is there: its text only suggests where
// it leads, since with other links on the way a/../b is not b.
func (w *writer) checkLinks() error {
	for _, name := range w.links {
		if _, err := w.root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("symbolic link %q leads out of the bundle: %w", name, err)
		}
	}
	return nil
}

// stripTop moves the content of a single top directory up when an appspec is
// among it.
func stripTop(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return nil
	}
	top := filepath.Join(dir, entries[0].Name())
	inner, err := os.ReadDir(top)
	if err != nil {
		return err
	}
	found := false
	for _, e := range inner {
		found = found || strings.Contains(strings.ToLower(e.Name()), "appspec")
	}
	if !found {
		return nil
	}
	aside := dir + ".top"
	if err := errors.Join(os.RemoveAll(aside), os.Rename(top, aside)); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil {
		return err
	}
	return os.Rename(aside, dir)
}
