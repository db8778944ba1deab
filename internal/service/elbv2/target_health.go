package elbv2

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeTargetHealth tells how the targets of a group are.
func (s *Service) DescribeTargetHealth(ctx context.Context, in *api.DescribeTargetHealthInput) (*api.DescribeTargetHealthOutput, error) {
	if len(in.Include) > 0 {
		return nil, notBuilt("the detection of anomalies (Include)")
	}
	out := &api.DescribeTargetHealthOutput{TargetHealthDescriptions: []api.TargetHealthDescription{}}
	err := s.viewGroup(ctx, *in.TargetGroupArn, func(tx *store.Tx, k store.Key, g *group) error {
		rows, err := targetsOf(tx, k)
		if err != nil {
			return err
		}
		slices.SortFunc(rows, func(a, b store.Row[target]) int { return strings.Compare(a.Key.ID, b.Key.ID) })
		st, err := s.standing(tx, k, g)
		if err != nil {
			return err
		}
		if len(in.Targets) == 0 {
			for _, r := range rows {
				out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, st.describe(r.Value))
			}
			return nil
		}
		for _, d := range in.Targets {
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, st.asked(rows, d)...)
		}
		return nil
	})
	return out, err
}

// standing is what a group's use says of its targets.
type standing struct {
	g *group
	// fake: nothing carries traffic, so nothing is known.
	fake  bool
	used  bool
	zones map[string]bool // of the balancer, nil where targets of all zones are used
}

func (s *Service) standing(tx *store.Tx, k store.Key, g *group) (standing, error) {
	st := standing{g: g, fake: s.cfg.Plane == nil}
	users, err := usersOf(tx, k)
	if err != nil || len(users) == 0 {
		return st, err
	}
	st.used = true
	b, err := balancers.Get(tx, at(k, users[0]))
	if err != nil {
		return st, err
	}
	if !g.crossZone(b) {
		st.zones = map[string]bool{}
		for _, n := range b.Nodes {
			st.zones[n.Zone] = true
		}
	}
	return st, nil
}

// crossZone tells whether nodes send to targets of other zones.
func (g *group) crossZone(b *balancer) bool {
	if v := groupAttributes.value(g.Attributes, keyCrossZone); v != followBalancer {
		return v == "true"
	}
	return balancerAttributes.on(b.settings(), keyCrossZone)
}

// asked are the targets that a description means, or the answer that there is none.
func (st standing) asked(rows []store.Row[target], d api.TargetDescription) (out []api.TargetHealthDescription) {
	for _, r := range rows {
		if names(d, r.Value) {
			out = append(out, st.describe(r.Value))
		}
	}
	if out != nil {
		return out
	}
	port := st.g.Port
	if d.Port != nil {
		port = *d.Port
	}
	t := &target{ID: aws.Val(d.Id), Port: port, Asked: aws.Val(d.AvailabilityZone)}
	one := st.describe(t)
	one.TargetHealth = &api.TargetHealth{State: "unused", Reason: "Target.NotRegistered", Description: aws.Ptr("Target is not registered to the target group")}
	return []api.TargetHealthDescription{one}
}

func (st standing) describe(t *target) api.TargetHealthDescription {
	port := st.g.Check.Port
	if port == trafficPort {
		port = strconv.Itoa(int(t.Port))
	}
	d := &api.TargetDescription{Id: &t.ID, Port: &t.Port}
	switch {
	case t.Asked != "" && st.g.TargetType == byIP:
		d.AvailabilityZone = &t.Asked
	case t.Zone != "" && st.g.TargetType == byIP:
		d.AvailabilityZone = &t.Zone
	}
	return api.TargetHealthDescription{Target: d, HealthCheckPort: &port, TargetHealth: st.health(t),
		AdministrativeOverride: &api.AdministrativeOverride{State: "no_override", Reason: "AdministrativeOverride.NoOverride",
			Description: aws.Ptr("No override is currently active on target")}}
}

// health is a target's state with AWS's reasons.
func (st standing) health(t *target) *api.TargetHealth {
	state := func(state api.TargetHealthStateEnum, reason api.TargetHealthReasonEnum, text string) *api.TargetHealth {
		return &api.TargetHealth{State: state, Reason: reason, Description: &text}
	}
	switch {
	case !t.Leaves.IsZero():
		return state("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
	case t.Stopped:
		return state("unused", "Target.InvalidState", "Target is in the stopped state")
	case !st.used:
		return state("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
	case st.zones != nil && t.Asked != "all" && !st.zones[t.Zone]:
		return state("unused", "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer")
	case st.fake:
		return state("unavailable", "Elb.InternalError", "hardstand runs without instances (--instances fake): nothing carries traffic or checks targets")
	case t.Health.State == string(lb.Healthy):
		return &api.TargetHealth{State: "healthy"}
	case t.Health.State == "":
		return state("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
	}
	return state(api.TargetHealthStateEnum(t.Health.State), api.TargetHealthReasonEnum(t.Health.Reason), t.Health.Description)
}
