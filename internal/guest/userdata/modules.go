package userdata

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// defaultUsers are the accounts that the image comes with; "default" in users
// means them, and so do keys without a user.
var defaultUsers = []string{"ec2-user", "ubuntu"}

func (r *Runner) writeFiles(value any, _ config) error {
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf("must be a list, not %T", value)
	}
	var failures []error
	for _, item := range list {
		f, ok := item.(map[string]any)
		if !ok {
			failures = append(failures, fmt.Errorf("must be a list of maps, not of %T", item))
			continue
		}
		if err := r.writeFile(f); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", stringOf(f, "path"), err))
		}
	}
	return errors.Join(failures...)
}

func (r *Runner) writeFile(f map[string]any) error {
	path := stringOf(f, "path")
	if !filepath.IsAbs(path) {
		return errors.New("path must be absolute")
	}
	content, err := fileContent(f)
	if err != nil {
		return err
	}
	mode, err := modeOf(f, 0o644)
	if err != nil {
		return err
	}
	full := r.Root.Path(path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return err
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if f["append"] == true {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	file, err := os.OpenFile(full, flags, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(mode), file.Close()); err != nil {
		return err
	}
	if owner := stringOf(f, "owner"); owner != "" {
		return r.chown(full, owner)
	}
	return nil
}

// fileContent undoes the encoding. Compressed content is base64 in YAML whether
// its encoding says so or not.
func fileContent(f map[string]any) ([]byte, error) {
	content := []byte(stringOf(f, "content"))
	encoding := strings.ToLower(stringOf(f, "encoding"))
	compressed := strings.HasPrefix(encoding, "gz")
	switch encoding {
	case "", "text/plain":
		return content, nil
	case "b64", "base64", "gz", "gzip", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64":
	default:
		return nil, fmt.Errorf("unknown encoding %q", encoding)
	}
	plain, ok := decodeBase64(content)
	if !ok && !compressed {
		return nil, errors.New("content is not base64")
	}
	if ok {
		content = plain
	}
	if compressed {
		return gunzip(content)
	}
	return content, nil
}

func (r *Runner) chown(path, owner string) error {
	name, group, _ := strings.Cut(owner, ":")
	uid, gid := -1, -1
	if name != "" {
		u, err := accounts.LookupUser(r.Root, name)
		if err != nil {
			return err
		}
		uid = u.UID
	}
	if group != "" {
		g, err := accounts.LookupGroup(r.Root, group)
		if err != nil {
			return err
		}
		gid = g.GID
	}
	return os.Chown(path, uid, gid)
}

func (r *Runner) setHostname(value any, all config) error {
	name := stringOf(all, "hostname")
	if name == "" {
		name = fmt.Sprint(value)
	}
	if name == "" || len(name) > 64 || strings.ContainsAny(name, " \n/") {
		return fmt.Errorf("invalid host name %q", name)
	}
	if err := os.WriteFile(r.Root.Path("/etc/hostname"), []byte(name+"\n"), 0o644); err != nil {
		return err
	}
	if r.Root.Path("/") != "/" {
		return nil // a tree beside the running system: its kernel name is not ours
	}
	return syscall.Sethostname([]byte(name))
}

func (r *Runner) addGroups(value any, _ config) error {
	var failures []error
	for _, item := range asList(value) {
		switch g := item.(type) {
		case string:
			failures = append(failures, r.addGroup(g, nil))
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(g)) {
				failures = append(failures, r.addGroup(name, asList(g[name])))
			}
		default:
			failures = append(failures, fmt.Errorf("must be names, not %T", item))
		}
	}
	return errors.Join(failures...)
}

func (r *Runner) addGroup(name string, members []any) error {
	if _, err := accounts.LookupGroup(r.Root, name); errors.Is(err, accounts.ErrNotFound) {
		if _, err := accounts.AddGroup(r.Root, name, -1, false); err != nil {
			return err
		}
	}
	for _, m := range members {
		if err := accounts.Join(r.Root, name, fmt.Sprint(m)); err != nil {
			return err
		}
	}
	return nil
}

// userKeys are the keys of a users entry that are acted on or need no action.
var userKeys = []string{"name", "gecos", "homedir", "groups", "shell", "sudo", "system", "uid",
	"ssh_authorized_keys", "ssh-authorized-keys", "no_create_home", "lock_passwd", "primary_group"}

func (r *Runner) addUsers(value any, _ config) error {
	var failures []error
	for _, item := range asList(value) {
		switch u := item.(type) {
		case string:
			if u != "default" {
				failures = append(failures, r.addUser(map[string]any{"name": u}))
			}
		case map[string]any:
			failures = append(failures, r.addUser(u))
		default:
			failures = append(failures, fmt.Errorf("must be names or maps, not %T", item))
		}
	}
	return errors.Join(failures...)
}

func (r *Runner) addUser(m map[string]any) error {
	name := stringOf(m, "name")
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(userKeys, key) {
			r.fail("cloud-config users "+name, fmt.Errorf("hardstand does not support %s; it was not applied", key))
		}
	}
	u, err := accounts.LookupUser(r.Root, name)
	if errors.Is(err, accounts.ErrNotFound) {
		u, err = r.createUser(name, m)
	}
	if err != nil {
		return err
	}
	keys := asList(m["ssh_authorized_keys"])
	if len(keys) == 0 {
		keys = asList(m["ssh-authorized-keys"])
	}
	if err := r.authorize(u, keys); err != nil {
		return err
	}
	return r.sudoers(name, m["sudo"])
}

func (r *Runner) createUser(name string, m map[string]any) (accounts.User, error) {
	n := accounts.NewUser{Name: name, UID: -1, System: m["system"] == true, Gecos: stringOf(m, "gecos"),
		Home: stringOf(m, "homedir"), Shell: stringOf(m, "shell"), MakeHome: m["no_create_home"] != true}
	if uid, ok := m["uid"].(int); ok {
		n.UID = uid
	}
	if n.System {
		n.MakeHome = false
	}
	groups := asList(m["groups"])
	if primary := stringOf(m, "primary_group"); primary != "" {
		groups = append(groups, primary)
	}
	for _, g := range groups {
		if err := r.addGroup(fmt.Sprint(g), nil); err != nil {
			return accounts.User{}, err
		}
		n.Groups = append(n.Groups, fmt.Sprint(g))
	}
	return accounts.AddUser(r.Root, n)
}

func (r *Runner) sudoers(name string, rules any) error {
	var b strings.Builder
	list := []any{rules}
	if many, ok := rules.([]any); ok {
		list = many
	}
	for _, rule := range list {
		if rule != nil && rule != false {
			fmt.Fprintf(&b, "%s %v\n", name, rule)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	dir := r.Root.Path("/etc/sudoers.d")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(dir+"/90-cloud-init-users", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o440)
	if err != nil {
		return err
	}
	_, err = f.WriteString(b.String())
	return errors.Join(err, f.Close())
}

func (r *Runner) defaultUserKeys(value any, _ config) error {
	for _, name := range defaultUsers {
		u, err := accounts.LookupUser(r.Root, name)
		if errors.Is(err, accounts.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		keys, _ := value.([]any)
		if err := r.authorize(u, keys); err != nil {
			return err
		}
	}
	return nil
}

// authorize adds public keys to the user's file.
func (r *Runner) authorize(u accounts.User, keys []any) error {
	if len(keys) == 0 {
		return nil
	}
	dir := r.Root.Path(u.Home + "/.ssh")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file := dir + "/authorized_keys"
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if _, err = fmt.Fprintln(f, strings.TrimSpace(fmt.Sprint(k))); err != nil {
			break
		}
	}
	return errors.Join(err, f.Close(), os.Chown(dir, u.UID, u.GID), os.Chown(file, u.UID, u.GID))
}
