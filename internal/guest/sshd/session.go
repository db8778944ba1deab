package sshd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/pty"
)

// ttyGroup owns terminals on every distribution.
const ttyGroup = 5

// session is one session channel: at most one command.
type session struct {
	*login
	ch  ssh.Channel
	env []string

	terminal      string // TERM, when a terminal was asked for
	master, slave *os.File
	started       bool
	pid           int
	// gone is set when the command has been waited for: its id may then be
	// another's.
	gone  atomic.Bool
	ended sync.WaitGroup
}

func (l *login) session(nc ssh.NewChannel) {
	ch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	s := &session{login: l, ch: ch}
	defer s.close()
	for r := range requests {
		ok := s.request(r)
		if r.WantReply {
			if err := r.Reply(ok, nil); err != nil {
				break
			}
		}
		if ok && s.pid == 0 && s.started {
			break // it could not be started, and the client has been told
		}
	}
	// The client has gone, or closed the channel after the command's end.
	s.kill(syscall.SIGHUP)
	s.ended.Wait()
}

// kill signals the command and what runs in its process group.
func (s *session) kill(sig syscall.Signal) bool {
	return s.pid != 0 && !s.gone.Load() && syscall.Kill(-s.pid, sig) == nil
}

func (s *session) close() {
	s.ch.Close()
	for _, f := range []*os.File{s.master, s.slave} {
		if f != nil {
			f.Close()
		}
	}
}

// request carries out one request of the client; false refuses it.
func (s *session) request(r *ssh.Request) bool {
	switch r.Type {
	case "env":
		return s.setEnv(r.Payload)
	case "pty-req":
		return s.openTerminal(r.Payload)
	case "window-change":
		var size struct{ Columns, Rows, Width, Height uint32 }
		if ssh.Unmarshal(r.Payload, &size) != nil || s.master == nil {
			return false
		}
		return pty.Resize(s.master, uint16(size.Rows), uint16(size.Columns)) == nil
	case "signal":
		var msg struct{ Name string }
		if ssh.Unmarshal(r.Payload, &msg) != nil {
			return false
		}
		sig, ok := signals[msg.Name]
		return ok && s.kill(sig)
	case "shell":
		return s.start("")
	case "exec":
		var msg struct{ Command string }
		if ssh.Unmarshal(r.Payload, &msg) != nil {
			return false
		}
		return s.start(msg.Command)
	case "subsystem":
		var msg struct{ Name string }
		if ssh.Unmarshal(r.Payload, &msg) != nil || msg.Name != "sftp" {
			return false
		}
		return s.startSFTP()
	}
	return false
}

var signals = map[string]syscall.Signal{"ABRT": syscall.SIGABRT, "ALRM": syscall.SIGALRM, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT,
	"KILL": syscall.SIGKILL, "PIPE": syscall.SIGPIPE, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2}

// setEnv takes what concerns language and colours; anything else could change
// how the user's programs work.
func (s *session) setEnv(payload []byte) bool {
	var msg struct{ Name, Value string }
	if ssh.Unmarshal(payload, &msg) != nil || strings.ContainsAny(msg.Name, "=\x00") || strings.Contains(msg.Value, "\x00") {
		return false
	}
	if msg.Name != "LANG" && msg.Name != "COLORTERM" && msg.Name != "NO_COLOR" && !strings.HasPrefix(msg.Name, "LC_") {
		return false
	}
	s.env = append(s.env, msg.Name+"="+msg.Value)
	return true
}

func (s *session) openTerminal(payload []byte) bool {
	var msg struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	if ssh.Unmarshal(payload, &msg) != nil || s.master != nil || s.restricted("pty") {
		return false
	}
	master, slave, err := pty.Open()
	if err != nil {
		s.server.say("terminal for %s: %v", s.user.Name, err)
		return false
	}
	s.terminal, s.master, s.slave = msg.Term, master, slave
	if os.Getuid() == 0 {
		if err := errors.Join(os.Chown(slave.Name(), s.user.UID, ttyGroup), os.Chmod(slave.Name(), 0o620)); err != nil {
			s.server.say("terminal for %s: %v", s.user.Name, err)
		}
	}
	return pty.Resize(master, uint16(msg.Rows), uint16(msg.Columns)) == nil
}

// start runs command, or a login shell where it is empty, in the user's shell.
func (s *session) start(command string) bool {
	if s.started {
		return false
	}
	s.started = true
	shell := s.user.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	env := s.environment(shell)
	if forced, ok := s.conn.Permissions.Extensions[extCommand]; ok {
		env = append(env, "SSH_ORIGINAL_COMMAND="+command)
		command = forced
	}
	argv := []string{shell, "-c", command}
	if command == "" {
		argv = []string{"-" + filepath.Base(shell)}
		s.greet()
	}
	return s.launch(&exec.Cmd{Path: shell, Args: argv, Env: env})
}

func (s *session) startSFTP() bool {
	if s.started {
		return false
	}
	s.started = true
	if _, forced := s.conn.Permissions.Extensions[extCommand]; forced {
		return false
	}
	program := s.server.SFTP
	return s.launch(&exec.Cmd{Path: program[0], Args: append([]string{"hardstand-guest"}, program[1:]...), Env: s.environment(s.user.Shell)})
}

// greet shows the message of the day before a shell on a terminal.
func (s *session) greet() {
	if s.master == nil || s.server.Root.Exists(s.user.Home+"/.hushlogin") {
		return
	}
	motd, err := os.ReadFile(s.server.Root.Path("/etc/motd"))
	if err != nil {
		return
	}
	io.WriteString(s.ch, strings.ReplaceAll(string(motd), "\n", "\r\n"))
}

func (s *session) environment(shell string) []string {
	env := []string{"USER=" + s.user.Name, "LOGNAME=" + s.user.Name, "HOME=" + s.user.Home, "SHELL=" + shell, "PATH=" + guest.DefaultPath}
	if more, err := s.server.Root.Environment(); err == nil {
		env = append(env, more...)
	}
	env = append(env, s.env...)
	remote, local := s.conn.RemoteAddr().String(), s.conn.LocalAddr().String()
	if host, port, err := net.SplitHostPort(remote); err == nil {
		if at, atPort, err := net.SplitHostPort(local); err == nil {
			env = append(env, fmt.Sprintf("SSH_CLIENT=%s %s %s", host, port, atPort),
				fmt.Sprintf("SSH_CONNECTION=%s %s %s %s", host, port, at, atPort))
		}
	}
	if s.slave != nil {
		env = append(env, "SSH_TTY="+s.slave.Name(), "TERM="+s.terminal)
	}
	for line := range strings.Lines(s.conn.Permissions.Extensions[extEnvironment]) {
		env = append(env, strings.TrimSuffix(line, "\n"))
	}
	return env
}
