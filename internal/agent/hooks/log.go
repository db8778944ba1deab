package hooks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

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
	own    *rotating
	shared *rotating // nil: none
	prefix string    // of lines in the shared log
	out    func(line string)
	last   []string
	bytes  int
}

// rotating is an append-only file of bounded size.
type rotating struct {
	path string
	file *os.File
	size int64
}

func openRotating(path string) (*rotating, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	r := &rotating{path: path}
	return r, r.open()
}

func (r *rotating) open() error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r.file, r.size = f, info.Size()
	return nil
}

// write is best effort: a full disk must not fail the script, and what was
// remembered still reaches the service.
func (r *rotating) write(line string) {
	if r == nil {
		return
	}
	if r.size >= rotateAt {
		r.rotate()
	}
	n, _ := r.file.WriteString(line)
	r.size += int64(n)
}

// rotate lets the log grow when it fails.
func (r *rotating) rotate() {
	for i := rotateKeep - 1; i >= 1; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", r.path, i), fmt.Sprintf("%s.%d", r.path, i+1))
	}
	if os.Rename(r.path, r.path+".1") != nil {
		return
	}
	old := r.file
	if r.open() == nil {
		_ = old.Close()
	}
}

func (r *rotating) close() {
	if r != nil {
		_ = r.file.Close()
	}
}

func (r Runner) openLog() (*scriptLog, error) {
	own, err := openRotating(r.LogFile)
	if err != nil {
		return nil, err
	}
	l := &scriptLog{clock: r.Clock, own: own, prefix: "[" + r.Deployment + "]"}
	if r.SharedLog != "" {
		if l.shared, err = openRotating(r.SharedLog); err != nil {
			own.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *scriptLog) close() {
	l.own.close()
	l.shared.close()
}

// line writes one line, without colours.
func (l *scriptLog) line(text string) {
	text = strings.ToValidUTF8(ansi().ReplaceAllString(text, ""), "?")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(text)
	now := l.clock.Now()
	at := now.Format("2006-01-02 15:04:05")
	l.own.write(at + " " + text + "\n")
	l.shared.write(now.Format("[2006-01-02 15:04:05.000] ") + l.prefix + text + "\n")
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
