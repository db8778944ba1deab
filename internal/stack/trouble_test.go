package stack_test

import (
	"context"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
)

// A transaction that fails, as on a full disk, is tried again from the rows; a
// phase that fails again and again does not leave its stack in progress.
func TestWritesThatFail(t *testing.T) {
	for _, c := range []struct {
		name           string
		ok, n          int
		status, reason string
		made           int
	}{
		{"beginning of a member", 0, 1, stack.CreateComplete, "", 2},
		{"announcement", 1, 1, stack.CreateComplete, "", 2},
		{"end of a member", 2, 1, stack.CreateComplete, "", 2},
		{"second member", 4, 2, stack.CreateComplete, "", 2},
		{"end of the stack", 6, 3, stack.CreateComplete, "", 2},
		{"no end of trouble", 0, 5, stack.CreateFailed, "Internal failure; the server's log says more. ", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			manual := clock.NewManual(time.Date(2016, 1, 2, 3, 4, 5, 0, time.UTC))
			l := newLab(t, manual)
			_ = l.engine.Close()
			e, err := stack.OpenFailing(t.Context(), l.config, c.ok, c.n)
			if err != nil {
				t.Fatal(err)
			}
			l.engine = e
			t.Cleanup(func() { _ = e.Close() })
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			go func() {
				for manual.BlockUntil(ctx, 1) == nil {
					manual.Advance(time.Second)
				}
			}()
			l.create(chain, nil)
			l.wait(c.status, c.reason)
			if l.fake.Made() != c.made {
				t.Errorf("%d made, want %d", l.fake.Made(), c.made)
			}
		})
	}
}
