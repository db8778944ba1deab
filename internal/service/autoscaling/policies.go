package autoscaling

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// The types of policies.
const (
	simpleScaling     = "SimpleScaling"
	stepScaling       = "StepScaling"
	targetTracking    = "TargetTrackingScaling"
	predictiveScaling = "PredictiveScaling"

	maxPolicies = 100
	maxSteps    = 20
)

// policy is a scaling policy.
type policy struct {
	ARN, Group, Name, Type string
	Adjustment             string                           `json:",omitempty"`
	By                     *int32                           `json:",omitempty"` // ScalingAdjustment
	Magnitude              *int32                           `json:",omitempty"`
	Cooldown               *int32                           `json:",omitempty"`
	Steps                  []api.StepAdjustment             `json:",omitempty"`
	Aggregation            string                           `json:",omitempty"`
	Warmup                 *int32                           `json:",omitempty"`
	Tracking               *api.TargetTrackingConfiguration `json:",omitempty"`
	Disabled               bool                             `json:",omitempty"`
	// Alarms are the names of those that the policy has made for itself.
	Alarms []string `json:",omitempty"`
}

// PutScalingPolicy makes a policy or replaces it; one that tracks a target gets its
// alarms.
func (s *Service) PutScalingPolicy(ctx context.Context, in *api.PutScalingPolicyInput) (*api.PutScalingPolicyOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	p, err := policyOf(in)
	if err != nil {
		return nil, err
	}
	var g *group
	var old *policy
	err = s.view(ctx, func(tx *store.Tx) (err error) {
		if g, err = policyGroup(tx, k); err != nil {
			return err
		}
		old, err = policies.Get(tx, within(k, p.Name))
		if isNotFound(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	p.ARN = arnOf(k, "scalingPolicy", ids.UUID(), "autoScalingGroupName/"+k.ID+":policyName/"+p.Name)
	var before []string
	if old != nil {
		p.ARN, before = old.ARN, old.Alarms
	}
	p.nameAlarms(before)
	if err = s.putAlarms(ctx, k, g, p); err == nil {
		err = s.changeGroup(ctx, k, "PutScalingPolicy", func(tx *store.Tx, _ *group) error { return p.put(tx, k, g) })
	}
	if err != nil {
		made := without(p.Alarms, before)
		return nil, errors.Join(err, s.update(ctx, func(tx *store.Tx) error { return discard(tx, k, g, made) }))
	}
	out := &api.PutScalingPolicyOutput{PolicyARN: &p.ARN, Alarms: []api.Alarm{}}
	for _, name := range p.Alarms {
		out.Alarms = append(out.Alarms, describeAlarm(k, name))
	}
	return out, nil
}

// put stores a policy over the one that is there now, whose alarms go unless it has them.
func (p *policy) put(tx *store.Tx, k store.Key, g *group) error {
	old, err := policies.Get(tx, within(k, p.Name))
	switch {
	case err == nil:
		if err := discard(tx, k, g, without(old.Alarms, p.Alarms)); err != nil {
			return err
		}
	case isNotFound(err):
		if rows, err := rowsWithin(tx, policies, k); err != nil || len(rows) >= maxPolicies {
			return cmp.Or(err, limitExceeded("A group has at most %d scaling policies.", maxPolicies))
		}
	default:
		return err
	}
	return policies.Put(tx, within(k, p.Name), p)
}

// without are the names of a list that are not among others.
func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(others, name) })
}

func describeAlarm(k store.Key, name string) api.Alarm {
	return api.Alarm{AlarmName: &name, AlarmARN: ptr("arn:aws:cloudwatch:" + k.Region + ":" + k.Account + ":alarm:" + name)}
}

// policyGroup finds a group for operations on policies, which say it their way.
func policyGroup(tx *store.Tx, k store.Key) (*group, error) {
	g, err := groups.Get(tx, k)
	if isNotFound(err) {
		return nil, invalid("Group %s not found", k.ID)
	}
	return g, err
}

// policyOf is the policy that a request describes.
func policyOf(in *api.PutScalingPolicyInput) (*policy, error) {
	p := &policy{Group: *in.AutoScalingGroupName, Name: *in.PolicyName, Type: simpleScaling, Adjustment: val(in.AdjustmentType), By: in.ScalingAdjustment,
		Magnitude: in.MinAdjustmentMagnitude, Cooldown: in.Cooldown, Steps: in.StepAdjustments, Aggregation: val(in.MetricAggregationType),
		Warmup: in.EstimatedInstanceWarmup, Tracking: in.TargetTrackingConfiguration, Disabled: in.Enabled != nil && !*in.Enabled}
	set(&p.Type, in.PolicyType)
	if in.MinAdjustmentStep != nil {
		p.Magnitude = or(p.Magnitude, in.MinAdjustmentStep) // its older name
	}
	adjustments := []string{changeInCapacity, exactCapacity, percentOfCapacity}
	switch {
	case p.Type == predictiveScaling || in.PredictiveScalingConfiguration != nil:
		return nil, notHonoured("predictive scaling")
	case !slices.Contains([]string{simpleScaling, stepScaling, targetTracking}, p.Type):
		return nil, invalid("PolicyType must be one of [SimpleScaling, StepScaling, TargetTrackingScaling, PredictiveScaling]")
	case p.Type != targetTracking && p.Adjustment == "":
		return nil, invalid("AdjustmentType must be specified for policy type: %s", p.Type)
	case p.Type != targetTracking && !slices.Contains(adjustments, p.Adjustment):
		return nil, invalid("Unsupported adjustment type: %s. Supported adjustment types are: %v", p.Adjustment, adjustments)
	case p.Magnitude != nil && p.Adjustment != percentOfCapacity:
		return nil, invalid("MinAdjustmentMagnitude is only supported for adjustment type: %s", percentOfCapacity)
	}
	return p, p.judge()
}

// judge checks what belongs to which type of policy.
func (p *policy) judge() error {
	only := func(set bool, member, kind string) error {
		if set && p.Type != kind {
			return invalid("%s is only supported for policy type: %s", member, kind)
		}
		return nil
	}
	for _, err := range []error{
		only(p.By != nil, "ScalingAdjustment", simpleScaling),
		only(p.Cooldown != nil, "Cooldown", simpleScaling),
		only(len(p.Steps) > 0, "StepAdjustments", stepScaling),
		only(p.Aggregation != "", "MetricAggregationType", stepScaling),
		only(p.Tracking != nil, "TargetTrackingConfiguration", targetTracking),
	} {
		if err != nil {
			return err
		}
	}
	switch p.Type {
	case simpleScaling:
		if p.By == nil {
			return invalid("ScalingAdjustment must be specified for policy type: %s", simpleScaling)
		}
		if p.Warmup != nil {
			return invalid("EstimatedInstanceWarmup is only supported for policy types: %s, %s", stepScaling, targetTracking)
		}
	case stepScaling:
		if p.Aggregation == "" {
			p.Aggregation = "Average"
		}
		if !slices.Contains([]string{"Minimum", "Maximum", "Average"}, p.Aggregation) {
			return invalid("Invalid MetricAggregationType: %s. Valid values are Minimum, Maximum and Average", p.Aggregation)
		}
		return judgeSteps(p.Steps)
	case targetTracking:
		if p.Adjustment != "" {
			return invalid("AdjustmentType is not supported for policy type: %s", targetTracking)
		}
		return judgeTracking(p.Tracking)
	}
	return nil
}

// judgeSteps refuses steps that overlap or leave gaps.
func judgeSteps(steps []api.StepAdjustment) error {
	if len(steps) == 0 {
		return invalid("At least one StepAdjustment must be specified for policy type: %s", stepScaling)
	}
	if len(steps) > maxSteps {
		return limitExceeded("A policy has at most %d step adjustments.", maxSteps)
	}
	sorted := slices.SortedFunc(slices.Values(steps), func(a, b api.StepAdjustment) int {
		switch la, lb := lower(a), lower(b); {
		case la < lb:
			return -1
		case la > lb:
			return 1
		}
		return 0
	})
	for i, s := range sorted {
		switch {
		case s.ScalingAdjustment == nil:
			return invalid("ScalingAdjustment must be specified for each StepAdjustment")
		case lower(s) >= upper(s):
			return invalid("The upper bound of a StepAdjustment must be greater than its lower bound")
		case i > 0 && lower(s) < upper(sorted[i-1]):
			return invalid("StepAdjustment intervals can't overlap")
		case i > 0 && lower(s) > upper(sorted[i-1]):
			return invalid("StepAdjustment intervals can't have gaps between them")
		}
	}
	return nil
}

// DescribePolicies lists policies with the alarms that trigger them.
func (s *Service) DescribePolicies(ctx context.Context, in *api.DescribePoliciesInput) (*api.DescribePoliciesOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.DescribePoliciesOutput{ScalingPolicies: []api.ScalingPolicy{}}
	var rows []store.Row[policy]
	role := ""
	err := s.view(ctx, func(tx *store.Tx) (err error) {
		if rows, err = policies.List(tx, scope(key(c, "")), "", 0); err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r store.Row[policy]) bool { return !selected(in, r.Value) })
		rows, out.NextToken, err = page(rows, in.NextToken, in.MaxRecords, maxPageSize, func(r store.Row[policy]) string { return r.Key.ID })
		if err != nil || len(rows) == 0 {
			return err
		}
		g, err := groups.Get(tx, key(c, rows[0].Value.Group))
		if err == nil {
			role = g.Role
		}
		return err
	})
	if err != nil || len(rows) == 0 {
		return out, err
	}
	triggers := s.triggers(ctx, key(c, ""), role)
	for _, r := range rows {
		out.ScalingPolicies = append(out.ScalingPolicies, describePolicy(key(c, ""), r.Value, triggers[r.Value.ARN]))
	}
	return out, nil
}

func selected(in *api.DescribePoliciesInput, p *policy) bool {
	return (in.AutoScalingGroupName == nil || *in.AutoScalingGroupName == p.Group) &&
		(len(in.PolicyNames) == 0 || slices.Contains(in.PolicyNames, p.Name) || slices.Contains(in.PolicyNames, p.ARN)) &&
		(len(in.PolicyTypes) == 0 || slices.Contains(in.PolicyTypes, p.Type))
}

// triggers are the names of the alarms that have a policy as an action, by its ARN.
func (s *Service) triggers(ctx context.Context, k store.Key, role string) map[string][]string {
	out := map[string][]string{}
	as, err := s.acting(ctx, k, role)
	in := &cloudwatch.DescribeAlarmsInput{ActionPrefix: ptr("arn:aws:autoscaling:" + k.Region + ":" + k.Account + ":scalingPolicy:")}
	for err == nil {
		var page *cloudwatch.DescribeAlarmsOutput
		if page, err = wire.Call[cloudwatch.DescribeAlarmsOutput](as, s.cfg.Invoker, "monitoring", "DescribeAlarms", in); err != nil {
			break
		}
		for _, a := range page.MetricAlarms {
			for _, target := range slices.Concat(a.AlarmActions, a.OKActions, a.InsufficientDataActions) {
				if !slices.Contains(out[target], *a.AlarmName) {
					out[target] = append(out[target], *a.AlarmName)
				}
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return out
		}
	}
	s.cfg.Log.WarnContext(ctx, "the alarms of scaling policies cannot be read", slog.String("error", err.Error()))
	return out
}

func describePolicy(k store.Key, p *policy, alarms []string) api.ScalingPolicy {
	out := api.ScalingPolicy{AutoScalingGroupName: &p.Group, PolicyName: &p.Name, PolicyARN: &p.ARN, PolicyType: &p.Type, AdjustmentType: text(p.Adjustment),
		MinAdjustmentMagnitude: p.Magnitude, MinAdjustmentStep: p.Magnitude, ScalingAdjustment: p.By, Cooldown: p.Cooldown, StepAdjustments: orEmpty(p.Steps),
		MetricAggregationType: text(p.Aggregation), EstimatedInstanceWarmup: p.Warmup, TargetTrackingConfiguration: shownTracking(p.Tracking),
		Enabled: ptr(!p.Disabled), Alarms: []api.Alarm{}}
	for _, name := range p.Alarms {
		if !slices.Contains(alarms, name) {
			alarms = append(alarms, name)
		}
	}
	slices.Sort(alarms)
	for _, name := range alarms {
		out.Alarms = append(out.Alarms, describeAlarm(k, name))
	}
	return out
}

// shownTracking fills in defaults.
func shownTracking(t *api.TargetTrackingConfiguration) *api.TargetTrackingConfiguration {
	if t == nil {
		return nil
	}
	shown := *t
	shown.DisableScaleIn = or(t.DisableScaleIn, ptr(false))
	return &shown
}

// DeletePolicy deletes a policy, by name or ARN, with the alarms that it has made.
func (s *Service) DeletePolicy(ctx context.Context, in *api.DeletePolicyInput) (*api.DeletePolicyOutput, error) {
	k, p, g, err := s.findPolicy(ctx, in.AutoScalingGroupName, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.DeletePolicyOutput{}, s.update(ctx, func(tx *store.Tx) error {
		now, err := policies.Get(tx, within(k, p.Name))
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := policies.Delete(tx, within(k, p.Name)); err != nil {
			return err
		}
		return discard(tx, k, g, now.Alarms)
	})
}

// findPolicy finds a policy by the group's name and its own, or by its ARN.
func (s *Service) findPolicy(ctx context.Context, groupName *string, name string) (k store.Key, p *policy, g *group, err error) {
	c := aws.CallFrom(ctx)
	k = key(c, val(groupName))
	policyName := name
	if strings.HasPrefix(name, "arn:") {
		k.ID, policyName = partsOf(name)
	}
	err = s.view(ctx, func(tx *store.Tx) (err error) {
		if k.ID == "" {
			if k.ID, err = groupOfPolicy(tx, k, name); err != nil {
				return err
			}
		}
		if g, err = policyGroup(tx, k); err != nil {
			return err
		}
		p, err = policies.Get(tx, within(k, policyName))
		if isNotFound(err) || err == nil && policyName != name && p.ARN != name {
			return invalid("PolicyName not found: No scaling policy found with name %s in group %s", name, k.ID)
		}
		return err
	})
	return k, p, g, err
}

// groupOfPolicy finds the group of a policy by the policy's name alone.
func groupOfPolicy(tx *store.Tx, k store.Key, name string) (string, error) {
	rows, err := policies.List(tx, scope(k), "", 0)
	found := ""
	for _, r := range rows {
		if r.Value.Name != name {
			continue
		}
		if found != "" {
			return "", invalid("There is more than one policy with the name %s: the name of the Auto Scaling group must be provided", name)
		}
		found = r.Value.Group
	}
	if err == nil && found == "" {
		return "", invalid("PolicyName not found: No scaling policy found with name %s", name)
	}
	return found, err
}

// partsOf are the names of group and policy in a policy's ARN.
func partsOf(policyARN string) (groupName, name string) {
	_, rest, _ := strings.Cut(policyARN, ":autoScalingGroupName/")
	groupName, name, _ = strings.Cut(rest, ":policyName/")
	return groupName, name
}
