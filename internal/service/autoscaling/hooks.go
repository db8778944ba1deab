package autoscaling

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	maxHooks = 50
	minBeat  = 30
	maxBeat  = 7200
)

// hooksOf lists the hooks of a group by name.
func hooksOf(tx *store.Tx, k store.Key) ([]*hook, error) {
	rows, err := rowsWithin(tx, hooks, k)
	out := make([]*hook, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.Value)
	}
	return out, err
}

// planHooks checks the hooks of a new group and tries their targets.
func (s *Service) planHooks(ctx context.Context, name string, specs []api.LifecycleHookSpecification) ([]hook, error) {
	var out []hook
	for _, spec := range specs {
		h := hook{Group: name, Name: *spec.LifecycleHookName, Transition: val(spec.LifecycleTransition), Target: val(spec.NotificationTargetARN), Role: val(spec.RoleARN),
			Metadata: val(spec.NotificationMetadata), Beat: defaultBeat, Default: resultAbandon}
		set(&h.Beat, spec.HeartbeatTimeout)
		set(&h.Default, spec.DefaultResult)
		if err := h.judge(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o hook) bool { return o.Name == h.Name }) {
			return nil, invalid("The lifecycle hook %s is specified more than once.", h.Name)
		}
		out = append(out, h)
	}
	if len(out) > maxHooks {
		return nil, limitExceeded("A group has at most %d lifecycle hooks.", maxHooks)
	}
	for i := range out {
		if err := s.tryHook(ctx, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (h *hook) judge() error {
	switch {
	case h.Transition != launching && h.Transition != terminating:
		return invalid("Lifecycle Transition of type %s is not supported. Supported types are: [%s, %s]", h.Transition, launching, terminating)
	case h.Beat < minBeat || h.Beat > maxBeat:
		return invalid("HeartbeatTimeout must be between %d and %d seconds.", minBeat, maxBeat)
	case h.Default != resultContinue && h.Default != resultAbandon:
		return invalid("1 validation error detected: Value '%s' at 'defaultResult' failed to satisfy constraint: DefaultResult must be one of [CONTINUE, ABANDON]", h.Default)
	case h.Target == "":
		return nil
	case strings.Contains(h.Target, ":lambda:"):
		return notHonoured("lifecycle hooks whose target is a function")
	case !strings.HasPrefix(h.Target, "arn:aws:sns:") && !strings.HasPrefix(h.Target, "arn:aws:sqs:"):
		return invalid("The notification target %s is not the ARN of an Amazon SNS topic or an Amazon SQS queue.", h.Target)
	case h.Role == "":
		return invalid("A RoleARN must be specified with a NotificationTargetARN.")
	}
	return nil
}

// PutLifecycleHook makes a hook or changes the members of one that are given.
func (s *Service) PutLifecycleHook(ctx context.Context, in *api.PutLifecycleHookInput) (*api.PutLifecycleHookOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	h := &hook{Group: k.ID, Name: *in.LifecycleHookName, Beat: defaultBeat, Default: resultAbandon}
	err := s.view(ctx, func(tx *store.Tx) error {
		if _, err := getGroup(tx, k); err != nil {
			return err
		}
		old, err := hooks.Get(tx, within(k, h.Name))
		if err == nil {
			h = old
		}
		if isNotFound(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if h.Transition == "" && in.LifecycleTransition == nil {
		return nil, invalid("Lifecycle Transition must be specified when creating a new lifecycle hook.")
	}
	set(&h.Transition, in.LifecycleTransition)
	set(&h.Target, in.NotificationTargetARN)
	set(&h.Role, in.RoleARN)
	set(&h.Metadata, in.NotificationMetadata)
	set(&h.Beat, in.HeartbeatTimeout)
	set(&h.Default, in.DefaultResult)
	if err := h.judge(); err != nil {
		return nil, err
	}
	if err := s.tryHook(ctx, h); err != nil {
		return nil, err
	}
	return &api.PutLifecycleHookOutput{}, s.changeGroup(ctx, k, "PutLifecycleHook", func(tx *store.Tx, g *group) error { return putHook(tx, k, g, h) })
}

func putHook(tx *store.Tx, k store.Key, _ *group, h *hook) error {
	all, err := hooksOf(tx, k)
	if err != nil {
		return err
	}
	if len(all) >= maxHooks && !slices.ContainsFunc(all, func(o *hook) bool { return o.Name == h.Name }) {
		return limitExceeded("A group has at most %d lifecycle hooks.", maxHooks)
	}
	return hooks.Put(tx, within(k, h.Name), h)
}

// DescribeLifecycleHooks lists the hooks of a group.
func (s *Service) DescribeLifecycleHooks(ctx context.Context, in *api.DescribeLifecycleHooksInput) (*api.DescribeLifecycleHooksOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	out := &api.DescribeLifecycleHooksOutput{LifecycleHooks: []api.LifecycleHook{}}
	return out, s.view(ctx, func(tx *store.Tx) error {
		if _, err := getGroup(tx, k); err != nil {
			return err
		}
		list, err := hooksOf(tx, k)
		if err != nil {
			return err
		}
		for _, h := range list {
			if len(in.LifecycleHookNames) > 0 && !slices.Contains(in.LifecycleHookNames, h.Name) {
				continue
			}
			out.LifecycleHooks = append(out.LifecycleHooks, api.LifecycleHook{LifecycleHookName: &h.Name, AutoScalingGroupName: &h.Group,
				LifecycleTransition: &h.Transition, NotificationTargetARN: text(h.Target), RoleARN: text(h.Role), NotificationMetadata: text(h.Metadata),
				HeartbeatTimeout: &h.Beat, GlobalTimeout: ptr(h.globalTimeout()), DefaultResult: &h.Default})
		}
		return nil
	})
}

// DeleteLifecycleHook deletes a hook. Instances that wait for it go on: at their launch
// as if it was abandoned, at their end as if it was complete.
func (s *Service) DeleteLifecycleHook(ctx context.Context, in *api.DeleteLifecycleHookInput) (*api.DeleteLifecycleHookOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	return &api.DeleteLifecycleHookOutput{}, s.changeGroup(ctx, k, "DeleteLifecycleHook", func(tx *store.Tx, _ *group) error {
		err := hooks.Delete(tx, within(k, *in.LifecycleHookName))
		if isNotFound(err) {
			return invalid("No Lifecycle Hook found with name %s", *in.LifecycleHookName)
		}
		if err != nil {
			return err
		}
		list, err := membersOf(tx, k)
		if err != nil {
			return err
		}
		for _, m := range list {
			result := resultContinue
			if m.pending() {
				result = resultAbandon
			}
			if m.answer(func(a *pendingAction) bool { return a.Hook == *in.LifecycleHookName }, func(a *pendingAction) { a.Result = result }) {
				if err := putMember(tx, k, m); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// answer changes the open actions of a member that are selected and tells whether there
// was one.
func (m *member) answer(selected func(*pendingAction) bool, change func(*pendingAction)) bool {
	found := false
	for i := range m.Actions {
		if a := &m.Actions[i]; a.Result == "" && selected(a) {
			change(a)
			found = true
		}
	}
	return found
}

// CompleteLifecycleAction says that what an instance waits for is done.
func (s *Service) CompleteLifecycleAction(ctx context.Context, in *api.CompleteLifecycleActionInput) (*api.CompleteLifecycleActionOutput, error) {
	result := val(in.LifecycleActionResult)
	if result != resultContinue && result != resultAbandon {
		return nil, invalid("1 validation error detected: Value '%s' at 'lifecycleActionResult' failed to satisfy constraint: LifecycleActionResult must be one of [CONTINUE, ABANDON]", result)
	}
	return &api.CompleteLifecycleActionOutput{}, s.onAction(ctx, in.AutoScalingGroupName, in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId, func(a *pendingAction, _ time.Time) {
		a.Result = result
	})
}

// RecordLifecycleActionHeartbeat gives an instance another heartbeat's time.
func (s *Service) RecordLifecycleActionHeartbeat(ctx context.Context, in *api.RecordLifecycleActionHeartbeatInput) (*api.RecordLifecycleActionHeartbeatOutput, error) {
	return &api.RecordLifecycleActionHeartbeatOutput{}, s.onAction(ctx, in.AutoScalingGroupName, in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId, func(a *pendingAction, now time.Time) {
		a.Deadline = now.Add(time.Duration(a.Beat) * time.Second)
	})
}

// onAction changes the open action of a hook that a token or an instance names.
func (s *Service) onAction(ctx context.Context, groupName, hookName, token, instance *string, change func(*pendingAction, time.Time)) error {
	k := key(aws.CallFrom(ctx), *groupName)
	if token == nil && instance == nil {
		return invalid("Either a lifecycle action token or an instance id must be specified.")
	}
	return s.changeGroup(ctx, k, "lifecycle action", func(tx *store.Tx, _ *group) error {
		_, err := hooks.Get(tx, within(k, *hookName))
		if isNotFound(err) {
			return invalid("No Lifecycle Hook found with name %s", *hookName)
		}
		if err != nil {
			return err
		}
		list, err := membersOf(tx, k)
		if err != nil {
			return err
		}
		now := tx.Now().UTC()
		for _, m := range list {
			if instance != nil && m.Instance != *instance {
				continue
			}
			open := func(a *pendingAction) bool {
				return a.Hook == *hookName && (token == nil || a.Token == *token) && now.Before(a.ends())
			}
			if m.answer(open, func(a *pendingAction) { change(a, now) }) {
				return putMember(tx, k, m)
			}
		}
		if token != nil {
			return invalid("No active Lifecycle Action found with token %s", *token)
		}
		return invalid("No active Lifecycle Action found with instance ID %s", *instance)
	})
}
