package deploy

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// screen is as much of a terminal as the progress uses: lines that wrap, cursor up,
// and erasing from the cursor on. What leaves it at the top is out of reach.
type screen struct {
	columns, height int
	lines           []string
	row             int
}

var control = regexp.MustCompile(`^\x1b\[(\d+)A\x1b\[J`)

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	if m := control.FindStringSubmatch(text); m != nil {
		up, _ := strconv.Atoi(m[1])
		top := max(0, len(s.lines)-s.height+1)
		s.row = max(top, s.row-up)
		s.lines = s.lines[:s.row]
		text = text[len(m[0]):]
	}
	for line := range strings.Lines(text) {
		for runes := []rune(strings.TrimSuffix(line, "\n")); ; {
			n := min(len(runes), s.columns)
			s.lines = append(s.lines, string(runes[:n]))
			if runes = runes[n:]; len(runes) == 0 {
				break
			}
		}
	}
	s.row = len(s.lines)
	return len(p), nil
}

func TestProgressOnTerminal(t *testing.T) {
	s := &screen{columns: 40, height: 8}
	c := clock.NewManual(time.Unix(0, 0))
	p := newProgress(s, func() (int, int) { return s.columns, s.height }, c)
	p.begin("check")
	p.detail("a detail that is much longer than the terminal is wide")
	p.end(true)
	p.begin("stack")
	for i := range 20 { // more than the screen has lines
		p.item(fmt.Sprintf("Resource%02d", i), "AWS::EC2::SecurityGroup CREATE_IN_PROGRESS", running)
	}
	if n := len(s.lines) - 2; n != s.height-1 {
		t.Errorf("%d lines are drawn on a screen of %d:\n%s", n, s.height, strings.Join(s.lines, "\n"))
	}
	s.columns, s.height = 30, 5 // somebody makes the window smaller
	for i := range 20 {
		p.item(fmt.Sprintf("Resource%02d", i), "AWS::EC2::SecurityGroup CREATE_COMPLETE", done)
	}
	c.Advance(1500 * time.Millisecond)
	p.end(true)
	p.begin("url")
	p.end(false)
	text := strings.Join(s.lines, "\n")
	for _, want := range []string{"✓ stack         (1.50 s)", "✗ url           (0.00 s)"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, text)
		}
	}
	if !strings.HasPrefix(text, "✓ check        a detail that is much lon\nger than the terminal is wide  (0.00 s)\n") {
		t.Errorf("the first step's line:\n%s", text)
	}
}

func TestProgressFailedItemsStay(t *testing.T) {
	s := &screen{columns: 80, height: 24}
	p := newProgress(s, func() (int, int) { return 80, 24 }, clock.System{})
	p.begin("stack")
	p.item("Web", "CREATE_FAILED", failed)
	p.end(false)
	if len(s.lines) != 2 || s.lines[1] != "  ✗ Web: CREATE_FAILED" {
		t.Errorf("%q", s.lines)
	}
}

func TestProgressAsLines(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, nil, clock.NewManual(time.Unix(0, 0)))
	p.begin("stack")
	p.item("Web", "CREATE_IN_PROGRESS", running)
	p.item("Web", "CREATE_IN_PROGRESS", running) // no news
	p.item("Web", "CREATE_COMPLETE\x1b[2J", done)
	p.detail("shop")
	p.end(true)
	if got, want := out.String(), "  … Web: CREATE_IN_PROGRESS\n  ✓ Web: CREATE_COMPLETE[2J\n✓ stack        shop  (0.00 s)\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
