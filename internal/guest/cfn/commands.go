package cfn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// runCommands runs the commands section, by name: all of it, or what an earlier run
// left.
func (b *build) runCommands(section map[string]any) error {
	names := sorted(section)
	if b.work.Commands != nil {
		names = *b.work.Commands
	}
	for i, name := range names {
		// What is kept tells that this command has begun: one that reboots the
		// instance is not run again.
		left := names[i+1:]
		b.work.Commands, b.work.Changed = &left, b.changed
		if err := b.save(); err != nil {
			return err
		}
		c, ok := section[name].(map[string]any)
		if !ok {
			return said("Command %s is not an object", name)
		}
		if err := b.runCommand(name, c); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) runCommand(name string, c map[string]any) error {
	c, err := b.withDefaults(name, c)
	if err != nil {
		return err
	}
	if c["command"] == nil {
		b.logf("ERROR", "No command specified for %s", name)
		return said("%s does not specify the 'command' attribute, which is required", name)
	}
	if c["waitAfterCompletion"] != nil {
		b.debug("Command %s: waitAfterCompletion is for Windows", name)
	}
	if test := c["test"]; test != nil {
		code, out := b.command("", test, map[string]any{"env": c["env"], "cwd": c["cwd"]})
		b.debug("Test command output: %s", out)
		if code != 0 {
			b.info("Test failed with code %d", code)
			return nil
		}
		b.debug("Test for command %s passed", name)
	}
	code, out := b.command("Command "+name, c["command"], c)
	b.debug("Command %s output: %s", name, out)
	if code == 0 {
		b.info("Command %s succeeded", name)
		b.changed.note("commands", name)
		return nil
	}
	b.logf("ERROR", "Command %s (%s) failed", name, strings.Join(texts(c["command"]), " "))
	if ignore, _ := truth(c["ignoreErrors"]); !ignore {
		return said("Command %s failed", name)
	}
	b.info("ignoreErrors set to true, continuing build")
	b.changed.note("commands", name)
	return nil
}

// withDefaults returns c over the attributes that its defaults command prints.
func (b *build) withDefaults(name string, c map[string]any) (map[string]any, error) {
	if c["defaults"] == nil {
		return c, nil
	}
	cmd, err := b.process(c["defaults"], nil)
	if err != nil {
		return nil, err
	}
	out, err := cmd.Output()
	if err != nil {
		b.logf("ERROR", "Defaults script failed for %s: %v", name, err)
		return nil, said("Defaults script for command %s failed", name)
	}
	all := map[string]any{}
	if err := readJSON(strings.NewReader(string(out)), &all); err != nil {
		return nil, said("Defaults script for command %s: %w", name, err)
	}
	for k, v := range c {
		all[k] = v
	}
	return all, nil
}

// command runs a string in a shell or a list as it is, with the settings of c, and
// returns its exit code and output. With a title both go into the log of commands.
func (b *build) command(title string, value any, c map[string]any) (int, []byte) {
	if title != "" {
		b.heading("=", title)
	}
	cmd, err := b.process(value, c)
	var out []byte
	if err == nil {
		out, err = cmd.CombinedOutput()
	}
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		if code = exit.ExitCode(); code < 0 {
			code = 128
		}
	case err != nil:
		code, out = 127, append(out, err.Error()...)
	}
	if title == "" {
		return code, out
	}
	if len(out) > 0 {
		b.commandf("INFO", "%s", centred("Command Output"))
		for line := range strings.Lines(string(out)) {
			b.commandf("INFO", "\t%s", strings.TrimRight(line, "\r\n"))
		}
		b.commandf("INFO", "%s", strings.Repeat("-", 60))
	}
	if code == 0 {
		b.commandf("INFO", "Completed successfully.")
	} else {
		b.commandf("ERROR", "Exited with error code %d", code)
	}
	return code, out
}

func (b *build) process(value any, c map[string]any) (*exec.Cmd, error) {
	var argv []string
	switch t := value.(type) {
	case string:
		argv = shell(t)
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
	if rest, ok := strings.CutPrefix(dir, "~"); ok && (rest == "" || rest[0] == '/') {
		home := os.Getenv("HOME")
		if home == "" {
			home = "/root"
		}
		dir = home + rest
	}
	return &exec.Cmd{Path: program, Args: argv, Env: b.environment(c["env"]), Dir: dir}, nil
}

// shell is how a command line is run: by bash in its POSIX mode where there is one,
// for that is what /bin/sh is on Amazon Linux, where templates with a bashism such as
// [ "$a" == "$b" ] were tried.
func shell(line string) []string {
	if _, err := os.Stat("/bin/bash"); err == nil {
		return []string{"/bin/bash", "--posix", "-c", line}
	}
	return []string{"/bin/sh", "-c", line}
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
