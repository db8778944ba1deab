package autoscaling

import (
	"fmt"
	"strings"
	"testing"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestAdjusted(t *testing.T) {
	for _, c := range []struct {
		name      string
		kind      string
		by, least int32
		from, to  int32
	}{
		{"add", changeInCapacity, 2, 0, 3, 5},
		{"take", changeInCapacity, -2, 0, 3, 1},
		{"exactly", exactCapacity, 7, 0, 3, 7},
		{"percent", percentOfCapacity, 50, 0, 10, 15},
		{"a part of one is one", percentOfCapacity, 10, 0, 3, 4},
		{"a part of minus one is minus one", percentOfCapacity, -10, 0, 3, 2},
		{"rounded down", percentOfCapacity, 25, 0, 10, 12},
		{"rounded up", percentOfCapacity, -25, 0, 10, 8},
		{"at least", percentOfCapacity, 10, 3, 10, 13},
		{"at least fewer", percentOfCapacity, -10, 3, 10, 7},
	} {
		p := &policy{Adjustment: c.kind}
		if c.least > 0 {
			p.Magnitude = &c.least
		}
		if got := p.adjusted(c.from, c.by); got != c.to {
			t.Errorf("%s: %d, not %d", c.name, got, c.to)
		}
	}
}

func TestSteps(t *testing.T) {
	step := func(lo, hi *float64, by int32) api.StepAdjustment {
		return api.StepAdjustment{MetricIntervalLowerBound: lo, MetricIntervalUpperBound: hi, ScalingAdjustment: &by}
	}
	up := &policy{Steps: []api.StepAdjustment{step(ptr(0.0), ptr(10.0), 1), step(ptr(10.0), nil, 2)}}
	down := &policy{Steps: []api.StepAdjustment{step(ptr(-10.0), ptr(0.0), -1), step(nil, ptr(-10.0), -2)}}
	for _, c := range []struct {
		name string
		p    *policy
		diff float64
		by   int32 // 0: none
	}{
		{"at the threshold", up, 0, 1}, {"within", up, 9.9, 1}, {"the lower bound belongs to the interval", up, 10, 2}, {"below", up, -1, 0},
		{"under", down, -1, -1}, {"the upper bound belongs to the interval", down, -10, -2}, {"far under", down, -100, -2}, {"over", down, 1, 0},
	} {
		if got := val(c.p.step(c.diff)); got != c.by {
			t.Errorf("%s: %d, not %d", c.name, got, c.by)
		}
	}
}

func putPolicy(l *lab, change func(*api.PutScalingPolicyInput)) *api.PutScalingPolicyOutput {
	in := &api.PutScalingPolicyInput{AutoScalingGroupName: ptr("g"), PolicyName: ptr("p"), AdjustmentType: ptr(changeInCapacity)}
	change(in)
	return wiretest.Must[api.PutScalingPolicyOutput](l, "PutScalingPolicy", in)
}

func (l *lab) alarmed(policyARN, alarm string, value, threshold float64) int32 {
	l.T.Helper()
	if err := l.svc.Alarmed(l.Ctx, wiretest.Account, wiretest.Region, policyARN, alarm, "ALARM", value, threshold); err != nil {
		l.T.Fatal(err)
	}
	return *l.describe("g").DesiredCapacity
}

// Simple scaling waits for activities and its cooldown.
func TestSimpleScaling(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1))
	l.settle("g")
	l.Clock.Advance(time.Hour)
	p := *putPolicy(l, func(in *api.PutScalingPolicyInput) { in.ScalingAdjustment, in.Cooldown = ptr[int32](1), ptr[int32](60) }).PolicyARN
	if n := l.alarmed(p, "busy", 9, 5); n != 2 {
		t.Fatalf("desired %d", n)
	}
	l.step("g")
	if n := l.alarmed(p, "busy", 9, 5); n != 2 { // it is being launched
		t.Errorf("desired %d", n)
	}
	l.settle("g")
	if n := l.alarmed(p, "busy", 9, 5); n != 2 { // the cooldown
		t.Errorf("desired %d", n)
	}
	l.Clock.Advance(time.Minute)
	if n := l.alarmed(p, "busy", 9, 5); n != 3 {
		t.Errorf("desired %d", n)
	}
	l.settle("g")
	if want := "At 2024-05-01T13:01:00Z a monitor alarm busy in state ALARM triggered policy p changing the desired capacity from 2 to 3.  "; !strings.HasPrefix(*l.activity(0).Cause, want) {
		t.Errorf("%s", *l.activity(0).Cause)
	}
}

// Steps count instances that are not warm as begun already.
func TestStepScaling(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(1), func(in *api.CreateAutoScalingGroupInput) { in.MaxSize = ptr[int32](10) })
	l.settle("g")
	l.Clock.Advance(time.Hour)
	p := *putPolicy(l, func(in *api.PutScalingPolicyInput) {
		in.PolicyType, in.EstimatedInstanceWarmup = ptr(stepScaling), ptr[int32](120)
		in.StepAdjustments = []api.StepAdjustment{{MetricIntervalLowerBound: ptr(0.0), MetricIntervalUpperBound: ptr(10.0), ScalingAdjustment: ptr[int32](2)},
			{MetricIntervalLowerBound: ptr(10.0), ScalingAdjustment: ptr[int32](4)}}
	}).PolicyARN
	if n := l.alarmed(p, "busy", 6, 5); n != 3 {
		t.Fatalf("desired %d", n)
	}
	l.settle("g")
	if n := l.alarmed(p, "busy", 6, 5); n != 3 { // the two are on their way
		t.Errorf("desired %d", n)
	}
	if n := l.alarmed(p, "busy", 20, 5); n != 5 { // two more than those
		t.Errorf("desired %d", n)
	}
	l.settle("g")
	l.Clock.Advance(2 * time.Minute)
	if n := l.alarmed(p, "busy", 6, 5); n != 7 {
		t.Errorf("desired %d", n)
	}
}

// A target is tracked by two alarms, which go with the policy.
func TestTargetTracking(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2))
	l.settle("g")
	l.Clock.Advance(time.Hour)
	out := putPolicy(l, func(in *api.PutScalingPolicyInput) {
		in.PolicyType, in.AdjustmentType = ptr(targetTracking), nil
		in.TargetTrackingConfiguration = &api.TargetTrackingConfiguration{TargetValue: ptr(50.0), PredefinedMetricSpecification: &api.PredefinedMetricSpecification{PredefinedMetricType: "ASGAverageCPUUtilization"}}
	})
	high, low := *out.Alarms[0].AlarmName, *out.Alarms[1].AlarmName
	if !strings.HasPrefix(high, "TargetTracking-g-AlarmHigh-") || !strings.HasPrefix(low, "TargetTracking-g-AlarmLow-") || *l.fleet.alarms[low].Threshold != 45 || *l.fleet.alarms[high].EvaluationPeriods != 3 {
		t.Errorf("%s %s %+v", high, low, l.fleet.alarms)
	}
	if n := l.alarmed(*out.PolicyARN, high, 90, 50); n != 4 {
		t.Errorf("desired %d", n)
	}
	l.settle("g")
	if n := l.alarmed(*out.PolicyARN, low, 10, 45); n != 4 { // not while instances warm up
		t.Errorf("desired %d", n)
	}
	l.Clock.Advance(time.Hour)
	if n := l.alarmed(*out.PolicyARN, low, 10, 45); n != 1 {
		t.Errorf("desired %d", n)
	}
	stop := wiretest.Run(t, l.svc.deleteDiscarded, nil)
	wiretest.Must[api.DeletePolicyOutput](l, "DeletePolicy", &api.DeletePolicyInput{PolicyName: out.PolicyARN})
	for {
		changed := l.DB.Changed(store.Filter{Service: signing, Kind: discardKind})
		if l.discarded() == 0 {
			break
		}
		<-changed
	}
	stop()
	if len(l.fleet.alarms) > 0 {
		t.Errorf("%v are left", l.fleet.alarms)
	}
}

// A policy that cannot be stored leaves no alarms behind.
func TestRefusedPolicyLeavesNoAlarms(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group()
	tracking := func(name string) *api.PutScalingPolicyInput {
		return &api.PutScalingPolicyInput{AutoScalingGroupName: ptr("g"), PolicyName: &name, PolicyType: ptr(targetTracking),
			TargetTrackingConfiguration: &api.TargetTrackingConfiguration{TargetValue: ptr(50.0), PredefinedMetricSpecification: &api.PredefinedMetricSpecification{PredefinedMetricType: "ASGAverageCPUUtilization"}}}
	}
	for n := range maxPolicies {
		wiretest.Must[api.PutScalingPolicyOutput](l, "PutScalingPolicy", &api.PutScalingPolicyInput{AutoScalingGroupName: ptr("g"), PolicyName: ptr(fmt.Sprint("p", n)),
			AdjustmentType: ptr(changeInCapacity), ScalingAdjustment: ptr[int32](1)})
	}
	if _, err := l.Server.Invoke(l.Ctx, signing, "PutScalingPolicy", tracking("more")); !awserr.Is(err, "LimitExceeded") {
		t.Fatal(err)
	}
	if len(l.fleet.alarms) != 2 || l.discarded() != 1 {
		t.Errorf("%d alarms, %d discarded", len(l.fleet.alarms), l.discarded())
	}
}
