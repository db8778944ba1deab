// Package accounts reads and extends the account files of an instance:
// /etc/passwd, /etc/group and /etc/shadow.
//
// It exists beside os/user because tests run on a tree of their own and because
// users and groups are also made here (cfn-init, cloud-config). It owns nothing:
// every call reads the files anew. It imports guest for paths.
package accounts

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
)

// ErrNotFound is returned for a user or group that does not exist.
var ErrNotFound = errors.New("no such account")

// User is one line of /etc/passwd.
type User struct {
	Name  string
	UID   int
	GID   int
	Gecos string
	Home  string
	Shell string
}

// Group is one line of /etc/group.
type Group struct {
	Name    string
	GID     int
	Members []string
}

const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
	shadowFile = "/etc/shadow"
)

// Users returns all users in the order of the file.
func Users(root guest.Root) ([]User, error) {
	rows, err := rows(root.Path(passwdFile), 7)
	if err != nil {
		return nil, err
	}
	var users []User
	for _, f := range rows {
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 != nil || err2 != nil {
			continue
		}
		users = append(users, User{Name: f[0], UID: uid, GID: gid, Gecos: f[4], Home: f[5], Shell: f[6]})
	}
	return users, nil
}

// Groups returns all groups in the order of the file.
func Groups(root guest.Root) ([]Group, error) {
	rows, err := rows(root.Path(groupFile), 4)
	if err != nil {
		return nil, err
	}
	var groups []Group
	for _, f := range rows {
		gid, err := strconv.Atoi(f[2])
		if err != nil {
			continue
		}
		g := Group{Name: f[0], GID: gid}
		if f[3] != "" {
			g.Members = strings.Split(f[3], ",")
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// rows splits the lines of a colon-separated file; lines with too few fields are
// passed over, as the C library does. A missing file has no rows.
func rows(path string, fields int) ([][]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out [][]string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		row := strings.Split(lines.Text(), ":")
		if len(row) >= fields && row[0] != "" {
			out = append(out, row)
		}
	}
	return out, lines.Err()
}

// LookupUser finds a user by name, or by uid where name is a number that no user
// is called.
func LookupUser(root guest.Root, name string) (User, error) {
	users, err := Users(root)
	if err != nil {
		return User{}, err
	}
	for _, u := range users {
		if u.Name == name {
			return u, nil
		}
	}
	if uid, err := strconv.Atoi(name); err == nil {
		for _, u := range users {
			if u.UID == uid {
				return u, nil
			}
		}
	}
	return User{}, fmt.Errorf("user %s: %w", name, ErrNotFound)
}

// LookupGroup finds a group by name or by gid.
func LookupGroup(root guest.Root, name string) (Group, error) {
	groups, err := Groups(root)
	if err != nil {
		return Group{}, err
	}
	for _, g := range groups {
		if g.Name == name || strconv.Itoa(g.GID) == name {
			return g, nil
		}
	}
	return Group{}, fmt.Errorf("group %s: %w", name, ErrNotFound)
}

// Supplementary returns the ids of the groups that list u, with u's own first.
func Supplementary(root guest.Root, u User) ([]uint32, error) {
	groups, err := Groups(root)
	if err != nil {
		return nil, err
	}
	ids := []uint32{uint32(u.GID)}
	for _, g := range groups {
		if slices.Contains(g.Members, u.Name) && g.GID != u.GID {
			ids = append(ids, uint32(g.GID))
		}
	}
	return ids, nil
}

// GroupNames returns the names of the groups u is in.
func GroupNames(root guest.Root, u User) ([]string, error) {
	groups, err := Groups(root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, g := range groups {
		if g.GID == u.GID || slices.Contains(g.Members, u.Name) {
			names = append(names, g.Name)
		}
	}
	return names, nil
}
