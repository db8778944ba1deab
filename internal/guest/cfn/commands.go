package cfn

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"

	"github.com/hardstand/hardstand/internal/guest/accounts"
)

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// runCommands runs the commands section, by name.
func (b *build) runCommands(section map[string]any) error {
	for _, name := range sorted(section) {
		c, ok := section[name].(map[string]any)
		if !ok {
			return fmt.Errorf("Command %s is not an object", name)
		}
		if c["command"] == nil {
			return fmt.Errorf("Command %s does not specify the 'command' attribute", name)
		}
		if test := c["test"]; test != nil {
			if code, _ := b.command("test for "+name, test, c); code != 0 {
				b.info("Test failed with code %d for command %s: not run", code, name)
				continue
			}
		}
		code, out := b.command("Command "+name, c["command"], c)
		if code == 0 {
			b.info("Command %s succeeded", name)
			b.changed.commands[name] = true
			continue
		}
		if ignore, _ := truth(c["ignoreErrors"]); ignore {
			b.info("Command %s failed (exit code %d), ignored", name, code)
			b.changed.commands[name] = true
			continue
		}
		b.logf("ERROR", "Command %s (%v) failed: exit code %d\n%s", name, c["command"], code, out)
		return fmt.Errorf("Command %s failed", name)
	}
	return nil
}

// command runs a string in a shell or a list as it is, with the settings of c,
// and returns its exit code and output.
func (b *build) command(what string, value any, c map[string]any) (int, []byte) {
	cmd, err := b.process(value, c)
	var out []byte
	if err == nil {
		out, err = cmd.CombinedOutput()
	}
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		code, out = 127, append(out, err.Error()...)
	}
	fmt.Fprintf(b.commands, "%s P%d [INFO] %s: exit code %d\n", stamp(b.Clock.Now()), os.Getpid(), what, code)
	for line := range strings.Lines(string(out)) {
		fmt.Fprintf(b.commands, "%s P%d [INFO] \t%s\n", stamp(b.Clock.Now()), os.Getpid(), strings.TrimRight(line, "\n"))
	}
	return code, out
}

func (b *build) process(value any, c map[string]any) (*exec.Cmd, error) {
	var argv []string
	switch t := value.(type) {
	case string:
		argv = []string{"/bin/sh", "-c", t}
	case []any:
		argv = texts(t)
	}
	if len(argv) == 0 {
		return nil, fmt.Errorf("%v is neither a command nor a list of words", value)
	}
	if user, ok := c["runas"].(string); ok && user != "root" {
		argv = append([]string{"su", user, "-s", "/bin/sh", "-c", `exec "$0" "$@"`, "--"}, argv...)
	}
	program := argv[0]
	if !strings.Contains(program, "/") {
		if program = b.find(argv[0]); program == "" {
			return nil, fmt.Errorf("%s: command not found", argv[0])
		}
	}
	dir, _ := c["cwd"].(string)
	if dir == "" {
		dir = "/"
	}
	return &exec.Cmd{Path: program, Args: argv, Env: b.environment(c["env"]), Dir: dir}, nil
}

// environment is the caller's, or where the command has one of its own that alone,
// with the trust variables that every process of an instance has.
func (b *build) environment(own any) []string {
	m, ok := own.(map[string]any)
	if !ok {
		env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
		path := b.Path
		if have := os.Getenv("PATH"); have != "" {
			path += ":" + have
		}
		return append(env, "PATH="+path)
	}
	env, err := b.Root.Environment()
	if err != nil {
		b.logf("WARNING", "%v", err)
	}
	env = append(env, "PATH="+b.Path)
	for _, k := range sorted(m) {
		env = append(env, k+"="+fmt.Sprint(m[k]))
	}
	return env
}

func (b *build) find(name string) string {
	for dir := range strings.SplitSeq(b.Path, ":") {
		if info, err := os.Stat(dir + "/" + name); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return dir + "/" + name
		}
	}
	return ""
}

// managerOrder is what runs first; the rest follow by name.
var managerOrder = []string{"msi", "dpkg", "rpm", "apt", "yum"}

// packages runs the packages section.
func (b *build) packages(section map[string]any) error {
	managers := sorted(section)
	rank := func(m string) int {
		if i := slices.Index(managerOrder, m); i >= 0 {
			return i
		}
		return len(managerOrder)
	}
	sort.SliceStable(managers, func(i, j int) bool { return rank(managers[i]) < rank(managers[j]) })
	for _, manager := range managers {
		list, ok := section[manager].(map[string]any)
		if !ok {
			return fmt.Errorf("packages of %s are not an object", manager)
		}
		if err := b.install(manager, list); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) install(manager string, list map[string]any) error {
	// How a manager is called, and how it joins a version to a name; "" means that
	// the value is a file or URL to install.
	calls := map[string]struct {
		argv []string
		join string
	}{
		"yum": {[]string{"yum", "-y", "install"}, "-"}, "dnf": {[]string{"dnf", "-y", "install"}, "-"},
		"apt": {[]string{"apt-get", "-q", "-y", "install"}, "="}, "rpm": {[]string{"rpm", "-U", "--quiet", "--replacepkgs"}, ""},
		"dpkg": {[]string{"dpkg", "-i"}, ""}, "python": {[]string{"pip3", "install"}, "=="},
		"rubygems": {[]string{"gem", "install", "--no-document"}, ":"},
	}
	call, known := calls[manager]
	if !known {
		b.logf("WARNING", "Unsupported package manager: %s", manager)
		return nil
	}
	var words []any
	for _, w := range call.argv {
		words = append(words, w)
	}
	names := sorted(list)
	for _, name := range names {
		versions := texts(list[name])
		switch {
		case call.join == "" && len(versions) > 0:
			words = append(words, versions[0])
		case len(versions) == 0 || versions[0] == "":
			words = append(words, name)
		default:
			for _, v := range versions {
				words = append(words, name+call.join+v)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	code, out := b.command("packages of "+manager, words, nil)
	if code != 0 {
		b.logf("ERROR", "%s packages %s failed: exit code %d\n%s", manager, strings.Join(names, " "), code, out)
		return fmt.Errorf("Could not successfully install %s packages (exit code %d): %s\n%s", manager, code, strings.Join(names, " "), out)
	}
	for _, name := range names {
		b.changed.packages[manager+" "+name] = true
	}
	b.info("%s packages installed: %s", manager, strings.Join(names, " "))
	return nil
}

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
			return fmt.Errorf("Failed to create group %s: %w", name, err)
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
			return fmt.Errorf("Failed to add user %s: %w", name, err)
		}
		b.info("User %s created", name)
	}
	return nil
}

// services runs the services section.
func (b *build) services(section map[string]any) error {
	for _, manager := range sorted(section) {
		if manager != "sysvinit" && manager != "systemd" {
			b.logf("WARNING", "Unsupported service manager: %s", manager)
			continue
		}
		list, ok := section[manager].(map[string]any)
		if !ok {
			return fmt.Errorf("services of %s are not an object", manager)
		}
		for _, name := range sorted(list) {
			m, _ := list[name].(map[string]any)
			if err := b.service(name, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *build) service(name string, m map[string]any) error {
	if enabled, ok := truth(m["enabled"]); ok {
		verb := map[bool]string{true: "enable", false: "disable"}[enabled]
		if err := b.systemctl(verb, name); err != nil {
			return err
		}
	}
	running, ok := truth(m["ensureRunning"])
	if !ok {
		return nil
	}
	code, _ := b.command("service "+name, []any{"systemctl", "is-active", "--quiet", name}, nil)
	switch {
	case running && b.touched(m):
		return b.systemctl("restart", name)
	case running && code != 0:
		return b.systemctl("start", name)
	case !running && code == 0:
		return b.systemctl("stop", name)
	}
	return nil
}

func (b *build) systemctl(verb, name string) error {
	code, out := b.command("service "+name, []any{"systemctl", verb, name}, nil)
	if code != 0 {
		return fmt.Errorf("Could not %s service %s (exit code %d): %s", verb, name, code, strings.TrimSpace(string(out)))
	}
	b.info("Service %s: %s", name, verb)
	return nil
}

// touched reports whether one of the things a service lists was changed in this
// run.
func (b *build) touched(m map[string]any) bool {
	listed := func(key string, changed map[string]bool) bool {
		return slices.ContainsFunc(texts(m[key]), func(s string) bool { return changed[s] })
	}
	if listed("files", b.changed.files) || listed("sources", b.changed.sources) || listed("commands", b.changed.commands) {
		return true
	}
	packages, _ := m["packages"].(map[string]any)
	for manager, names := range packages {
		for _, n := range texts(names) {
			if b.changed.packages[manager+" "+n] {
				return true
			}
		}
	}
	return false
}
