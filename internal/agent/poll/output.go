package poll

import (
	"context"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/agent/spec"
)

// The output of scripts goes to the service in pieces of up to maxPiece bytes, at
// most sendEvery after it was written. What the network is too slow for is kept up
// to maxQueue bytes; after that lines are dropped, and counted, rather than that a
// script waits.
const (
	maxPiece    = 7 << 10 // the model's limit of a payload is 8192 characters
	maxQueue    = 1 << 20
	sendEvery   = time.Second
	lastSending = 5 * time.Second
)

// output returns where the lines of cmd's scripts go, nil when the service does
// not want them, and what ends it.
func (l *Loop) output(ctx context.Context, cmd *Command, s *spec.Spec) (out func(line string), end func()) {
	if !s.SendLogs {
		return nil, func() {}
	}
	o := &output{some: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{})}
	o.send = func(text string) error {
		ctx, cancel := context.WithTimeout(ctx, lastSending)
		defer cancel()
		return l.Client.SendLog(ctx, cmd.HostCommandIdentifier, text)
	}
	go func() {
		defer close(o.done)
		if err := o.run(l.Clock.After); err != nil {
			l.Log.Warn("the service does not take the output of scripts; it is in scripts.log", "error", err)
		}
	}()
	return o.line, func() {
		close(o.ended)
		<-o.done
	}
}

type output struct {
	send    func(text string) error
	some    chan struct{} // holds a token while there is something to send
	ended   chan struct{} // closed when no more lines come
	done    chan struct{} // closed when all was sent
	mu      sync.Mutex
	queue   []byte
	dropped int // lines, since one was taken
}

// line takes one line; it never waits.
func (o *output) line(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue)+len(text) > maxQueue {
		o.dropped++
		return
	}
	if o.dropped > 0 {
		o.queue = fmt.Appendf(o.queue, "[%d lines were not sent; they are in scripts.log on the host]\n", o.dropped)
		o.dropped = 0
	}
	o.queue = append(append(o.queue, text...), '\n')
	select {
	case o.some <- struct{}{}:
	default:
	}
}

// next takes a piece from the queue, "" when it is empty.
func (o *output) next() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := cut(o.queue, maxPiece)
	piece := string(o.queue[:n])
	if o.queue = o.queue[n:]; len(o.queue) == 0 {
		o.queue = nil
	}
	return piece
}

// cut returns how much of text fits into room bytes without parting a character.
func cut(text []byte, room int) int {
	if len(text) <= room {
		return len(text)
	}
	for room > 0 && !utf8.RuneStart(text[room]) {
		room--
	}
	return room
}

// run sends until the lines have ended. Lines that come close to each other go
// together.
func (o *output) run(after func(time.Duration) <-chan time.Time) error {
	for {
		select {
		case <-o.ended:
			return o.flush()
		case <-o.some:
		}
		select {
		case <-o.ended:
		case <-after(sendEvery):
		}
		if err := o.flush(); err != nil {
			return err
		}
	}
}

func (o *output) flush() error {
	for piece := o.next(); piece != ""; piece = o.next() {
		if err := o.send(piece); err != nil {
			return err
		}
	}
	return nil
}
