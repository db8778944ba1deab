package cloudformation

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// checkTopics refuses what is no topic. Whether one exists, and may be published to,
// shows when there is something to tell; no stack fails for it.
func checkTopics(arns []string) error {
	for _, topic := range arns {
		if parts := strings.Split(topic, ":"); len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" || parts[5] == "" {
			return invalid("Invalid notification ARN: %s", topic)
		}
	}
	return nil
}

// checkRollback refuses rollback triggers that are no alarms.
func checkRollback(c *api.RollbackConfiguration) error {
	if c == nil {
		return nil
	}
	for _, trigger := range c.RollbackTriggers {
		if t := aws.Val(trigger.Type); t != "AWS::CloudWatch::Alarm" && t != "AWS::CloudWatch::CompositeAlarm" {
			return invalid("Rollback Trigger Type not supported")
		}
		if stack.AlarmName(aws.Val(trigger.Arn)) == "" {
			return invalid("RelativeId of a Rollback Trigger's ARN is incorrect")
		}
	}
	return nil
}

func rollbackConfig(c *api.RollbackConfiguration) *stack.RollbackConfig {
	if c == nil {
		return nil
	}
	out := &stack.RollbackConfig{Minutes: c.MonitoringTimeInMinutes}
	for _, t := range c.RollbackTriggers {
		out.Triggers = append(out.Triggers, stack.Trigger{ARN: aws.Val(t.Arn), Type: aws.Val(t.Type)})
	}
	return out
}

func rollbackView(c *stack.RollbackConfig) *api.RollbackConfiguration {
	out := &api.RollbackConfiguration{}
	if c == nil {
		return out
	}
	out.MonitoringTimeInMinutes = c.Minutes
	for _, t := range c.Triggers {
		out.RollbackTriggers = append(out.RollbackTriggers, api.RollbackTrigger{Arn: aws.Ptr(t.ARN), Type: aws.Ptr(t.Type)})
	}
	return out
}

// sameSettings tells whether an update that changes no resource changes nothing of
// what the stack notifies and watches either.
func sameSettings(a, b *stack.Spec) bool {
	return slices.Equal(a.NotificationARNs, b.NotificationARNs) && reflect.DeepEqual(rollbackView(a.Rollback), rollbackView(b.Rollback))
}

// Alarm implements stack.Alarms.
func (o Outside) Alarm(ctx context.Context, arn string) (string, error) {
	name := stack.AlarmName(arn)
	c := aws.CallFrom(ctx)
	if parts := strings.Split(arn, ":"); len(parts) > 4 && parts[4] == c.Account {
		c.Region = parts[3]
	} else {
		return "", nil
	}
	out, err := wire.Call[cloudwatch.DescribeAlarmsOutput](aws.WithCall(ctx, c), o.Invoker, "monitoring", "DescribeAlarms", &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{name}, AlarmTypes: []cloudwatch.AlarmType{cloudwatch.AlarmTypeMetricAlarm, cloudwatch.AlarmTypeCompositeAlarm}})
	if err != nil {
		return "", err
	}
	for _, a := range out.MetricAlarms {
		return string(a.StateValue), nil
	}
	for _, a := range out.CompositeAlarms {
		return string(a.StateValue), nil
	}
	return "", nil
}

// Notify tells the topics of stacks of their events until ctx ends.
func (s *Service) Notify(ctx context.Context) error {
	return s.engine.Notify(ctx, func(ctx context.Context, topic, text string) error {
		c := aws.CallFrom(ctx)
		c.Region = strings.Split(topic, ":")[3]
		_, err := wire.Call[sns.PublishOutput](aws.WithCall(ctx, c), s.invoker, "sns", "Publish",
			&sns.PublishInput{TopicArn: &topic, Subject: aws.Ptr("AWS CloudFormation Notification"), Message: &text})
		return err
	})
}
