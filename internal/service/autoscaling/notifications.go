package autoscaling

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const maxTopics = 10

// PutNotificationConfiguration has a topic told of the types given, and of no others.
func (s *Service) PutNotificationConfiguration(ctx context.Context, in *api.PutNotificationConfigurationInput) (*api.PutNotificationConfigurationOutput, error) {
	c := aws.CallFrom(ctx)
	k := key(c, *in.AutoScalingGroupName)
	if !strings.HasPrefix(*in.TopicARN, "arn:aws:sns:") {
		return nil, invalid("Invalid Topic ARN: %s", *in.TopicARN)
	}
	for _, t := range in.NotificationTypes {
		if !slices.Contains(notificationTypes, t) {
			return nil, invalid("\"%s\" is not a valid Notification Type", t)
		}
	}
	var g *group
	err := s.view(ctx, func(tx *store.Tx) (err error) {
		g, err = getGroup(tx, k)
		return err
	})
	if err != nil {
		return nil, err
	}
	test := &message{Target: *in.TopicARN, Role: g.Role, Subject: fmt.Sprintf("Auto Scaling: test notification for group \"%s\"", g.Name),
		Body: body(struct{ AccountId, RequestId, AutoScalingGroupARN, AutoScalingGroupName, Service, Event, Time string }{
			c.Account, ids.UUID(), g.ARN, g.Name, serviceName, testEvent, s.now().Format(millis)})}
	if err := s.publish(ctx, k, test); err != nil {
		return nil, invalid("Unable to publish notification message to topic %s: %s", *in.TopicARN, messageOf(err))
	}
	return &api.PutNotificationConfigurationOutput{}, s.update(ctx, func(tx *store.Tx) error {
		if _, err := getGroup(tx, k); err != nil {
			return err
		}
		rows, err := rowsWithin(tx, notifications, k)
		if err != nil {
			return err
		}
		if len(rows) >= maxTopics && !slices.ContainsFunc(rows, func(r store.Row[notification]) bool { return r.Value.Topic == *in.TopicARN }) {
			return limitExceeded("A group has at most %d notification topics.", maxTopics)
		}
		return notifications.Put(tx, within(k, *in.TopicARN), &notification{Group: k.ID, Topic: *in.TopicARN, Types: in.NotificationTypes})
	})
}

// DescribeNotificationConfigurations lists which topics are told of what.
func (s *Service) DescribeNotificationConfigurations(ctx context.Context, in *api.DescribeNotificationConfigurationsInput) (*api.DescribeNotificationConfigurationsOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.DescribeNotificationConfigurationsOutput{NotificationConfigurations: []api.NotificationConfiguration{}}
	return out, s.view(ctx, func(tx *store.Tx) error {
		rows, err := notifications.List(tx, scope(key(c, "")), "", 0)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if len(in.AutoScalingGroupNames) > 0 && !slices.Contains(in.AutoScalingGroupNames, r.Value.Group) {
				continue
			}
			for _, t := range r.Value.Types {
				out.NotificationConfigurations = append(out.NotificationConfigurations,
					api.NotificationConfiguration{AutoScalingGroupName: &r.Value.Group, TopicARN: &r.Value.Topic, NotificationType: &t})
			}
		}
		out.NotificationConfigurations, out.NextToken, err = page(out.NotificationConfigurations, in.NextToken, in.MaxRecords, maxPageSize, func(n api.NotificationConfiguration) string {
			return *n.AutoScalingGroupName + "\x00" + *n.TopicARN + "\x00" + *n.NotificationType
		})
		return err
	})
}

// DeleteNotificationConfiguration has a topic told of nothing.
func (s *Service) DeleteNotificationConfiguration(ctx context.Context, in *api.DeleteNotificationConfigurationInput) (*api.DeleteNotificationConfigurationOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	return &api.DeleteNotificationConfigurationOutput{}, s.update(ctx, func(tx *store.Tx) error {
		if _, err := getGroup(tx, k); err != nil {
			return err
		}
		err := notifications.Delete(tx, within(k, *in.TopicARN))
		if isNotFound(err) {
			return invalid("Notification configuration for topic %s does not exist", *in.TopicARN)
		}
		return err
	})
}
