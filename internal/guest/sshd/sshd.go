// Package sshd is the SSH server of an instance: logging in with a public key,
// commands, terminals, sftp and forwarding of connections to the instance's own
// network.
//
//	PID 1 (listens on port 22) -> `hardstand-guest sshd --inetd`, connection as
//	standard input -> Server.Serve -> session -> the user's shell
//
// There is one process per connection and none while nobody is logged in. It runs
// as root; shells, commands and sftp run as the user, in processes of their own.
// There are no passwords. The host keys are this instance's (HostKeys). It
// imports guest, accounts and pty.
package sshd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// loginGrace is how long a client may take to authenticate.
const loginGrace = 2 * time.Minute

// Server serves connections.
type Server struct {
	Root guest.Root
	// Log takes one line for each login and each refusal.
	Log   io.Writer
	Clock clock.Clock
	// SFTP is the program that serves sftp on its standard files, with its first
	// argument.
	SFTP []string
}

// Run is sshd. With --inetd it serves the connection that is its standard input;
// otherwise it listens on the address given, or on port 22.
func Run(args []string) int {
	s := &Server{Log: logFile(), Clock: clock.System{}, SFTP: []string{"/proc/self/exe", "sftp-server"}}
	if slices.Contains(args, "--inetd") || slices.Contains(args, "-i") {
		conn, err := net.FileConn(os.Stdin)
		if err != nil {
			fmt.Fprintf(os.Stderr, "sshd: standard input is not a connection: %v\n", err)
			return 1
		}
		os.Stdin.Close()
		if err := s.Serve(conn); err != nil {
			fmt.Fprintf(s.Log, "%s sshd[%d]: %v\n", s.Clock.Now().UTC().Format(time.RFC3339), os.Getpid(), err)
			return 1
		}
		return 0
	}
	address := ":22"
	if len(args) == 1 {
		address = args[0]
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintf(os.Stderr, "sshd: %v\n", err)
		return 1
	}
	return s.listen(l)
}

// listen serves until the listener and the last connection are closed, for images whose PID 1 is not ours.
func (s *Server) listen(l net.Listener) int {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return 0
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "sshd: %v\n", err)
			return 1
		}
		open.Go(func() {
			if err := s.Serve(conn); err != nil {
				s.say("%v", err)
			}
		})
	}
}

// SFTPServer serves sftp on its standard files, as the user who runs it.
func SFTPServer([]string) int {
	server, err := sftp.NewServer(stdio{})
	if err == nil {
		err = server.Serve()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintf(os.Stderr, "sftp-server: %v\n", err)
		return 1
	}
	return 0
}

// stdio is standard input and output as one stream.
type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error                { return errors.Join(os.Stdin.Close(), os.Stdout.Close()) }

// logFile is the log of logins; where it cannot be written nothing is logged.
func logFile() io.Writer {
	if err := os.MkdirAll("/var/log", 0o755); err != nil {
		return io.Discard
	}
	f, err := os.OpenFile("/var/log/auth.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return io.Discard
	}
	return f
}

func (s *Server) say(format string, args ...any) {
	fmt.Fprintf(s.Log, "%s sshd[%d]: %s\n", s.Clock.Now().UTC().Format(time.RFC3339), os.Getpid(), fmt.Sprintf(format, args...))
}

// Serve handles one connection to its end.
func (s *Server) Serve(conn net.Conn) error {
	defer conn.Close()
	signers, err := HostKeys(s.Root)
	if err != nil {
		return err
	}
	cfg := &ssh.ServerConfig{ServerVersion: "SSH-2.0-hardstand", MaxAuthTries: 20, PublicKeyCallback: s.authorize}
	for _, signer := range signers {
		cfg.AddHostKey(signer)
	}
	if err := conn.SetDeadline(s.Clock.Now().Add(loginGrace)); err != nil {
		return err
	}
	sc, channels, requests, err := ssh.NewServerConn(conn, cfg)
	if err != nil {
		return fmt.Errorf("connection from %s: %w", conn.RemoteAddr(), err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	s.say("Accepted publickey for %s from %s: %s", sc.User(), conn.RemoteAddr(), sc.Permissions.Extensions[extFingerprint])
	user, err := accounts.LookupUser(s.Root, sc.User())
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(requests)
	l := &login{server: s, conn: sc, user: user}
	var open sync.WaitGroup
	for ch := range channels {
		switch ch.ChannelType() {
		case "session":
			open.Go(func() { l.session(ch) })
		case "direct-tcpip":
			open.Go(func() { l.forward(ch) })
		default:
			if err := ch.Reject(ssh.UnknownChannelType, "hardstand's sshd does not serve "+ch.ChannelType()); err != nil {
				return err
			}
		}
	}
	open.Wait()
	return nil
}

// login is one authenticated connection.
type login struct {
	server *Server
	conn   *ssh.ServerConn
	user   accounts.User
}

// restricted reports whether the key's options forbid name ("pty").
func (l *login) restricted(name string) bool {
	_, no := l.conn.Permissions.Extensions["no-"+name]
	return no
}
