package autoscaling

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// message is something to be published to a topic or sent to a queue with a role.
type message struct{ Target, Role, Subject, Body string }

const (
	messageKind = "message"
	// serviceName is how messages name their sender.
	serviceName = "AWS Auto Scaling"
	// millis is how messages write a time.
	millis = "2006-01-02T15:04:05.000Z"
)

// send queues a message: it is sent if the transaction is committed.
func send(tx *store.Tx, k store.Key, m *message) error {
	id := fmt.Sprintf("%020d/%s", tx.Now().UnixNano(), ids.UUID())
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signing, Resource: k.ID, Kind: messageKind, Cause: m.Subject})
	return messages.Put(tx, activityKey(k, id), m)
}

func body(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return string(b)
}

// ways are where an instance comes from and goes to.
func ways(transition string) (origin, destination string) {
	if transition == launching {
		return "EC2", "AutoScalingGroup"
	}
	return "AutoScalingGroup", "EC2"
}

// tellHook tells the target of a hook that an instance waits for it.
func tellHook(tx *store.Tx, k store.Key, h *hook, m *member, a *pendingAction) error {
	if h.Target == "" {
		return nil
	}
	origin, destination := ways(h.Transition)
	text := body(struct {
		Origin               string
		LifecycleHookName    string
		Destination          string
		AccountId            string
		RequestId            string
		LifecycleTransition  string
		AutoScalingGroupName string
		Service              string
		Time                 string
		EC2InstanceId        string
		NotificationMetadata string `json:",omitempty"`
		LifecycleActionToken string
	}{origin, h.Name, destination, k.Account, ids.UUID(), h.Transition, h.Group, serviceName, tx.Now().UTC().Format(millis), m.Instance, h.Metadata, a.Token})
	subject := fmt.Sprintf("Auto Scaling:  Lifecycle action '%s' for instance %s in progress.", strings.TrimPrefix(h.Transition, "autoscaling:EC2_INSTANCE_"), m.Instance)
	return send(tx, k, &message{Target: h.Target, Role: h.Role, Subject: subject, Body: text})
}

// tryHook sends a test message to a hook's target: one that cannot be reached is refused.
func (s *Service) tryHook(ctx context.Context, h *hook) error {
	if h.Target == "" {
		return nil
	}
	c := aws.CallFrom(ctx)
	k := key(c, h.Group)
	text := body(struct{ AccountId, RequestId, AutoScalingGroupARN, AutoScalingGroupName, Service, Event, Time string }{
		c.Account, ids.UUID(), s.arnOfGroup(ctx, k), h.Group, serviceName, testEvent, s.now().Format(millis)})
	err := s.publish(ctx, k, &message{Target: h.Target, Role: h.Role, Subject: fmt.Sprintf("Auto Scaling: test notification for group \"%s\"", h.Group), Body: text})
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "test message of a lifecycle hook", slog.String("hook", h.Name), slog.String("error", err.Error()))
		return invalid("Unable to publish test message to notification target %s using IAM role %s. Please check your target and role configuration and try to put lifecycle hook again.", h.Target, h.Role)
	}
	return nil
}

// arnOfGroup is the ARN of a group, or the one that it would have.
func (s *Service) arnOfGroup(ctx context.Context, k store.Key) string {
	out := arnOf(k, "autoScalingGroup", "*", "autoScalingGroupName/"+k.ID)
	_ = s.view(ctx, func(tx *store.Tx) error { // a group that cannot be read is not there for this purpose
		g, err := groups.Get(tx, k)
		if err == nil {
			out = g.ARN
		}
		return err
	})
	return out
}

// events are the subjects of notifications, by their type.
var subjects = map[string]string{launchEvent: "launch", terminateEvent: "termination", launchErrorEvent: "failed launch", terminateErrorEvent: "failed termination"}

// notify tells the topics that want to know of an activity that has ended.
func notify(tx *store.Tx, k store.Key, g *group, event string, a *activity) error {
	if a == nil {
		return nil
	}
	rows, err := rowsWithin(tx, notifications, k)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !slices.Contains(r.Value.Types, event) {
			continue
		}
		m := &message{Target: r.Value.Topic, Role: g.Role, Subject: fmt.Sprintf("Auto Scaling: %s for group \"%s\"", subjects[event], g.Name), Body: a.message(k, g, event, tx.Now())}
		if err := send(tx, k, m); err != nil {
			return err
		}
	}
	return nil
}

// message is what topics are told of an activity.
func (a *activity) message(k store.Key, g *group, event string, now time.Time) string {
	transition := terminating
	if event == launchEvent || event == launchErrorEvent {
		transition = launching
	}
	origin, destination := ways(transition)
	// The message is of the moment before the activity is over.
	status, share := "InProgress", 50
	if a.Status == failed || a.Status == cancelled {
		status, share = string(a.Status), 100
	}
	return body(struct {
		Origin               string
		Destination          string
		Progress             int
		AccountId            string
		Description          string
		RequestId            string
		EndTime              string
		AutoScalingGroupARN  string
		ActivityId           string
		StartTime            string
		Service              string
		Time                 string
		EC2InstanceId        string
		StatusCode           string
		StatusMessage        string
		Details              json.RawMessage
		AutoScalingGroupName string
		Cause                string
		Event                string
	}{origin, destination, share, k.Account, a.Description, a.ID, a.End.Format(millis), g.ARN, a.ID, a.Start.Format(millis), serviceName, now.UTC().Format(millis),
		a.Instance, status, a.StatusMessage, json.RawMessage(a.Details), g.Name, a.Cause, event})
}

// deliver sends queued messages until ctx ends.
func (s *Service) deliver(ctx context.Context) error {
	return messages.WorkOff(ctx, s.cfg.DB, store.Filter{Service: signing, Kind: messageKind}, func(ctx context.Context, r store.Row[message]) error {
		err := s.publish(ctx, r.Key, r.Value)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			// Best effort, as on AWS: what the target refuses once it refuses again.
			s.cfg.Log.WarnContext(ctx, "Auto Scaling message was not delivered", slog.String("target", r.Value.Target), slog.String("error", err.Error()))
		}
		return s.update(ctx, func(tx *store.Tx) error { return messages.Delete(tx, r.Key) })
	})
}

// publish sends a message with its role, which Auto Scaling has to be able to assume.
func (s *Service) publish(ctx context.Context, k store.Key, m *message) error {
	as, err := s.acting(ctx, k, m.Role)
	if err != nil {
		return err
	}
	target, err := arn.Parse(m.Target)
	if err != nil {
		return err
	}
	if target.Service == "sns" {
		_, err = wire.Call[sns.PublishOutput](as, s.cfg.Invoker, "sns", "Publish", &sns.PublishInput{TopicArn: &m.Target, Subject: ptr(m.Subject[:min(len(m.Subject), 100)]), Message: &m.Body})
		return err
	}
	if target.Region != k.Region {
		return awserr.New("ValidationError", "the queue %s is in another region", m.Target)
	}
	url, err := wire.Call[sqs.GetQueueUrlOutput](as, s.cfg.Invoker, "sqs", "GetQueueUrl", &sqs.GetQueueUrlInput{QueueName: &target.Resource, QueueOwnerAWSAccountId: &target.Account})
	if err != nil {
		return err
	}
	_, err = wire.Call[sqs.SendMessageOutput](as, s.cfg.Invoker, "sqs", "SendMessage", &sqs.SendMessageInput{QueueUrl: url.QueueUrl, MessageBody: &m.Body})
	return err
}
