package codedeploy

import (
	"context"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

const (
	// holdPoll is how long a poll of our agent is held open.
	holdPoll = 50 * time.Second
	// holdOthers is the same for AWS's agents. They end, and so restart and let their
	// instance go down, only when a poll has been answered.
	holdOthers = 20 * time.Second
	// lease is how long a command that was handed out may stay unacknowledged
	// before it is handed out again. An acknowledged one never is: an agent would
	// run it twice.
	lease = 20 * time.Second
)

// PollHostCommand hands the caller its next command, and holds the request open
// until there is one, so that work starts at once. What needs room on the stack has
// returned by then; see exchange.serve in package wire.
func (s *Service) PollHostCommand(ctx context.Context, in *api.PollHostCommandInput) (out *api.PollHostCommandOutput, err error) {
	h, err := s.admitPoll(ctx, in)
	if err != nil {
		return nil, err
	}
	defer s.leavePoll(h, &err)
	if err := s.enterPoll(ctx, h); err != nil {
		return nil, err
	}
	enough := s.clock.After(holdFor(ctx))
	for {
		changed := s.polls.changed(h.Key)
		out, due, err := s.take(ctx, h)
		if err != nil || out != nil {
			return out, err
		}
		var wait <-chan time.Time
		if !due.IsZero() {
			wait = s.clock.After(due.Sub(s.clock.Now()))
		}
		select {
		case <-changed:
		case <-wait:
		case <-enough:
			return &api.PollHostCommandOutput{}, nil
		case <-s.stopped:
			return &api.PollHostCommandOutput{}, nil
		case <-ctx.Done(): // an agent that ends hangs up; that is no failure
			return &api.PollHostCommandOutput{}, nil
		}
	}
}

// holdFor is how long the caller's poll is held open.
func holdFor(ctx context.Context) time.Duration {
	if ours(aws.CallFrom(ctx)) {
		return holdPoll
	}
	return holdOthers
}

// heldPoll is a poll that waits without its request, as those of a fleet do.
type heldPoll struct {
	s     *Service
	host  *speaker
	until time.Time
	wake  func()
}

// holdPollHostCommand is PollHostCommand for clients that can be held.
func (s *Service) holdPollHostCommand(ctx context.Context, in any) (held wire.Held, err error) {
	input, ok := in.(*api.PollHostCommandInput)
	if !ok {
		return nil, fmt.Errorf("PollHostCommand got %T", in)
	}
	h, err := s.admitPoll(ctx, input)
	if err != nil {
		return nil, err
	}
	if err := s.enterPoll(ctx, h); err != nil {
		s.leavePoll(h, &err)
		return nil, err
	}
	return &heldPoll{s: s, host: h, until: s.clock.Now().Add(holdFor(ctx))}, nil
}

// Await implements wire.Held.
func (p *heldPoll) Await(wake func()) {
	p.wake = wake
	p.s.polls.hold(p.host.Key, p)
}

// Look implements wire.Held.
func (p *heldPoll) Look(ctx context.Context) (any, time.Time, error) {
	out, due, err := p.s.take(ctx, p.host)
	if err != nil {
		return nil, due, err
	}
	if out == nil && !p.s.clock.Now().Before(p.until) {
		return p.Over(), due, nil
	}
	if out == nil { // not as an interface: there is no answer
		if due.IsZero() || due.After(p.until) {
			due = p.until
		}
		return nil, due, nil
	}
	return out, due, nil
}

// Over implements wire.Held.
func (p *heldPoll) Over() any { return &api.PollHostCommandOutput{} }

// Leave implements wire.Held.
func (p *heldPoll) Leave(well bool) {
	p.s.polls.release(p.host.Key, p)
	p.s.polls.end(p.host.Key, p.s.clock.Now(), well)
}

// admitPoll says who polls.
//
//go:noinline
func (s *Service) admitPoll(ctx context.Context, in *api.PollHostCommandInput) (*speaker, error) {
	h, err := s.authorizeHost(ctx, "PollHostCommand")
	if err != nil {
		return nil, err
	}
	if err := h.check(in.HostIdentifier); err != nil {
		return nil, err
	}
	s.polls.begin(h.Key, ours(aws.CallFrom(ctx)), s.clock.Now())
	return &h, nil
}

// enterPoll writes that the host polls, when that is due.
//
//go:noinline
func (s *Service) enterPoll(ctx context.Context, h *speaker) error {
	if !s.polls.due(h.Key, s.clock.Now()) {
		return nil
	}
	return s.notePoll(ctx, h.Key, ours(aws.CallFrom(ctx)))
}

func (s *Service) leavePoll(h *speaker, err *error) { s.polls.end(h.Key, s.clock.Now(), *err == nil) }

// take hands out the host's command, if it has one. due is when a command that is
// out already may be handed out again; zero for never. Nothing is written:
// what an agent has taken is what it has acknowledged.
//
//go:noinline
func (s *Service) take(ctx context.Context, h *speaker) (out *api.PollHostCommandOutput, due time.Time, err error) {
	k := h.Key
	t, err := view(ctx, s, func(tx *store.Tx) (*target, error) { return s.waiting(tx, k) })
	if err != nil || t == nil {
		return nil, due, err
	}
	now, id := s.clock.Now(), commandID(t)
	if due = s.polls.offer(k, id, t.Ready, now); now.Before(due) {
		return nil, due, nil
	}
	return &api.PollHostCommandOutput{HostCommand: &api.HostCommandInstance{
		HostCommandIdentifier: &id, HostIdentifier: &h.identifier,
		DeploymentExecutionId: aws.Ptr(executionID(k, t.DeploymentID)), CommandName: &t.Events[t.current()].Name,
		Nonce: aws.Ptr(now.UnixNano()),
	}}, due, nil
}

// waiting returns the host's target whose current event no agent has
// acknowledged. Commands of one host follow each other: with two deployments of
// two groups, the one that is at work goes first.
func (s *Service) waiting(tx *store.Tx, k store.Key) (*target, error) {
	rows, err := targets.Lookup(tx, "host", joined(k.Account, k.Region, k.ID))
	if err != nil {
		return nil, err
	}
	var first *target
	for _, r := range rows {
		t := r.Value
		if t.inTraffic() {
			continue
		}
		if !t.Acked.IsZero() {
			return nil, nil
		}
		if first == nil || t.Ready.Before(first.Ready) {
			first = t
		}
	}
	return first, nil
}
