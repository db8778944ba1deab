package app

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/wire"
)

// calls are the requests that a world is answering. A world that ends interrupts
// them, so that what waits (a long poll, an upload that trickles) holds up neither a
// stop nor a reset.
type calls struct {
	open  sync.WaitGroup
	ended context.Context
	end   context.CancelCauseFunc
	// reserve counts the connections of calls that are held.
	reserve *reserve
}

func newCalls(r *reserve) *calls {
	c := &calls{reserve: r}
	c.ended, c.end = context.WithCancelCause(context.Background())
	return c
}

// begin admits a request; leave must follow. Whoever calls it holds what keeps the
// world from ending at that moment.
func (c *calls) begin(w http.ResponseWriter, r *http.Request) (inner *http.Request, leave func()) {
	c.open.Add(1)
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(c.ended, func() {
		cancel(wire.ErrStopping)
		// Somebody may sit in a read of the body, which knows no context.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // recorders have no connection
	})
	return r.WithContext(wire.WithKeeper(ctx, c.keep)), func() {
		stop()
		cancel(nil)
		c.open.Done()
	}
}

// keep admits a call that goes on when the request that it came by has been left.
func (c *calls) keep() (ctx context.Context, leave func()) {
	c.open.Add(1)
	c.reserve.add(1) // the server counts it no longer
	return c.ended, func() {
		c.reserve.add(-1)
		c.open.Done()
	}
}

// interrupt ends every request and returns when they are over.
func (c *calls) interrupt(ctx context.Context) error {
	c.end(wire.ErrStopping)
	over := make(chan struct{})
	go func() {
		c.open.Wait()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return errors.New("requests in flight did not end when they were interrupted")
	}
}
