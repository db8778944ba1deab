package codedeploy

import (
	"context"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// With traffic control two events of a target are the service's own: BlockTraffic
// takes the instance out of its load balancers and waits until no connection is
// left, AllowTraffic puts it in and waits until they find it healthy. The
// deployment's worker does both, as the service role, for all targets at once:
//
//	an agent ends BeforeBlockTraffic      progress.go
//	shiftTraffic: asks for the change     the event InProgress
//	              looks at its outcome    whenever a balancer's health has changed
//	              ends the event          the next one is the agent's again
//
// Asking twice does no harm, so a server that ends in between loses nothing.

const (
	// trafficTimeout is how long AWS waits for a load balancer.
	trafficTimeout = time.Hour
	// unusedTimeout is how long a state may last that no health check can end.
	unusedTimeout = 5 * time.Minute
)

// inTraffic reports whether the target's current event is the service's to do.
func (t *target) inTraffic() bool {
	i := t.current()
	return t.Status == api.TargetStatusInProgress && i < len(t.Events) && !lifecycle.ByAgent(t.Events[i].Name)
}

func aboutBalancers(k store.Key) store.Filter {
	return store.Filter{Account: k.Account, Region: k.Region, Service: "elasticloadbalancing"}
}

// shiftTraffic does what is to be done of the targets' traffic events now, and
// returns when to look again; zero for never.
func (s *Service) shiftTraffic(ctx context.Context, k store.Key) (look time.Time, err error) {
	var d *deployment
	var at []*target
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if d, err = deployments.Get(tx, k); err != nil || d.Balancer == nil {
			return err
		}
		list, err := targetsOf(tx, k.ID)
		for _, t := range list {
			if t.inTraffic() {
				at = append(at, t)
			}
		}
		return err
	})
	if err != nil || len(at) == 0 {
		return look, err
	}
	outcomes, err := s.shift(ctx, k, d, at)
	if err != nil {
		return look, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		now := s.clock.Now()
		look = now.Add(lookEvery)
		for _, t := range at {
			o := outcomes[t.InstanceID]
			if o.ports != nil {
				look = now // the traffic itself is next
			}
			if err := s.noteTraffic(tx, k, t, o, now); err != nil {
				return err
			}
		}
		return nil
	})
	return look, err
}

// outcome is what became of one instance's change.
type outcome struct {
	done bool
	// failed says why it cannot be, issue whose fault that is.
	failed string
	issue  api.ErrorCode
	// waits says what is being waited for.
	waits string
	// stuck tells that waiting alone will not help.
	stuck bool
	// ports are set when these were all that could be found out so far.
	ports map[string][]int32
}

// noteTraffic writes what became of the target that was seen as t, unless it has
// gone on meanwhile.
func (s *Service) noteTraffic(tx *store.Tx, k store.Key, seen *target, o outcome, now time.Time) error {
	d, err := deployments.Get(tx, k)
	if err != nil || d.ended() {
		return err
	}
	t, err := targets.Get(tx, targetKey(k, k.ID, seen.InstanceID))
	if err != nil || !t.inTraffic() || t.current() != seen.current() {
		return err
	}
	if o.ports != nil {
		return notePorts(tx, k, d, t, o.ports)
	}
	e := &t.Events[t.current()]
	began := e.Start.IsZero()
	if began {
		e.Start, e.Status, t.Acked = now, api.LifecycleEventStatusInProgress, now
	}
	if o.failed == "" {
		o.expire(t, e, now)
	}
	switch {
	case o.failed != "":
		t.Issue = o.issue
		return s.complete(tx, k, d, t, event{Status: api.LifecycleEventStatusFailed, Code: api.LifecycleErrorCodeUnknownError, Message: o.failed}, now)
	case o.done:
		emit(tx, k, t.InstanceID, "command", "a lifecycle event is ready")
		return s.complete(tx, k, d, t, event{Status: api.LifecycleEventStatusSucceeded}, now)
	case began:
		return s.putTarget(tx, k, t, "event", now)
	}
	return nil
}

// notePorts keeps where a target has its traffic. Where it has none a deployment that
// failed may have taken it, and knows.
func notePorts(tx *store.Tx, k store.Key, d *deployment, t *target, ports map[string][]int32) error {
	h, err := hosts.Get(tx, hostKey(k, d.GroupID, t.InstanceID))
	if err != nil && !isNotFound(err) {
		return err
	}
	for id, at := range ports {
		if len(at) == 0 && h != nil {
			ports[id] = h.Ports[id]
		}
	}
	t.Ports = ports
	return targets.Put(tx, targetKey(k, t.DeploymentID, t.InstanceID), t)
}

// expire fails an event that has waited too long.
func (o *outcome) expire(t *target, e *event, now time.Time) {
	limit := trafficTimeout
	if o.stuck {
		limit = unusedTimeout
	}
	if !o.done && !now.Before(e.Start.Add(limit)) {
		o.failed, o.issue = fmt.Sprintf("%s on instance %s did not end within %s: %s", e.Name, t.InstanceID, limit, o.waits), api.ErrorCodeElbInvalidInstance
	}
}

// shift asks for the changes that have not been asked for, and looks at all.
func (s *Service) shift(ctx context.Context, k store.Key, d *deployment, at []*target) (map[string]outcome, error) {
	out := map[string]outcome{}
	b, why, err := s.balancers(ctx, k, d)
	if err != nil {
		return nil, err
	}
	for _, t := range at {
		o := outcome{}
		switch {
		case why != nil:
			o.failed, o.issue = why.message, why.code
		case t.OnPremises:
			o.failed, o.issue = fmt.Sprintf("Instance %s is on premises: it cannot be registered with a load balancer.", t.InstanceID), api.ErrorCodeElbInvalidInstance
		default:
			if o, err = b.move(t); err != nil {
				return nil, err
			}
		}
		out[t.InstanceID] = o
	}
	return out, nil
}

// move brings one target's event forward.
func (b *balancers) move(t *target) (o outcome, err error) {
	e := &t.Events[t.current()]
	allow := e.Name == lifecycle.AllowTraffic
	o = outcome{done: true}
	if !allow && t.Ports == nil {
		return b.findPorts(t)
	}
	for _, one := range b.all {
		if e.Start.IsZero() {
			err := one.change(b.ctx, t, allow)
			if f := b.refused(err, one); f != nil {
				return *f, nil
			}
			if err != nil {
				return o, err
			}
		}
		waits, stuck, err := one.waits(b.ctx, t.InstanceID, allow)
		if f := b.refused(err, one); f != nil {
			return *f, nil
		}
		if err != nil {
			return o, err
		}
		if waits != "" {
			o.done, o.waits, o.stuck = false, waits, o.stuck || stuck
		}
	}
	return o, nil
}

// findPorts returns where the target has its traffic. That is written before the
// traffic is taken away: afterwards nobody knows it.
func (b *balancers) findPorts(t *target) (o outcome, err error) {
	o.ports = map[string][]int32{}
	for _, one := range b.all {
		o.ports[one.id()], err = one.ports(b.ctx, t.InstanceID)
		if f := b.refused(err, one); f != nil {
			return *f, nil
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}
