package cfn

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// runCommands runs the commands section, by name.
func (b *build) runCommands(section map[string]any) error {
	for _, name := range sorted(section) {
		c, ok := section[name].(map[string]any)
		if !ok {
			return said("Command %s is not an object", name)
		}
		if c["command"] == nil {
			return said("Command %s does not specify the 'command' attribute", name)
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
		return said("Command %s failed", name)
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
