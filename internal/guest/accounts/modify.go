package accounts

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
)

// ModifyUser makes a user a member of the groups listed and of no others beside its
// own, and sets its home directory, which is neither made nor moved.
func ModifyUser(root guest.Root, name string, groups []string, home string) error {
	unlock, err := lock(root)
	if err != nil {
		return err
	}
	defer unlock()
	if strings.ContainsAny(home, ":\n") {
		return fmt.Errorf("user %s: the home directory holds a colon or a line end", name)
	}
	for _, g := range groups {
		if _, err := LookupGroup(root, g); err != nil {
			return err
		}
	}
	found := false
	err = edit(root.Path(passwdFile), 7, func(f []string) {
		if f[0] == name {
			f[5], found = home, true
		}
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("user %s: %w", name, ErrNotFound)
	}
	return edit(root.Path(groupFile), 4, func(f []string) {
		members := strings.FieldsFunc(f[3], func(r rune) bool { return r == ',' })
		members = slices.DeleteFunc(members, func(m string) bool { return m == name })
		if slices.Contains(groups, f[0]) {
			members = append(members, name)
		}
		f[3] = strings.Join(members, ",")
	})
}

// edit rewrites a colon-separated file; lines with too few fields stay as they are.
func edit(path string, fields int, change func(f []string)) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	for i, line := range lines {
		f := strings.Split(line, ":")
		if len(f) < fields || f[0] == "" {
			continue
		}
		change(f)
		lines[i] = strings.Join(f, ":")
	}
	return replace(path, []byte(strings.Join(lines, "\n")))
}
