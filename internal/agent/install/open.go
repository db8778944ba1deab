package install

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks ends the walk of links that lead to each other.
const maxLinks = 40

// openDir opens the directory at path for what is to happen in it. Whoever may
// write to a directory on the way could lead an agent that runs as root to a place
// of root's with a link, before or while the agent works. So a link counts when it
// belongs to root or to the agent's user, or when what it leads to belongs to the
// link's own owner.
func openDir(path string) (*os.Root, error) {
	w, err := walk(path)
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", path, err)
	}
	defer unix.Close(w.dir)
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	var walked, opened unix.Stat_t
	err = unix.Fstat(w.dir, &walked)
	if err == nil {
		err = statDir(root, &opened)
	}
	if err == nil && (walked.Dev != opened.Dev || walked.Ino != opened.Ino) {
		err = fmt.Errorf("directory %s changed while it was opened", path)
	}
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return root, nil
}

func statDir(root *os.Root, st *unix.Stat_t) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fstat(int(f.Fd()), st)
}

// walker goes down a path one name at a time.
type walker struct {
	dir   int      // where it is
	rest  []string // names to go
	links int
	// owed are links of users whose ends have not been reached yet.
	owed []owedLink
}

// owedLink must lead to something of uid's once no more than left names remain.
type owedLink struct {
	left int
	uid  uint32
	name string
}

// walk returns a walker that has arrived at path; the caller closes its dir.
func walk(path string) (*walker, error) {
	w := &walker{dir: -1, rest: strings.Split(filepath.Clean(path), "/")}
	if err := w.toRoot(); err != nil {
		return nil, err
	}
	for len(w.rest) > 0 {
		name := w.rest[0]
		w.rest = w.rest[1:]
		err := w.step(name)
		if err == nil {
			err = w.settle()
		}
		if err != nil {
			_ = unix.Close(w.dir)
			return nil, err
		}
	}
	return w, nil
}

func (w *walker) toRoot() error {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	w.moveTo(fd)
	return nil
}

func (w *walker) moveTo(fd int) {
	if w.dir >= 0 {
		_ = unix.Close(w.dir)
	}
	w.dir = fd
}

func (w *walker) step(name string) error {
	if name == "" || name == "." {
		return nil
	}
	fd, err := unix.Openat(w.dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		w.moveTo(fd)
		return nil
	case unix.S_IFLNK:
		defer unix.Close(fd)
		return w.follow(fd, name, st.Uid)
	}
	_ = unix.Close(fd)
	return unix.ENOTDIR
}

// follow puts the link's text in front of what is left to go.
func (w *walker) follow(fd int, name string, uid uint32) error {
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return err
	}
	text := string(buf[:n])
	if uid != 0 && int(uid) != os.Geteuid() {
		w.owed = append(w.owed, owedLink{len(w.rest), uid, name})
	}
	if strings.HasPrefix(text, "/") {
		if err := w.toRoot(); err != nil {
			return err
		}
	}
	w.rest = append(strings.Split(text, "/"), w.rest...)
	return nil
}

// settle looks at whose the end of a user's link is.
func (w *walker) settle() error {
	for len(w.owed) > 0 && len(w.rest) <= w.owed[len(w.owed)-1].left {
		link := w.owed[len(w.owed)-1]
		w.owed = w.owed[:len(w.owed)-1]
		var st unix.Stat_t
		if err := unix.Fstat(w.dir, &st); err != nil {
			return err
		}
		if st.Uid != link.uid {
			return fmt.Errorf("the link %s belongs to user %d and leads to a directory of user %d; links of other users are not followed", link.name, link.uid, st.Uid)
		}
	}
	return nil
}
