package cfn

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// groups runs the groups section.
func (b *build) groups(section map[string]any) error {
	for _, name := range sorted(section) {
		m, _ := section[name].(map[string]any)
		gid, err := number(m["gid"])
		if err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
		if g, err := accounts.LookupGroup(b.Root, name); err == nil {
			if gid >= 0 && g.GID != gid {
				return said("Group %s exists with gid %d, but gid %d was requested", name, g.GID, gid)
			}
			b.debug("Group %s already exists", name)
			continue
		}
		if _, err := accounts.AddGroup(b.Root, name, gid, true); err != nil {
			b.logf("ERROR", "Failed to create group %s: %v", name, err)
			return said("Failed to create group %s: %w", name, err)
		}
		b.info("Created group %s successfully", name)
		b.changed.note("groups", name)
	}
	return nil
}

// number reads an id; absent is -1.
func number(v any) (int, error) {
	if v == nil || v == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(fmt.Sprint(v))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%v is not an id", v)
	}
	return n, nil
}

// users runs the users section: system users that cannot log in, without a home
// directory unless something else makes it.
func (b *build) users(section map[string]any) error {
	for _, name := range sorted(section) {
		m, _ := section[name].(map[string]any)
		uid, err := number(m["uid"])
		if err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
		home, _ := m["homeDir"].(string)
		groups := texts(m["groups"])
		for _, g := range groups {
			if _, err := accounts.LookupGroup(b.Root, g); err != nil {
				return said("%s is not a valid group name", g)
			}
		}
		if u, err := accounts.LookupUser(b.Root, name); err == nil {
			if uid >= 0 && u.UID != uid {
				return said("User %s exists with uid %d, but uid %d was requested", name, u.UID, uid)
			}
			if err := b.modifyUser(u, groups, home); err != nil {
				return err
			}
			continue
		}
		if _, err := accounts.AddUser(b.Root, accounts.NewUser{Name: name, UID: uid, System: true, Home: home,
			Shell: "/sbin/nologin", Groups: groups}); err != nil {
			b.logf("ERROR", "Failed to add user %s: %v", name, err)
			return said("Failed to add user %s: %w", name, err)
		}
		b.info("Added user %s successfully", name)
		b.changed.note("users", name)
	}
	return nil
}

// modifyUser gives a user exactly the groups listed, and the home directory.
func (b *build) modifyUser(u accounts.User, groups []string, home string) error {
	if home == "" && len(groups) == 0 {
		b.info("No homedir or groups specified; not modifying %s", u.Name)
		return nil
	}
	all, err := accounts.Groups(b.Root)
	if err != nil {
		return err
	}
	var have []string
	for _, g := range all {
		if slices.Contains(g.Members, u.Name) {
			have = append(have, g.Name)
		}
	}
	slices.Sort(have)
	wanted := slices.Compact(slices.Sorted(slices.Values(groups)))
	if (len(groups) == 0 || slices.Equal(have, wanted)) && (home == "" || home == u.Home) {
		b.debug("User %s does not need modification", u.Name)
		return nil
	}
	if len(groups) == 0 {
		wanted = have
	}
	if home == "" {
		home = u.Home
	}
	if err := accounts.ModifyUser(b.Root, u.Name, wanted, home); err != nil {
		b.logf("ERROR", "Failed to modify user %s: %v", u.Name, err)
		return said("Failed to modify user %s: %w", u.Name, err)
	}
	b.info("Modified user %s successfully", u.Name)
	b.changed.note("users", u.Name)
	return nil
}
