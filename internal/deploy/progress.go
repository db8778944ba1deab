package deploy

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// state of a step or of one of its items.
type state int

const (
	running state = iota
	done
	failed
)

var marks = map[state]string{running: "…", done: "✓", failed: "✗"}

// progress is the tree of steps. On a terminal it is redrawn in place; elsewhere
// each change is a line, so that a build server's log stays readable.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	live  bool
	steps []*step
	drawn int // lines of the last drawing
}

type step struct {
	name, detail string
	state        state
	began        time.Time
	took         time.Duration
	items        []*item
}

type item struct {
	name, text string
	state      state
}

func newProgress(out io.Writer, live bool) *progress {
	if out == nil {
		out = io.Discard
	}
	return &progress{out: out, live: live}
}

func (p *progress) begin(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = append(p.steps, &step{name: name, began: time.Now()})
	p.draw("")
}

func (p *progress) current() *step { return p.steps[len(p.steps)-1] }

// detail says more about the current step.
func (p *progress) detail(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current().detail = text
	p.draw("")
}

// item reports on one part of the current step; the same report twice is one.
func (p *progress) item(name, text string, st state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.current()
	for _, it := range s.items {
		if it.name == name {
			if it.text == text && it.state == st {
				return
			}
			it.text, it.state = text, st
			p.draw(fmt.Sprintf("  %s %s: %s", marks[st], name, text))
			return
		}
	}
	s.items = append(s.items, &item{name, text, st})
	p.draw(fmt.Sprintf("  %s %s: %s", marks[st], name, text))
}

func (p *progress) end(ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.current()
	s.state, s.took = done, time.Since(s.began)
	if !ok {
		s.state = failed
	}
	p.draw(s.line())
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

// draw writes the tree again, or line alone where the output is no terminal. What
// cannot be written is not worth failing a deployment for.
func (p *progress) draw(line string) {
	if !p.live {
		if line != "" {
			_, _ = fmt.Fprintln(p.out, line)
		}
		return
	}
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", p.drawn)
	}
	p.drawn = 0
	for _, s := range p.steps {
		b.WriteString(s.line() + "\n")
		p.drawn++
		if s.state == done {
			continue
		}
		for _, it := range s.items {
			fmt.Fprintf(&b, "  %s %s  %s\n", marks[it.state], it.name, it.text)
			p.drawn++
		}
	}
	_, _ = io.WriteString(p.out, b.String())
}

// close leaves the last drawing on the screen.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drawn = 0
}
