package codedeploy

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

func (w *world) describeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput) (*cloudwatch.DescribeAlarmsOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &cloudwatch.DescribeAlarmsOutput{}
	for name, state := range w.alarms {
		if slices.Contains(in.AlarmNames, name) {
			out.MetricAlarms = append(out.MetricAlarms, cloudwatch.MetricAlarm{AlarmName: &name, StateValue: state})
		}
	}
	return out, nil
}

// setAlarm changes an alarm's state as CloudWatch does, with its event.
func (w *world) setAlarm(name string, state cloudwatch.StateValue) {
	w.t.Helper()
	w.mu.Lock()
	w.alarms[name] = state
	w.mu.Unlock()
	err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		tx.Emit(store.Event{Account: account, Region: region, Service: "monitoring", Resource: name, Kind: "state"})
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// alarmed is a configuration with the alarms named.
func alarmed(names ...string) *api.AlarmConfiguration {
	c := &api.AlarmConfiguration{Enabled: aws.Ptr(true)}
	for _, n := range names {
		c.Alarms = append(c.Alarms, api.Alarm{Name: &n})
	}
	return c
}

const activated = "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, " +
	"and the affected deployments have been stopped. Activated alarms: "

func TestAlarmsAtTheStart(t *testing.T) {
	ignoring := alarmed("cpu", "gone")
	ignoring.IgnorePollAlarmFailure = aws.Ptr(true)
	off := alarmed("cpu")
	off.Enabled = aws.Ptr(false)
	tests := []struct {
		name     string
		group    *api.AlarmConfiguration
		override *api.AlarmConfiguration
		state    cloudwatch.StateValue
		denied   bool
		status   api.DeploymentStatus
		code     api.ErrorCode
		message  string
	}{
		{"quiet", alarmed("cpu"), nil, "OK", false, "Succeeded", "", ""},
		{"not enough data", alarmed("cpu"), nil, "INSUFFICIENT_DATA", false, "Succeeded", "", ""},
		{"active", alarmed("cpu", "disk"), nil, "ALARM", false, "Stopped", api.ErrorCodeAlarmActive, activated + "<cpu>"},
		{"active, off", off, nil, "ALARM", false, "Succeeded", "", ""},
		{"active, overridden", alarmed("cpu"), off, "ALARM", false, "Succeeded", "", ""},
		{"active, by override only", nil, alarmed("cpu"), "ALARM", false, "Stopped", api.ErrorCodeAlarmActive, activated + "<cpu>"},
		{"missing", alarmed("cpu", "gone"), nil, "OK", false, "Stopped", api.ErrorCodeAlarmActive, "no such alarm: gone."},
		{"missing, ignored", ignoring, nil, "OK", false, "Succeeded", "", ""},
		{"active beside a missing one, ignored", ignoring, nil, "ALARM", false, "Stopped", api.ErrorCodeAlarmActive, activated + "<cpu>"},
		{"refused", alarmed("cpu"), nil, "OK", true, "Stopped", api.ErrorCodeIamRolePermissions, "AmazonCloudWatch"},
		{"refused, ignored", ignoring, nil, "OK", true, "Succeeded", "", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp(func(in *api.CreateDeploymentGroupInput) { in.AlarmConfiguration = tc.group })
			w.setAlarm("cpu", tc.state)
			w.setAlarm("disk", "OK")
			w.denied["cloudwatch:DescribeAlarms"] = tc.denied
			h := w.agent("i-1", nil)
			d := w.awaitStatus(w.deploy("v1", func(in *api.CreateDeploymentInput) { in.OverrideAlarmConfiguration = tc.override }), tc.status)
			if tc.code == "" {
				return
			}
			if d.ErrorInformation.Code != tc.code || !strings.Contains(*d.ErrorInformation.Message, tc.message) {
				t.Errorf("%s: %s, want %s: %s", d.ErrorInformation.Code, *d.ErrorInformation.Message, tc.code, tc.message)
			}
			if *d.DeploymentOverview.Skipped != 1 || len(h.ran) > 0 {
				t.Errorf("%+v, the agent ran %q, want nothing begun", d.DeploymentOverview, h.ran)
			}
			if (d.OverrideAlarmConfiguration != nil) != (tc.override != nil) {
				t.Errorf("override %+v, want %+v", d.OverrideAlarmConfiguration, tc.override)
			}
		})
	}
}

// An alarm lets the running script end, skips the rest and brings the last good
// revision back, which the same alarm does not stop.
func TestAlarmWithinADeployment(t *testing.T) {
	w := newWorld(t, "i-1", "i-2")
	w.setUp(func(in *api.CreateDeploymentGroupInput) {
		in.AlarmConfiguration = alarmed("cpu")
		in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: aws.Ptr(true), Events: []api.AutoRollbackEvent{api.AutoRollbackEventDeploymentStopOnAlarm}}
	})
	w.setAlarm("cpu", "OK")
	running, release := make(chan struct{}), make(chan struct{})
	for _, id := range []string{"i-1", "i-2"} {
		w.agent(id, func(key, event string) bool {
			if key == "v2" && event == "Install" {
				close(running)
				<-release
			}
			return false
		})
	}
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	id := w.deploy("v2")
	<-running
	w.setAlarm("cpu", "ALARM")
	w.awaitEvent(store.Filter{Service: "codedeploy", Resource: id, Kind: "stop"})
	close(release)
	d := w.awaitStatus(id, api.DeploymentStatusStopped)
	if e := d.ErrorInformation; e.Code != api.ErrorCodeAlarmActive || *e.Message != activated+"<cpu>" {
		t.Errorf("%s: %s", e.Code, *e.Message)
	}
	if o := d.DeploymentOverview; *o.Failed != 1 || *o.Skipped != 1 {
		t.Errorf("%+v, want one failed and one skipped", o)
	}
	back := aws.Val(d.RollbackInfo.RollbackDeploymentId)
	if want := "Deployment " + id + " terminated. Automatic rollback is triggered with a DeploymentId " + back + "."; *d.RollbackInfo.RollbackMessage != want {
		t.Errorf("rollback message %q, want %q", *d.RollbackInfo.RollbackMessage, want)
	}
	r := w.awaitStatus(back, api.DeploymentStatusSucceeded)
	if *r.Revision.S3Location.Key != "v1" || *r.RollbackInfo.RollbackTriggeringDeploymentId != id {
		t.Errorf("rolled back to %+v, %+v", r.Revision.S3Location, r.RollbackInfo)
	}
}

// awaitEvent waits until the store has an event.
func (w *world) awaitEvent(f store.Filter) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, err := range w.db.Watch(ctx, 0, f) {
		if err != nil {
			w.t.Fatal(err)
		}
		return
	}
}

func TestBadAlarmsAndTriggers(t *testing.T) {
	many := make([]string, 11)
	for i := range many {
		many[i] = string(rune('a' + i))
	}
	trigger := func(name, topic string, events ...api.TriggerEventType) api.TriggerConfig {
		return api.TriggerConfig{TriggerName: &name, TriggerTargetArn: &topic, TriggerEvents: events}
	}
	const topic = "arn:aws:sns:us-east-1:123456789012:t"
	tests := []struct {
		name          string
		alarms        *api.AlarmConfiguration
		triggers      []api.TriggerConfig
		code, message string
	}{
		{"too many alarms", alarmed(many...), nil, "AlarmsLimitExceededException", "The maximum number of alarms for a deployment group (10) was exceeded."},
		{"no alarms", alarmed(), nil, "InvalidAlarmConfigException", "The alarm configuration was specified in an invalid format. The alarm configuration is enabled, but the alarm list is empty."},
		{"alarm without a name", alarmed(""), nil, "InvalidAlarmConfigException", ""},
		{"alarm twice", alarmed("a", "a"), nil, "InvalidAlarmConfigException", ""},
		{"long alarm name", alarmed(strings.Repeat("x", 256)), nil, "InvalidAlarmConfigException", ""},
		{"trigger without a name", nil, []api.TriggerConfig{trigger("", topic, "DeploymentStart")}, "InvalidTriggerConfigException", "Trigger name is required"},
		{"not a topic", nil, []api.TriggerConfig{trigger("t", "arn:aws:sqs:us-east-1:123456789012:t", "DeploymentStart")}, "InvalidTriggerConfigException", "Topic ARN arn:aws:sqs:us-east-1:123456789012:t is not valid"},
		{"no events", nil, []api.TriggerConfig{trigger("t", topic)}, "InvalidTriggerConfigException", "Trigger t has no event types"},
		{"trigger twice", nil, []api.TriggerConfig{trigger("t", topic, "DeploymentStart"), trigger("t", topic, "DeploymentStop")}, "InvalidTriggerConfigException", ""},
		{"too many triggers", nil, make([]api.TriggerConfig, 11), "TriggerTargetsLimitExceededException", ""},
	}
	w := newWorld(t)
	w.setUp()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := call[api.CreateDeploymentGroupOutput](w, "CreateDeploymentGroup", &api.CreateDeploymentGroupInput{ApplicationName: aws.Ptr("a"),
				DeploymentGroupName: aws.Ptr("h"), ServiceRoleArn: aws.Ptr(roleARN), AlarmConfiguration: tc.alarms, TriggerConfigurations: tc.triggers})
			wantCode(t, err, tc.code, tc.message)
			_, err = call[api.UpdateDeploymentGroupOutput](w, "UpdateDeploymentGroup", &api.UpdateDeploymentGroupInput{ApplicationName: aws.Ptr("a"),
				CurrentDeploymentGroupName: aws.Ptr("g"), AlarmConfiguration: tc.alarms, TriggerConfigurations: tc.triggers})
			wantCode(t, err, tc.code, tc.message)
			if tc.alarms != nil {
				_, err = call[api.CreateDeploymentOutput](w, "CreateDeployment", &api.CreateDeploymentInput{ApplicationName: aws.Ptr("a"),
					DeploymentGroupName: aws.Ptr("g"), Revision: revisionOf("v1"), OverrideAlarmConfiguration: tc.alarms})
				wantCode(t, err, tc.code, tc.message)
			}
		})
	}
}
