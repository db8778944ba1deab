package wiretest

import (
	"context"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// Age moves the clock by d and lets what removes old rows do what is due then.
func Age(t testing.TB, c *clock.Manual, aging []func(context.Context) error, d time.Duration) {
	t.Helper()
	c.Advance(d)
	for _, f := range aging {
		Settle(t, c, f)
	}
}

// Settle does background work until it waits for the clock. Nothing else may begin to.
func Settle(t testing.TB, c *clock.Manual, work func(context.Context) error) {
	t.Helper()
	before := c.Waiting()
	stop := Run(t, work, context.Canceled)
	if err := c.BlockUntil(t.Context(), before+1); err != nil {
		t.Fatal(err)
	}
	stop()
}
