package accounts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hardstand/hardstand/internal/guest"
)

// NewUser describes a user to be made. UID and GID below zero mean the next free
// number of the range: 100 to 999 for a system user, from 1000 on otherwise.
type NewUser struct {
	Name   string
	UID    int
	System bool
	Gecos  string
	Home   string // "" means /home/<name>
	Shell  string // "" means /bin/bash, or /sbin/nologin for a system user
	Groups []string
	// MakeHome makes the home directory, owned by the user, mode 0700.
	MakeHome bool
}

// AddUser makes a user, with a group of the same name and id unless that name is
// taken, and puts it into the groups listed, which must exist.
func AddUser(root guest.Root, n NewUser) (User, error) {
	unlock, err := lock(root)
	if err != nil {
		return User{}, err
	}
	defer unlock()
	if err := validName(n.Name); err != nil {
		return User{}, err
	}
	users, err := Users(root)
	if err != nil {
		return User{}, err
	}
	for _, u := range users {
		if u.Name == n.Name {
			return u, fmt.Errorf("user %s exists already", n.Name)
		}
		if n.UID >= 0 && u.UID == n.UID {
			return u, fmt.Errorf("uid %d belongs to %s already", n.UID, u.Name)
		}
	}
	u := User{Name: n.Name, UID: n.UID, Gecos: n.Gecos, Home: n.Home, Shell: n.Shell}
	if u.UID < 0 {
		u.UID = freeID(n.System, func(id int) bool {
			return slices.ContainsFunc(users, func(x User) bool { return x.UID == id })
		})
	}
	fillUser(&u, n.System)
	if u.GID, err = ownGroup(root, n.Name, u.UID, n.System); err != nil {
		return User{}, err
	}
	if err := writeUser(root, u); err != nil {
		return User{}, err
	}
	for _, g := range n.Groups {
		if err := join(root, g, n.Name); err != nil {
			return u, err
		}
	}
	if n.MakeHome {
		return u, makeHome(root, u)
	}
	return u, nil
}

func fillUser(u *User, system bool) {
	if u.Home == "" {
		u.Home = "/home/" + u.Name
	}
	if u.Shell == "" {
		u.Shell = "/bin/bash"
		if system {
			u.Shell = "/sbin/nologin"
		}
	}
}

func writeUser(root guest.Root, u User) error {
	line := fmt.Sprintf("%s:x:%d:%d:%s:%s:%s", u.Name, u.UID, u.GID, u.Gecos, u.Home, u.Shell)
	if strings.Count(line, ":") != 6 || strings.Contains(line, "\n") {
		return fmt.Errorf("user %s: a field holds a colon or a line end", u.Name)
	}
	if err := appendLine(root.Path(passwdFile), line, 0o644); err != nil {
		return err
	}
	// "!" locks the password; keys and su from root still work.
	return appendLine(root.Path(shadowFile), u.Name+":!:19000:0:99999:7:::", 0o640)
}

// ownGroup returns the id of the group called name, made if need be.
func ownGroup(root guest.Root, name string, want int, system bool) (int, error) {
	g, err := LookupGroup(root, name)
	if err == nil && g.Name == name {
		return g.GID, nil
	}
	if _, err := LookupGroup(root, strconv.Itoa(want)); err == nil {
		want = -1
	}
	made, err := addGroup(root, name, want, system)
	return made.GID, err
}

// AddGroup makes a group. A gid below zero means the next free number.
func AddGroup(root guest.Root, name string, gid int, system bool) (Group, error) {
	unlock, err := lock(root)
	if err != nil {
		return Group{}, err
	}
	defer unlock()
	return addGroup(root, name, gid, system)
}

func addGroup(root guest.Root, name string, gid int, system bool) (Group, error) {
	if err := validName(name); err != nil {
		return Group{}, err
	}
	groups, err := Groups(root)
	if err != nil {
		return Group{}, err
	}
	for _, g := range groups {
		if g.Name == name {
			return g, fmt.Errorf("group %s exists already", name)
		}
		if gid >= 0 && g.GID == gid {
			return g, fmt.Errorf("gid %d belongs to %s already", gid, g.Name)
		}
	}
	if gid < 0 {
		gid = freeID(system, func(id int) bool {
			return slices.ContainsFunc(groups, func(x Group) bool { return x.GID == id })
		})
	}
	return Group{Name: name, GID: gid}, appendLine(root.Path(groupFile), fmt.Sprintf("%s:x:%d:", name, gid), 0o644)
}

// Join puts user into group.
func Join(root guest.Root, group, user string) error {
	unlock, err := lock(root)
	if err != nil {
		return err
	}
	defer unlock()
	return join(root, group, user)
}

func join(root guest.Root, group, user string) error {
	path := root.Path(groupFile)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	for i, line := range lines {
		f := strings.Split(line, ":")
		if len(f) < 4 || f[0] != group {
			continue
		}
		members := strings.FieldsFunc(f[3], func(r rune) bool { return r == ',' })
		if slices.Contains(members, user) {
			return nil
		}
		f[3] = strings.Join(append(members, user), ",")
		lines[i] = strings.Join(f, ":")
		return replace(path, []byte(strings.Join(lines, "\n")))
	}
	return fmt.Errorf("group %s: %w", group, ErrNotFound)
}

func makeHome(root guest.Root, u User) error {
	home := root.Path(u.Home)
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(home, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.Chown(home, u.UID, u.GID)
}

func freeID(system bool, taken func(int) bool) int {
	id := 1000
	if system {
		// From 999 downwards, as useradd and groupadd do.
		for id = 999; id > 100 && taken(id); id-- {
		}
		return id
	}
	for taken(id) {
		id++
	}
	return id
}

func validName(name string) error {
	bad := name == "" || len(name) > 32 || strings.HasPrefix(name, "-") ||
		strings.ContainsAny(name, ":,\n\t /\\")
	if bad {
		return fmt.Errorf("invalid account name %q", name)
	}
	return nil
}

func appendLine(path, line string, mode os.FileMode) error {
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(content) > 0 && content[len(content)-1] != '\n' {
		content = append(content, '\n')
	}
	if err != nil {
		return os.WriteFile(path, []byte(line+"\n"), mode)
	}
	return replace(path, append(content, line+"\n"...))
}

// replace rewrites path in one step, keeping its mode.
func replace(path string, content []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp := path + "+"
	if err := os.WriteFile(tmp, content, info.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Chmod(tmp, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// lock takes the lock that useradd and its kin take as well.
func lock(root guest.Root) (func(), error) {
	f, err := os.OpenFile(root.Path("/etc/.pwd.lock"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock account files: %w", err)
	}
	return func() { f.Close() }, nil
}
