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
func (s *Service) PollHostCommand(ctx context.Context, in *api.PollHostCommandInput) (out *api.PollHostCommandOutput, err error) {
	h, err := s.authorizeHost(ctx, "PollHostCommand")
	if err != nil {
		return nil, err
	}
	if err := h.check(in.HostIdentifier); err != nil {
		return nil, err
	}
	k := h.Key
	note := s.polls.begin(k, ours(aws.CallFrom(ctx)), s.clock.Now())
	defer func() { s.polls.end(k, s.clock.Now(), err == nil) }()
	if note {
		if err := s.notePoll(ctx, k); err != nil {
			return nil, err
		}
	}
	enough := s.clock.After(holdPoll)
	for {
		changed := s.polls.changed(k)
		cmd, wait, err := s.take(ctx, h)
		if err != nil || cmd != nil {
			return &api.PollHostCommandOutput{HostCommand: cmd}, err
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

// take hands out the host's command, if it has one. wait fires when a command
// that is out already may be handed out again; nil for never.
func (s *Service) take(ctx context.Context, h speaker) (cmd *api.HostCommandInstance, wait <-chan time.Time, err error) {
	k := h.Key
	// Most polls find nothing: look before taking the writer.
	due, err := view(ctx, s, func(tx *store.Tx) (time.Time, error) {
		t, err := s.waiting(tx, k)
		if t == nil {
			return time.Time{}, err
		}
		return t.Offered.Add(lease), err
	})
	now := s.clock.Now()
	if err != nil || due.IsZero() {
		return nil, nil, err
	}
	if now.Before(due) {
		return nil, s.clock.After(due.Sub(now)), nil
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		cmd = nil
		t, err := s.waiting(tx, k)
		if err != nil || t == nil || now.Before(t.Offered.Add(lease)) {
			return err
		}
		t.Offered, t.Offers = now, t.Offers+1
		cmd = &api.HostCommandInstance{
			HostCommandIdentifier: aws.Ptr(commandID(t)), HostIdentifier: &h.identifier,
			DeploymentExecutionId: aws.Ptr(executionID(k, t.DeploymentID)), CommandName: &t.Events[t.current()].Name,
			Nonce: aws.Ptr(now.UnixNano()),
		}
		return targets.Put(tx, targetKey(k, t.DeploymentID, t.InstanceID), t)
	})
	return cmd, nil, err
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
		if !t.Acked.IsZero() {
			return nil, nil
		}
		if first == nil || t.Ready.Before(first.Ready) {
			first = t
		}
	}
	return first, nil
}
