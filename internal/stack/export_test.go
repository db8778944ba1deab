package stack

import (
	"context"
	"errors"
	"sync/atomic"
)

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

// OpenFailing opens an engine whose first n transactions after the first ok ones
// fail, as on a full disk.
func OpenFailing(ctx context.Context, cfg Config, ok, n int) (*Engine, error) {
	e := New(cfg)
	var count atomic.Int64
	e.beforeWrite = func() error {
		if c := int(count.Add(1)); c > ok && c <= ok+n {
			return errors.New("no space left on device")
		}
		return nil
	}
	return e, e.Resume(ctx)
}
