package cloudwatch

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
)

// maxChildren is how many alarms a rule may refer to.
const maxChildren = 100

// PutCompositeAlarm makes an alarm on the states of others.
func (s *Service) PutCompositeAlarm(ctx context.Context, in *api.PutCompositeAlarmInput) (*api.PutCompositeAlarmOutput, error) {
	if in.ActionsSuppressor != nil || in.ActionsSuppressorWaitPeriod != nil || in.ActionsSuppressorExtensionPeriod != nil {
		return nil, notHonoured("ActionsSuppressor")
	}
	c := aws.CallFrom(ctx)
	a := &alarm{Name: *in.AlarmName, Description: aws.Val(in.AlarmDescription), ActionsEnabled: in.ActionsEnabled == nil || *in.ActionsEnabled,
		OK: in.OKActions, Alarm: in.AlarmActions, Unsure: in.InsufficientDataActions, Owner: c.Principal, Token: c.Token, Rule: *in.AlarmRule}
	r, err := parseRule(a.Rule)
	if err != nil {
		return nil, err
	}
	k := key(c, a.Name)
	var children []string
	r.alarms(func(name string) { children = append(children, nameOf(k, name)) })
	switch {
	case len(children) > maxChildren:
		return nil, violation("AlarmRule must not refer to more than %d alarms", maxChildren)
	case slices.Contains(children, a.Name):
		return nil, violation("AlarmRule must not refer to the alarm itself")
	}
	known, err := s.list(ctx, func(other *alarm) bool { return slices.Contains(children, other.Name) })
	if err != nil {
		return nil, err
	}
	for _, name := range children {
		if !slices.ContainsFunc(known, func(o *alarm) bool { return o.Name == name }) {
			return nil, violation("Could not save the composite alarm as alarms [%s] in the alarm rule do not exist", name)
		}
	}
	for _, target := range slices.Concat(a.OK, a.Alarm, a.Unsure) {
		if strings.HasPrefix(target, scaling) { // it has no metric that could tell how far to go
			return nil, violation("Invalid use of Auto Scaling action: a composite alarm cannot have %s", target)
		}
	}
	if err := judgeActions(c.Region, nil, a.OK, a.Alarm, a.Unsure); err != nil {
		return nil, err
	}
	return &api.PutCompositeAlarmOutput{}, s.putAlarm(ctx, a, in.Tags)
}

func describeComposite(k store.Key, a *alarm) api.CompositeAlarm {
	return api.CompositeAlarm{AlarmName: &a.Name, AlarmArn: aws.Ptr(alarmARN(k)), AlarmConfigurationUpdatedTimestamp: &a.Configured, ActionsEnabled: &a.ActionsEnabled,
		OKActions: some(a.OK), AlarmActions: some(a.Alarm), InsufficientDataActions: some(a.Unsure), StateValue: a.State, StateReason: &a.Reason,
		StateUpdatedTimestamp: &a.Updated, StateTransitionedTimestamp: &a.Transitioned, AlarmRule: &a.Rule,
		AlarmDescription: given(a.Description), StateReasonData: given(a.ReasonData)}
}

// follow keeps composite alarms in the state that their rules give, until ctx ends.
func (s *Service) follow(ctx context.Context) error {
	for {
		states := s.cfg.DB.Changed(store.Filter{Service: "monitoring", Kind: "state"})
		configured := s.cfg.DB.Changed(store.Filter{Service: "monitoring", Kind: "configuration"})
		if err := s.followOnce(ctx); err != nil {
			return ended(ctx, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-states:
		case <-configured:
		}
	}
}

func (s *Service) followOnce(ctx context.Context) error {
	byKey := map[store.Key]*alarm{}
	var composite []store.Key
	err := s.eachAlarm(ctx, func(k store.Key, a *alarm) error {
		byKey[k] = a
		if a.composite() {
			composite = append(composite, k)
		}
		return nil
	})
	for _, k := range composite {
		if err != nil {
			return err
		}
		err = s.judgeComposite(ctx, k, byKey)
	}
	return err
}

func (s *Service) judgeComposite(ctx context.Context, k store.Key, all map[store.Key]*alarm) error {
	a := all[k]
	r, err := parseRule(a.Rule)
	if err != nil {
		s.cfg.Log.Error("composite alarm", slog.String("alarm", a.Name), slog.String("error", err.Error()))
		return nil
	}
	// A state that SetAlarmState gave stays until something changes.
	stale := a.Reason == firstReason || a.Configured.After(a.Updated)
	var latest *alarm
	state := api.StateValueOk
	if r.holds(func(name string) api.StateValue {
		child := all[store.Key{Account: k.Account, Region: k.Region, ID: nameOf(k, name)}]
		if child == nil {
			return api.StateValueInsufficientData
		}
		stale = stale || !child.Transitioned.Before(a.Updated)
		if latest == nil || child.Transitioned.After(latest.Transitioned) {
			latest = child
		}
		return child.State
	}) {
		state = api.StateValueAlarm
	}
	if state == a.State || !stale {
		return nil
	}
	reason := fmt.Sprintf("The rule of the alarm is constant: %s", a.Rule)
	if latest != nil {
		reason = fmt.Sprintf("%s transitioned to %s at %s", alarmARN(store.Key{Account: k.Account, Region: k.Region, ID: latest.Name}), latest.State,
			latest.Transitioned.UTC().Format("Monday 02 January, 2006 15:04:05 MST"))
	}
	return s.transition(ctx, k, a, change{state: state, reason: reason})
}

// children are the alarms that a composite alarm refers to.
func (a *alarm) children(k store.Key) []string {
	var out []string
	if r, err := parseRule(a.Rule); err == nil {
		r.alarms(func(name string) { out = append(out, nameOf(k, name)) })
	}
	return out
}

// related finds the children or the parents of an alarm.
func (s *Service) related(ctx context.Context, in *api.DescribeAlarmsInput) (func(*alarm) bool, error) {
	k := key(aws.CallFrom(ctx), "")
	if in.ChildrenOfAlarmName != nil && in.ParentsOfAlarmName != nil {
		return nil, violation("ChildrenOfAlarmName and ParentsOfAlarmName are mutually exclusive parameters.")
	}
	if in.ParentsOfAlarmName != nil {
		return func(a *alarm) bool { return a.composite() && slices.Contains(a.children(k), *in.ParentsOfAlarmName) }, nil
	}
	parents, err := s.list(ctx, func(a *alarm) bool { return a.Name == *in.ChildrenOfAlarmName && a.composite() })
	if err != nil || len(parents) == 0 {
		return func(*alarm) bool { return false }, err
	}
	children := parents[0].children(k)
	return func(a *alarm) bool { return slices.Contains(children, a.Name) }, nil
}

// describeRelated tells of an alarm what AWS tells of children and parents.
func describeRelated(out *api.DescribeAlarmsOutput, k store.Key, a *alarm, parents bool) {
	if a.composite() {
		d := api.CompositeAlarm{AlarmName: &a.Name, AlarmArn: aws.Ptr(alarmARN(k))}
		if !parents {
			d.StateValue, d.StateUpdatedTimestamp = a.State, &a.Updated
		}
		out.CompositeAlarms = append(out.CompositeAlarms, d)
		return
	}
	out.MetricAlarms = append(out.MetricAlarms, api.MetricAlarm{AlarmName: &a.Name, AlarmArn: aws.Ptr(alarmARN(k)), StateValue: a.State, StateUpdatedTimestamp: &a.Updated})
}

// judgeParents refuses to delete alarms that composite ones which stay refer to.
func (s *Service) judgeParents(tx *store.Tx, c aws.Call, names []string) error {
	rows, err := alarms.List(tx, scope(c), "", 0)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !r.Value.composite() || slices.Contains(names, r.Value.Name) {
			continue
		}
		for _, child := range r.Value.children(r.Key) {
			if slices.Contains(names, child) {
				return violation("Alarm %s cannot be deleted: the composite alarm %s refers to it", child, r.Value.Name)
			}
		}
	}
	return nil
}
