package stack

import "context"

// OpenDying opens an engine that dies, as by kill -9, instead of making its n-th
// transaction (from 1; 0 for never). died is closed then.
func OpenDying(ctx context.Context, cfg Config, n int) (e *Engine, died <-chan struct{}, err error) {
	e = New(cfg)
	ch := make(chan struct{})
	count := 0
	lock := make(chan struct{}, 1)
	e.beforeWrite = func() error {
		lock <- struct{}{}
		defer func() { <-lock }()
		count++
		if n == 0 || count < n {
			return nil
		}
		if count == n {
			e.cancel()
			close(ch)
		}
		return context.Canceled
	}
	return e, ch, e.Resume(ctx)
}
