package autoscaling

import (
	"context"
	"fmt"
	"strings"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// ExecutePolicy does what a policy says, whatever its alarms say.
func (s *Service) ExecutePolicy(ctx context.Context, in *api.ExecutePolicyInput) (*api.ExecutePolicyOutput, error) {
	k, p, _, err := s.findPolicy(ctx, in.AutoScalingGroupName, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	switch {
	case p.Type == targetTracking:
		return nil, invalid("ExecutePolicy is not supported for policy type: %s", targetTracking)
	case p.Type == stepScaling && (in.MetricValue == nil || in.BreachThreshold == nil):
		return nil, invalid("MetricValue and BreachThreshold must be specified for policy type: %s", stepScaling)
	case p.Type == stepScaling && in.HonorCooldown != nil:
		return nil, invalid("HonorCooldown is only supported for policy type: %s", simpleScaling)
	case p.Type == simpleScaling && (in.MetricValue != nil || in.BreachThreshold != nil):
		return nil, invalid("MetricValue and BreachThreshold are only supported for policy type: %s", stepScaling)
	}
	why := fmt.Sprintf("a user request executed policy %s", p.Name)
	return &api.ExecutePolicyOutput{}, s.changeGroup(ctx, k, "ExecutePolicy", func(tx *store.Tx, g *group) error {
		if val(in.HonorCooldown) {
			if err := cooling(tx, k, g, p.pause(g)); err != nil {
				return err
			}
		}
		return g.scale(tx, k, p, breach{value: val(in.MetricValue), threshold: val(in.BreachThreshold)}, why)
	})
}

// breach is what an alarm says of its metric.
type breach struct{ value, threshold float64 }

// Alarmed does what a policy says because an alarm is in a state. CloudWatch calls it when
// the state begins and each minute as long as it lasts.
func (s *Service) Alarmed(ctx context.Context, account, region, policyARN, alarm, state string, value, threshold float64) error {
	name, policyName := partsOf(policyARN)
	k := store.Key{Account: account, Region: region, ID: name}
	why := fmt.Sprintf("a monitor alarm %s in state %s triggered policy %s", alarm, state, policyName)
	err := s.update(ctx, func(tx *store.Tx) error {
		g, err := policyGroup(tx, k)
		if err != nil {
			return err
		}
		p, err := policies.Get(tx, within(k, policyName))
		if isNotFound(err) || err == nil && p.ARN != policyARN {
			return invalid("PolicyName not found: No scaling policy found with ARN %s", policyARN)
		}
		if err != nil {
			return err
		}
		if p.Disabled || g.suspended(processAlarms) || g.Status != "" {
			return nil
		}
		if err := cooling(tx, k, g, p.pause(g)); p.Type == simpleScaling && awserr.Is(err, "ScalingActivityInProgress") {
			return nil // simple scaling waits for what is under way and for its cooldown
		}
		b := breach{value: value, threshold: threshold}
		if p.Type == targetTracking {
			b.threshold = *p.Tracking.TargetValue
			if strings.Contains(alarm, "-AlarmLow-") && value >= b.threshold {
				return nil
			}
		}
		old := g.Desired
		if err := g.scale(tx, k, p, b, why); err != nil || g.Desired == old {
			return err
		}
		changed(tx, k, why)
		return groups.Put(tx, k, g)
	})
	if err == nil {
		s.work.Wake(k)
	}
	return err
}

// pause is the cooldown of a simple policy.
func (p *policy) pause(g *group) time.Duration {
	if p.Cooldown != nil {
		return time.Duration(*p.Cooldown) * time.Second
	}
	return g.cooldown()
}

// scale sets the desired capacity to what a policy makes of it. Instances that are not
// warm yet are what an earlier scale-out has begun: it is not begun again, and nothing is
// scaled in until they are.
func (g *group) scale(tx *store.Tx, k store.Key, p *policy, b breach, why string) error {
	list, err := membersOf(tx, k)
	if err != nil {
		return err
	}
	warm := g.Desired
	if p.Type != simpleScaling {
		warm -= min(g.Desired, int32(cold(list, p.warmup(g), tx.Now())))
	}
	next := g.Desired
	switch p.Type {
	case simpleScaling:
		next = p.adjusted(g.Desired, *p.By)
	case stepScaling:
		by := p.step(b.value - b.threshold)
		if by == nil {
			return nil
		}
		if next = p.adjusted(g.Desired, *by); next > g.Desired && p.Adjustment != exactCapacity {
			next = p.adjusted(warm, *by)
		}
	case targetTracking:
		high := b.value > b.threshold
		next = tracked(g.Desired, b.value, b.threshold, high)
		if high {
			next = tracked(warm, b.value, b.threshold, high)
		}
	}
	next = g.bound(next)
	if warm < g.Desired && next < g.Desired {
		return nil
	}
	g.resize(tx.Now().UTC(), next, why)
	return nil
}

// warmup is how long instances are not counted on for a policy.
func (p *policy) warmup(g *group) time.Duration {
	switch {
	case p.Warmup != nil:
		return time.Duration(*p.Warmup) * time.Second
	case g.Warmup != nil:
		return time.Duration(*g.Warmup) * time.Second
	}
	return defaultWarmup
}

// cold counts the members that are not warm.
func cold(list []*member, warmup time.Duration, now time.Time) int {
	n := 0
	for _, m := range list {
		if m.pending() || m.State == api.LifecycleStateInService && now.Before(m.Served.Add(warmup)) {
			n++
		}
	}
	return n
}
