package autoscaling

import (
	"testing"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func (l *lab) refresh() api.InstanceRefresh {
	l.T.Helper()
	return wiretest.Must[api.DescribeInstanceRefreshesOutput](l, "DescribeInstanceRefreshes", &api.DescribeInstanceRefreshesInput{AutoScalingGroupName: ptr("g")}).InstanceRefreshes[0]
}

func startRefresh(l *lab, p *api.RefreshPreferences) {
	wiretest.Must[api.StartInstanceRefreshOutput](l, "StartInstanceRefresh", &api.StartInstanceRefreshInput{AutoScalingGroupName: ptr("g"), Preferences: p})
}

// One instance at a time makes room, and the next only when its successor is warm.
func TestRefreshOneByOne(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2))
	l.settle("g")
	l.Clock.Advance(time.Minute)
	startRefresh(l, &api.RefreshPreferences{MinHealthyPercentage: ptr[int32](50), InstanceWarmup: ptr[int32](30)})
	l.settle("g")
	l.expect("g", "2 InService b, 3 InService a")
	if r := l.refresh(); r.Status != "InProgress" || *r.PercentageComplete != 0 || *r.InstancesToUpdate != 2 {
		t.Errorf("%s %d%% %d", r.Status, *r.PercentageComplete, *r.InstancesToUpdate)
	}
	l.Clock.Advance(30 * time.Second)
	l.settle("g")
	l.expect("g", "3 InService a, 4 InService b")
	if r := l.refresh(); *r.PercentageComplete != 50 {
		t.Errorf("%d%%", *r.PercentageComplete)
	}
	l.Clock.Advance(30 * time.Second)
	l.settle("g")
	if r := l.refresh(); r.Status != "Successful" || *r.PercentageComplete != 100 {
		t.Errorf("%s %d%%", r.Status, *r.PercentageComplete)
	}
}

// With room above, successors come first.
func TestRefreshLaunchesFirst(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1))
	l.settle("g")
	l.Clock.Advance(time.Minute)
	startRefresh(l, &api.RefreshPreferences{MinHealthyPercentage: ptr[int32](100), MaxHealthyPercentage: ptr[int32](150), InstanceWarmup: ptr[int32](30)})
	l.settle("g")
	l.expect("g", "1 InService a, 2 InService b")
	l.Clock.Advance(30 * time.Second)
	l.settle("g")
	l.expect("g", "2 InService b")
	if r := l.refresh(); r.Status != "Successful" {
		t.Errorf("%s", r.Status)
	}
}

// A refresh stops at checkpoints and bakes at the end.
func TestRefreshCheckpoints(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2))
	l.settle("g")
	l.Clock.Advance(time.Minute)
	startRefresh(l, &api.RefreshPreferences{MinHealthyPercentage: ptr[int32](0), InstanceWarmup: ptr[int32](0), CheckpointPercentages: []int32{50, 100}, CheckpointDelay: ptr[int32](600), BakeTime: ptr[int32](60)})
	l.settle("g")
	l.expect("g", "2 InService b, 3 InService a")
	l.Clock.Advance(10 * time.Minute)
	l.settle("g")
	l.expect("g", "3 InService a, 4 InService b")
	if r := l.refresh(); r.Status != "Baking" {
		t.Errorf("%s", r.Status)
	}
	l.Clock.Advance(time.Minute)
	l.settle("g")
	if r := l.refresh(); r.Status != "Successful" {
		t.Errorf("%s", r.Status)
	}
}

// What cannot get on fails after an hour.
func TestRefreshGetsStuck(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1), func(in *api.CreateAutoScalingGroupInput) { in.NewInstancesProtectedFromScaleIn = ptr(true) })
	l.settle("g")
	l.Clock.Advance(time.Minute)
	startRefresh(l, nil)
	l.settle("g")
	l.Clock.Advance(stuck)
	l.settle("g")
	if r := l.refresh(); r.Status != "Failed" || *r.StatusReason != "The instance refresh has made no progress for 60 minutes." {
		t.Errorf("%s %v", r.Status, r.StatusReason)
	}
	l.expect("g", "1 InService a")
}

// A refresh without a desired configuration leads to what the group has by its end.
func TestRefreshLeavesUpdatesOfTheGroup(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1))
	l.settle("g")
	l.Clock.Advance(time.Minute)
	startRefresh(l, &api.RefreshPreferences{MinHealthyPercentage: ptr[int32](0), InstanceWarmup: ptr[int32](30)})
	wiretest.Must[api.UpdateAutoScalingGroupOutput](l, "UpdateAutoScalingGroup", &api.UpdateAutoScalingGroupInput{AutoScalingGroupName: ptr("g"),
		LaunchTemplate: &api.LaunchTemplateSpecification{LaunchTemplateName: ptr("web"), Version: ptr("1")}})
	l.settle("g")
	l.Clock.Advance(30 * time.Second)
	l.settle("g")
	g := l.describe("g")
	if r := l.refresh(); r.Status != "Successful" || g.LaunchTemplate == nil || g.Instances[0].LaunchTemplate == nil {
		t.Errorf("%s: %+v", r.Status, g)
	}
}

// A refresh that is cancelled without waiting replaces nothing any more.
func TestRefreshCancelledAtOnce(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2))
	l.settle("g")
	l.Clock.Advance(time.Minute)
	wiretest.Must[api.SuspendProcessesOutput](l, "SuspendProcesses", &api.SuspendProcessesInput{AutoScalingGroupName: ptr("g"), ScalingProcesses: []string{"Terminate"}})
	startRefresh(l, &api.RefreshPreferences{MinHealthyPercentage: ptr[int32](0), InstanceWarmup: ptr[int32](0)})
	l.settle("g")
	wiretest.Must[api.CancelInstanceRefreshOutput](l, "CancelInstanceRefresh", &api.CancelInstanceRefreshInput{AutoScalingGroupName: ptr("g"), WaitForTransitioningInstances: ptr(false)})
	wiretest.Must[api.ResumeProcessesOutput](l, "ResumeProcesses", &api.ResumeProcessesInput{AutoScalingGroupName: ptr("g")})
	l.settle("g")
	l.expect("g", "1 InService a, 2 InService b")
	if r := l.refresh(); r.Status != "Cancelled" {
		t.Errorf("%s", r.Status)
	}
}

// A refresh whose last checkpoint is below 100 percent ends there.
func TestRefreshOfAShare(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2))
	l.settle("g")
	l.Clock.Advance(time.Minute)
	startRefresh(l, &api.RefreshPreferences{MinHealthyPercentage: ptr[int32](0), InstanceWarmup: ptr[int32](0), CheckpointPercentages: []int32{50}, CheckpointDelay: ptr[int32](600)})
	l.settle("g")
	if r := l.refresh(); r.Status != "InProgress" {
		t.Errorf("%s", r.Status)
	}
	l.Clock.Advance(10 * time.Minute)
	l.settle("g")
	l.expect("g", "2 InService b, 3 InService a")
	if r := l.refresh(); r.Status != "Successful" || *r.PercentageComplete != 50 {
		t.Errorf("%s %d%%", r.Status, *r.PercentageComplete)
	}
}
