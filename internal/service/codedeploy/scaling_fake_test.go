package codedeploy

import (
	"context"
	"slices"
	"sort"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// scalingFake is an Auto Scaling group: the states of its instances, and its hooks
// by transition.
type scalingFake struct {
	spec   autoscaling.CreateAutoScalingGroupInput
	states map[string]autoscaling.LifecycleState
	hooks  map[string]string
}

func (w *world) scalingService() wire.Service {
	return wire.Service{Model: autoscaling.Model(), Operations: []wire.Operation{
		wire.Op("DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingGroups", w.describeScalingGroups, nil),
		wire.Op("DescribeScalingActivities", "autoscaling:DescribeScalingActivities", func(context.Context, *autoscaling.DescribeScalingActivitiesInput) (*autoscaling.DescribeScalingActivitiesOutput, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			out := &autoscaling.DescribeScalingActivitiesOutput{}
			if w.launchFails != "" {
				out.Activities = []autoscaling.Activity{{StatusCode: autoscaling.ScalingActivityStatusCodeFailed, Description: aws.Ptr("Launching a new EC2 instance."), StatusMessage: &w.launchFails,
					ActivityId: aws.Ptr("a"), AutoScalingGroupName: aws.Ptr("g"), Cause: aws.Ptr("c"), StartTime: aws.Ptr(w.clock.Now())}}
			}
			return out, nil
		}, nil),
		wire.Op("PutLifecycleHook", "autoscaling:PutLifecycleHook", func(_ context.Context, in *autoscaling.PutLifecycleHookInput) (*autoscaling.PutLifecycleHookOutput, error) {
			defer w.moved()
			return &autoscaling.PutLifecycleHookOutput{}, w.onScaling(*in.AutoScalingGroupName, func(g *scalingFake) {
				g.hooks[*in.LifecycleTransition] = *in.LifecycleHookName
			})
		}, nil),
		wire.Op("DeleteLifecycleHook", "autoscaling:DeleteLifecycleHook", func(_ context.Context, in *autoscaling.DeleteLifecycleHookInput) (*autoscaling.DeleteLifecycleHookOutput, error) {
			return &autoscaling.DeleteLifecycleHookOutput{}, w.onScaling(*in.AutoScalingGroupName, func(g *scalingFake) {
				for transition, name := range g.hooks {
					if name == *in.LifecycleHookName {
						delete(g.hooks, transition)
					}
				}
			})
		}, nil),
		wire.Op("CompleteLifecycleAction", "autoscaling:CompleteLifecycleAction", w.completeAction, nil),
		wire.Op("RecordLifecycleActionHeartbeat", "autoscaling:RecordLifecycleActionHeartbeat", func(_ context.Context, in *autoscaling.RecordLifecycleActionHeartbeatInput) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
			w.tell("BEAT " + *in.InstanceId)
			return &autoscaling.RecordLifecycleActionHeartbeatOutput{}, nil
		}, nil),
		wire.Op("CreateAutoScalingGroup", "autoscaling:CreateAutoScalingGroup", func(_ context.Context, in *autoscaling.CreateAutoScalingGroupInput) (*autoscaling.CreateAutoScalingGroupOutput, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.scaling[*in.AutoScalingGroupName] = &scalingFake{spec: *in, states: map[string]autoscaling.LifecycleState{}, hooks: map[string]string{}}
			return &autoscaling.CreateAutoScalingGroupOutput{}, nil
		}, nil),
		wire.Op("DeleteAutoScalingGroup", "autoscaling:DeleteAutoScalingGroup", func(_ context.Context, in *autoscaling.DeleteAutoScalingGroupInput) (*autoscaling.DeleteAutoScalingGroupOutput, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.scaling, *in.AutoScalingGroupName)
			return &autoscaling.DeleteAutoScalingGroupOutput{}, nil
		}, nil),
	}}
}

// onScaling changes a group, which must exist.
func (w *world) onScaling(name string, change func(*scalingFake)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.scaling[name]
	if g == nil {
		return awserr.New("ValidationError", "AutoScalingGroup name not found - null")
	}
	change(g)
	return nil
}

func (w *world) tell(what string) {
	w.mu.Lock()
	w.told = append(w.told, what)
	w.mu.Unlock()
	w.moved()
}

// moved tells that something has happened in Auto Scaling.
func (w *world) moved() {
	err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		tx.Emit(store.Event{Account: account, Region: region, Service: "autoscaling", Kind: "work"})
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}

func (w *world) completeAction(_ context.Context, in *autoscaling.CompleteLifecycleActionInput) (*autoscaling.CompleteLifecycleActionOutput, error) {
	active := false
	err := w.onScaling(*in.AutoScalingGroupName, func(g *scalingFake) {
		switch g.states[*in.InstanceId] {
		case autoscaling.LifecycleStatePendingWait:
			active = true
			g.states[*in.InstanceId] = autoscaling.LifecycleStateInService
			if *in.LifecycleActionResult == "ABANDON" {
				g.states[*in.InstanceId] = autoscaling.LifecycleStateTerminated
			}
		case autoscaling.LifecycleStateTerminatingWait:
			active = true
			delete(g.states, *in.InstanceId)
		}
	})
	if err != nil {
		return nil, err
	}
	if !active {
		return nil, awserr.New("ValidationError", "No active Lifecycle Action found with instance ID %s", *in.InstanceId)
	}
	w.tell(*in.LifecycleActionResult + " " + *in.InstanceId)
	return &autoscaling.CompleteLifecycleActionOutput{}, nil
}

func (w *world) describeScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &autoscaling.DescribeAutoScalingGroupsOutput{}
	for _, name := range in.AutoScalingGroupNames {
		g := w.scaling[name]
		if g == nil {
			continue
		}
		one := autoscaling.AutoScalingGroup{AutoScalingGroupName: &name, DesiredCapacity: g.spec.DesiredCapacity, MinSize: g.spec.MinSize, MaxSize: g.spec.MaxSize,
			LaunchTemplate: &autoscaling.LaunchTemplateSpecification{LaunchTemplateId: aws.Ptr("lt-1"), LaunchTemplateName: aws.Ptr("web"), Version: aws.Ptr("3")},
			Tags:           []autoscaling.TagDescription{{Key: aws.Ptr("aws:cloudformation:stack-name"), Value: aws.Ptr("s")}, {Key: aws.Ptr("stage"), Value: aws.Ptr("prod")}}}
		for id, state := range g.states {
			one.Instances = append(one.Instances, autoscaling.Instance{InstanceId: &id, LifecycleState: state})
		}
		sort.Slice(one.Instances, func(i, j int) bool { return *one.Instances[i].InstanceId < *one.Instances[j].InstanceId })
		out.AutoScalingGroups = append(out.AutoScalingGroups, one)
	}
	return out, nil
}

// scale puts an untagged running instance into a group, in the state.
func (w *world) scale(group, id string, state autoscaling.LifecycleState) {
	w.setState(id, "running")
	w.mu.Lock()
	w.machines[len(w.machines)-1].Tags = nil
	g := w.scaling[group]
	if g == nil {
		g = &scalingFake{states: map[string]autoscaling.LifecycleState{}, hooks: map[string]string{}, spec: autoscaling.CreateAutoScalingGroupInput{DesiredCapacity: aws.Ptr[int32](1), MinSize: aws.Ptr[int32](1), MaxSize: aws.Ptr[int32](2)}}
		w.scaling[group] = g
	}
	g.states[id] = state
	w.mu.Unlock()
	w.moved()
}

// awaitTold waits until Auto Scaling has been told.
func (w *world) awaitTold(what string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		moved := w.db.Changed(store.Filter{Service: "autoscaling"})
		w.mu.Lock()
		told := slices.Clone(w.told)
		w.mu.Unlock()
		if slices.Contains(told, what) {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			w.t.Fatalf("Auto Scaling was told %q, not %q", told, what)
		}
	}
}
