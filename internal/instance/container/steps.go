package container

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// step is one part of a launch.
type step struct {
	name string
	run  func(context.Context) error
}

// chain is steps that run in turn; the chains of a stage run at the same time.
type (
	chain []step
	stage []chain
)

// job runs stages and knows how to take back what they did.
type job struct {
	clock clock.Clock
	mu    sync.Mutex
	undos []func()
	took  map[string]time.Duration
}

func newJob(c clock.Clock) *job { return &job{clock: c, took: map[string]time.Duration{}} }

// run runs one stage after the other. When a step fails everything is undone.
func (j *job) run(ctx context.Context, stages ...stage) error {
	for _, s := range stages {
		if err := j.runStage(ctx, s); err != nil {
			j.abort()
			return err
		}
	}
	return nil
}

func (j *job) runStage(ctx context.Context, s stage) error {
	errs := make([]error, len(s))
	var wg sync.WaitGroup
	for i, c := range s[1:] {
		wg.Go(func() { errs[i+1] = j.runChain(ctx, c) })
	}
	errs[0] = j.runChain(ctx, s[0])
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (j *job) runChain(ctx context.Context, c chain) error {
	for _, s := range c {
		start := j.clock.Now()
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		j.mu.Lock()
		j.took[s.name] = j.clock.Now().Sub(start)
		j.mu.Unlock()
	}
	return nil
}

// undo registers what abort does, last registered first.
func (j *job) undo(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.undos = append(j.undos, f)
}

func (j *job) abort() {
	for i := len(j.undos) - 1; i >= 0; i-- {
		j.undos[i]()
	}
	j.undos = nil
}

// times tells how long the steps took.
func (j *job) times() map[string]time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.took)
}
