package sshd

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// launch starts cmd as the user and, in the background, tells the client how it
// ends.
func (s *session) launch(cmd *exec.Cmd) bool {
	attr, err := s.identity()
	if err == nil {
		cmd.SysProcAttr = attr
		cmd.Dir = s.server.Root.Path(s.user.Home)
		if _, statErr := os.Stat(cmd.Dir); statErr != nil {
			cmd.Dir = "/"
		}
		if s.slave != nil {
			err = s.onTerminal(cmd)
		} else {
			err = s.onPipes(cmd)
		}
	}
	if err != nil {
		s.server.say("start for %s: %v", s.user.Name, err)
		fmt.Fprintf(s.ch.Stderr(), "hardstand sshd: %v\r\n", err)
		s.tell(255)
		s.ch.Close()
		return true
	}
	s.pid = cmd.Process.Pid
	return true
}

func (s *session) identity() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setsid: true}
	if s.user.UID == os.Getuid() && os.Getuid() != 0 {
		return attr, nil
	}
	groups, err := accounts.Supplementary(s.server.Root, s.user)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(s.user.UID), Gid: uint32(s.user.GID), Groups: groups}
	return attr, nil
}

func (s *session) onTerminal(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.slave, s.slave, s.slave
	cmd.SysProcAttr.Setctty = true
	if err := cmd.Start(); err != nil {
		return err
	}
	s.slave.Close()
	go io.Copy(s.master, s.ch)
	drained := make(chan struct{})
	go func() { defer close(drained); io.Copy(s.ch, s.master) }()
	s.ended.Go(func() {
		err := cmd.Wait()
		s.gone.Store(true)
		// What the command has written is in the terminal's buffer by now. A
		// background process may hold the terminal for ever, so the rest gets a
		// deadline.
		s.master.SetReadDeadline(s.server.Clock.Now().Add(drainWait))
		<-drained
		s.report(err, cmd)
	})
	return nil
}

// drainWait bounds the reading of a terminal after the end of its command.
const drainWait = 250 * time.Millisecond

func (s *session) onPipes(cmd *exec.Cmd) error {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = s.ch, s.ch.Stderr()
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		io.Copy(stdin, s.ch)
		stdin.Close()
	}()
	s.ended.Go(func() {
		err := cmd.Wait()
		s.gone.Store(true)
		s.report(err, cmd)
	})
	return nil
}

// report tells the client how the command ended and closes the channel, which
// ends the session.
func (s *session) report(err error, cmd *exec.Cmd) {
	ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		s.server.say("command of %s: %v", s.user.Name, err)
		s.tell(255)
	case ws.Signaled():
		name := strings.TrimPrefix(signalName(ws.Signal()), "SIG")
		msg := struct {
			Name          string
			Core          bool
			Message, Lang string
		}{name, ws.CoreDump(), "", ""}
		s.ch.SendRequest("exit-signal", false, ssh.Marshal(&msg))
	default:
		s.tell(uint32(ws.ExitStatus()))
	}
	s.ch.CloseWrite()
	s.ch.Close()
}

func (s *session) tell(code uint32) {
	msg := struct{ Code uint32 }{code}
	// A client that has gone needs no answer.
	s.ch.SendRequest("exit-status", false, ssh.Marshal(&msg))
}

func signalName(sig syscall.Signal) string {
	for name, s := range signals {
		if s == sig {
			return "SIG" + name
		}
	}
	return "SIG" + strconv.Itoa(int(sig)) + "@hardstand"
}
