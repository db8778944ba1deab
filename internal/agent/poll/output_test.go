package poll

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func newOutput(send func(string) error) *output {
	return &output{send: send, some: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{})}
}

func never(time.Duration) <-chan time.Time { return nil }

func TestOutputGoesInPieces(t *testing.T) {
	var pieces []string
	o := newOutput(func(p string) error { pieces = append(pieces, p); return nil })
	line := strings.Repeat("ü", 5000)
	o.line("first")
	o.line(line)
	close(o.ended)
	if err := o.run(never); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(pieces, ""); got != "first\n"+line+"\n" {
		t.Errorf("%d bytes were sent", len(got))
	}
	for _, p := range pieces {
		if len(p) > maxPiece || !utf8.ValidString(p) {
			t.Errorf("a piece of %d bytes, valid %t", len(p), utf8.ValidString(p))
		}
	}
}

// A script never waits for the network: what is too much is counted.
func TestOutputThatIsTooMuch(t *testing.T) {
	var sent strings.Builder
	o := newOutput(func(p string) error { sent.WriteString(p); return nil })
	for range 3 {
		o.line(strings.Repeat("x", maxQueue/2))
	}
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	o.line("after")
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	if got := sent.String(); !strings.HasSuffix(got, "x\n[2 lines were not sent; they are in scripts.log on the host]\nafter\n") {
		t.Errorf("sent %d bytes, ending %q", len(got), got[max(0, len(got)-80):])
	}
}

func TestOutputThatNobodyTakes(t *testing.T) {
	refused := errors.New("refused")
	o := newOutput(func(string) error { return refused })
	o.line("x")
	close(o.ended)
	if err := o.run(never); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	o.line("y") // does not wait
}
