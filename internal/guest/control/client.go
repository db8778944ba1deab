package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/hardstand/hardstand/internal/guest"
)

// Do makes a request that is answered once. The error is about the connection;
// what PID 1 refused is in the reply.
func Do(root guest.Root, req Request) (Reply, error) {
	conn, err := dial(root)
	if err != nil {
		return Reply{}, err
	}
	defer conn.Close()
	if err := send(conn, req, nil); err != nil {
		return Reply{}, err
	}
	return read(bufio.NewReader(conn))
}

// RunCommand has PID 1 run a command with the files given, passes signals on to
// it and returns its exit code.
func RunCommand(root guest.Root, r Run, files [3]*os.File) (int, error) {
	conn, err := dial(root)
	if err != nil {
		return 1, err
	}
	defer conn.Close()
	// Before the command starts: from then on a signal is meant for it.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := send(conn, Request{Op: OpRun, Run: &r}, files[:]); err != nil {
		return 1, err
	}
	in := bufio.NewReader(conn)
	started, err := read(in)
	if err != nil {
		return 1, err
	}
	if started.Error != "" {
		return 1, errors.New(started.Error)
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case sig := <-signals:
				if n, ok := sig.(syscall.Signal); ok {
					conn.Write([]byte(strconv.Itoa(int(n)) + "\n"))
				}
			case <-ended:
				return
			}
		}
	}()
	end, err := read(in)
	if err != nil {
		return 1, err
	}
	return end.Code, nil
}

func dial(root guest.Root) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: root.Path(guest.ControlSocket), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("ask PID 1: %w", err)
	}
	return conn, nil
}

func send(conn *net.UnixConn, req Request, files []*os.File) error {
	b, err := json.Marshal(req)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = syscall.UnixRights(fds...)
	}
	b = append(b, '\n')
	// The kernel takes at most so much in one message with files beside it.
	first := b[:min(len(b), 16<<10)]
	if _, _, err := conn.WriteMsgUnix(first, rights, nil); err != nil {
		return fmt.Errorf("ask PID 1: %w", err)
	}
	if len(first) < len(b) {
		if _, err := conn.Write(b[len(first):]); err != nil {
			return fmt.Errorf("ask PID 1: %w", err)
		}
	}
	return nil
}

func read(in *bufio.Reader) (Reply, error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return Reply{}, fmt.Errorf("answer of PID 1: %w", err)
	}
	var r Reply
	if err := json.Unmarshal(line, &r); err != nil {
		return Reply{}, fmt.Errorf("answer of PID 1: %w", err)
	}
	return r, nil
}
