package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// crew is a Keyed whose calls a test answers one by one.
type crew struct {
	*Keyed
	clock  *clock.Manual
	calls  chan Key
	answer chan error
	due    time.Time
	retry  chan time.Duration
	end    context.CancelFunc
}

func newCrew(t *testing.T, parallel int) *crew {
	c := &crew{clock: clock.NewManual(time.Now()), calls: make(chan Key), answer: make(chan error), retry: make(chan time.Duration, 1)}
	c.Keyed = NewKeyed(c.clock, parallel, func(ctx context.Context, k Key) (time.Time, error) {
		select {
		case c.calls <- k:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
		return c.due, <-c.answer
	}, func(_ context.Context, _ Key, after time.Duration, _ error) { c.retry <- after })
	c.open()
	t.Cleanup(c.stop)
	return c
}

func (c *crew) open() {
	ctx, end := context.WithCancel(context.Background())
	c.end = end
	c.Open(ctx)
}

func (c *crew) stop() { c.end(); c.Close() }

func TestKeyedWakes(t *testing.T) {
	c := newCrew(t, 0)
	a, b := Key{ID: "a"}, Key{ID: "b"}
	c.Wake(a)
	if k := <-c.calls; k != a {
		t.Errorf("called for %v", k)
	}
	// While a is at work: b begins beside it, and a is looked at once more however
	// often it is woken.
	c.Wake(b)
	if k := <-c.calls; k != b {
		t.Errorf("called for %v beside a", k)
	}
	c.answer <- nil
	c.Wake(a)
	c.Wake(a)
	c.answer <- nil
	again := <-c.calls
	c.answer <- nil
	if again != a {
		t.Errorf("called again for %v", again)
	}
	c.end()
	c.Close() // nothing is left that waits
}

func TestKeyedRetries(t *testing.T) {
	c := newCrew(t, 1)
	c.Wake(Key{ID: "a"})
	for _, want := range []time.Duration{FirstRetry, 2 * FirstRetry, 4 * FirstRetry} {
		<-c.calls
		c.answer <- errors.New("no")
		if got := <-c.retry; got != want {
			t.Errorf("tried again after %s, want %s", got, want)
		}
		c.clock.Advance(want)
	}
	<-c.calls
	c.due = c.clock.Now().Add(time.Hour)
	c.answer <- nil
	c.clock.Advance(time.Hour)
	<-c.calls
	c.answer <- errors.New("no")
	if got := <-c.retry; got != FirstRetry {
		t.Errorf("after a success it was tried again after %s", got)
	}
}

func TestKeyedOpensAgain(t *testing.T) {
	c := newCrew(t, 1)
	c.Wake(Key{ID: "a"})
	<-c.calls
	c.end() // in the middle
	c.answer <- nil
	c.Close()
	c.Wake(Key{ID: "b"}) // before it is open: nothing
	c.open()
	c.Wake(Key{ID: "a"})
	if k := <-c.calls; k.ID != "a" {
		t.Errorf("called for %v", k)
	}
	c.answer <- nil
}
