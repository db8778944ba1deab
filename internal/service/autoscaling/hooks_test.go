package autoscaling

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const topic = "arn:aws:sns:us-east-1:123456789012:t"

func hooked(transition, result string) func(*api.CreateAutoScalingGroupInput) {
	return func(in *api.CreateAutoScalingGroupInput) {
		in.LifecycleHookSpecificationList = append(in.LifecycleHookSpecificationList, api.LifecycleHookSpecification{LifecycleHookName: ptr("h" + transition[len(transition)-9:]), LifecycleTransition: &transition,
			HeartbeatTimeout: ptr[int32](60), DefaultResult: &result, NotificationTargetARN: ptr(topic), RoleARN: ptr("arn:aws:iam::123456789012:role/hook"), NotificationMetadata: ptr("blue")})
	}
}

// An instance waits for its hook at both ends of its life, the hook's role tells the topic,
// and tokens and instance ids complete the actions.
func TestHooks(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1), hooked(launching, "ABANDON"), hooked(terminating, "CONTINUE"))
	if n := len(l.fleet.published); n != 2 || !strings.Contains(*l.fleet.published[0].Message, `"Event":"autoscaling:TEST_NOTIFICATION"`) {
		t.Fatalf("%d test messages", n)
	}
	l.settle("g")
	l.expect("g", "1 Pending:Wait a")
	if a := l.activity(0); a.StatusCode != "MidLifecycleAction" {
		t.Errorf("%s", a.StatusCode)
	}
	var told struct {
		LifecycleActionToken, LifecycleTransition, EC2InstanceId, NotificationMetadata, Origin, Destination, Service string
	}
	last := l.deliver()
	if err := json.Unmarshal([]byte(*last[len(last)-1].Message), &told); err != nil {
		t.Fatal(err)
	}
	if told.EC2InstanceId != instance(1) || told.LifecycleTransition != launching || told.NotificationMetadata != "blue" || told.Origin != "EC2" || told.Destination != "AutoScalingGroup" || told.Service != "AWS Auto Scaling" {
		t.Errorf("%+v", told)
	}
	if !strings.HasSuffix(l.fleet.callers["Publish"], ":assumed-role/hook/AutoScaling") {
		t.Errorf("published as %s", l.fleet.callers["Publish"])
	}
	wiretest.Must[api.CompleteLifecycleActionOutput](l, "CompleteLifecycleAction", &api.CompleteLifecycleActionInput{AutoScalingGroupName: ptr("g"), LifecycleHookName: ptr("hLAUNCHING"),
		LifecycleActionToken: &told.LifecycleActionToken, LifecycleActionResult: ptr("CONTINUE")})
	l.settle("g")
	l.expect("g", "1 InService a")
	wiretest.Must[api.SetDesiredCapacityOutput](l, "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](0)})
	l.settle("g")
	l.expect("g", "1 Terminating:Wait a")
	if l.fleet.instances[instance(1)].State.Name != "running" {
		t.Error("it was terminated before its hook was heard")
	}
	wiretest.Must[api.CompleteLifecycleActionOutput](l, "CompleteLifecycleAction", &api.CompleteLifecycleActionInput{AutoScalingGroupName: ptr("g"), LifecycleHookName: ptr("hRMINATING"),
		InstanceId: ptr(instance(1)), LifecycleActionResult: ptr("ABANDON")})
	l.settle("g")
	l.expect("g", "")
}

// Heartbeats give more time, but not for ever; then the default counts.
func TestHookTimesOut(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1), hooked(launching, "ABANDON"))
	l.settle("g")
	beat := &api.RecordLifecycleActionHeartbeatInput{AutoScalingGroupName: ptr("g"), LifecycleHookName: ptr("hLAUNCHING"), InstanceId: ptr(instance(1))}
	for range 3 {
		l.Clock.Advance(50 * time.Second)
		wiretest.Must[api.RecordLifecycleActionHeartbeatOutput](l, "RecordLifecycleActionHeartbeat", beat)
		l.step("g")
		l.expect("g", "1 Pending:Wait a")
	}
	l.Clock.Advance(time.Minute)
	l.step("g")
	l.settle("g")
	a := l.activity(0)
	if a.StatusCode != "Cancelled" || !strings.HasPrefix(*a.StatusMessage, "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token ") || !strings.HasSuffix(*a.StatusMessage, " was abandoned: Heartbeat Timeout") {
		t.Errorf("%+v", a)
	}
	l.expect("g", "") // the next launch waits
	l.Clock.Advance(firstBackoff)
	l.settle("g")
	l.expect("g", "2 Pending:Wait a")
	if _, err := wiretest.Call[api.RecordLifecycleActionHeartbeatOutput](l, "RecordLifecycleActionHeartbeat", beat); err == nil || err.Error() != "ValidationError: No active Lifecycle Action found with instance ID "+instance(1) {
		t.Error(err)
	}
}

func TestNotifications(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group()
	wiretest.Must[api.PutNotificationConfigurationOutput](l, "PutNotificationConfiguration", &api.PutNotificationConfigurationInput{AutoScalingGroupName: ptr("g"), TopicARN: ptr(topic),
		NotificationTypes: []string{launchEvent}})
	wiretest.Must[api.SetDesiredCapacityOutput](l, "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](1)})
	l.settle("g")
	wiretest.Must[api.SetDesiredCapacityOutput](l, "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](0)})
	l.settle("g")
	all := l.deliver()
	if len(all) != 2 {
		t.Fatalf("%d messages", len(all))
	}
	var told struct {
		Event, EC2InstanceId, StatusCode, AutoScalingGroupName, Cause string
		Progress                                                      int
		Details                                                       map[string]string
	}
	if err := json.Unmarshal([]byte(*all[1].Message), &told); err != nil {
		t.Fatal(err)
	}
	if told.Event != launchEvent || told.EC2InstanceId != instance(1) || told.Progress != 50 || told.Details["Availability Zone"] != "us-east-1a" || *all[1].Subject != `Auto Scaling: launch for group "g"` {
		t.Errorf("%+v %s", told, *all[1].Subject)
	}
}

// An instance that ends while it waits for its hook is given up at once.
func TestInstanceEndsInItsHook(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1), hooked(launching, "CONTINUE"))
	l.settle("g")
	l.expect("g", "1 Pending:Wait a")
	l.fleet.kill(instance(1))
	l.step("g")
	l.expect("g", "")
	if a := l.activity(0); a.StatusCode != "Cancelled" || !strings.HasSuffix(*a.StatusMessage, "Termination Reason: the instance is terminated") {
		t.Errorf("%+v", a)
	}
}

// The verdict is about the actions as they are when it takes effect: a heartbeat that comes
// after the group was looked at counts.
func TestHeartbeatOvertakesTheVerdict(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1), hooked(launching, "ABANDON"))
	l.settle("g")
	l.Clock.Advance(30 * time.Second)
	turn, err := l.svc.load(l.Ctx, key(aws.CallFrom(l.Ctx), "g"))
	if err != nil {
		t.Fatal(err)
	}
	if err := turn.observe(); err != nil {
		t.Fatal(err)
	}
	wiretest.Must[api.RecordLifecycleActionHeartbeatOutput](l, "RecordLifecycleActionHeartbeat",
		&api.RecordLifecycleActionHeartbeatInput{AutoScalingGroupName: ptr("g"), LifecycleHookName: ptr("hLAUNCHING"), InstanceId: ptr(instance(1))})
	turn.now = turn.now.Add(40 * time.Second) // past the deadline that it has read
	if err := turn.members(); err != nil {
		t.Fatal(err)
	}
	l.expect("g", "1 Pending:Wait a")
}
