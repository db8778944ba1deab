package cloudformation_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

const testTopic, testAlarm = "arn:aws:sns:us-east-1:123456789012:events", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors"

// publish is SNS's operation; the topic "gone" does not exist.
func (l *lab) publish(_ context.Context, in *sns.PublishInput) (*sns.PublishOutput, error) {
	if strings.HasSuffix(*in.TopicArn, ":gone") {
		return nil, awserr.Status(404, "NotFound", "Topic does not exist")
	}
	if l.provider != nil {
		l.provider(*in.Message)
	}
	l.mu.Lock()
	l.published[*in.TopicArn] = append(l.published[*in.TopicArn], *in.Message)
	l.mu.Unlock()
	return &sns.PublishOutput{MessageId: aws.Ptr("m")}, l.db.Update(l.ctx, func(tx *store.Tx) error {
		tx.Emit(store.Event{Service: "test", Kind: "published"})
		return nil
	})
}

// messages waits until a topic has n messages.
func (l *lab) messages(topic string, n int) []string {
	l.t.Helper()
	for {
		changed := l.db.Changed(store.Filter{Service: "test"})
		l.mu.Lock()
		got := append([]string{}, l.published[topic]...)
		l.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			l.t.Fatalf("%d messages, want %d", len(got), n)
		}
	}
}

func (l *lab) describeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput) (*cloudwatch.DescribeAlarmsOutput, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &cloudwatch.DescribeAlarmsOutput{}
	if state, ok := l.alarms[in.AlarmNames[0]]; ok {
		out.MetricAlarms = append(out.MetricAlarms, cloudwatch.MetricAlarm{AlarmName: &in.AlarmNames[0], StateValue: cloudwatch.StateValue(state)})
	}
	return out, nil
}

func (l *lab) setAlarm(state string) {
	l.t.Helper()
	l.mu.Lock()
	l.alarms["errors"] = state
	l.mu.Unlock()
	err := l.db.Update(l.ctx, func(tx *store.Tx) error {
		tx.Emit(store.Event{Account: "123456789012", Region: "us-east-1", Service: "monitoring", Resource: "errors", Kind: "state"})
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// Topics hear of every event, in order; one that is gone fails nothing.
func TestNotifications(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(l.ctx)
	done := make(chan error)
	go func() { done <- l.notify(ctx) }()
	defer func() { cancel(); <-done }()
	body := "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: !Join [',', !Ref 'AWS::NotificationARNs']}}}\nOutputs: {V: {Value: !GetAtt A.Value}}"
	s := l.create("web", body, func(in *api.CreateStackInput) {
		in.NotificationARNs, in.ClientRequestToken = []string{testTopic, testTopic + ":gone"}, aws.Ptr("tok")
		in.NotificationARNs[1] = "arn:aws:sns:us-east-1:123456789012:gone"
	})
	l.wantStatus(s, "CREATE_COMPLETE")
	if v := *s.Outputs[0].OutputValue; v != strings.Join(s.NotificationARNs, ",") || len(s.NotificationARNs) != 2 {
		t.Errorf("AWS::NotificationARNs is %q, shown are %v", v, s.NotificationARNs)
	}
	got := l.messages(testTopic, 5)
	for i, want := range []string{"CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_COMPLETE"} {
		if !strings.Contains(got[i], "\nResourceStatus='"+want+"'\n") || !strings.HasPrefix(got[i], "StackId='"+*s.StackId+"'\nTimestamp='") {
			t.Errorf("message %d: %s", i, got[i])
		}
	}
	for _, line := range []string{"LogicalResourceId='web'", "Namespace='123456789012'", "ResourceProperties='null'", "ResourceStatusReason='User Initiated'",
		"ResourceType='AWS::CloudFormation::Stack'", "StackName='web'", "ClientRequestToken='tok'"} {
		if !strings.Contains(got[0], "\n"+line+"\n") {
			t.Errorf("%s is missing in %s", line, got[0])
		}
	}
	// An update that does not name them keeps them; an empty list drops them.
	update := func(in *api.UpdateStackInput) error {
		in.StackName, in.UsePreviousTemplate = s.StackId, aws.Ptr(true)
		_, err := call[api.UpdateStackOutput](l, "UpdateStack", in)
		s = l.rest(*s.StackId)
		return err
	}
	wantError(t, update(&api.UpdateStackInput{}), "ValidationError", "No updates are to be performed.")
	if err := update(&api.UpdateStackInput{NotificationARNs: []string{}}); err != nil || len(s.NotificationARNs) != 0 {
		t.Errorf("%v, topics %v", err, s.NotificationARNs)
	}
}

func TestRollbackTriggers(t *testing.T) {
	config := &api.RollbackConfiguration{RollbackTriggers: []api.RollbackTrigger{{Arn: aws.Ptr(testAlarm), Type: aws.Ptr("AWS::CloudWatch::Alarm")}}, MonitoringTimeInMinutes: aws.Ptr[int32](10)}
	begin := func(l *lab) string {
		return *must[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("web"), TemplateBody: aws.Ptr(simple), RollbackConfiguration: config}).StackId
	}
	t.Run("missing", func(t *testing.T) {
		l := newLab(t)
		s := l.rest(begin(l))
		l.wantStatus(s, "ROLLBACK_COMPLETE")
		if l.fake.Made() != 0 {
			t.Error("something was made")
		}
	})
	t.Run("alarm while it is watched", func(t *testing.T) {
		l := newLab(t)
		l.setAlarm("OK")
		id := begin(l)
		l.waitEvent(id, "A", "CREATE_COMPLETE")
		l.restart()
		l.setAlarm("ALARM")
		s := l.rest(id)
		l.wantStatus(s, "ROLLBACK_COMPLETE")
		l.waitReason(id, "ROLLBACK_IN_PROGRESS", "Rollback Trigger "+testAlarm+" is in ALARM state. Rollback requested by user.")
	})
	t.Run("quiet, then an update in alarm", func(t *testing.T) {
		l := newLab(t)
		l.setAlarm("OK")
		id := begin(l)
		l.waitEvent(id, "A", "CREATE_COMPLETE")
		l.restart()
		l.clock.Advance(10 * time.Minute)
		l.restart()
		s := l.rest(id)
		l.wantStatus(s, "CREATE_COMPLETE")
		if c := s.RollbackConfiguration; *c.MonitoringTimeInMinutes != 10 || *c.RollbackTriggers[0].Arn != testAlarm {
			t.Errorf("shown %+v", c)
		}
		l.setAlarm("ALARM")
		must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: &id, TemplateBody: aws.Ptr(strings.Replace(simple, "Properties: {", "Properties: {Size: 3, ", 1))})
		l.wantStatus(l.rest(id), "UPDATE_ROLLBACK_COMPLETE")
		// Without triggers the same update goes through.
		must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: &id, TemplateBody: aws.Ptr(strings.Replace(simple, "Properties: {", "Properties: {Size: 3, ", 1)), RollbackConfiguration: &api.RollbackConfiguration{}})
		l.wantStatus(l.rest(id), "UPDATE_COMPLETE")
	})
}

// waitEvent waits until a resource has come to a status.
func (l *lab) waitEvent(id, logicalID, status string) {
	l.t.Helper()
	l.await(id, func(ev stack.Event) bool { return ev.LogicalID == logicalID && ev.Status == status })
}

// waitReason waits until the stack's status has a reason.
func (l *lab) waitReason(id, status, reason string) {
	l.t.Helper()
	l.await(id, func(ev stack.Event) bool { return ev.PhysicalID == id && ev.Status == status && ev.Reason == reason })
}

func (l *lab) await(id string, is func(stack.Event) bool) {
	l.t.Helper()
	for {
		changed := l.db.Changed(store.Filter{Service: "cloudformation", Resource: id})
		var events []stack.Event
		err := l.db.View(l.ctx, func(tx *store.Tx) (err error) {
			events, err = stack.EventsOf(tx, &stack.Stack{ID: id, Account: "123456789012", Region: "us-east-1"})
			return err
		})
		if err != nil {
			l.t.Fatal(err)
		}
		for _, ev := range events {
			if is(ev) {
				return
			}
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			l.t.Fatalf("no such event among %+v", events)
		}
	}
}
