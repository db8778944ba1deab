package autoscaling

import (
	"context"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceSchedule is AWS::AutoScaling::ScheduledAction. Ref is the name.
type resourceSchedule struct{ s *Service }

type scheduleProperties struct {
	AutoScalingGroupName string
	MinSize, MaxSize     *int32
	DesiredCapacity      *int32
	Recurrence, TimeZone *string
	StartTime, EndTime   *string
}

// Schema implements stack.Resource.
func (resourceSchedule) Schema() stack.Schema {
	sc := stack.SchemaOf(scheduleProperties{})
	sc.Attributes = []string{"ScheduledActionName"}
	return sc
}

func (t resourceSchedule) put(ctx context.Context, r stack.Request, name string) error {
	var p scheduleProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	in := &api.PutScheduledUpdateGroupActionInput{AutoScalingGroupName: &p.AutoScalingGroupName, ScheduledActionName: &name, MinSize: p.MinSize, MaxSize: p.MaxSize,
		DesiredCapacity: p.DesiredCapacity, Recurrence: p.Recurrence, TimeZone: p.TimeZone}
	for _, at := range []struct {
		from *string
		to   **time.Time
	}{{p.StartTime, &in.StartTime}, {p.EndTime, &in.EndTime}} {
		if at.from == nil {
			continue
		}
		when, err := time.Parse(time.RFC3339, *at.from)
		if err != nil {
			return &stack.PropertyError{Message: "Invalid time " + *at.from + ": it must be an ISO 8601 time such as 2030-01-02T03:04:05Z"}
		}
		*at.to = &when
	}
	_, err := invoke[api.PutScheduledUpdateGroupActionOutput](ctx, t.s, "PutScheduledUpdateGroupAction", in)
	return err
}

func scheduleResult(name string) stack.Result {
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"ScheduledActionName": name}}
}

// Create implements stack.Resource.
func (t resourceSchedule) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	name := r.Name(maxResourceName)
	if err := t.put(ctx, r, name); err != nil {
		return stack.Result{}, err
	}
	started(name)
	return scheduleResult(name), nil
}

func (t resourceSchedule) find(ctx context.Context, r stack.Request) (*api.ScheduledUpdateGroupAction, error) {
	name, _ := r.Properties["AutoScalingGroupName"].(string)
	out, err := invoke[api.DescribeScheduledActionsOutput](ctx, t.s, "DescribeScheduledActions",
		&api.DescribeScheduledActionsInput{AutoScalingGroupName: &name, ScheduledActionNames: []string{r.PhysicalID}})
	if err == nil && len(out.ScheduledUpdateGroupActions) == 0 {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.ScheduledUpdateGroupActions[0], nil
}

// Read implements stack.Resource.
func (t resourceSchedule) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r)
	return scheduleResult(r.PhysicalID), err
}

// Live implements stack.Live.
func (t resourceSchedule) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	a, err := t.find(ctx, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"AutoScalingGroupName": *a.AutoScalingGroupName, "MinSize": liveNumber(a.MinSize), "MaxSize": liveNumber(a.MaxSize),
		"DesiredCapacity": liveNumber(a.DesiredCapacity), "Recurrence": liveText(a.Recurrence), "TimeZone": liveText(a.TimeZone)}, nil
}

// Update implements stack.Resource.
func (t resourceSchedule) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return scheduleResult(r.PhysicalID), t.put(ctx, r, r.PhysicalID)
}

// Delete implements stack.Resource.
func (t resourceSchedule) Delete(ctx context.Context, r stack.Request) error {
	name, _ := r.Properties["AutoScalingGroupName"].(string)
	_, err := invoke[api.DeleteScheduledActionOutput](ctx, t.s, "DeleteScheduledAction", &api.DeleteScheduledActionInput{AutoScalingGroupName: &name, ScheduledActionName: &r.PhysicalID})
	if absentGroup(err) {
		return nil
	}
	return err
}
