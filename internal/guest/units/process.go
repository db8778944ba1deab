package units

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
)

const (
	logDir = "/var/log/hardstand"
	// maxLog is the size from which on a log is put aside at the next start.
	maxLog = 16 << 20
)

// logFile is where the unit's output goes: the file it names, or one of ours in
// the place of the journal.
func (m *Manager) logFile(f *file) string {
	for _, prefix := range []string{"append:", "file:", "truncate:"} {
		if p, ok := strings.CutPrefix(f.output, prefix); ok {
			return p
		}
	}
	if f.output == "null" {
		return "/dev/null"
	}
	return logDir + "/" + f.name + ".log"
}

func (m *Manager) openLog(f *file) (*os.File, error) {
	name := m.logFile(f)
	path := m.cfg.Root.Path(name)
	if name == "/dev/null" {
		path = name
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	flags := os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if strings.HasPrefix(f.output, "truncate:") {
		flags |= os.O_TRUNC
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog && strings.HasPrefix(name, logDir) {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, flags, 0o640)
}

// command makes the process for one Exec line of f.
func (m *Manager) command(f *file, words []string, mainPID int) (*exec.Cmd, error) {
	env, attr, home, err := m.environment(f)
	if err != nil {
		return nil, err
	}
	if mainPID > 0 {
		env = append(env, "MAINPID="+strconv.Itoa(mainPID))
	}
	words = substitute(words, env)
	if len(words) == 0 {
		return nil, errors.New("empty command")
	}
	path := words[0]
	if !strings.Contains(path, "/") {
		if path = find(m.cfg.Root, path); path == "" {
			return nil, fmt.Errorf("%s: command not found", words[0])
		}
	}
	dir := "/"
	if f.dir != "" {
		// "~" is the user's home, "-" allows that the directory is missing.
		dir = strings.TrimPrefix(f.dir, "-")
		if dir == "~" {
			dir = home
		}
	}
	if _, err := os.Stat(dir); err != nil && strings.HasPrefix(f.dir, "-") {
		dir = "/"
	}
	return &exec.Cmd{Path: path, Args: words, Env: env, Dir: dir, SysProcAttr: attr}, nil
}

func find(root guest.Root, name string) string {
	for dir := range strings.SplitSeq(guest.DefaultPath, ":") {
		if root.Executable(dir + "/" + name) {
			return dir + "/" + name
		}
	}
	return ""
}

// environment returns what the unit's processes run with and as.
func (m *Manager) environment(f *file) (env []string, attr *syscall.SysProcAttr, home string, err error) {
	attr, home = &syscall.SysProcAttr{Setsid: true}, "/root"
	env = []string{"PATH=" + guest.DefaultPath, "LANG=C.UTF-8"}
	global, err := m.cfg.Root.Environment()
	if err != nil {
		return nil, nil, "", err
	}
	for _, kv := range global {
		if !strings.HasPrefix(kv, "PATH=") {
			env = append(env, kv)
		}
	}
	if f.user != "" {
		u, err := accounts.LookupUser(m.cfg.Root, f.user)
		if err != nil {
			return nil, nil, "", err
		}
		if attr.Credential, err = m.credential(f, u); err != nil {
			return nil, nil, "", err
		}
		home = u.Home
		env = append(env, "HOME="+u.Home, "USER="+u.Name, "LOGNAME="+u.Name, "SHELL="+u.Shell)
	}
	env = append(env, f.env...)
	for _, name := range f.envFiles {
		more, err := envFile(m.cfg.Root, strings.TrimPrefix(name, "-"))
		if err != nil && !(errors.Is(err, os.ErrNotExist) && strings.HasPrefix(name, "-")) {
			return nil, nil, "", fmt.Errorf("environment file: %w", err)
		}
		env = append(env, more...)
	}
	return env, attr, home, nil
}

func (m *Manager) credential(f *file, u accounts.User) (*syscall.Credential, error) {
	ids, err := accounts.Supplementary(m.cfg.Root, u)
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID), Groups: ids}
	if f.group != "" {
		g, err := accounts.LookupGroup(m.cfg.Root, f.group)
		if err != nil {
			return nil, err
		}
		c.Gid = uint32(g.GID)
	}
	if u.UID == os.Getuid() && f.group == "" {
		return nil, nil // no change, and none that a test's user could make
	}
	return c, nil
}

func envFile(root guest.Root, path string) ([]string, error) {
	content, err := os.ReadFile(root.Path(path))
	if err != nil {
		return nil, err
	}
	var env []string
	for line := range logicalLines(string(content)) {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		words, err := split(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		env = append(env, strings.TrimSpace(key)+"="+strings.Join(words, " "))
	}
	return env, nil
}

// substitute puts variables into a command line: ${X} within a word, and $X as a
// word of its own, which is split at spaces.
func substitute(words, env []string) []string {
	value := func(name string) string {
		for i := len(env) - 1; i >= 0; i-- {
			if v, ok := strings.CutPrefix(env[i], name+"="); ok {
				return v
			}
		}
		return ""
	}
	var out []string
	for i, w := range words {
		if name, ok := strings.CutPrefix(w, "$"); ok && i > 0 && isName(name) {
			out = append(out, strings.Fields(value(name))...)
			continue
		}
		for {
			before, rest, ok := strings.Cut(w, "${")
			name, after, closed := strings.Cut(rest, "}")
			if !ok || !closed || !isName(name) {
				break
			}
			w = before + value(name) + after
		}
		out = append(out, strings.ReplaceAll(w, "$$", "$"))
	}
	return out
}

func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && !(i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}

// killSession signals every process of the session that pid leads; the main
// process alone when mainOnly.
func killSession(pid int, sig syscall.Signal, mainOnly bool) error {
	if pid <= 1 {
		return fmt.Errorf("no process to signal (pid %d)", pid)
	}
	if !mainOnly {
		for _, p := range sessionOf(pid) {
			if p != pid {
				syscall.Kill(p, sig) // it may have ended by now
			}
		}
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// sessionOf lists the processes whose session is sid.
func sessionOf(sid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// The name in parentheses may hold spaces; fields count after it: state,
		// ppid, pgrp, session.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 3 && string(fields[3]) == strconv.Itoa(sid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func commandLine(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
}

// watchPID returns a channel that is closed when the process ends, which need not
// be a child: a daemon that forked twice belongs to PID 1, which reaps it without
// telling its status.
func watchPID(pid int) (<-chan struct{}, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer f.Close()
		asked := false
		// A pidfd becomes readable when its process ends. Refusing once makes the
		// runtime wait for that.
		raw.Read(func(uintptr) bool { ready := asked; asked = true; return ready })
	}()
	return ended, nil
}

// pidFromFile waits until the daemon has written its pid file; many write it
// shortly after their parent has ended.
func (m *Manager) pidFromFile(ctx context.Context, path string) (int, error) {
	const tries = 50
	for range tries {
		b, err := os.ReadFile(m.cfg.Root.Path(path))
		if pid, perr := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && perr == nil && pid > 1 {
			return pid, nil
		}
		if err := clock.Sleep(ctx, m.cfg.Clock, startWait/(tries*90)); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("PID file %s does not hold a process id", path)
}
