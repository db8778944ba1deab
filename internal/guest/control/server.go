package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// ErrUnknownUnit is returned by Units for a name that no file describes.
var ErrUnknownUnit = errors.New("unit not found")

// maxRequest bounds one request; the environment of a command is the largest
// thing in it.
const maxRequest = 1 << 20

// Serve answers requests on l until ctx ends, and returns when the last one has
// been answered. Each connection carries one request.
func Serve(ctx context.Context, root guest.Root, l *net.UnixListener, h Handler) error {
	var open sync.WaitGroup
	defer open.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("control socket: %w", err)
		}
		open.Go(func() {
			defer c.Close()
			(&session{ctx: ctx, root: root, conn: c, h: h}).serve()
		})
	}
}

// session is one connection.
type session struct {
	ctx  context.Context
	root guest.Root
	conn *net.UnixConn
	h    Handler
	peer *syscall.Ucred
}

func (s *session) serve() {
	req, rest, files, err := s.receive()
	defer func() { closeAll(files) }()
	if err != nil {
		s.reply(Reply{Error: err.Error(), Done: true})
		return
	}
	if s.peer, err = peer(s.conn); err != nil {
		s.reply(Reply{Error: err.Error(), Done: true})
		return
	}
	if err := s.permitted(req); err != nil {
		s.reply(Reply{Error: err.Error(), Refused: true, Done: true})
		return
	}
	switch req.Op {
	case OpUnit:
		s.unit(req)
	case OpReload:
		s.h.Units.Reload()
		s.reply(Reply{Done: true})
	case OpList:
		s.reply(Reply{Units: s.h.Units.List(), Done: true})
	case OpShutdown:
		s.reply(Reply{Done: true})
		s.h.Shutdown(req.Mode)
	case OpRun:
		taken := files
		files = nil
		s.run(req.Run, taken, rest)
	default:
		s.reply(Reply{Error: fmt.Sprintf("unknown request %q", req.Op), Done: true})
	}
}

// permitted reports why the peer may not make the request.
func (s *session) permitted(req Request) error {
	if s.peer.Uid == 0 || req.Op == OpList || req.Op == OpUnit && req.Action == Status {
		return nil
	}
	if req.Op == OpRun {
		return mayRun(s.root, int(s.peer.Uid))
	}
	return errors.New("access denied")
}

func (s *session) unit(req Request) {
	status, err := s.h.Units.Unit(req.Unit, req.Action, req.Signal)
	r := Reply{Units: []UnitStatus{status}, Done: true, Unknown: errors.Is(err, ErrUnknownUnit)}
	if err != nil {
		r.Error = err.Error()
	}
	s.reply(r)
}

// run starts the command and answers twice. What the peer sends meanwhile are
// signal numbers to pass on; a peer that goes away is a hang-up.
func (s *session) run(r *Run, files []*os.File, more *bufio.Reader) {
	defer func() { closeAll(files) }()
	cmd, err := s.command(r, files)
	if err != nil {
		s.reply(Reply{Error: err.Error(), Done: true})
		return
	}
	pid, done, err := s.h.Spawn(cmd)
	if err != nil {
		s.reply(Reply{Error: err.Error(), Code: 1, Done: true})
		return
	}
	closeAll(files)
	files = nil
	s.reply(Reply{PID: pid})
	go func() {
		for {
			line, err := more.ReadString('\n')
			if err != nil {
				return // Serve's side closes as well when the command has ended
			}
			if n, err := strconv.Atoi(line[:len(line)-1]); err == nil && n > 0 && n < 65 {
				syscall.Kill(-pid, syscall.Signal(n))
			}
		}
	}()
	select {
	case ws := <-done:
		s.reply(Reply{Code: exitCode(ws), Done: true})
	case <-s.ctx.Done():
	}
}

func (s *session) command(r *Run, files []*os.File) (*exec.Cmd, error) {
	if r == nil || len(files) != 3 || len(r.Argv) == 0 {
		return nil, errors.New("a run request needs a command and three files")
	}
	u, err := accounts.LookupUser(s.root, r.User)
	if err != nil {
		return nil, err
	}
	ids, err := accounts.Supplementary(s.root, u)
	if err != nil {
		return nil, err
	}
	// A session of its own also is a process group of its own, which signals go to.
	attr := &syscall.SysProcAttr{Setsid: true, Setctty: r.Terminal}
	if u.UID != os.Getuid() {
		attr.Credential = &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID), Groups: ids}
	}
	return &exec.Cmd{Path: r.Path, Args: r.Argv, Env: r.Env, Dir: r.Dir,
		Stdin: files[0], Stdout: files[1], Stderr: files[2], SysProcAttr: attr}, nil
}

func (s *session) reply(r Reply) {
	b, err := json.Marshal(r)
	if err != nil {
		return
	}
	// A peer that has gone away needs no answer.
	s.conn.Write(append(b, '\n'))
}

// receive reads the request's line, with the files that came beside its first
// bytes, and returns a reader for what follows.
func (s *session) receive() (Request, *bufio.Reader, []*os.File, error) {
	buf, oob := make([]byte, 32<<10), make([]byte, syscall.CmsgSpace(3*4))
	n, oobn, _, _, err := s.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return Request{}, nil, nil, fmt.Errorf("read request: %w", err)
	}
	files, err := passedFiles(oob[:oobn])
	if err != nil {
		return Request{}, nil, nil, err
	}
	r := bufio.NewReaderSize(&joined{first: buf[:n], rest: s.conn}, maxRequest)
	line, err := r.ReadSlice('\n')
	if err != nil {
		return Request{}, nil, files, fmt.Errorf("read request: %w", err)
	}
	var req Request
	if err := json.Unmarshal(line, &req); err != nil {
		return Request{}, nil, files, fmt.Errorf("read request: %w", err)
	}
	return req, r, files, nil
}

// joined reads first, then rest.
type joined struct {
	first []byte
	rest  *net.UnixConn
}

func (j *joined) Read(p []byte) (int, error) {
	if len(j.first) > 0 {
		n := copy(p, j.first)
		j.first = j.first[n:]
		return n, nil
	}
	return j.rest.Read(p)
}

func passedFiles(oob []byte) ([]*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("files of a request: %w", err)
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, nil
}

func peer(c *net.UnixConn) (*syscall.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return cred, credErr
}
