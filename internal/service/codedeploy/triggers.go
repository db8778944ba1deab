package codedeploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// notices are messages of triggers that have not been published yet, in the
// order of their events.
var notices = store.Table[notice]{Name: "codedeploy.notice", Version: 1}

type notice struct{ Deployment, Trigger, Topic, Role, Subject, Message string }

// maxTriggers is AWS's limit for a deployment group.
const maxTriggers = 10

func checkTriggers(list []api.TriggerConfig) error {
	if len(list) > maxTriggers {
		return awserr.New("TriggerTargetsLimitExceededException", "The maximum number of triggers for a deployment group (%d) was exceeded.", maxTriggers)
	}
	invalid := func(format string, args ...any) error {
		return awserr.New("InvalidTriggerConfigException", format, args...)
	}
	seen := map[string]bool{}
	for _, t := range list {
		name, topic := aws.Val(t.TriggerName), aws.Val(t.TriggerTargetArn)
		if name == "" {
			return invalid("Trigger name is required")
		}
		if seen[name] {
			return invalid("Trigger name %s is specified more than once", name)
		}
		seen[name] = true
		if a, err := arn.Parse(topic); err != nil || a.Service != "sns" || a.Resource == "" {
			return invalid("Topic ARN %s is not valid", topic)
		}
		if len(t.TriggerEvents) == 0 {
			return invalid("Trigger %s has no event types", name)
		}
	}
	return nil
}

// notify keeps a message for each trigger of the deployment that waits for the
// event; t is set for events of instances.
func (s *Service) notify(tx *store.Tx, k store.Key, d *deployment, t *target, what api.TriggerEventType) error {
	for _, trigger := range d.Triggers {
		if !slices.Contains(trigger.TriggerEvents, what) {
			continue
		}
		n := &notice{Deployment: d.ID, Trigger: aws.Val(trigger.TriggerName), Topic: aws.Val(trigger.TriggerTargetArn), Role: d.Role}
		if err := n.compose(tx, k, d, t); err != nil {
			return err
		}
		id := fmt.Sprintf("%020d/%012d/%s", s.clock.Now().UnixNano(), s.noticed.Add(1), ids.UUID())
		if err := notices.Put(tx, store.Key{Account: k.Account, Region: k.Region, ID: id}, n); err != nil {
			return err
		}
		emit(tx, k, d.ID, "notice", string(what))
	}
	return nil
}

// publishNotices publishes what triggers have to say until ctx ends. What it
// cannot publish it says in the deployment, which goes on.
func (s *Service) publishNotices(ctx context.Context) {
	err := notices.WorkOff(ctx, s.db, store.Filter{Service: "codedeploy", Kind: "notice"}, func(ctx context.Context, r store.Row[notice]) error {
		s.publish(ctx, r.Key, r.Value)
		return nil
	})
	if err != nil {
		s.log.Error("read notices of triggers", "error", err)
	}
}

// publish publishes one notice as the service role and forgets it, whether it
// succeeded or not: topics keep what they took, and what was refused once is
// refused again.
func (s *Service) publish(ctx context.Context, k store.Key, n *notice) {
	refused := s.send(ctx, k, n)
	if ctx.Err() != nil {
		return // the next server publishes it
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if err := notices.Delete(tx, k); err != nil && !isNotFound(err) {
			return err
		}
		if refused == nil {
			return nil
		}
		dk := store.Key{Account: k.Account, Region: k.Region, ID: n.Deployment}
		d, err := deployments.Get(tx, dk)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("The trigger %s could not publish to %s: %v", n.Trigger, n.Topic, refused)
		if slices.Contains(d.Messages, text) {
			return nil
		}
		d.Messages = append(d.Messages, text)
		emit(tx, dk, d.ID, "message", text)
		return deployments.Put(tx, dk, d)
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error("forget a published notice", "deployment", n.Deployment, "error", err)
	}
}

func (s *Service) send(ctx context.Context, k store.Key, n *notice) error {
	ctx, why := s.asRole(ctx, k, n.Role, "Publish")
	if why != nil {
		return fmt.Errorf("%s", why.message)
	}
	_, err := s.invoker.Invoke(ctx, "sns", "Publish", &sns.PublishInput{TopicArn: &n.Topic, Subject: &n.Subject, Message: &n.Message})
	return err
}
