package cfn

import (
	"fmt"

	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// groups runs the groups section.
func (b *build) groups(section map[string]any) error {
	for _, name := range sorted(section) {
		if _, err := accounts.LookupGroup(b.Root, name); err == nil {
			b.info("Group %s already exists", name)
			continue
		}
		m, _ := section[name].(map[string]any)
		gid, err := number(m["gid"])
		if err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
		if _, err := accounts.AddGroup(b.Root, name, gid, true); err != nil {
			return said("Failed to create group %s: %w", name, err)
		}
		b.info("Group %s created", name)
	}
	return nil
}

// number reads an id; absent is -1.
func number(v any) (int, error) {
	if v == nil || v == "" {
		return -1, nil
	}
	var n int
	if _, err := fmt.Sscanf(fmt.Sprint(v), "%d", &n); err != nil || n < 0 {
		return 0, fmt.Errorf("%v is not an id", v)
	}
	return n, nil
}

// users runs the users section: system users that cannot log in.
func (b *build) users(section map[string]any) error {
	for _, name := range sorted(section) {
		if _, err := accounts.LookupUser(b.Root, name); err == nil {
			b.info("User %s already exists", name)
			continue
		}
		m, _ := section[name].(map[string]any)
		uid, err := number(m["uid"])
		if err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
		home, _ := m["homeDir"].(string)
		_, err = accounts.AddUser(b.Root, accounts.NewUser{Name: name, UID: uid, System: true, Home: home,
			Shell: "/sbin/nologin", Groups: texts(m["groups"]), MakeHome: true})
		if err != nil {
			return said("Failed to add user %s: %w", name, err)
		}
		b.info("User %s created", name)
	}
	return nil
}
