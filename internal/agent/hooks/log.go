package hooks

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/hardstand/hardstand/internal/agent/logfile"
	"github.com/hardstand/hardstand/internal/clock"
)

// tailSize is the exclusive limit of the log sent with the diagnostics.
const tailSize = 2048

// scripts.log is rotated at this size, keeping this many old files.
const (
	rotateAt   = 64 << 20
	rotateKeep = 8
)

// ansi matches colours and cursor movements.
var ansi = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(\x07|\x1b\\\\)|\x1b[@-_]")
})

// scriptLog writes scripts.log, and the log of all deployments if there is one,
// and remembers its end.
type scriptLog struct {
	mu     sync.Mutex
	clock  clock.Clock
	own    *logfile.File
	shared *logfile.File // nil: none
	prefix string        // of lines in the shared log
	out    func(line string)
	last   []string
	bytes  int
}

func (r Runner) openLog() (*scriptLog, error) {
	own, err := logfile.Open(r.LogFile, rotateAt, rotateKeep)
	if err != nil {
		return nil, err
	}
	l := &scriptLog{clock: r.Clock, own: own, prefix: "[" + r.Deployment + "]"}
	if r.SharedLog != "" {
		if l.shared, err = logfile.Open(r.SharedLog, rotateAt, rotateKeep); err != nil {
			return nil, errors.Join(err, own.Close())
		}
	}
	return l, nil
}

func (l *scriptLog) close() {
	_ = l.own.Close()
	if l.shared != nil {
		_ = l.shared.Close()
	}
}

// line writes one line, without colours.
func (l *scriptLog) line(text string) {
	text = strings.ToValidUTF8(ansi().ReplaceAllString(text, ""), "?")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(text)
	now := l.clock.Now()
	at := now.Format("2006-01-02 15:04:05")
	// Best effort: a full disk must not fail the script, and what is remembered
	// still reaches the service.
	_, _ = io.WriteString(l.own, at+" "+text+"\n")
	if l.shared != nil {
		_, _ = io.WriteString(l.shared, now.Format("[2006-01-02 15:04:05.000] ")+l.prefix+text+"\n")
	}
	if l.out != nil {
		l.out(at + " " + text)
	}
}

func (l *scriptLog) remember(text string) {
	l.last, l.bytes = append(l.last, text), l.bytes+len(text)+1
	for l.bytes >= tailSize && len(l.last) > 1 {
		l.bytes -= len(l.last[0]) + 1
		l.last = l.last[1:]
	}
}

// tail returns whole lines from the end, below tailSize characters. One line
// that is longer is cut at its beginning.
func (l *scriptLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := strings.Join(l.last, "\n") + "\n"
	if len(out) >= tailSize {
		out = strings.ToValidUTF8(out[len(out)-tailSize+1:], "")
	}
	return out
}
