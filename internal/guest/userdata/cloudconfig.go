package userdata

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/hardstand/hardstand/internal/guest"
)

// config is a cloud-config document, keys as in the file.
type config = map[string]any

// modules apply the keys that are known, in cloud-init's order. bootcmd is
// handled apart, because it runs at every boot. A nil module is a key that needs
// nothing here and that changes nothing that could be missed.
var modules = []struct {
	key   string
	apply func(r *Runner, value any, all config) error
}{
	{"bootcmd", nil},
	{"preserve_hostname", nil},
	{"write_files", (*Runner).writeFiles},
	{"hostname", (*Runner).setHostname},
	{"fqdn", (*Runner).setHostname},
	{"groups", (*Runner).addGroups},
	{"users", (*Runner).addUsers},
	{"ssh_authorized_keys", (*Runner).defaultUserKeys},
	{"timezone", (*Runner).setTimezone},
	{"package_update", (*Runner).packageIndex},
	{"package_upgrade", (*Runner).packageIndex},
	{"packages", (*Runner).installPackages},
	{"runcmd", (*Runner).runCommands},
	{"final_message", (*Runner).finalMessage},
}

// mergeConfigs joins the cloud-config parts: a key of a later part replaces that
// of an earlier one.
func (r *Runner) mergeConfigs(parts []Part) config {
	all := config{}
	for _, p := range parts {
		if p.Kind != CloudConfig {
			continue
		}
		var c config
		if err := yaml.Unmarshal(p.Body, &c); err != nil {
			r.fail(p.Name, fmt.Errorf("cloud-config: %w", err))
			continue
		}
		maps.Copy(all, c)
	}
	return all
}

// apply applies a document once, on the first boot. A key that fails or is not
// known does not keep the others from being applied.
func (r *Runner) apply(all config) {
	known := map[string]bool{}
	for _, m := range modules {
		known[m.key] = true
		value, ok := all[m.key]
		if !ok || m.apply == nil {
			continue
		}
		if err := m.apply(r, value, all); err != nil {
			r.fail("cloud-config "+m.key, err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if !known[key] {
			r.fail("cloud-config "+key, fmt.Errorf("hardstand does not support this key; it was not applied"))
		}
	}
}

func (r *Runner) bootCommands(all config) {
	value, ok := all["bootcmd"]
	if !ok {
		return
	}
	text, err := shellScript(value)
	if err != nil {
		r.fail("cloud-config bootcmd", err)
		return
	}
	r.script(instanceDir+"/bootcmd.sh", text, r.instanceEnv())
}

// runCommands writes runcmd as a script that runs with the others, after the
// parts, since its name sorts behind theirs.
func (r *Runner) runCommands(value any, _ config) error {
	text, err := shellScript(value)
	if err != nil {
		return err
	}
	return os.WriteFile(r.Root.Path(instanceDir+"/scripts/runcmd"), text, 0o700)
}

// shellScript turns a list of commands into a script: a string is a line of
// shell, a list is one command with its arguments.
func shellScript(value any) ([]byte, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("must be a list of commands, not %T", value)
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	for i, item := range list {
		switch c := item.(type) {
		case string:
			b.WriteString(c + "\n")
		case []any:
			words := make([]string, len(c))
			for j, w := range c {
				words[j] = quote(fmt.Sprint(w))
			}
			b.WriteString(strings.Join(words, " ") + "\n")
		case nil:
		default:
			return nil, fmt.Errorf("command %d must be a string or a list, not %T", i+1, item)
		}
	}
	return []byte(b.String()), nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (r *Runner) packageIndex(value any, all config) error {
	if value == true && all["packages"] == nil {
		r.log("packages: nothing to update: the image is read as it is")
	}
	return nil
}

func (r *Runner) installPackages(value any, _ config) error {
	var names []string
	for _, item := range asList(value) {
		switch p := item.(type) {
		case string:
			names = append(names, p)
		case []any: // [name, version]
			if len(p) > 0 {
				names = append(names, fmt.Sprint(p[0]))
			}
		default:
			return fmt.Errorf("%v: packages of a named manager are not supported", item)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if code := r.Packages(names, r.out.file()); code != 0 {
		return fmt.Errorf("installing %s: exit status %d", strings.Join(names, " "), code)
	}
	return nil
}

func (r *Runner) finalMessage(value any, _ config) error {
	r.log("%v", value)
	return nil
}

func (r *Runner) setTimezone(value any, _ config) error {
	zone := "/usr/share/zoneinfo/" + fmt.Sprint(value)
	if !r.Root.Exists(zone) {
		return fmt.Errorf("no such time zone in this image: %v", value)
	}
	local := r.Root.Path("/etc/localtime")
	if err := os.Remove(local); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Symlink(zone, local)
}

func asList(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	case string:
		var out []any
		for _, f := range strings.FieldsFunc(v, func(c rune) bool { return c == ',' || c == ' ' }) {
			out = append(out, f)
		}
		return out
	}
	return []any{value}
}

func stringOf(m map[string]any, key string) string {
	if v, ok := m[key]; ok && v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// modeOf reads a mode as YAML gives it: a number, which YAML 1.1 took for octal
// when it began with 0, or a string.
func modeOf(m map[string]any, fallback os.FileMode) (os.FileMode, error) {
	switch v := m["permissions"].(type) {
	case nil:
		return fallback, nil
	case string:
		return guest.ParseMode(v)
	case int:
		return os.FileMode(v) & os.ModePerm, nil
	default:
		return 0, fmt.Errorf("permissions must be a string such as '0644', not %v", v)
	}
}
