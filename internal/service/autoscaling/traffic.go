package autoscaling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// has reports whether a group is behind a load balancer (by name) or target group (by
// ARN).
func (g *group) has(id string) bool {
	return slices.ContainsFunc(g.Traffic, func(t traffic) bool { return t.ID == id })
}

// names are the group's sources of a type that are not being removed.
func (g *group) names(kind string) []string {
	out := []string{}
	for _, t := range g.Traffic {
		if t.Type == kind && t.State != removing {
			out = append(out, t.ID)
		}
	}
	return out
}

func healthKinds(list string) []string {
	kinds := strings.Split(list, ",")
	for i := range kinds {
		kinds[i] = strings.TrimSpace(kinds[i])
	}
	return kinds
}

// trafficOf are the sources that a request names, in its three ways.
func trafficOf(classic, target []string, sources []api.TrafficSourceIdentifier) ([]traffic, error) {
	var out []traffic
	for _, name := range classic {
		out = append(out, traffic{classicSource, name, adding})
	}
	for _, id := range target {
		out = append(out, traffic{targetSource, id, adding})
	}
	for _, s := range sources {
		id := val(s.Identifier)
		kind := val(s.Type)
		switch {
		case kind == "" && strings.Contains(id, ":elasticloadbalancing:"):
			kind = targetSource
		case kind == "" && !strings.HasPrefix(id, "arn:"):
			kind = classicSource
		case kind == "vpc-lattice" || strings.Contains(id, ":vpc-lattice:"):
			return nil, notHonoured("traffic sources of VPC Lattice")
		}
		if kind != classicSource && kind != targetSource {
			return nil, invalid("Invalid traffic source type: %s", kind)
		}
		out = append(out, traffic{kind, id, adding})
	}
	return out, nil
}

// planTraffic is what a new group is attached to. It has to exist.
func (s *Service) planTraffic(ctx context.Context, g *group, classic, target []string, sources []api.TrafficSourceIdentifier) ([]traffic, error) {
	list, err := trafficOf(classic, target, sources)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	as, err := s.acting(ctx, key(aws.CallFrom(ctx), ""), g.Role)
	if err != nil {
		return nil, fmt.Errorf("act as %s: %w", g.Role, err)
	}
	return list, s.judgeTraffic(as, list)
}

func (s *Service) judgeTraffic(as context.Context, list []traffic) error {
	for _, t := range list {
		var err error
		if t.Type == classicSource {
			_, err = s.cfg.Invoker.Invoke(as, "elb", "DescribeLoadBalancers", &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{t.ID}})
		} else {
			_, err = s.cfg.Invoker.Invoke(as, "elbv2", "DescribeTargetGroups", &elbv2.DescribeTargetGroupsInput{TargetGroupArns: []string{t.ID}})
		}
		switch {
		case err == nil:
		case awserr.Is(err, "NotImplemented"), awserr.As(err) == nil:
			return err
		case t.Type == classicSource:
			return invalid("Provided Load Balancers may not be valid. Please ensure they exist and try again.")
		default:
			return invalid("Provided Target Groups may not be valid. Please ensure they exist and try again.")
		}
	}
	return nil
}

// gone reports whether a call failed because a balancer, or the instance at it, is not
// there (any more).
func gone(err error) bool {
	return awserr.Is(err, "LoadBalancerNotFound", "AccessPointNotFound", "TargetGroupNotFound", "InvalidInstance", "InvalidEndPoint", "InvalidTarget")
}

// register registers a member with all sources of the group that it lacks and returns
// those that it has then.
func (t *turn) register(m *member) ([]traffic, error) {
	have := slices.Clone(m.Registered)
	if t.g.suspended(processAddToBalancer) {
		return have, nil
	}
	for _, w := range t.g.Traffic {
		if !m.lacks(w) {
			continue
		}
		as, err := t.role()
		if err != nil {
			return nil, err
		}
		if w.Type == classicSource {
			_, err = wire.Call[elb.RegisterInstancesWithLoadBalancerOutput](as, t.s.cfg.Invoker, "elb", "RegisterInstancesWithLoadBalancer",
				&elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &w.ID, Instances: []elb.Instance{{InstanceId: &m.Instance}}})
		} else {
			_, err = wire.Call[elbv2.RegisterTargetsOutput](as, t.s.cfg.Invoker, "elbv2", "RegisterTargets",
				&elbv2.RegisterTargetsInput{TargetGroupArn: &w.ID, Targets: []elbv2.TargetDescription{{Id: &m.Instance}}})
		}
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("register %s with %s: %w", m.Instance, w.ID, err)
		}
		have = append(have, traffic{Type: w.Type, ID: w.ID})
	}
	return have, nil
}

// deregister takes a member from all its sources; done is false while one of them still
// serves connections of it.
func (t *turn) deregister(m *member) (done bool, err error) {
	done = true
	for _, w := range m.Registered {
		draining, err := t.deregisterFrom(m, w)
		if err != nil && !gone(err) {
			return false, fmt.Errorf("deregister %s from %s: %w", m.Instance, w.ID, err)
		}
		done = done && !draining
	}
	if done {
		return true, nil
	}
	return false, t.s.update(t.ctx, func(tx *store.Tx) error {
		return progress(tx, t.k, m, func(a *activity) { a.Status = "WaitingForELBConnectionDraining" })
	})
}

// deregisterFrom asks one source to let the member go and tells whether it is draining.
func (t *turn) deregisterFrom(m *member, w traffic) (draining bool, err error) {
	as, err := t.role()
	if err != nil {
		return false, err
	}
	state, err := t.stateAt(as, m, w)
	if err != nil || state == "" {
		return false, err
	}
	if state == stateDraining {
		return true, nil
	}
	if w.Type == classicSource {
		_, err = wire.Call[elb.DeregisterInstancesFromLoadBalancerOutput](as, t.s.cfg.Invoker, "elb", "DeregisterInstancesFromLoadBalancer",
			&elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: &w.ID, Instances: []elb.Instance{{InstanceId: &m.Instance}}})
	} else {
		_, err = wire.Call[elbv2.DeregisterTargetsOutput](as, t.s.cfg.Invoker, "elbv2", "DeregisterTargets",
			&elbv2.DeregisterTargetsInput{TargetGroupArn: &w.ID, Targets: []elbv2.TargetDescription{{Id: &m.Instance}}})
	}
	if err != nil {
		return false, err
	}
	state, err = t.stateAt(as, m, w)
	return state == stateDraining, err
}

// What a source says of an instance; "" is that it does not have it.
const (
	stateDraining  = "draining"
	stateHealthy   = "healthy"
	stateUnhealthy = "unhealthy"
	stateUnsure    = "unsure"
)

// stateAt is what a source says of a member.
func (t *turn) stateAt(as context.Context, m *member, w traffic) (string, error) {
	state, err := t.askedAt(as, m, w)
	if gone(err) {
		return "", nil
	}
	return state, err
}

func (t *turn) askedAt(as context.Context, m *member, w traffic) (string, error) {
	if w.Type == classicSource {
		out, err := wire.Call[elb.DescribeInstanceHealthOutput](as, t.s.cfg.Invoker, "elb", "DescribeInstanceHealth",
			&elb.DescribeInstanceHealthInput{LoadBalancerName: &w.ID, Instances: []elb.Instance{{InstanceId: &m.Instance}}})
		if err != nil || len(out.InstanceStates) == 0 {
			return "", err
		}
		return classicState(out.InstanceStates[0]), nil
	}
	out, err := wire.Call[elbv2.DescribeTargetHealthOutput](as, t.s.cfg.Invoker, "elbv2", "DescribeTargetHealth",
		&elbv2.DescribeTargetHealthInput{TargetGroupArn: &w.ID, Targets: []elbv2.TargetDescription{{Id: &m.Instance}}})
	if err != nil || len(out.TargetHealthDescriptions) == 0 {
		return "", err
	}
	switch h := out.TargetHealthDescriptions[0].TargetHealth; h.State {
	case elbv2.TargetHealthStateEnumDraining, elbv2.TargetHealthStateEnumUnhealthyDraining:
		return stateDraining, nil
	case elbv2.TargetHealthStateEnumHealthy:
		return stateHealthy, nil
	case elbv2.TargetHealthStateEnumUnhealthy:
		return stateUnhealthy, nil
	case elbv2.TargetHealthStateEnumUnused:
		if h.Reason == "Target.NotRegistered" {
			return "", nil
		}
	}
	return stateUnsure, nil
}

// classicState reads a classic load balancer's word. An instance that it does not know
// for in service while it is being registered is none that failed.
func classicState(s elb.InstanceState) string {
	switch {
	case strings.Contains(val(s.Description), "deregistration currently in progress"):
		return stateDraining
	case val(s.State) == "InService":
		return stateHealthy
	case strings.Contains(val(s.Description), "not currently registered"):
		return ""
	case val(s.State) == "OutOfService" && val(s.ReasonCode) == "Instance" && !strings.Contains(val(s.Description), "registration is still in progress"):
		return stateUnhealthy
	}
	return stateUnsure
}

// unhealthyTarget reports whether one of a member's sources says that it is unhealthy.
func (t *turn) unhealthyTarget(m *member) (bool, error) {
	as, err := t.role()
	if err != nil {
		return false, err
	}
	for _, w := range m.Registered {
		state, err := t.stateAt(as, m, w)
		if err != nil || state == stateUnhealthy {
			return state == stateUnhealthy, err
		}
	}
	return false, nil
}

// traffic brings the states of the group's sources up to date and lets go those that are
// being removed.
func (t *turn) traffic() error {
	for _, w := range t.g.Traffic {
		state, err := t.sourceState(w)
		if err != nil {
			return err
		}
		if state == w.State {
			continue
		}
		err = t.s.update(t.ctx, func(tx *store.Tx) error {
			g, err := groups.Get(tx, t.k)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(g.Traffic, func(o traffic) bool { return o == w })
			if i < 0 {
				return nil
			}
			if g.Traffic[i].State = state; state == "" {
				g.Traffic = slices.Delete(g.Traffic, i, i+1)
			}
			t.moved = true
			changed(tx, t.k, "traffic source "+w.ID)
			return groups.Put(tx, t.k, g)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var errWaits = errors.New("an instance is draining")

// sourceState is the state that a source has come to, "" when it is to be forgotten.
func (t *turn) sourceState(w traffic) (string, error) {
	switch w.State {
	case removing:
		err := t.leaveSource(w)
		if errors.Is(err, errWaits) {
			return removing, nil
		}
		return "", err
	case adding:
		for _, m := range t.list {
			if m.State == api.LifecycleStateInService && m.lacks(w) {
				return adding, nil
			}
		}
		return added, nil
	case added:
		as, err := t.role()
		if err != nil {
			return "", err
		}
		for _, m := range t.list {
			if !m.registered(w) {
				continue
			}
			if state, err := t.stateAt(as, m, w); err != nil || state == stateHealthy {
				return inService, err
			}
		}
	}
	return w.State, nil
}

// leaveSource takes all members from a source; errWaits says that one drains yet.
func (t *turn) leaveSource(w traffic) error {
	waits := false
	for _, m := range t.list {
		if !m.registered(w) && !slices.ContainsFunc(m.Skipped, w.same) {
			continue
		}
		draining, err := t.deregisterFrom(m, w)
		if err != nil && !gone(err) {
			return err
		}
		if draining {
			waits = true
			continue
		}
		err = t.change(m, func(_ *store.Tx, _ *group, m *member) error {
			m.Registered, m.Skipped = slices.DeleteFunc(m.Registered, w.same), slices.DeleteFunc(m.Skipped, w.same)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if waits {
		return errWaits
	}
	return nil
}
