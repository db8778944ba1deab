package deploy

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// state of a step or of one of its items.
type state int

const (
	running state = iota
	done
	failed
)

var marks = map[state]string{running: "…", done: "✓", failed: "✗"}

// progress tells how far the steps are. On a terminal the step at work, with its
// items, is redrawn in place below the lines of those that are over; elsewhere each
// change is a line, so that a build server's log stays readable.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	size  func() (columns, lines int) // nil: no terminal
	clock clock.Clock
	// current is the step at work, drawn the lines that it takes on the screen.
	current step
	drawn   int
}

type step struct {
	name, detail string
	state        state
	began        time.Time
	took         time.Duration
	items        []item
}

type item struct {
	name, text string
	state      state
}

func newProgress(out io.Writer, size func() (columns, lines int), c clock.Clock) *progress {
	if out == nil {
		out = io.Discard
	}
	return &progress{out: out, size: size, clock: c}
}

func (p *progress) begin(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = step{name: name, began: p.clock.Now()}
	p.draw("")
}

// detail says more about the current step.
func (p *progress) detail(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current.detail = printable(text)
	p.draw("")
}

// item reports on one part of the current step; the same report twice is one.
func (p *progress) item(name, text string, st state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	told := item{printable(name), printable(text), st}
	known := false
	for i, it := range p.current.items {
		if it == told {
			return
		}
		if it.name == told.name {
			p.current.items[i], known = told, true
		}
	}
	if !known {
		p.current.items = append(p.current.items, told)
	}
	p.draw(told.line())
}

func (p *progress) end(ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.current
	s.state, s.took = done, p.clock.Now().Sub(s.began)
	if ok {
		s.items = nil // they went well; what stays on the screen is the step
	} else {
		s.state = failed
	}
	p.draw(s.line())
	p.drawn = 0
}

func (s *step) line() string {
	text := fmt.Sprintf("%s %-12s", marks[s.state], s.name)
	if s.detail != "" {
		text += " " + s.detail
	}
	if s.state != running {
		text += fmt.Sprintf("  (%.2f s)", s.took.Seconds())
	}
	return text
}

func (i item) line() string { return fmt.Sprintf("  %s %s: %s", marks[i.state], i.name, i.text) }

// draw writes the current step again, or line alone where the output is no
// terminal. What cannot be written is not worth failing a deployment for.
func (p *progress) draw(line string) {
	if p.size == nil {
		if line != "" {
			_, _ = fmt.Fprintln(p.out, line)
		}
		return
	}
	columns, lines := p.size()
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", p.drawn)
	}
	shown := p.current.lines(lines - 1)
	for _, l := range shown {
		if p.current.state == running { // what stays may take more lines than one
			l = cut(l, columns)
		}
		b.WriteString(l + "\n")
	}
	p.drawn = len(shown)
	_, _ = io.WriteString(p.out, b.String())
}

// lines is the step with its items in at most limit lines: the cursor can go up
// within the screen only. The items that changed last are at the end, and stay.
func (s *step) lines(limit int) []string {
	items := s.items[max(0, len(s.items)-max(0, limit-1)):]
	out := []string{s.line()}
	for _, it := range items {
		out = append(out, it.line())
	}
	return out
}

// cut shortens a line to less than columns, so that the terminal breaks none and
// one line is one line.
func cut(line string, columns int) string {
	text := []rune(line)
	if columns <= 1 || len(text) < columns {
		return line
	}
	return string(text[:columns-2]) + "…"
}
