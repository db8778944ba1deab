package units

import (
	"fmt"
	"syscall"
)

// stop brings the unit down and returns when it is.
func (m *Manager) stop(u *unit) error {
	u.mu.Lock()
	f, pid, ended, wake := u.file, u.status.MainPID, u.ended, u.wake
	active := u.activeLocked()
	already := u.stopping
	u.stopping = true
	u.mu.Unlock()
	if !active {
		return nil
	}
	if wake != nil && !already {
		close(wake)
	}
	if f.script != "" {
		return m.runScript(u, "stop")
	}
	for _, c := range f.stop {
		if err := m.wait(f, c, pid); err != nil {
			m.say("%s: %v", f.name, err)
		}
	}
	if u.snapshot().Sub == "exited" {
		u.end(m.cfg.Clock.Now(), "inactive", "", 0)
		u.closeEnded()
		return nil
	}
	u.set(m.cfg.Clock.Now(), "deactivating", "stop-sigterm")
	if pid > 0 {
		if err := killSession(pid, syscall.SIGTERM, f.killMain); err != nil {
			return err
		}
	}
	select {
	case <-ended:
	case <-m.cfg.Clock.After(f.stopWait):
		m.say("%s: did not stop in %s, killed", f.name, f.stopWait)
		if err := killSession(pid, syscall.SIGKILL, f.killMain); err != nil {
			return err
		}
		<-ended
	}
	if u.snapshot().Active == "deactivating" {
		u.end(m.cfg.Clock.Now(), "inactive", "", 0)
	}
	return nil
}

func (m *Manager) reload(u *unit) error {
	st := u.snapshot()
	if st.Active != "active" {
		return fmt.Errorf("%s is not active, cannot reload", st.Name)
	}
	if len(u.file.reload) == 0 {
		return fmt.Errorf("%s has no ExecReload", st.Name)
	}
	for _, c := range u.file.reload {
		if err := m.wait(u.file, c, st.MainPID); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) kill(u *unit, sig syscall.Signal) error {
	st := u.snapshot()
	if st.MainPID == 0 {
		return fmt.Errorf("%s has no main process", st.Name)
	}
	return killSession(st.MainPID, sig, false)
}
