package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
)

// subscription is one destination of a bucket's events.
type subscription struct {
	ID, Target     string // Target is the ARN of a queue or topic
	Events         []s3.Event
	Prefix, Suffix *string `json:",omitempty"`
}

// GetBucketNotificationConfiguration returns the destinations as they were put.
func (s *Service) GetBucketNotificationConfiguration(ctx context.Context, in *s3.GetBucketNotificationConfigurationInput) (*s3.GetBucketNotificationConfigurationOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	out := &s3.GetBucketNotificationConfigurationOutput{}
	for _, sub := range b.Notify {
		if sub.service() == "sns" {
			out.TopicConfigurations = append(out.TopicConfigurations, s3.TopicConfiguration{Id: &sub.ID, TopicArn: &sub.Target, Events: sub.Events, Filter: sub.filter()})
		} else {
			out.QueueConfigurations = append(out.QueueConfigurations, s3.QueueConfiguration{Id: &sub.ID, QueueArn: &sub.Target, Events: sub.Events, Filter: sub.filter()})
		}
	}
	return out, nil
}

// filter is the form in which answers have the prefix and the suffix.
func (sub subscription) filter() *s3.NotificationConfigurationFilter {
	var rules []s3.FilterRule
	if sub.Prefix != nil {
		rules = append(rules, s3.FilterRule{Name: "Prefix", Value: sub.Prefix})
	}
	if sub.Suffix != nil {
		rules = append(rules, s3.FilterRule{Name: "Suffix", Value: sub.Suffix})
	}
	if rules == nil {
		return nil
	}
	return &s3.NotificationConfigurationFilter{Key: &s3.S3KeyFilter{FilterRules: rules}}
}

// PutBucketNotificationConfiguration replaces the destinations. Each new one gets a test
// message, as from S3; one that cannot be reached is refused.
func (s *Service) PutBucketNotificationConfiguration(ctx context.Context, in *s3.PutBucketNotificationConfigurationInput) (*s3.PutBucketNotificationConfigurationOutput, error) {
	if in.NotificationConfiguration == nil {
		return nil, errMalformedXML
	}
	subs, err := subscriptions(in.NotificationConfiguration)
	if err != nil {
		return nil, err
	}
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if !aws.Val(in.SkipDestinationValidation) {
		if err := s.tryDestinations(ctx, b, subs); err != nil {
			return nil, err
		}
	}
	if err := s.change(ctx, in.Bucket, func(b *bucket) error { b.Notify = subs; return nil }); err != nil {
		return nil, err
	}
	return &s3.PutBucketNotificationConfigurationOutput{}, nil
}

// subscriptions reads a configuration and refuses what cannot be.
func subscriptions(c *s3.NotificationConfiguration) ([]subscription, error) {
	if len(c.LambdaFunctionConfigurations) > 0 {
		return nil, notBuilt("PutBucketNotificationConfiguration", "LambdaFunctionConfigurations")
	}
	if c.EventBridgeConfiguration != nil {
		return nil, notBuilt("PutBucketNotificationConfiguration", "EventBridgeConfiguration")
	}
	var subs []subscription
	add := func(id, target *string, service string, events []s3.Event, filter *s3.NotificationConfigurationFilter) error {
		sub := subscription{ID: aws.Val(id), Target: aws.Val(target), Events: events}
		if sub.ID == "" {
			sub.ID = ids.UUID()
		}
		if parts := strings.Split(sub.Target, ":"); len(parts) != 6 || parts[0] != "arn" || parts[2] != service || parts[3] == "" || parts[4] == "" || parts[5] == "" {
			return errInvalidArgument("The ARN could not be parsed", fmt.Sprintf("%sArn", map[string]string{"sqs": "Queue", "sns": "Topic"}[service]), sub.Target)
		}
		if strings.HasSuffix(sub.Target, ".fifo") {
			return errInvalidArgument("FIFO destinations cannot be used for bucket notifications", "Arn", sub.Target)
		}
		if len(events) == 0 {
			return errMalformedXML
		}
		for _, e := range events {
			if !slices.Contains(notifiable, e) {
				return errInvalidArgument(fmt.Sprintf("The event '%s' is not supported for notifications", e), "Event", string(e))
			}
		}
		if err := sub.setFilter(filter); err != nil {
			return err
		}
		subs = append(subs, sub)
		return nil
	}
	for _, t := range c.TopicConfigurations {
		if err := add(t.Id, t.TopicArn, "sns", t.Events, t.Filter); err != nil {
			return nil, err
		}
	}
	for _, q := range c.QueueConfigurations {
		if err := add(q.Id, q.QueueArn, "sqs", q.Events, q.Filter); err != nil {
			return nil, err
		}
	}
	return subs, apart(subs)
}

func (sub *subscription) setFilter(f *s3.NotificationConfigurationFilter) error {
	if f == nil || f.Key == nil {
		return nil
	}
	for _, r := range f.Key.FilterRules {
		at := &sub.Prefix
		switch strings.ToLower(string(r.Name)) {
		case "prefix":
		case "suffix":
			at = &sub.Suffix
		default:
			return errInvalidArgument("filter rule name must be either prefix or suffix", "FilterRule.Name", string(r.Name))
		}
		if *at != nil {
			return errInvalidArgument("Cannot specify more than one "+strings.ToLower(string(r.Name))+" rule in a filter.", "FilterRule", string(r.Name))
		}
		*at = aws.Ptr(aws.Val(r.Value))
	}
	return nil
}

// apart refuses two destinations for one event of one key, and one id twice.
func apart(subs []subscription) error {
	for i, a := range subs {
		for _, b := range subs[:i] {
			if a.ID == b.ID {
				return errInvalidArgument("Same ID used for multiple configurations. IDs must be unique", "Id", a.ID)
			}
			common := slices.ContainsFunc(a.Events, func(e s3.Event) bool {
				return slices.ContainsFunc(b.Events, func(f s3.Event) bool { return covers(e, f) || covers(f, e) })
			})
			if common && meet(aws.Val(a.Prefix), aws.Val(b.Prefix), strings.HasPrefix) && meet(aws.Val(a.Suffix), aws.Val(b.Suffix), strings.HasSuffix) {
				return awserr.New("InvalidArgument", "Configurations overlap. Configurations on the same bucket cannot share a common event type.")
			}
		}
	}
	return nil
}

func meet(a, b string, contains func(string, string) bool) bool {
	return contains(a, b) || contains(b, a)
}

// covers reports that the event pattern, which may end in a star, names the event.
func covers(pattern, event s3.Event) bool {
	before, star := strings.CutSuffix(string(pattern), "*")
	return pattern == event || star && strings.HasPrefix(string(event), before)
}

func (sub subscription) wants(event s3.Event, key string) bool {
	return slices.ContainsFunc(sub.Events, func(p s3.Event) bool { return covers(p, event) }) &&
		strings.HasPrefix(key, aws.Val(sub.Prefix)) && strings.HasSuffix(key, aws.Val(sub.Suffix))
}

// arn takes the destination apart.
func (sub subscription) service() string { return strings.Split(sub.Target, ":")[2] }

// notifiable are the events that a configuration may name. Those of things that
// hardstand does not do never happen.
var notifiable = []s3.Event{
	"s3:ReducedRedundancyLostObject", "s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy",
	"s3:ObjectCreated:CompleteMultipartUpload", "s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
	"s3:ObjectRestore:*", "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete", "s3:Replication:*",
	"s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked", "s3:Replication:OperationMissedThreshold",
	"s3:Replication:OperationReplicatedAfterThreshold", "s3:LifecycleTransition", "s3:IntelligentTiering", "s3:ObjectAcl:Put",
	"s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated",
	"s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete",
}
