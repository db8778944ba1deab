package install

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Tools runs external programs; the zero value runs the system's.
type Tools struct {
	Run func(name string, args ...string) error
}

// errMissing is a program that the host does not have.
var errMissing = errors.New("is not installed on this host")

func (t Tools) run(name string, args ...string) error {
	if t.Run != nil {
		return t.Run(name, args...)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the program %s, which the permissions section needs, %w", name, errMissing)
	}
	if text := strings.TrimSpace(string(out)); err != nil && text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// toolFailure puts what became of a program behind AWS's sentence for it.
func toolFailure(sentence string, err error, command ...string) error {
	if errors.Is(err, errMissing) {
		return fmt.Errorf("%s %w", sentence, err)
	}
	return fmt.Errorf("%s Failed command: %s. Exit code: %w", sentence, strings.Join(command, " "), err)
}

// setfacl gives the object the entries, and those that they need beside them, made
// of the mode that it has: the base entries; a mask, which is the group's, for
// named entries; and the same of the default entries if there are any.
func setfacl(o *object, entries []string, tools Tools) error {
	acl := strings.Join(completeACL(entries, o.mode), ",")
	// The object itself, whatever has its name by now.
	handle := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), o.fd())
	if err := tools.run("setfacl", "--set", acl, handle); err != nil {
		return toolFailure("The deployment failed because of a problem with the acls permission settings in the application specification file "+
			"for this object: "+o.path+".", err, "setfacl", "--set", acl, o.path)
	}
	return nil
}

func completeACL(entries []string, mode uint32) []string {
	perm := func(shift int) string {
		bits, out := mode>>shift&7, []byte("---")
		for i, c := range []byte("rwx") {
			if bits&(4>>i) != 0 {
				out[i] = c
			}
		}
		return string(out)
	}
	all := slices.Concat(entries, []string{"user::" + perm(6), "group::" + perm(3), "other::" + perm(0)})
	if hasNamed(entries, "") && !hasTag(all, "mask::") {
		all = append(all, "mask::"+perm(3))
	}
	const d = "default:"
	if !hasTag(entries, d) {
		return all
	}
	for i, tag := range []string{"user::", "group::", "other::"} {
		if !hasTag(all, d+tag) {
			all = append(all, d+tag+perm(6-3*i))
		}
	}
	if hasNamed(entries, d) && !hasTag(all, d+"mask::") {
		at := slices.IndexFunc(all, func(e string) bool { return strings.HasPrefix(e, d+"group::") })
		all = append(all, strings.Replace(all[at], "group", "mask", 1))
	}
	return all
}

func hasTag(entries []string, prefix string) bool {
	return slices.ContainsFunc(entries, func(e string) bool { return strings.HasPrefix(e, prefix) })
}

// hasNamed reports an entry for somebody by name, among the default entries or
// the others.
func hasNamed(entries []string, prefix string) bool {
	return slices.ContainsFunc(entries, func(e string) bool {
		rest, ok := strings.CutPrefix(e, prefix)
		parts := strings.Split(rest, ":")
		return ok && len(parts) == 3 && parts[1] != ""
	})
}

func semanage(o *object, c StepContext, tools Tools) (realPath string, err error) {
	real, err := o.realPath()
	if err != nil {
		return "", err
	}
	args := []string{"fcontext", "-a"}
	if c.User != "" {
		args = append(args, "-s", c.User)
	}
	args = append(args, "-t", c.Type)
	if c.Range != "" {
		args = append(args, "-r", c.Range)
	}
	for _, command := range [][]string{append(append([]string{"semanage"}, args...), real), {"restorecon", "-v", "-F", real}} {
		if err := tools.run(command[0], command[1:]...); err != nil {
			return real, toolFailure("The deployment failed because the application specification file contains an error in the settings for the "+
				"context parameter. Update the permissions section of the AppSpec file, and then try again.", err, command...)
		}
	}
	return real, nil
}

// object is something that a deployment put in place, opened without following a
// link: a name may stand for something else by the time it is looked at again.
type object struct {
	*os.File
	path string
	mode uint32
}

func openObject(root *os.Root, rel, path string) (*object, error) {
	f, err := root.OpenFile(rel, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Whoever may write to the directory could have put another's file here by a
	// further name, where the host does not forbid that.
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1 {
		return nil, errors.Join(fmt.Errorf("%s has a further name, which this deployment has not given it", path), f.Close())
	}
	return &object{f, path, st.Mode}, nil
}

// realPath is the path without links: of the object that is open, whatever its path
// leads to by now; of a link, of where that leads.
func (o *object) realPath() (string, error) {
	if o.isLink() {
		return filepath.EvalSymlinks(o.path)
	}
	return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", o.fd()))
}

func (o *object) fd() int { return int(o.Fd()) }

func (o *object) isLink() bool { return o.mode&unix.S_IFMT == unix.S_IFLNK }
