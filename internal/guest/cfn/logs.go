package cfn

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/guest"
)

const (
	initLog    = "/var/log/cfn-init.log"
	commandLog = "/var/log/cfn-init-cmd.log"
	hupLog     = "/var/log/cfn-hup.log"
	wireLog    = "/var/log/cfn-wire.log"
)

// maxLog is when a log file is put aside, and keptLogs how many such there are.
const (
	maxLog   = 5 << 20
	keptLogs = 5
)

// openLog opens a log to write at its end, after putting one aside that has grown
// too long.
func openLog(root guest.Root, path string) (*os.File, error) {
	full := root.Path(path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Stat(full); err == nil && info.Size() >= maxLog {
		for n := keptLogs; n > 0; n-- {
			older := full
			if n > 1 {
				older = fmt.Sprintf("%s.%d", full, n-1)
			}
			if err := os.Rename(older, fmt.Sprintf("%s.%d", full, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
		}
	}
	return os.OpenFile(full, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// wire notes a request and how it was answered, without what signs it. Who may not
// write there does without.
func (s *service) wire(method, address, answer string) {
	f, err := openLog(s.root, wireLog)
	if err != nil {
		return
	}
	defer f.Close()
	now := stamp(s.clock.Now())
	fmt.Fprintf(f, "%s [DEBUG] Request: %s %s\n%s [DEBUG] Response: %s\n", now, method, address, now, answer)
}

// stamp is the time as Python's logging writes it.
func stamp(t time.Time) string {
	return strings.Replace(t.Format("2006-01-02 15:04:05.000"), ".", ",", 1)
}

// logs are the two logs of a run of cfn-init.
type logs struct {
	*Helper
	log, commands *os.File
	verbose       bool
}

func (h *Helper) newLogs(verbose bool) (*logs, error) {
	l := &logs{Helper: h, verbose: verbose}
	var err error
	if l.log, err = openLog(h.Root, initLog); err != nil {
		return nil, err
	}
	if l.commands, err = openLog(h.Root, commandLog); err != nil {
		l.log.Close()
		return nil, err
	}
	return l, nil
}

func (l *logs) close() {
	l.log.Close()
	l.commands.Close()
}

func (l *logs) info(format string, args ...any) { l.logf("INFO", format, args...) }

func (l *logs) debug(format string, args ...any) {
	if l.verbose {
		l.logf("DEBUG", format, args...)
	}
}

func (l *logs) logf(level, format string, args ...any) {
	fmt.Fprintf(l.log, "%s [%s] %s\n", stamp(l.Clock.Now()), level, fmt.Sprintf(format, args...))
}

// commandf writes a line to the log of commands.
func (l *logs) commandf(level, format string, args ...any) {
	fmt.Fprintf(l.commands, "%s P%d [%s] %s\n", stamp(l.Clock.Now()), os.Getpid(), level, fmt.Sprintf(format, args...))
}

// centred puts text into the middle of a line of dashes.
func centred(text string) string {
	left := (60 - len(text)) / 2
	return strings.Repeat("-", left) + text + strings.Repeat("-", 60-len(text)-left)
}
