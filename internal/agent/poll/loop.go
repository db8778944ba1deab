package poll

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/agent/hooks"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/agent/state"
	"github.com/hardstand/hardstand/internal/clock"
)

// Executor carries commands out.
type Executor interface {
	// Noop reports whether there is nothing to do for command.
	Noop(command string, s *spec.Spec) (bool, error)
	// Run executes it and returns the message of success.
	Run(ctx context.Context, command string, s *spec.Spec) (string, error)
}

// Opener checks an envelope and returns its content.
type Opener interface {
	Open(e *spec.Envelope) ([]byte, error)
}

// Loop is the running agent.
type Loop struct {
	Client   *Client
	Verifier Opener
	Executor Executor
	State    state.Dir
	Clock    clock.Clock
	Log      *slog.Logger
	// Every is the least time between two polls that find nothing.
	Every time.Duration
	// KillWait is how long Run waits for running commands after ctx has ended.
	KillWait time.Duration
	// Resting, if set, is called when the agent waits: at the start, and when a poll
	// finds nothing, and nothing runs, for the first time since there was something.
	Resting func()

	notes    sync.Mutex        // held while a note is written or removed
	noted    map[string]string // deployment -> its command that runs
	mu       sync.Mutex
	inFlight map[string]bool
	last     *spec.Spec // the specification that was verified last, and whose it is
	lastOf   string     // by execution id
	work     sync.WaitGroup
}

// maxCommands bounds what runs at once; the service sends one at a time.
const maxCommands = 16

// Run polls until ctx ends, then lets running commands finish.
func (l *Loop) Run(ctx context.Context) error {
	l.inFlight, l.noted = map[string]bool{}, map[string]string{}
	l.recoverCommands(ctx)
	l.rest()
	failures, rested := 0, true
	for ctx.Err() == nil {
		began := l.Clock.Now()
		cmd, err := l.Client.Poll(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			failures++
			wait := backoff(failures, err)
			l.Log.Error("poll failed", "error", err, "failures", failures, "retry_in", wait.String())
			_ = clock.Sleep(ctx, l.Clock, wait) // ctx is looked at next
		case cmd != nil:
			failures, rested = 0, false
			l.dispatch(ctx, cmd)
		default:
			failures = 0
			if !rested && !l.busy() {
				l.rest()
				rested = true
			}
			if rest := l.Every - l.Clock.Now().Sub(began); rest > 0 {
				_ = clock.Sleep(ctx, l.Clock, rest)
			}
		}
	}
	return l.drain()
}

// dispatch starts cmd unless it runs already. Commands outlive ctx: a stopped
// agent finishes what it has begun.
func (l *Loop) dispatch(ctx context.Context, cmd *Command) {
	l.mu.Lock()
	busy := l.inFlight[cmd.HostCommandIdentifier] || len(l.inFlight) >= maxCommands
	if !busy {
		l.inFlight[cmd.HostCommandIdentifier] = true
	}
	l.mu.Unlock()
	if busy {
		// The service will offer it again; asking at once would spin.
		_ = clock.Sleep(ctx, l.Clock, max(l.Every, time.Second))
		return
	}
	l.work.Go(func() {
		defer l.landed(cmd.HostCommandIdentifier)
		l.process(context.WithoutCancel(ctx), cmd)
	})
}

func (l *Loop) drain() error {
	done := make(chan struct{})
	go func() {
		l.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-l.Clock.After(l.KillWait):
		return fmt.Errorf("a command still ran %s after the agent was told to stop", l.KillWait)
	}
}

// recoverCommands fails what ran when the agent last ended, beside the polls and
// for as long as it takes: the service may be away, and offers nothing of what it
// believes to run. What cannot be reported before ctx ends is tried again at the
// next start. Until it is reported, the command counts as in flight, so that one
// that was noted and not yet acknowledged is not begun when it is offered again.
func (l *Loop) recoverCommands(ctx context.Context) {
	tracked, err := l.State.Tracked()
	if err != nil {
		l.Log.Error("read running commands", "error", err)
		return
	}
	for deployment, id := range tracked {
		l.Log.Warn("failing a lifecycle event that ran when the agent ended", "deployment", deployment, "command", id)
		l.inFlight[id], l.noted[deployment] = true, id
	}
	for deployment, id := range tracked {
		l.work.Go(func() { l.reportInterrupted(ctx, deployment, id) })
	}
}

func (l *Loop) reportInterrupted(ctx context.Context, deployment, id string) {
	defer l.landed(id)
	d := Diagnostics{Code: hooks.CodeRestarted, Message: "Failed: Failing in-progress lifecycle event after an agent restart."}
	// An agent that is stopped does not begin another attempt, but ends the one it is at.
	err := l.retry(ctx, completeTries, func() error { return l.Client.Complete(context.WithoutCancel(ctx), id, Failed, d) })
	if err != nil {
		l.Log.Error("report interrupted command", "deployment", deployment, "error", err)
		return
	}
	if err := l.forget(deployment, id); err != nil {
		l.Log.Error("forget interrupted command", "deployment", deployment, "error", err)
	}
}

// landed ends the flight of a command.
func (l *Loop) landed(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.inFlight, id)
}

// busy reports whether a command runs.
func (l *Loop) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.inFlight) > 0
}

func (l *Loop) rest() {
	if l.Resting != nil {
		l.Resting()
	}
}
