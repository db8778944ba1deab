package hooks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/agent/appspec"
	"github.com/hardstand/hardstand/internal/clock"
)

// running is one script whose process has started.
type running struct {
	cmd     *exec.Cmd
	family  *family
	script  appspec.Script
	timeout <-chan time.Time
	clock   clock.Clock
	exited  chan error
	pipes   []*pipe
}

type pipe struct {
	name   string
	file   *os.File
	closed chan struct{}
}

// maxLine bounds a line of output; longer ones are cut into several.
const maxLine = 32 << 10

// read starts the goroutines that wait for the process and copy its outputs;
// wait ends them all.
func (r *running) read(stdout, stderr *os.File, log *scriptLog) {
	r.exited = make(chan error, 1)
	r.pipes = []*pipe{
		{name: "STDOUT", file: stdout, closed: make(chan struct{})},
		{name: "STDERR", file: stderr, closed: make(chan struct{})},
	}
	for _, p := range r.pipes {
		go func() {
			defer close(p.closed)
			copyLines(p.file, "["+strings.ToLower(p.name)+"]", log)
		}()
	}
	go func() { r.exited <- r.cmd.Wait() }()
}

func copyLines(from io.Reader, prefix string, log *scriptLog) {
	in := bufio.NewReaderSize(from, maxLine)
	for {
		text, err := in.ReadSlice('\n')
		if len(text) > 0 {
			log.line(prefix + strings.TrimRight(string(text), "\r\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// wait returns when the process has ended and its outputs are closed, or the
// time is over.
func (r *running) wait(ctx context.Context) error {
	defer r.closePipes()
	select {
	case err := <-r.exited:
		return r.afterExit(ctx, err)
	case <-r.timeout:
		r.kill()
		return &Failure{Code: CodeTimedOut, Message: fmt.Sprintf("Script at specified location: %s failed to complete in %d seconds",
			r.script.Location, r.script.Timeout)}
	case <-ctx.Done():
		r.kill()
		return ctx.Err()
	}
}

// kill ends the script with all that came from it: nothing of it must outlive its
// time.
func (r *running) kill() {
	r.family.end(r.clock)
	<-r.exited
}

func (r *running) afterExit(ctx context.Context, err error) error {
	for _, p := range r.pipes {
		select {
		case <-p.closed:
		case <-r.timeout:
			return &Failure{Code: CodeOutputsOpen, Message: "Script at specified location: " + r.script.Location + " failed to close " + p.name}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	code := ""
	if exit.Exited() {
		code = fmt.Sprint(exit.ExitCode())
	}
	message := "Script at specified location: " + r.name() + " failed with exit code " + code
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		message += "(killed by signal " + status.Signal().String() + ")"
	}
	return &Failure{Code: CodeFailed, Message: message}
}

// closePipes ends the copying goroutines even where somebody keeps the other
// end open, and waits for them.
func (r *running) closePipes() {
	for _, p := range r.pipes {
		_ = p.file.Close()
		<-p.closed
	}
}
