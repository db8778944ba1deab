package autoscaling

import (
	"context"
	"errors"
	"fmt"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// turn is one look at a group: its rows as they were read and what EC2 says. What it
// changes it changes in transactions that read the rows again.
type turn struct {
	s    *Service
	ctx  context.Context
	k    store.Key
	g    *group
	list []*member
	hook []*hook
	// refresh is the instance refresh in progress, nil when there is none.
	refresh *refresh
	now     time.Time
	// seen are the group's instances as EC2 has them.
	seen map[string]*ec2.Instance
	as   context.Context // acts with the group's role; see role
	due  time.Time       // when something is to be done next, zero for nothing
	// ill are the errors of single members, which do not keep the group from the others.
	ill error
	// moved says that a row has changed: another turn follows at once.
	moved bool
}

// maxTurns bounds how long one group keeps its goroutine without looking at the world.
const maxTurns = 10000

// step does all that can be done for a group now and returns when something is due.
func (s *Service) step(ctx context.Context, k store.Key) (time.Time, error) {
	for range maxTurns {
		t, err := s.load(ctx, k)
		if isNotFound(err) {
			return time.Time{}, nil
		}
		if err != nil {
			return time.Time{}, err
		}
		for _, part := range []func() error{t.schedules, t.observe, t.members, t.traffic, t.steer, t.balance, t.bury} {
			if err := part(); isNotFound(err) {
				return time.Time{}, nil // deleted meanwhile
			} else if err != nil {
				return time.Time{}, err
			}
			if t.moved {
				break
			}
		}
		if !t.moved {
			return t.due, t.ill
		}
	}
	return s.now().Add(store.FirstRetry), nil
}

func (s *Service) load(ctx context.Context, k store.Key) (*turn, error) {
	t := &turn{s: s, ctx: ctx, k: k, now: s.now(), seen: map[string]*ec2.Instance{}}
	return t, s.view(ctx, func(tx *store.Tx) (err error) {
		if t.g, err = groups.Get(tx, k); err != nil {
			return err
		}
		if t.list, err = membersOf(tx, k); err != nil {
			return err
		}
		if t.hook, err = hooksOf(tx, k); err != nil {
			return err
		}
		t.refresh, err = activeRefresh(tx, k)
		return err
	})
}

// role is the context in which the group's role calls.
func (t *turn) role() (context.Context, error) {
	if t.as == nil {
		as, err := t.s.acting(t.ctx, t.k, t.g.Role)
		if err != nil {
			return nil, fmt.Errorf("act as %s: %w", t.g.Role, err)
		}
		t.as = as
	}
	return t.as, nil
}

// at notes that something is due.
func (t *turn) at(when time.Time) {
	if t.due.IsZero() || when.Before(t.due) {
		t.due = when
	}
}

// observe asks EC2 for the group's instances.
func (t *turn) observe() error {
	var idsOf []string
	for _, m := range t.list {
		if m.Instance != "" {
			idsOf = append(idsOf, m.Instance)
		}
	}
	if len(idsOf) == 0 {
		return nil
	}
	as, err := t.role()
	if err != nil {
		return err
	}
	// A filter, and not InstanceIds, of which an unknown one would fail all.
	in := &ec2.DescribeInstancesInput{Filters: []ec2.Filter{{Name: ptr("instance-id"), Values: idsOf}}}
	for {
		out, err := wire.Call[ec2.DescribeInstancesOutput](as, t.s.cfg.Invoker, "ec2", "DescribeInstances", in)
		if err != nil {
			return fmt.Errorf("observe the instances of %s: %w", t.k.ID, err)
		}
		for _, r := range out.Reservations {
			for i := range r.Instances {
				t.seen[*r.Instances[i].InstanceId] = &r.Instances[i]
			}
		}
		if val(out.NextToken) == "" {
			return nil
		}
		in.NextToken = out.NextToken
	}
}

// ec2State is the state that EC2 gives an instance; what it does not know any more has
// terminated.
func (t *turn) ec2State(m *member) string {
	i := t.seen[m.Instance]
	if i == nil || i.State == nil {
		return "terminated"
	}
	return string(i.State.Name)
}

// members brings each instance a state further, where that can be.
func (t *turn) members() error {
	for _, m := range t.list {
		var err error
		switch m.State {
		case api.LifecycleStatePending:
			err = t.arrive(m)
		case api.LifecycleStatePendingWait, api.LifecycleStateTerminatingWait:
			err = t.awaitActions(m)
		case api.LifecycleStatePendingProceed:
			err = t.serve(m)
		case api.LifecycleStateInService:
			err = t.keep(m)
		case api.LifecycleStateTerminating, api.LifecycleStateEnteringStandby, api.LifecycleStateDetaching:
			err = t.drain(m)
		case api.LifecycleStateTerminatingProceed:
			err = t.end(m)
		}
		if isNotFound(err) {
			return err
		}
		if err != nil {
			t.ill = errors.Join(t.ill, fmt.Errorf("member %s in %s: %w", m.Instance, m.State, err))
		}
	}
	return nil
}

// change applies f to the rows of the group and a member, unless the member's state is
// not the one seen any more.
func (t *turn) change(m *member, f func(tx *store.Tx, g *group, m *member) error) error {
	return t.s.update(t.ctx, func(tx *store.Tx) error {
		now, err := members.Get(tx, memberKey(t.k, m))
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		g, err := groups.Get(tx, t.k)
		if err != nil || now.State != m.State {
			return err
		}
		t.moved = true
		if err := f(tx, g, now); err != nil {
			return err
		}
		if err := groups.Put(tx, t.k, g); err != nil {
			return err
		}
		changed(tx, t.k, "")
		if _, err := members.Get(tx, memberKey(t.k, m)); isNotFound(err) {
			return nil // f has removed it
		}
		return putMember(tx, t.k, now)
	})
}

// enter gives a member another state and tells of it.
func (m *member) enter(tx *store.Tx, k store.Key, state api.LifecycleState) {
	m.State = state
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signing, Resource: k.ID, Kind: lifecycleKind, Cause: m.Instance + " " + string(state)})
}

// lifecycleKind is the kind of the events of an instance's state; their cause is the
// instance's id and the state.
const lifecycleKind = "lifecycle"

// bury removes a group that is to be deleted when its last instance has ended.
func (t *turn) bury() error {
	if t.g.Status != deleteInProgress || len(t.list) > 0 {
		return nil
	}
	return t.s.update(t.ctx, func(tx *store.Tx) error {
		list, err := membersOf(tx, t.k)
		if err != nil || len(list) > 0 {
			return err
		}
		t.moved = true
		changed(tx, t.k, "deleted")
		return dropGroup(tx, t.k, t.g)
	})
}
