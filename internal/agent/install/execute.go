package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// execution carries a plan out.
type execution struct {
	archive *os.Root
	log     io.Writer // the cleanup file
	tools   Tools

	// The directories that the last step needed: steps of one directory follow each
	// other.
	base     string
	root     *os.Root
	from, to opened
}

// opened is a directory below another that stays open for the next step in it.
type opened struct {
	dir  string
	root *os.Root
}

func (o *opened) at(above *os.Root, dir string) (*os.Root, error) {
	if o.root != nil && o.dir == dir {
		return o.root, nil
	}
	o.close()
	root, err := above.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	o.dir, o.root = dir, root
	return root, nil
}

func (o *opened) close() {
	if o.root != nil {
		_ = o.root.Close()
		o.root = nil
	}
}

// execute carries the steps out. The cleanup file names a copied file before it
// is there and a directory after it was made, so that a crash leaves no file
// unknown and removes no directory it did not make.
func execute(steps []Step, archive *os.Root, cleanupFile string, tools Tools) error {
	log, err := os.OpenFile(cleanupFile, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open cleanup file: %w", err)
	}
	defer log.Close()
	x := &execution{archive: archive, log: log, tools: tools}
	defer x.from.close()
	defer x.leave()
	for _, s := range steps {
		if err := x.step(s); err != nil {
			return err
		}
	}
	return log.Sync()
}

// enter opens base unless it is open already.
func (x *execution) enter(base string) error {
	if x.root != nil && x.base == base {
		return nil
	}
	x.leave()
	root, err := openDir(base)
	if err != nil {
		return err
	}
	x.base, x.root = base, root
	return nil
}

func (x *execution) leave() {
	x.to.close()
	if x.root != nil {
		_ = x.root.Close()
		x.root = nil
	}
}

func (x *execution) step(s Step) error {
	if err := x.enter(s.base); err != nil {
		return err
	}
	target := s.target()
	rel, err := filepath.Rel(s.base, target)
	if err != nil {
		return err
	}
	dir, err := x.to.at(x.root, filepath.Dir(rel))
	if err != nil {
		return err
	}
	name := filepath.Base(rel)
	switch s.Type {
	case "mkdir":
		return x.mkdir(dir, name, target)
	case "copy":
		if _, err := fmt.Fprintln(x.log, target); err != nil {
			return err
		}
		from, err := filepath.Rel(x.archive.Name(), s.Source)
		if err != nil {
			return err
		}
		source, err := x.from.at(x.archive, filepath.Dir(from))
		if err != nil {
			return err
		}
		return copyFile(source, filepath.Base(from), dir, name)
	}
	o, err := openObject(dir, name, target)
	if err != nil {
		return err
	}
	defer o.Close()
	return x.permit(s, o)
}

func (x *execution) permit(s Step, o *object) error {
	switch s.Type {
	case "chmod":
		return chmod(o, s.Mode)
	case "chown":
		return chown(o, s.Owner, s.Group)
	case "setfacl":
		if o.isLink() {
			return nil
		}
		return setfacl(o, s.ACL, x.tools)
	case "semanage":
		real, err := semanage(o, *s.Context, x.tools)
		if real != "" {
			_, logged := fmt.Fprintf(x.log, "semanage\x00%s\n", real)
			err = errors.Join(err, logged)
		}
		return err
	}
	return fmt.Errorf("unknown instruction %q", s.Type)
}

func (x *execution) mkdir(root *os.Root, name, path string) error {
	err := root.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return fail("a specified file already exists at this location: %s.", path)
	}
	if err != nil {
		return err
	}
	// The umask of whoever started the agent is not part of a deployment.
	dir, err := root.OpenFile(name, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(dir.Chmod(0o755), dir.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(x.log, path)
	return err
}

// copyFile copies a file with mode, owner and time, or recreates a link. It
// never writes through a link at the target.
func copyFile(source *os.Root, from string, dest *os.Root, to string) error {
	info, err := source.Lstat(from)
	if err != nil {
		return err
	}
	if err := dest.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		text, err := source.Readlink(from)
		if err != nil {
			return err
		}
		return dest.Symlink(text, to)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a link", from)
	}
	in, err := source.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := dest.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = copyContent(in, out)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return dest.Chtimes(to, info.ModTime(), info.ModTime())
}

// copyContent copies bytes, owner and mode between two open files.
func copyContent(in, out *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%s is no file any more", in.Name())
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := out.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return out.Chmod(fs.FileMode(st.Mode & 0o777))
}

// chmod changes the object's mode. A link has none of its own, and what it leads
// to is not the deployment's.
func chmod(o *object, mode string) error {
	n, err := strconv.ParseUint(mode, 8, 12)
	if err != nil {
		return fmt.Errorf("mode %q: %w", mode, err)
	}
	if o.isLink() {
		return nil
	}
	if err := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", o.fd()), uint32(n)); err != nil {
		return fmt.Errorf("chmod %s: %w", o.path, err)
	}
	return nil
}

func chown(o *object, owner, group string) error {
	uid, gid := -1, -1
	if owner != "" {
		u, err := user.Lookup(owner)
		if err != nil {
			if u, err = user.LookupId(owner); err != nil {
				return fmt.Errorf("permissions section: owner of %s: no user %q on this host", o.path, owner)
			}
		}
		uid, _ = strconv.Atoi(u.Uid)
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return fmt.Errorf("permissions section: group of %s: no group %q on this host", o.path, group)
			}
		}
		gid, _ = strconv.Atoi(g.Gid)
	}
	if err := unix.Fchownat(o.fd(), "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("chown %s: %w", o.path, err)
	}
	return nil
}
