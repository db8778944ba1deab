package codedeploy

import (
	"context"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	// holdPoll is how long a poll is held open; agents give up after 80 s.
	holdPoll = 50 * time.Second
	// lease is how long a command that was handed out may stay unacknowledged
	// before it is handed out again. An acknowledged one never is: an agent would
	// run it twice.
	lease = 20 * time.Second
)

// PollHostCommand hands the caller its next command, and holds the request open
// until there is one, so that work starts at once.
//
// Thousands wait here. What they have on their stacks while they do counts: from
// 3.2 KiB above this function on a stack is not shrunk to 8 KiB any more. Whatever
// needs room is therefore done in functions that have returned by then.
func (s *Service) PollHostCommand(ctx context.Context, in *api.PollHostCommandInput) (out *api.PollHostCommandOutput, err error) {
	h, err := s.admitPoll(ctx, in)
	if err != nil {
		return nil, err
	}
	defer s.leavePoll(h, &err)
	if err := s.enterPoll(ctx, h); err != nil {
		return nil, err
	}
	enough := s.clock.After(holdPoll)
	for {
		changed := s.polls.changed(h.Key)
		out, wait, err := s.take(ctx, h)
		if err != nil || out != nil {
			return out, err
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

// take hands out the host's command, if it has one. wait fires when a command
// that is out already may be handed out again; nil for never. Nothing is written:
// what an agent has taken is what it has acknowledged.
//
//go:noinline
func (s *Service) take(ctx context.Context, h *speaker) (out *api.PollHostCommandOutput, wait <-chan time.Time, err error) {
	k := h.Key
	t, err := view(ctx, s, func(tx *store.Tx) (*target, error) { return s.waiting(tx, k) })
	if err != nil || t == nil {
		return nil, nil, err
	}
	now, id := s.clock.Now(), commandID(t)
	if due := s.polls.offer(k, id, t.Ready, now); now.Before(due) {
		return nil, s.clock.After(due.Sub(now)), nil
	}
	return &api.PollHostCommandOutput{HostCommand: &api.HostCommandInstance{
		HostCommandIdentifier: &id, HostIdentifier: &h.identifier,
		DeploymentExecutionId: aws.Ptr(executionID(k, t.DeploymentID)), CommandName: &t.Events[t.current()].Name,
		Nonce: aws.Ptr(now.UnixNano()),
	}}, nil, nil
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
