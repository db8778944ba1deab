// Package hooks runs the scripts of one lifecycle event, one after the other,
// until one fails.
//
// Each script is its own process group with no standard input. Its output goes
// line by line to scripts.log and, as a tail, to the service. Its time-out
// covers the closing of its outputs too: a background process that keeps them
// open fails the event although the script ended well.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/agent/appspec"
	"github.com/hardstand/hardstand/internal/clock"
)

// Codes of the diagnostics, as the service knows them.
const (
	CodeSuccess       = 0
	CodeMissing       = 1
	CodeNotExecutable = 2
	CodeTimedOut      = 3
	CodeFailed        = 4
	CodeUnknown       = 5
	CodeOutputsOpen   = 6
	CodeRestarted     = 7
)

// killAfter is what a script gets between SIGTERM and SIGKILL.
const killAfter = 5 * time.Second

// Failure is a script that did not succeed.
type Failure struct {
	Code    int
	Script  string // location as the appspec has it
	Message string
	Log     string // tail of the output, below 2048 characters
}

func (f *Failure) Error() string { return f.Message }

// Runner runs events.
type Runner struct {
	Archive string   // where locations begin
	Env     []string // complete environment
	LogFile string
	// SharedLog, if not "", is the log of all deployments; its lines carry
	// Deployment.
	SharedLog  string
	Deployment string
	Clock      clock.Clock
	// Audit gets one line per script for the agent's own log.
	Audit func(string)
	// Started, if set, is called when a script's process runs.
	Started func(pid int)
}

type outputKey struct{}

// WithOutput returns a context in which Run gives each line of the log to out as
// well; nil gives none. out must not wait.
func WithOutput(ctx context.Context, out func(line string)) context.Context {
	if out == nil {
		return ctx
	}
	return context.WithValue(ctx, outputKey{}, out)
}

// Run runs the scripts of event.
func (r Runner) Run(ctx context.Context, event string, scripts []appspec.Script) error {
	log, err := r.openLog()
	if err != nil {
		return err
	}
	defer log.close()
	if out, ok := ctx.Value(outputKey{}).(func(string)); ok {
		log.out = out
	}
	log.line("LifecycleEvent - " + event)
	for _, s := range scripts {
		if err := r.script(ctx, s, log); err != nil {
			var f *Failure
			if errors.As(err, &f) {
				f.Script, f.Log = s.Location, log.tail()
			}
			return err
		}
	}
	return nil
}

func (r Runner) script(ctx context.Context, s appspec.Script, log *scriptLog) error {
	path, err := r.locate(s)
	if err != nil {
		return err
	}
	log.line("Script - " + s.Location)
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, outR.Close(), outW.Close())
	}
	group := newControlGroup(ownControlGroup())
	defer group.close()
	cmd, err := r.start(s, path, outW, errW, group)
	_, _ = outW.Close(), errW.Close()
	if err != nil {
		_, _ = outR.Close(), errR.Close()
		return &Failure{Code: CodeFailed, Message: launchMessage(s, path, err)}
	}
	run := &running{cmd: cmd, family: newFamily(cmd.Process.Pid, r.Env, group), script: s, timeout: r.Clock.After(time.Duration(s.Timeout) * time.Second), clock: r.Clock}
	if r.Started != nil {
		r.Started(cmd.Process.Pid)
	}
	run.read(outR, errR, log)
	err = run.wait(ctx)
	r.Audit(fmt.Sprintf("script %s pid %d: %s", s.Location, cmd.Process.Pid, cmd.ProcessState))
	return err
}

// locate finds the script inside the archive and makes it executable.
func (r Runner) locate(s appspec.Script) (string, error) {
	path := filepath.Join(r.Archive, s.Location)
	missing := &Failure{Code: CodeMissing, Message: "Script does not exist at specified location: " + path}
	rel := filepath.Clean(strings.TrimLeft(s.Location, "/"))
	if !filepath.IsLocal(rel) {
		return "", missing
	}
	root, err := os.OpenRoot(r.Archive)
	if err != nil {
		return "", missing
	}
	defer root.Close()
	info, err := root.Stat(rel)
	if err != nil || !info.Mode().IsRegular() {
		return "", missing
	}
	if info.Mode()&0o111 == 0 {
		r.Audit("script " + s.Location + " is not executable; adding the permission")
		if err := root.Chmod(rel, info.Mode().Perm()|0o111); err != nil {
			return "", &Failure{Code: CodeNotExecutable, Message: "Unable to set script at specified location: " + s.Location + " as executable"}
		}
	}
	return path, nil
}

// start runs path as the script's user, directly or through su and sudo. A file
// without an interpreter line is given to the shell, as a shell would do; where the
// script cannot be started in a control group, it runs without one.
func (r Runner) start(s appspec.Script, path string, stdout, stderr *os.File, group *controlGroup) (*exec.Cmd, error) {
	args := command(s, path)
	attr := &syscall.SysProcAttr{Setpgid: true}
	if group != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(group.dir.Fd())
	}
	for {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = r.Env, stdout, stderr, attr
		err := cmd.Start()
		switch {
		case err == nil:
			return cmd, nil
		case errors.Is(err, syscall.ENOEXEC) && args[0] == path:
			args = []string{"/bin/sh", path}
		case attr.UseCgroupFD:
			attr = &syscall.SysProcAttr{Setpgid: true} // a kernel or a host that puts nothing there
		default:
			return nil, err
		}
	}
}

func command(s appspec.Script, path string) []string {
	var args []string
	if s.Sudo {
		args = append(args, "sudo")
	}
	if s.RunAs != "" {
		return append(args, "su", s.RunAs, "-c", "'"+strings.ReplaceAll(path, "'", `'\''`)+"'")
	}
	return append(args, path)
}

func (s running) name() string {
	if s.script.RunAs != "" {
		return s.script.Location + " run as user " + s.script.RunAs
	}
	return s.script.Location
}

// launchMessage names the usual causes: the interpreter is missing, or the file
// has Windows line ends.
func launchMessage(s appspec.Script, path string, err error) string {
	why := err.Error()
	if interpreter := firstLine(path); errors.Is(err, syscall.ENOENT) && strings.HasPrefix(interpreter, "#!") {
		why = "its interpreter " + strings.TrimSpace(interpreter[2:]) + " does not exist on this host"
		if strings.HasSuffix(interpreter, "\r") {
			why = "its first line ends in a carriage return (Windows line ends); save it with Unix line ends"
		}
	}
	return "Script at specified location: " + running{script: s}.name() + " failed with error " + class(err) + " with message " + why
}

func class(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if name, ok := map[syscall.Errno]string{syscall.ENOENT: "Errno::ENOENT", syscall.EACCES: "Errno::EACCES", syscall.ENOEXEC: "Errno::ENOEXEC"}[errno]; ok {
			return name
		}
	}
	return "Error"
}

func firstLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var buf [256]byte
	n, _ := f.Read(buf[:])
	line, _, _ := strings.Cut(string(buf[:n]), "\n")
	return line
}

// secrets are the variables of credentials: an agent may have been started with
// some, which are none of the scripts' business. AWS_ACCESS_KEY and AWS_SECRET_KEY are
// what the Ruby agent exports.
var secrets = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_FILE", "AWS_CREDENTIAL_EXPIRATION",
	"AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "CODEDEPLOY_GITHUB_TOKEN",
}

// SplitSecrets parts the entries of an environment that are credentials from the
// others.
func SplitSecrets(env []string) (secret, rest []string) {
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); slices.Contains(secrets, name) {
			secret = append(secret, kv)
		} else {
			rest = append(rest, kv)
		}
	}
	return secret, rest
}

// Environment merges the deployment's variables into base, without the
// loader's, which would let one deployment change every later program.
func Environment(base, add []string) []string {
	_, rest := SplitSecrets(base)
	drop := func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "LD_") || slices.ContainsFunc(add, func(a string) bool { return strings.HasPrefix(a, name+"=") })
	}
	return append(slices.DeleteFunc(rest, drop), add...)
}
