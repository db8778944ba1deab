// Package sudo answers to sudo in images that have none.
//
// No set-id program is needed: PID 1 runs the command, with this process's
// standard files, after it has asked the kernel who is calling (package control).
// At a terminal the command gets one of its own, so that it has job control and
// Ctrl-C reaches it, and this process copies between the two. The flow enters in
// Run.
package sudo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
	"github.com/hardstand/hardstand/internal/guest/control"
)

// keep are the variables that pass through: the ones that say whom to trust and
// where the server is, as a sudoers file with env_keep would list them.
var keep = []string{"TERM", "LANG", "LC_ALL", "LC_CTYPE", "COLORTERM", "DISPLAY", "SSH_AUTH_SOCK", "PS1",
	"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE",
	"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_REGION", "http_proxy", "https_proxy", "no_proxy"}

// request is a parsed command line.
type request struct {
	user    string
	keepAll bool
	login   bool
	shell   bool
	check   bool // -v, -l: only whether it would be allowed
	setHome bool
	forget  bool // -k, -K: there is nothing to forget
	dir     string
	env     []string
	command []string
}

// Run runs sudo and returns the command's exit code.
func Run(args []string) int {
	code, err := run("", args, os.Stderr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "sudo: %v\n", err)
	}
	return code
}

const usage = "usage: sudo [-EHinS] [-u user] [-s | -i] [VAR=value] [command [arg ...]]"

func run(root guest.Root, args []string, errs io.Writer) (int, error) {
	req, err := parse(args)
	if err != nil {
		fmt.Fprintln(errs, usage)
		return 1, err
	}
	if req.forget && len(req.command) == 0 {
		return 0, nil
	}
	u, err := accounts.LookupUser(root, req.user)
	if err != nil {
		return 1, fmt.Errorf("unknown user %s", req.user)
	}
	if req.check {
		req.command = []string{"true"}
	} else if len(req.command) == 0 && !req.login && !req.shell {
		fmt.Fprintln(errs, usage)
		return 1, errors.New("no command given")
	}
	r, err := req.build(root, u, os.Environ())
	if err != nil {
		return 1, err
	}
	return execute(root, r)
}

func parse(args []string) (request, error) {
	r := request{user: "root"}
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			r.command = args[i+1:]
			return r, nil
		case a == "-u" || a == "--user" || a == "-D" || a == "--chdir" || a == "-g" || a == "-p" || a == "-C" || a == "-r" || a == "-t":
			if i++; i >= len(args) {
				return r, fmt.Errorf("option %s needs a value", a)
			}
			switch a {
			case "-u", "--user":
				r.user = strings.TrimPrefix(args[i], "#")
			case "-D", "--chdir":
				r.dir = args[i]
			case "-p":
			default:
				return r, fmt.Errorf("option %s is not supported", a)
			}
		case strings.HasPrefix(a, "--"):
			if err := r.long(a); err != nil {
				return r, err
			}
		case len(a) > 2 && a[0] == '-' && a[1] != '-' && a[len(a)-1] == 'u' && i+1 < len(args):
			if err := r.letters(a[1 : len(a)-1]); err != nil {
				return r, err
			}
			i++
			r.user = args[i]
		case strings.HasPrefix(a, "-") && a != "-":
			if err := r.letters(a[1:]); err != nil {
				return r, err
			}
		case strings.Contains(a, "=") && !strings.HasPrefix(a, "="):
			r.env = append(r.env, a)
		default:
			r.command = args[i:]
			return r, nil
		}
	}
	return r, nil
}

func (r *request) long(a string) error {
	name, value, _ := strings.Cut(a, "=")
	letters := map[string]string{"--preserve-env": "E", "--login": "i", "--shell": "s", "--set-home": "H",
		"--non-interactive": "n", "--stdin": "S", "--validate": "v", "--list": "l"}
	switch {
	case name == "--user":
		r.user = value
	case name == "--chdir":
		r.dir = value
	case name == "--preserve-env" && value != "":
		for key := range strings.SplitSeq(value, ",") {
			if v, ok := os.LookupEnv(key); ok {
				r.env = append(r.env, key+"="+v)
			}
		}
	case letters[name] != "":
		return r.letters(letters[name])
	default:
		return fmt.Errorf("unrecognized option '%s'", a)
	}
	return nil
}

func (r *request) letters(s string) error {
	for i, c := range s {
		switch c {
		case 'E':
			r.keepAll = true
		case 'H':
			r.setHome = true
		case 'i':
			r.login = true
		case 's':
			r.shell = true
		case 'v', 'l':
			r.check = true
		case 'k', 'K':
			r.forget = true
		case 'n', 'S', 'A', 'b', 'P':
			if c == 'b' {
				return errors.New("option -b is not supported: use &")
			}
		case 'u':
			if rest := s[i+1:]; rest != "" {
				r.user = rest
				return nil
			}
			return errors.New("option -u needs a value of its own after it")
		default:
			return fmt.Errorf("invalid option -- '%c'", c)
		}
	}
	return nil
}

// build makes the command that PID 1 shall run.
func (r request) build(root guest.Root, u accounts.User, have []string) (control.Run, error) {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	out := control.Run{User: u.Name, Dir: dir, Env: r.environment(root, u, have), Argv: r.command}
	shell := u.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	switch {
	case r.login:
		out.Dir = u.Home
		out.Path = shell
		out.Argv = []string{"-" + shell[strings.LastIndexByte(shell, '/')+1:]}
	case r.shell:
		if s := lookup(have, "SHELL"); s != "" {
			shell = s
		}
		out.Path, out.Argv = shell, []string{shell}
	}
	if (r.login || r.shell) && len(r.command) > 0 {
		words := make([]string, len(r.command))
		for i, w := range r.command {
			words[i] = escape(w)
		}
		out.Argv = append(out.Argv, "-c", strings.Join(words, " "))
	}
	if r.dir != "" {
		out.Dir = r.dir
	}
	if out.Path == "" {
		if out.Path = find(root, r.command[0], lookup(out.Env, "PATH")); out.Path == "" {
			return out, fmt.Errorf("%s: command not found", r.command[0])
		}
	}
	return out, nil
}

func (r request) environment(root guest.Root, u accounts.User, have []string) []string {
	var env []string
	for _, kv := range have {
		key, _, _ := strings.Cut(kv, "=")
		if r.keepAll || slices.Contains(keep, key) {
			env = set(env, kv)
		}
	}
	// What every session has comes from the file, whether the caller has it or not.
	if more, err := root.Environment(); err == nil {
		for _, kv := range more {
			env = set(env, kv)
		}
	}
	env = set(env, "PATH="+guest.DefaultPath)
	if home := lookup(have, "HOME"); r.keepAll && !r.setHome && !r.login && home != "" {
		env = set(env, "HOME="+home)
	} else {
		env = set(env, "HOME="+u.Home)
	}
	env = set(set(set(env, "USER="+u.Name), "LOGNAME="+u.Name), "SHELL="+u.Shell)
	uid := os.Getuid()
	if caller, err := accounts.LookupUser(root, strconv.Itoa(uid)); err == nil {
		env = set(env, "SUDO_USER="+caller.Name)
	}
	env = set(set(env, "SUDO_UID="+strconv.Itoa(uid)), "SUDO_GID="+strconv.Itoa(os.Getgid()))
	env = set(env, "SUDO_COMMAND="+strings.Join(r.command, " "))
	for _, kv := range r.env {
		env = set(env, kv)
	}
	return env
}

func set(env []string, kv string) []string {
	key, _, _ := strings.Cut(kv, "=")
	for i, e := range env {
		if strings.HasPrefix(e, key+"=") {
			env[i] = kv
			return env
		}
	}
	return append(env, kv)
}

func lookup(env []string, key string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}

func find(root guest.Root, name, path string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for dir := range strings.SplitSeq(path, ":") {
		if root.Executable(dir + "/" + name) {
			return dir + "/" + name
		}
	}
	return ""
}

// escape protects a word from the shell that runs it, but for $, as sudo does.
func escape(w string) string {
	var b strings.Builder
	for _, c := range w {
		plain := c == '_' || c == '-' || c == '$' || c == '.' || c == '/' || '0' <= c && c <= '9' ||
			'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c > 127
		if !plain {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}
