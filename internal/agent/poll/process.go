package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/hardstand/hardstand/internal/agent/hooks"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/clock"
)

// completeTries repeats a completion for about an hour: a completion that is
// lost makes the service wait for its own time-out and then say less than we
// know. So does an acknowledgement whose answer is lost: the service believes that
// its command runs.
const completeTries = 120

// process takes cmd from its specification to its completion. Whatever goes
// wrong is reported to the service with its cause.
func (l *Loop) process(ctx context.Context, cmd *Command) {
	log := l.Log.With("command", cmd.CommandName, "execution", cmd.DeploymentExecutionID)
	s, noop, err := l.prepare(ctx, cmd)
	if err != nil {
		log.Error("cannot start command", "error", err)
		l.finish(ctx, cmd, "", err)
		return
	}
	if noop && s.EndsNoops { // nothing will have run, and nothing is waited for
		l.carryOut(ctx, log, cmd, s, noop)
		return
	}
	// Noted first: the service never offers again what was acknowledged, so that an
	// agent that ended between the two would leave it waiting for its time-out.
	if err := l.note(s.DeploymentID, cmd.HostCommandIdentifier); err != nil {
		l.finish(ctx, cmd, "", fmt.Errorf("track command: %w", err))
		return
	}
	if l.carryOut(ctx, log, cmd, s, noop) {
		if err := l.forget(s.DeploymentID, cmd.HostCommandIdentifier); err != nil {
			log.Error("forget command", "error", err)
		}
	}
}

// note writes down that command runs for deployment, in place of the one before.
func (l *Loop) note(deployment, command string) error {
	l.notes.Lock()
	defer l.notes.Unlock()
	l.noted[deployment] = command
	return l.State.Track(deployment, command)
}

// forget removes the note of command. The completion of a command brings the next one
// of its deployment at once, perhaps before this has come to removing the note: it may
// already be the next one's.
func (l *Loop) forget(deployment, command string) error {
	l.notes.Lock()
	defer l.notes.Unlock()
	if l.noted[deployment] != command {
		return nil
	}
	delete(l.noted, deployment)
	return l.State.Untrack(deployment)
}

// carryOut acknowledges cmd, runs it and reports its end; done tells that the
// service knows all there is to know.
func (l *Loop) carryOut(ctx context.Context, log *slog.Logger, cmd *Command, s *spec.Spec, noop bool) (done bool) {
	status, err := l.acknowledge(ctx, cmd, noop)
	if err != nil {
		log.Error("acknowledge command", "error", err)
		return true // the service offers it again or times it out
	}
	switch {
	case status == Failed && noop:
		l.finish(ctx, cmd, "Succeeded: CompletedNoopCommand", nil)
		return true
	case status == Succeeded, status == Failed:
		return true
	}
	log.Info("command started", "deployment", s.DeploymentID)
	out, sent := l.output(ctx, cmd, s)
	message, err := l.execute(hooks.WithOutput(ctx, out), cmd, s)
	sent()
	if err != nil {
		log.Error("command failed", "deployment", s.DeploymentID, "error", err)
	} else {
		log.Info("command ended", "deployment", s.DeploymentID)
	}
	return l.finish(ctx, cmd, message, err)
}

func (l *Loop) prepare(ctx context.Context, cmd *Command) (*spec.Spec, bool, error) {
	s, err := l.specification(ctx, cmd)
	if err != nil {
		return nil, false, err
	}
	noop, err := l.Executor.Noop(cmd.CommandName, s)
	return s, noop, err
}

// specification returns what cmd's deployment consists of. The commands of one
// deployment follow each other and share it.
func (l *Loop) specification(ctx context.Context, cmd *Command) (*spec.Spec, error) {
	l.mu.Lock()
	last, of := l.last, l.lastOf
	l.mu.Unlock()
	if last != nil && of == cmd.DeploymentExecutionID {
		return last, nil
	}
	s, err := l.fetch(ctx, cmd)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.last, l.lastOf = s, cmd.DeploymentExecutionID
	l.mu.Unlock()
	return s, nil
}

func (l *Loop) fetch(ctx context.Context, cmd *Command) (*spec.Spec, error) {
	var env *spec.Envelope
	err := l.retry(ctx, 5, func() (err error) {
		env, err = l.Client.Specification(ctx, cmd)
		return err
	})
	if err != nil {
		return nil, err
	}
	content, err := l.Verifier.Open(env)
	if err != nil {
		return nil, err
	}
	return spec.Parse(content)
}

func (l *Loop) acknowledge(ctx context.Context, cmd *Command, noop bool) (status Status, err error) {
	err = l.retry(ctx, completeTries, func() (err error) {
		status, err = l.Client.Acknowledge(ctx, cmd, noop)
		return err
	})
	return status, err
}

// execute keeps a defect in one command from ending the agent.
func (l *Loop) execute(ctx context.Context, cmd *Command, s *spec.Spec) (message string, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.Log.Error("command panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error of the agent: %v", p)
		}
	}()
	return l.Executor.Run(ctx, cmd.CommandName, s)
}

// finish reports the end of cmd and says whether the service has heard it.
func (l *Loop) finish(ctx context.Context, cmd *Command, message string, failure error) bool {
	status, d := Succeeded, Diagnostics{Code: hooks.CodeSuccess, Message: message}
	if failure != nil {
		status, d = Failed, Describe(failure)
	}
	err := l.retry(ctx, completeTries, func() error { return l.Client.Complete(ctx, cmd.HostCommandIdentifier, status, d) })
	if err != nil {
		l.Log.Error("report the end of a command", "command", cmd.CommandName, "error", err)
		return false
	}
	return true
}

// Describe turns an error into diagnostics.
func Describe(err error) Diagnostics {
	var f *hooks.Failure
	if errors.As(err, &f) {
		return Diagnostics{Code: f.Code, Script: f.Script, Message: f.Message, Log: f.Log}
	}
	return Diagnostics{Code: hooks.CodeUnknown, Message: err.Error()}
}

// retry repeats call while the service cannot be reached, fails or throttles.
func (l *Loop) retry(ctx context.Context, tries int, call func() error) error {
	for n := 0; ; n++ {
		err := call()
		var api *APIError
		if err == nil || n+1 >= tries || errors.As(err, &api) && api.final() {
			return err
		}
		l.Log.Warn("call failed; trying again", "error", err)
		if clock.Sleep(ctx, l.Clock, retryWait(n)) != nil {
			return err
		}
	}
}
