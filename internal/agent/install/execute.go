package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/hardstand/hardstand/internal/agent/state"
)

// Step is one instruction of a plan, in the form of install.json.
type Step struct {
	Type        string       `json:"type"` // mkdir copy chmod chown setfacl semanage
	Directory   string       `json:"directory,omitempty"`
	Source      string       `json:"source,omitempty"`
	Destination string       `json:"destination,omitempty"`
	Mode        string       `json:"mode,omitempty"`
	Owner       string       `json:"owner,omitempty"`
	Group       string       `json:"group,omitempty"`
	ACL         []string     `json:"acl,omitempty"`
	Context     *StepContext `json:"context,omitempty"`
	File        string       `json:"file,omitempty"`
}

// StepContext is an SELinux context.
type StepContext struct {
	User  string `json:"user,omitempty"`
	Role  string `json:"role,omitempty"`
	Type  string `json:"type"`
	Range string `json:"range,omitempty"`
}

// Tools runs external programs; the zero value runs the system's.
type Tools struct {
	Run func(name string, args ...string) error
}

func (t Tools) run(name string, args ...string) error {
	if t.Run != nil {
		return t.Run(name, args...)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the permissions section needs the program %s, which is not installed", name)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (b *plan) write(path string) error {
	steps := b.steps
	if steps == nil {
		steps = []Step{}
	}
	text, err := json.Marshal(map[string]any{"instructions": steps})
	if err != nil {
		return err
	}
	if err := state.WriteFile(path, text); err != nil {
		return fmt.Errorf("write install plan: %w", err)
	}
	return nil
}

// execute carries the steps out. The cleanup file names a copied file before it
// is there and a directory after it was made, so that a crash leaves no file
// unknown and removes no directory it did not make.
func execute(steps []Step, cleanupFile string, tools Tools) error {
	log, err := os.OpenFile(cleanupFile, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open cleanup file: %w", err)
	}
	defer log.Close()
	for _, s := range steps {
		if err := s.execute(log, tools); err != nil {
			return err
		}
	}
	return log.Sync()
}

func (s Step) execute(log io.Writer, tools Tools) error {
	switch s.Type {
	case "mkdir":
		if err := os.Mkdir(s.Directory, 0o755); err != nil {
			return err
		}
		// The umask of whoever started the agent is not part of a deployment.
		if err := os.Chmod(s.Directory, 0o755); err != nil {
			return err
		}
		_, err := fmt.Fprintln(log, s.Directory)
		return err
	case "copy":
		if _, err := fmt.Fprintln(log, s.Destination); err != nil {
			return err
		}
		return copyFile(s.Source, s.Destination)
	case "chmod":
		return chmod(s.File, s.Mode)
	case "chown":
		return chown(s.File, s.Owner, s.Group)
	case "setfacl":
		return setfacl(s.File, s.ACL, tools)
	case "semanage":
		return semanage(log, s.File, *s.Context, tools)
	}
	return fmt.Errorf("unknown instruction %q", s.Type)
}

// copyFile copies a file with mode, owner and time, or recreates a link. It
// never writes through a link at the target.
func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		text, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(text, to)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a link", from)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := os.Lchown(to, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(to, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func chmod(path, mode string) error {
	n, err := strconv.ParseUint(mode, 8, 12)
	if err != nil {
		return fmt.Errorf("mode %q: %w", mode, err)
	}
	if isLink(path) {
		return nil // a link has no mode of its own, and its target is not ours
	}
	m := fs.FileMode(n & 0o777)
	for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if n&bit != 0 {
			m |= flag
		}
	}
	return os.Chmod(path, m)
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func chown(path, owner, group string) error {
	uid, gid := -1, -1
	if owner != "" {
		u, err := user.Lookup(owner)
		if err != nil {
			if u, err = user.LookupId(owner); err != nil {
				return fmt.Errorf("permissions section: owner of %s: no user %q on this host", path, owner)
			}
		}
		uid, _ = strconv.Atoi(u.Uid)
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return fmt.Errorf("permissions section: group of %s: no group %q on this host", path, group)
			}
		}
		gid, _ = strconv.Atoi(g.Gid)
	}
	return os.Lchown(path, uid, gid)
}

// setfacl sets the base entries from the mode the file has, then the given ones.
func setfacl(path string, entries []string, tools Tools) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	perm := info.Mode().Perm().String() // -rwxr-x---
	base := []string{"user::" + perm[1:4], "group::" + perm[4:7], "other::" + perm[7:10]}
	return tools.run("setfacl", "--set", strings.Join(append(base, entries...), ","), path)
}

func semanage(log io.Writer, path string, c StepContext, tools Tools) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(log, "semanage\x00%s\n", real); err != nil {
		return err
	}
	args := []string{"fcontext", "-a"}
	if c.User != "" {
		args = append(args, "-s", c.User)
	}
	args = append(args, "-t", c.Type)
	if c.Range != "" {
		args = append(args, "-r", c.Range)
	}
	if err := tools.run("semanage", append(args, real)...); err != nil {
		return err
	}
	return tools.run("restorecon", "-v", "-F", real)
}
