package autoscaling

import (
	"slices"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// serve registers a member with the group's load balancers and puts it into service.
func (t *turn) serve(m *member) error {
	if state := t.ec2State(m); !alive(state) {
		return t.diedOnTheWay(m, "the instance is "+state)
	}
	registered, err := t.register(m)
	if err != nil {
		return err
	}
	return t.change(m, func(tx *store.Tx, g *group, m *member) error {
		m.Registered, m.Served, m.Extra = registered, t.now, false
		if m.Skipped = nil; t.g.suspended(processAddToBalancer) {
			m.Skipped = slices.DeleteFunc(slices.Clone(t.g.Traffic), func(w traffic) bool { return m.registered(w) })
		}
		m.enter(tx, t.k, api.LifecycleStateInService)
		g.Failures, g.Retry, g.Avoid, g.Scaled = 0, time.Time{}, "", t.now
		if countServing(t.list)+1 >= int(g.Desired) {
			g.Causes = nil
		}
		launch := m.Activity
		a, err := conclude(tx, t.k, m, successful, "")
		if err != nil || launch == "" || a == nil {
			return err
		}
		if a.Description == movingOut(m.Instance) {
			return nil
		}
		return notify(tx, t.k, g, launchEvent, a)
	})
}

// diedOnTheWay ends the launch of an instance that has ended before it was in service.
func (t *turn) diedOnTheWay(m *member, why string) error {
	return t.change(m, func(tx *store.Tx, g *group, m *member) error {
		return m.giveUp(tx, t.k, g, "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "+why)
	})
}

// alive reports whether an instance in a state of EC2's runs or comes up.
func alive(state string) bool { return state == "running" || state == "pending" }

// countServing counts the members that are in service.
func countServing(list []*member) int {
	n := 0
	for _, m := range list {
		if m.State == api.LifecycleStateInService {
			n++
		}
	}
	return n
}

// The ends of sentences that say why an instance is taken out of service.
const (
	whyEC2      = "an EC2 health check indicating it has been terminated or stopped."
	whyBalancer = "an ELB system health check failure."
	whyUser     = "a user health-check."
)

// keep looks after a member in service: its health, its age, its load balancers.
func (t *turn) keep(m *member) error {
	if !m.Unhealthy && !t.g.suspended(processHealth) {
		why, err := t.sick(m)
		if err != nil {
			return err
		}
		if why != "" {
			return t.change(m, func(_ *store.Tx, _ *group, m *member) error {
				m.Unhealthy, m.Why = true, why
				return nil
			})
		}
	}
	if t.g.Lifetime > 0 && m.Why == "" && !m.Launched.IsZero() {
		end := m.Launched.Add(time.Duration(t.g.Lifetime) * time.Second)
		if !t.now.Before(end) {
			return t.change(m, func(_ *store.Tx, _ *group, m *member) error {
				m.Why = whyAge
				return nil
			})
		}
		t.at(end)
	}
	return t.keepRegistered(m)
}

const whyAge = "the instance reaching its maximum lifetime."

// sick says why a member is unhealthy, "" when it is not.
func (t *turn) sick(m *member) (string, error) {
	if !alive(t.ec2State(m)) {
		return whyEC2, nil
	}
	if !t.g.balancerHealth() || len(m.Registered) == 0 {
		return "", nil
	}
	if grace := m.Served.Add(time.Duration(t.g.Grace) * time.Second); t.now.Before(grace) {
		t.at(grace)
		return "", nil
	}
	ill, err := t.unhealthyTarget(m)
	if err != nil || !ill {
		return "", err
	}
	return whyBalancer, nil
}

// balancerHealth reports whether the group's load balancers say who is healthy.
func (g *group) balancerHealth() bool {
	return slices.Contains(healthKinds(g.HealthCheck), "ELB")
}

// keepRegistered registers a member with what the group was attached to since.
func (t *turn) keepRegistered(m *member) error {
	if !slices.ContainsFunc(t.g.Traffic, m.lacks) || t.g.suspended(processAddToBalancer) {
		return nil
	}
	registered, err := t.register(m)
	if err != nil {
		return err
	}
	if len(registered) == len(m.Registered) {
		return nil
	}
	return t.change(m, func(_ *store.Tx, _ *group, m *member) error {
		m.Registered = registered
		return nil
	})
}

func (m *member) registered(w traffic) bool { return slices.ContainsFunc(m.Registered, w.same) }

// lacks reports whether a member is still to be registered with a source.
func (m *member) lacks(w traffic) bool {
	return w.State != removing && !m.registered(w) && !slices.ContainsFunc(m.Skipped, w.same)
}

func (w traffic) same(o traffic) bool { return w.Type == o.Type && w.ID == o.ID }

// inGrace reports whether a member came into service so lately that health checks do not
// count yet.
func (g *group) inGrace(m *member, now time.Time) bool {
	return m.pending() || now.Before(m.Served.Add(time.Duration(g.Grace)*time.Second))
}
