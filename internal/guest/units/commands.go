package units

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// runScript runs an init script with one argument and takes its word for it.
func (m *Manager) runScript(u *unit, action string) error {
	f := u.file
	if err := m.wait(f, command{words: []string{m.cfg.Root.Path(f.script), action}}, 0); err != nil {
		return err
	}
	if action == "start" {
		u.set(m.cfg.Clock.Now(), "active", "exited")
		return nil
	}
	u.end(m.cfg.Clock.Now(), "inactive", "", 0)
	u.closeEnded()
	return nil
}

// exitError is a command that ended badly.
type exitError struct {
	command string
	code    int
}

func (e *exitError) Error() string { return fmt.Sprintf("%s: exit status %d", e.command, e.code) }

// wait runs one command to its end.
func (m *Manager) wait(f *file, c command, mainPID int) error {
	pid, done, err := m.spawn(f, c.words, mainPID)
	if err != nil {
		if c.ignore {
			return nil
		}
		return err
	}
	select {
	case ws := <-done:
		if code := statusCode(ws); code != 0 && !c.ignore {
			return &exitError{strings.Join(c.words, " "), code}
		}
	case <-m.cfg.Clock.After(startWait):
		return errors.Join(fmt.Errorf("%s: took longer than %s", c.words[0], startWait),
			killSession(pid, syscall.SIGKILL, false))
	}
	return nil
}

func (m *Manager) spawn(f *file, words []string, mainPID int) (int, <-chan syscall.WaitStatus, error) {
	cmd, err := m.command(f, words, mainPID)
	if err != nil {
		return 0, nil, err
	}
	log, err := m.openLog(f)
	if err != nil {
		return 0, nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return m.cfg.Spawn(cmd)
}

func (m *Manager) makeDirs(f *file) error {
	make := func(base string, names []string) error {
		for _, name := range names {
			dir := m.cfg.Root.Path(filepath.Join(base, name))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			if f.user == "" {
				continue
			}
			u, err := accounts.LookupUser(m.cfg.Root, f.user)
			if err != nil {
				return err
			}
			if err := os.Chown(dir, u.UID, u.GID); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.Join(make("/run", f.runtimeDirs), make("/var/lib", f.stateDirs))
}

func statusCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
