package autoscaling

import (
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// A group comes up, one in each zone, acts as its service-linked role, grows and shrinks,
// and says why.
func TestGroupKeepsItsSize(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2), func(in *api.CreateAutoScalingGroupInput) {
		in.Tags = []api.Tag{{Key: ptr("Name"), Value: ptr("web"), PropagateAtLaunch: ptr(true)}, {Key: ptr("inner"), Value: ptr("x")}}
	})
	l.step("g")
	l.expect("g", "1 Pending a, 2 Pending b")
	if !l.fleet.linked || !strings.Contains(l.fleet.callers["RunInstances"], "AWSServiceRoleForAutoScaling") {
		t.Errorf("launched as %v", l.fleet.callers)
	}
	tags := ""
	for _, tag := range l.fleet.instances[instance(1)].Tags {
		tags += *tag.Key + "=" + *tag.Value + " "
	}
	if tags != "Name=web aws:autoscaling:groupName=g " {
		t.Errorf("tags %s", tags)
	}
	l.settle("g")
	l.expect("g", "1 InService a, 2 InService b")
	wiretest.Must[api.SetDesiredCapacityOutput](l, "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](3)})
	l.settle("g")
	l.expect("g", "1 InService a, 2 InService b, 3 InService a")
	a := l.activity(0)
	if want := "At 2024-05-01T12:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 2 to 3.  " +
		"At 2024-05-01T12:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 2 to 3."; *a.Cause != want {
		t.Errorf("%s\nwant\n%s", *a.Cause, want)
	}
	if *a.Details != `{"Subnet ID":"subnet-a","Availability Zone":"us-east-1a"}` || a.StatusCode != "Successful" || *a.Progress != 100 {
		t.Errorf("%+v", a)
	}
	wiretest.Must[api.SetDesiredCapacityOutput](l, "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](1)})
	l.settle("g")
	l.expect("g", "3 InService a") // zone a had most, then the oldest of what was left
	if a := l.activity(0); !strings.HasSuffix(*a.Cause, "was selected for termination.") || !strings.HasPrefix(*a.Description, "Terminating EC2 instance: i-") {
		t.Errorf("%+v", a)
	}
}

func TestDeadInstanceIsReplaced(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1))
	l.settle("g")
	l.fleet.kill(instance(1))
	l.settle("g")
	l.expect("g", "2 InService a")
	if cause := *l.activity(1).Cause; cause != "At 2024-05-01T12:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped." {
		t.Error(cause)
	}
	if cause := *l.activity(0).Cause; cause != "At 2024-05-01T12:00:00Z an instance was launched in response to an unhealthy instance needing to be replaced." {
		t.Error(cause)
	}
}

// A launch that was asked for and whose answer was lost is not repeated.
func TestNothingIsLaunchedTwice(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1))
	k := key(aws.CallFrom(l.Ctx), "g")
	turn, err := l.svc.load(l.Ctx, k)
	if err != nil {
		t.Fatal(err)
	}
	if err := turn.balance(); err != nil {
		t.Fatal(err)
	}
	turn, err = l.svc.load(l.Ctx, k)
	if err != nil {
		t.Fatal(err)
	}
	in, _, err := turn.runInput(turn.list[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := turn.run(in); err != nil {
		t.Fatal(err)
	}
	// What is launched changes before the next server asks again.
	wiretest.Must[api.CreateOrUpdateTagsOutput](l, "CreateOrUpdateTags", &api.CreateOrUpdateTagsInput{Tags: []api.Tag{
		{ResourceId: ptr("g"), ResourceType: ptr(groupResource), Key: ptr("new"), Value: ptr("1"), PropagateAtLaunch: ptr(true)}}})
	l.settle("g") // the next server
	l.expect("g", "1 InService a")
	if len(l.fleet.order) != 1 {
		t.Errorf("%d instances were launched", len(l.fleet.order))
	}
}

// A launch that is refused is tried again later, in another zone first.
func TestFailedLaunchBacksOff(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.fleet.refuse = awserr.New("InsufficientInstanceCapacity", "We currently do not have sufficient capacity.")
	l.group(size(1))
	due := l.step("g")
	if a := l.activity(0); a.StatusCode != "Failed" || *a.StatusMessage != "We currently do not have sufficient capacity. Launching EC2 instance failed." ||
		*a.Description != "Launching a new EC2 instance.  Status Reason: We currently do not have sufficient capacity. Launching EC2 instance failed." {
		t.Errorf("%+v", a)
	}
	if due.Sub(start) != firstBackoff {
		t.Errorf("the next try is at %s", due)
	}
	l.fleet.refuse = nil
	l.step("g")
	l.expect("g", "")
	l.Clock.Advance(firstBackoff)
	l.settle("g")
	l.expect("g", "1 InService b")
}

func TestProtectedInstanceStays(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2), func(in *api.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = ptr("subnet-a") })
	l.settle("g")
	wiretest.Must[api.SetInstanceProtectionOutput](l, "SetInstanceProtection", &api.SetInstanceProtectionInput{AutoScalingGroupName: ptr("g"), InstanceIds: []string{instance(1)}, ProtectedFromScaleIn: ptr(true)})
	wiretest.Must[api.SetDesiredCapacityOutput](l, "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](0)})
	l.settle("g")
	l.expect("g", "1 InService a")
}

func TestStandbyAndDetach(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2))
	l.settle("g")
	wiretest.Must[api.EnterStandbyOutput](l, "EnterStandby", &api.EnterStandbyInput{AutoScalingGroupName: ptr("g"), InstanceIds: []string{instance(1)}, ShouldDecrementDesiredCapacity: ptr(false)})
	l.settle("g")
	l.expect("g", "1 Standby a, 2 InService b, 3 InService a")
	wiretest.Must[api.ExitStandbyOutput](l, "ExitStandby", &api.ExitStandbyInput{AutoScalingGroupName: ptr("g"), InstanceIds: []string{instance(1)}})
	l.settle("g")
	l.expect("g", "1 InService a, 2 InService b, 3 InService a")
	if g := l.describe("g"); *g.DesiredCapacity != 3 {
		t.Errorf("desired %d", *g.DesiredCapacity)
	}
	wiretest.Must[api.DetachInstancesOutput](l, "DetachInstances", &api.DetachInstancesInput{AutoScalingGroupName: ptr("g"), InstanceIds: []string{instance(2)}, ShouldDecrementDesiredCapacity: ptr(true)})
	l.settle("g")
	l.expect("g", "3 InService a, 4 InService b") // zone b was empty
	if l.fleet.instances[instance(2)].State.Name != "running" || len(l.fleet.untagged) != 1 {
		t.Errorf("detached: %+v, untagged %v", l.fleet.instances[instance(2)].State, l.fleet.untagged)
	}
	wiretest.Must[api.AttachInstancesOutput](l, "AttachInstances", &api.AttachInstancesInput{AutoScalingGroupName: ptr("g"), InstanceIds: []string{instance(2)}})
	l.settle("g")
	l.expect("g", "3 InService a, 4 InService b, 2 InService b")
}

// Zones that have drifted apart are brought together: first one more, then one less.
func TestZonesAreBalanced(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(3), func(in *api.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = ptr("subnet-a") })
	l.settle("g")
	wiretest.Must[api.UpdateAutoScalingGroupOutput](l, "UpdateAutoScalingGroup", &api.UpdateAutoScalingGroupInput{AutoScalingGroupName: ptr("g"), VPCZoneIdentifier: ptr("subnet-a,subnet-b")})
	l.step("g")
	l.expect("g", "1 InService a, 2 InService a, 3 InService a, 4 Pending b")
	l.settle("g")
	l.expect("g", "2 InService a, 3 InService a, 4 InService b")
	wiretest.Must[api.UpdateAutoScalingGroupOutput](l, "UpdateAutoScalingGroup", &api.UpdateAutoScalingGroupInput{AutoScalingGroupName: ptr("g"), VPCZoneIdentifier: ptr("subnet-b")})
	l.settle("g")
	l.expect("g", "4 InService b, 5 InService b, 6 InService b")
}

func TestSuspendedProcesses(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1))
	l.settle("g")
	wiretest.Must[api.SuspendProcessesOutput](l, "SuspendProcesses", &api.SuspendProcessesInput{AutoScalingGroupName: ptr("g"), ScalingProcesses: []string{"Launch", "ReplaceUnhealthy"}})
	l.fleet.kill(instance(1))
	l.settle("g")
	l.expect("g", "1 InService a Unhealthy")
	if g := l.describe("g"); *g.SuspendedProcesses[0].ProcessName != "Launch" || *g.SuspendedProcesses[0].SuspensionReason != "User suspended at 2024-05-01T12:00:00Z" {
		t.Errorf("%+v", g.SuspendedProcesses)
	}
	wiretest.Must[api.ResumeProcessesOutput](l, "ResumeProcesses", &api.ResumeProcessesInput{AutoScalingGroupName: ptr("g")})
	l.settle("g")
	l.expect("g", "2 InService a")
}

func TestForceDelete(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2))
	l.settle("g")
	wiretest.Must[api.DeleteAutoScalingGroupOutput](l, "DeleteAutoScalingGroup", &api.DeleteAutoScalingGroupInput{AutoScalingGroupName: ptr("g"), ForceDelete: ptr(true)})
	l.step("g")
	if g := l.describe("g"); *g.Status != "Delete in progress" {
		t.Errorf("%v", g.Status)
	}
	l.settle("g")
	l.expect("g", "gone")
	l.Clock.Advance(keepActivities + time.Hour)
	if err := l.svc.forgetActivities(l.Ctx); err != nil {
		t.Fatal(err)
	}
	if out := wiretest.Must[api.DescribeScalingActivitiesOutput](l, "DescribeScalingActivities", &api.DescribeScalingActivitiesInput{IncludeDeletedGroups: ptr(true)}); len(out.Activities) > 0 {
		t.Errorf("%d activities are left", len(out.Activities))
	}
}

// Target groups get the instances, say who is ill after the grace period, and let go only
// when connections have ended.
func TestTargetGroup(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1), func(in *api.CreateAutoScalingGroupInput) {
		in.TargetGroupARNs, in.HealthCheckType, in.HealthCheckGracePeriod = []string{targetGroup}, ptr("ELB"), ptr[int32](60)
	})
	l.settle("g")
	l.fleet.targets[instance(1)] = "unhealthy"
	if due := l.step("g"); !due.Equal(start.Add(time.Minute)) {
		t.Errorf("due %s", due)
	}
	l.expect("g", "1 InService a")
	l.Clock.Advance(time.Minute)
	l.step("g")
	l.expect("g", "1 Terminating a Unhealthy, 2 Pending a")
	l.settle("g")
	l.expect("g", "1 Terminating a Unhealthy, 2 InService a")
	if a := l.activity(0); a.StatusCode != "WaitingForELBConnectionDraining" || !strings.HasSuffix(*a.Cause, "in response to an ELB system health check failure.") {
		t.Errorf("%+v", a)
	}
	delete(l.fleet.targets, instance(1))
	l.fleet.targets[instance(2)] = "healthy"
	l.settle("g")
	l.expect("g", "2 InService a")
	if out := wiretest.Must[api.DescribeLoadBalancerTargetGroupsOutput](l, "DescribeLoadBalancerTargetGroups", &api.DescribeLoadBalancerTargetGroupsInput{AutoScalingGroupName: ptr("g")}); *out.LoadBalancerTargetGroups[0].State != "InService" {
		t.Errorf("%s", *out.LoadBalancerTargetGroups[0].State)
	}
}

func TestMaxInstanceLifetime(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2), func(in *api.CreateAutoScalingGroupInput) { in.MaxInstanceLifetime = ptr[int32](minLifetime) })
	l.settle("g")
	l.Clock.Advance(24 * time.Hour)
	l.step("g")
	l.expect("g", "1 Terminating:Proceed a, 2 InService b, 3 Pending a") // one after the other
	l.settle("g")
	l.expect("g", "3 InService a, 4 InService b")
}

// Launches that fail together make the next try wait once, and a successor that could not
// be launched is tried again although the group has its size.
func TestFailuresTogetherCountOnce(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.fleet.refuse = awserr.New("InsufficientInstanceCapacity", "We currently do not have sufficient capacity.")
	l.group(size(4))
	if due := l.step("g"); due.Sub(start) != firstBackoff {
		t.Errorf("the next try is at %s", due)
	}
	l.fleet.refuse = nil
	l.Clock.Advance(firstBackoff)
	l.settle("g")
	l.Clock.Advance(time.Minute)
	l.fleet.refuse = awserr.New("InsufficientInstanceCapacity", "We currently do not have sufficient capacity.")
	startRefresh(l, &api.RefreshPreferences{MinHealthyPercentage: ptr[int32](100), MaxHealthyPercentage: ptr[int32](125), InstanceWarmup: ptr[int32](0)})
	if due := l.step("g"); due.Sub(l.Clock.Now()) != firstBackoff {
		t.Errorf("the next try of a successor is at %s", due)
	}
}

// Protected instances do not make room in a crowded zone, so nothing is launched for them.
func TestProtectedInstancesAreNotBalanced(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2), func(in *api.CreateAutoScalingGroupInput) {
		in.VPCZoneIdentifier, in.NewInstancesProtectedFromScaleIn = ptr("subnet-a"), ptr(true)
	})
	l.settle("g")
	wiretest.Must[api.UpdateAutoScalingGroupOutput](l, "UpdateAutoScalingGroup", &api.UpdateAutoScalingGroupInput{AutoScalingGroupName: ptr("g"), VPCZoneIdentifier: ptr("subnet-b")})
	l.settle("g")
	l.expect("g", "1 InService a, 2 InService a")
	wiretest.Must[api.UpdateAutoScalingGroupOutput](l, "UpdateAutoScalingGroup", &api.UpdateAutoScalingGroupInput{AutoScalingGroupName: ptr("g"), VPCZoneIdentifier: ptr("subnet-a,subnet-b")})
	l.settle("g")
	l.expect("g", "1 InService a, 2 InService a")
}

// Work that begins again works on the groups that it had when it ended.
func TestRunBeginsAgain(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1))
	wiretest.Run(t, l.svc.Run, nil)()
	stop := wiretest.Run(t, l.svc.Run, nil)
	defer stop()
	for {
		changed := l.DB.Changed(store.Filter{Service: signing, Kind: lifecycleKind})
		if l.states("g") == "1 Pending a" {
			return
		}
		<-changed
	}
}

// What was launched while AddToLoadBalancer was suspended stays out of the balancer, and
// scheduled actions that were due while they were suspended are not made up for.
func TestSuspendedWorkIsNotMadeUpFor(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1), func(in *api.CreateAutoScalingGroupInput) { in.TargetGroupARNs = []string{targetGroup} })
	wiretest.Must[api.SuspendProcessesOutput](l, "SuspendProcesses", &api.SuspendProcessesInput{AutoScalingGroupName: ptr("g"), ScalingProcesses: []string{"AddToLoadBalancer", "ScheduledActions"}})
	wiretest.Must[api.PutScheduledUpdateGroupActionOutput](l, "PutScheduledUpdateGroupAction", &api.PutScheduledUpdateGroupActionInput{AutoScalingGroupName: ptr("g"), ScheduledActionName: ptr("s"),
		Recurrence: ptr("@hourly"), DesiredCapacity: ptr[int32](2)})
	l.Clock.Advance(90 * time.Minute)
	l.settle("g")
	wiretest.Must[api.ResumeProcessesOutput](l, "ResumeProcesses", &api.ResumeProcessesInput{AutoScalingGroupName: ptr("g")})
	l.settle("g")
	if l.expect("g", "1 InService a"); len(l.fleet.targets) > 0 {
		t.Errorf("registered: %v", l.fleet.targets)
	}
	l.Clock.Advance(time.Hour)
	l.settle("g")
	if l.expect("g", "1 InService a, 2 InService b"); len(l.fleet.targets) != 1 {
		t.Errorf("registered: %v", l.fleet.targets)
	}
	reattach := []string{targetGroup}
	wiretest.Must[api.DetachLoadBalancerTargetGroupsOutput](l, "DetachLoadBalancerTargetGroups", &api.DetachLoadBalancerTargetGroupsInput{AutoScalingGroupName: ptr("g"), TargetGroupARNs: reattach})
	l.step("g")
	delete(l.fleet.targets, instance(2))
	l.settle("g")
	wiretest.Must[api.AttachLoadBalancerTargetGroupsOutput](l, "AttachLoadBalancerTargetGroups", &api.AttachLoadBalancerTargetGroupsInput{AutoScalingGroupName: ptr("g"), TargetGroupARNs: reattach})
	if l.settle("g"); len(l.fleet.targets) != 2 {
		t.Errorf("registered: %v", l.fleet.targets)
	}
}

// One instance that cannot be registered does not keep the group from its others.
func TestOneIllMemberHoldsUpNobody(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2), func(in *api.CreateAutoScalingGroupInput) { in.TargetGroupARNs = []string{targetGroup} })
	l.fleet.unwelcome = instance(1)
	k := key(aws.CallFrom(l.Ctx), "g")
	if _, err := l.svc.step(l.Ctx, k); err != nil {
		t.Fatal(err)
	}
	l.fleet.boot()
	if _, err := l.svc.step(l.Ctx, k); err == nil || !strings.Contains(err.Error(), instance(1)) {
		t.Errorf("the failure is %v", err)
	}
	l.expect("g", "1 Pending:Proceed a, 2 InService b")
	wiretest.Must[api.SetDesiredCapacityOutput](l, "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](3)})
	_, _ = l.svc.step(l.Ctx, k)
	l.expect("g", "1 Pending:Proceed a, 2 InService b, 3 Pending a")
	l.fleet.unwelcome = ""
	l.settle("g")
	l.expect("g", "1 InService a, 2 InService b, 3 InService a")
}

// A group shows the preference about capacity reservations that it was given.
func TestReservationPreference(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group()
	for _, want := range []string{"default", "none", "default"} {
		p := api.CapacityReservationPreference(want)
		wiretest.Must[api.UpdateAutoScalingGroupOutput](l, "UpdateAutoScalingGroup", &api.UpdateAutoScalingGroupInput{AutoScalingGroupName: ptr("g"),
			CapacityReservationSpecification: &api.CapacityReservationSpecification{CapacityReservationPreference: p}})
		if got := l.describe("g").CapacityReservationSpecification.CapacityReservationPreference; got != p {
			t.Errorf("the preference is %s, not %s", got, want)
		}
	}
}
