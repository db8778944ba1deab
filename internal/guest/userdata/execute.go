package userdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/guest"
)

// script writes body to path and runs it.
func (r *Runner) script(path string, body []byte, env []string) {
	if err := os.WriteFile(r.Root.Path(path), body, 0o700); err != nil {
		r.fail(path, err)
		return
	}
	r.execute(path, env)
}

// execute runs the script at path, as root in /, and waits for it; what it
// leaves running in the background goes on.
func (r *Runner) execute(path string, env []string) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	cmd := exec.Cmd{Path: r.Root.Path(path), Args: []string{path}, Env: env, Dir: r.Root.Path("/"),
		Stdout: r.out.file(), Stderr: r.out.file()}
	begin := r.Clock.Now()
	err := cmd.Run()
	took := r.Clock.Now().Sub(begin).Round(10 * time.Millisecond)
	var exit *exec.ExitError
	switch {
	case err == nil:
		r.log("%s: exit status 0 after %s", name, took)
	case errors.As(err, &exit):
		r.fail(name, fmt.Errorf("%s after %s", exit, took))
	default:
		r.fail(name, startFailure(r.Root, path, err))
	}
}

// startFailure says why a script could not be started: the kernel's word alone
// ("no such file or directory") names the wrong file.
func startFailure(root guest.Root, path string, err error) error {
	head := make([]byte, 256)
	f, openErr := os.Open(root.Path(path))
	if openErr != nil {
		return err
	}
	defer f.Close()
	n, _ := io.ReadFull(f, head)
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	interpreter, isScript := strings.CutPrefix(string(line), "#!")
	switch {
	case errors.Is(err, syscall.ENOEXEC) && !isScript:
		return fmt.Errorf("exec format error: the script must begin with #! in its very first bytes, it begins %q", firstBytes(line))
	case strings.HasSuffix(interpreter, "\r"):
		return fmt.Errorf("%w: the first line %q ends in CR LF: save the script with LF line ends", err, line)
	case errors.Is(err, os.ErrNotExist) && isScript:
		fields := strings.Fields(interpreter)
		if len(fields) > 0 {
			return fmt.Errorf("the interpreter %s is not in this image", fields[0])
		}
	}
	return err
}

func firstBytes(line []byte) []byte { return line[:min(len(line), 40)] }

// env is what scripts start with: a bare environment, without HOME, as
// cloud-init's, and the image's trust variables.
func (r *Runner) env() []string {
	env := []string{"PATH=" + guest.DefaultPath, "LANG=C.UTF-8", "LC_CTYPE=C.UTF-8"}
	more, err := r.Root.Environment()
	if err != nil {
		r.fail(guest.EnvironmentFile, err)
	}
	for _, kv := range more {
		if !strings.HasPrefix(kv, "PATH=") {
			env = append(env, kv)
		}
	}
	return env
}

// instanceEnv is for boot commands and hooks, which also get the instance id.
func (r *Runner) instanceEnv() []string {
	return append(r.env(), "INSTANCE_ID="+r.InstanceID)
}
