package autoscaling

import (
	"context"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceHook is AWS::AutoScaling::LifecycleHook. Ref is the hook's name.
type resourceHook struct{ s *Service }

type hookProperties struct {
	AutoScalingGroupName, LifecycleTransition                           string
	LifecycleHookName                                                   *string
	NotificationTargetARN, RoleARN, NotificationMetadata, DefaultResult *string
	HeartbeatTimeout                                                    *int32
}

// Schema implements stack.Resource.
func (resourceHook) Schema() stack.Schema {
	sc := stack.SchemaOf(hookProperties{})
	sc.NameProperty = "LifecycleHookName"
	return sc
}

func (t resourceHook) put(ctx context.Context, r stack.Request, name string) error {
	var p hookProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	in := &api.PutLifecycleHookInput{AutoScalingGroupName: &p.AutoScalingGroupName, LifecycleHookName: &name, LifecycleTransition: &p.LifecycleTransition,
		NotificationTargetARN: p.NotificationTargetARN, RoleARN: p.RoleARN, NotificationMetadata: p.NotificationMetadata, DefaultResult: p.DefaultResult, HeartbeatTimeout: p.HeartbeatTimeout}
	// What the template has no more goes back to its default.
	in.DefaultResult = or(in.DefaultResult, ptr(resultAbandon))
	in.HeartbeatTimeout = or(in.HeartbeatTimeout, ptr[int32](defaultBeat))
	if r.OldProperties["NotificationTargetARN"] != nil {
		in.NotificationTargetARN = or(in.NotificationTargetARN, ptr(""))
	}
	_, err := invoke[api.PutLifecycleHookOutput](ctx, t.s, "PutLifecycleHook", in)
	return err
}

// Create implements stack.Resource.
func (t resourceHook) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p hookProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := own(r, p.LifecycleHookName)
	if err := t.put(ctx, r, name); err != nil {
		return stack.Result{}, err
	}
	started(name)
	return stack.Result{PhysicalID: name}, nil
}

func (t resourceHook) find(ctx context.Context, r stack.Request) (*api.LifecycleHook, error) {
	name, _ := r.Properties["AutoScalingGroupName"].(string)
	out, err := invoke[api.DescribeLifecycleHooksOutput](ctx, t.s, "DescribeLifecycleHooks",
		&api.DescribeLifecycleHooksInput{AutoScalingGroupName: &name, LifecycleHookNames: []string{r.PhysicalID}})
	if absentGroup(err) || err == nil && len(out.LifecycleHooks) == 0 {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.LifecycleHooks[0], nil
}

// Read implements stack.Resource.
func (t resourceHook) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r)
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// Live implements stack.Live.
func (t resourceHook) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	h, err := t.find(ctx, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"AutoScalingGroupName": *h.AutoScalingGroupName, "LifecycleHookName": *h.LifecycleHookName, "LifecycleTransition": *h.LifecycleTransition,
		"NotificationTargetARN": liveText(h.NotificationTargetARN), "RoleARN": liveText(h.RoleARN), "NotificationMetadata": liveText(h.NotificationMetadata),
		"DefaultResult": liveText(h.DefaultResult), "HeartbeatTimeout": liveNumber(h.HeartbeatTimeout)}, nil
}

// Update implements stack.Resource.
func (t resourceHook) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return stack.Result{PhysicalID: r.PhysicalID}, t.put(ctx, r, r.PhysicalID)
}

// Delete implements stack.Resource.
func (t resourceHook) Delete(ctx context.Context, r stack.Request) error {
	name, _ := r.Properties["AutoScalingGroupName"].(string)
	_, err := invoke[api.DeleteLifecycleHookOutput](ctx, t.s, "DeleteLifecycleHook", &api.DeleteLifecycleHookInput{AutoScalingGroupName: &name, LifecycleHookName: &r.PhysicalID})
	if absentGroup(err) {
		return nil
	}
	return err
}
