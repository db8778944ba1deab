package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	createCancelled = "Resource creation cancelled"
	updateCancelled = "Resource update cancelled"
)

var errDeadline error = &PropertyError{Message: "Stack creation time exceeded the specified timeout"}

// create is the phase CREATE_IN_PROGRESS.
func (r *run) create() error {
	graph, err := r.plan(&r.stack.Spec)
	if err != nil {
		return r.failCreate(err, nil)
	}
	ctx, cancel := r.withDeadline()
	defer cancel()
	ctx, unwatch, err := r.watch(ctx, &r.stack.Spec)
	if err != nil {
		return r.failCreate(err, nil)
	}
	defer unwatch()
	work, keepGoing := r.createMember, r.keepsGoing()
	if r.hasFailed() && !keepGoing {
		graph, work = r.unsettled(), r.settle
	}
	failed := schedule(ctx, graph, keepGoing, work)
	if err := r.ended(failed); err != nil {
		return err
	}
	if errors.Is(context.Cause(ctx), errDeadline) {
		return r.failCreate(errDeadline, nil)
	}
	if err := alarmed(ctx); err != nil {
		return r.failCreate(err, nil)
	}
	if len(failed) > 0 || r.hasFailed() {
		return r.failCreate(nil, append(r.failures(CreateFailed, createCancelled), r.failures(ImportFailed, "")...))
	}
	outputs, err := r.outputs()
	if err == nil {
		err = r.monitor(ctx, &r.stack.Spec)
	}
	if err == nil {
		err = r.rest(CreateComplete, "", func(tx *store.Tx, s *Stack) error {
			s.Outputs = outputs
			return r.publish(tx, s)
		})
	}
	if _, forUser := userMessage(err); forUser {
		return r.failCreate(err, nil)
	}
	return err
}

// plan prepares the run for spec and evaluates what can be before any work.
func (r *run) plan(spec *Spec) (template.Graph, error) {
	if err := r.prepare(spec); err != nil {
		return nil, err
	}
	graph, err := r.scope.Plan()
	if err != nil {
		return nil, err
	}
	r.graph = graph
	return graph, r.e.CheckOutputs(r.scope)
}

// withDeadline is the run's ctx, ended by errDeadline when TimeoutInMinutes is
// over.
func (r *run) withDeadline() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	if r.stack.Deadline.IsZero() {
		return ctx, func() { cancel(nil) }
	}
	timer := r.e.cfg.Clock.After(r.stack.Deadline.Sub(r.e.cfg.Clock.Now()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-timer:
			cancel(errDeadline)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

// stopped returns why the phase must end without a result: the engine is
// closing, or another operation has taken over.
func (r *run) stopped() error {
	if err := r.e.ctx.Err(); err != nil {
		return err
	}
	if cause := context.Cause(r.ctx); cause != nil {
		return cause
	}
	return nil
}

// ended is stopped, or the failure among the phase's that is not in the store.
func (r *run) ended(failed map[string]error) error {
	if err := r.stopped(); err != nil {
		return err
	}
	return lost(failed)
}

// fence returns the stack's row for a change of its status; another operation
// that has changed it first wins.
func (r *run) fence(tx *store.Tx) (*Stack, error) {
	s, err := Stacks.Get(tx, r.key)
	if err != nil {
		return nil, err
	}
	if s.Status != r.stack.Status || s.Operation != r.stack.Operation {
		return nil, errInterrupted
	}
	return s, nil
}

// keepsGoing tells whether a failure stops only what waits for it: when nothing is
// going to be rolled back.
func (r *run) keepsGoing() bool { return r.stack.DisableRollback || r.stack.OnFailure == "DO_NOTHING" }

// holds is fence for who begins on a member: it reads the pulse alone.
func (r *run) holds(tx *store.Tx) error {
	p, err := pulses.Get(tx, r.key)
	if errors.Is(err, store.ErrNotFound) { // a stack from before there were pulses
		_, err = r.fence(tx)
		return err
	}
	if err != nil {
		return err
	}
	if p.Status != r.stack.Status || p.Operation != r.stack.Operation {
		return errInterrupted
	}
	return nil
}

func (r *run) hasFailed() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(r.members)), func(m *Member) bool {
		return m.Operation == r.stack.Operation && (m.Status == CreateFailed || m.Status == UpdateFailed || m.Status == ImportFailed)
	})
}

// unsettled are the members whose creation or update was in flight when the
// server died, after another had failed already.
func (r *run) unsettled() template.Graph {
	g := template.Graph{}
	for id, m := range r.members {
		if m.Status == CreateInProgress || m.Status == UpdateInProgress {
			g[id] = nil
		}
	}
	return g
}

// settle cancels a creation or update that was in flight when the server died. The service
// may have made the resource and the server died before it was told: repeating
// the creation, which the token makes safe, gives the physical id that the
// deletion needs.
func (r *run) settle(ctx context.Context, id string) error {
	m, _ := r.member(id)
	if err := r.learnID(ctx, m); err != nil {
		return err
	}
	if m.Status == UpdateInProgress {
		return r.record(m, func() {}, UpdateFailed, updateCancelled)
	}
	return r.record(m, func() {}, CreateFailed, createCancelled)
}

// learnID gives a member whose creation was in flight its physical id.
func (r *run) learnID(ctx context.Context, m *Member) error {
	if m.PhysicalID != "" {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, _ = r.callCreate(ctx, m, cancel)
	return r.e.ctx.Err()
}

// failures lists the members that failed in this operation: first those that are
// the cause, then those that were cancelled because of them.
func (r *run) failures(status, cancelled string) []string {
	var causes, rest []string
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		m := r.members[id]
		switch {
		case m.Operation != r.stack.Operation || m.Status != status:
		case m.Reason == cancelled:
			rest = append(rest, id)
		default:
			causes = append(causes, id)
		}
	}
	return append(causes, rest...)
}

// failCreate ends the phase: with the error that stands for all, or with the
// members that failed.
func (r *run) failCreate(cause error, members []string) error {
	reason := ""
	if cause != nil {
		if err := r.stopped(); err != nil {
			return err
		}
		text, ok := userMessage(cause)
		if !ok {
			r.e.cfg.Log.Error("stack creation", "stack", r.key.ID, "error", cause)
			text = cause.Error()
		}
		reason = strings.TrimSuffix(text, ".") + ". "
	} else {
		reason = fmt.Sprintf("The following resource(s) failed to create: [%s]. ", strings.Join(members, ", "))
	}
	return r.e.write(func(tx *store.Tx) error {
		s, err := r.fence(tx)
		if err != nil {
			return err
		}
		s.Deadline = time.Time{}
		switch s.OnFailure {
		case "DO_NOTHING":
			return setStatus(tx, s, CreateFailed, reason)
		case "DELETE":
			return setStatus(tx, s, DeleteInProgress, reason+"Delete requested by user.")
		}
		return setStatus(tx, s, RollbackInProgress, reason+rollbackRequested)
	})
}

// userMessage returns the text of an error that is for the user.
func userMessage(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	if text, ok := template.Message(err); ok {
		return text, true
	}
	var property *PropertyError
	if errors.As(err, &property) {
		return property.Message, true
	}
	return "", false
}
