package codedeploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// AWS's limits of an alarm configuration.
const (
	maxAlarms    = 10
	maxAlarmName = 255
)

// checkAlarms refuses an alarm configuration that could not be watched.
func checkAlarms(c *api.AlarmConfiguration) error {
	if c == nil {
		return nil
	}
	if len(c.Alarms) > maxAlarms {
		return awserr.New("AlarmsLimitExceededException", "The maximum number of alarms for a deployment group (%d) was exceeded.", maxAlarms)
	}
	invalid := func(why string) error {
		return awserr.New("InvalidAlarmConfigException", "The alarm configuration was specified in an invalid format. %s", why)
	}
	seen := map[string]bool{}
	for _, a := range c.Alarms {
		name := aws.Val(a.Name)
		switch {
		case name == "":
			return invalid("An alarm name is empty.")
		case len(name) > maxAlarmName:
			return invalid(fmt.Sprintf("An alarm name is longer than %d characters.", maxAlarmName))
		case seen[name]:
			return invalid("The alarm " + name + " is specified more than once.")
		}
		seen[name] = true
	}
	if aws.Val(c.Enabled) && len(c.Alarms) == 0 {
		return invalid("The alarm configuration is enabled, but the alarm list is empty.")
	}
	return nil
}

// watchesAlarms reports whether an alarm may stop the deployment. The alarm that
// one was stopped for must not stop the one that rolls it back.
func (d *deployment) watchesAlarms() bool {
	return d.Alarms != nil && aws.Val(d.Alarms.Enabled) && d.Creator != api.DeploymentCreatorCodeDeployRollback
}

// aboutAlarms are the events of changes of alarm states.
func aboutAlarms(k store.Key) store.Filter {
	return store.Filter{Account: k.Account, Region: k.Region, Service: "monitoring", Kind: "state"}
}

// obeyAlarms asks a deployment to stop for which an alarm is active, or whose
// alarms cannot be looked at. It is called whenever an alarm has changed.
func (s *Service) obeyAlarms(ctx context.Context, k store.Key) error {
	d, err := view(ctx, s, func(tx *store.Tx) (*deployment, error) { return deployments.Get(tx, k) })
	if err != nil || d.ended() || d.StopAsked || !d.watchesAlarms() {
		return err
	}
	why, err := s.alarmed(ctx, k, d)
	if err != nil || why == nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil || d.ended() || d.StopAsked {
			return err
		}
		d.StopAsked, d.StopCode, d.StopMessage = true, why.code, why.message
		emit(tx, k, k.ID, "stop", why.message)
		return deployments.Put(tx, k, d)
	})
}

// alarmed says why the alarms call for a stop, nil when they do not.
func (s *Service) alarmed(ctx context.Context, k store.Key, d *deployment) (*cause, error) {
	names := make([]string, len(d.Alarms.Alarms))
	for i, a := range d.Alarms.Alarms {
		names[i] = aws.Val(a.Name)
	}
	states, unknown, err := s.alarmStates(ctx, k, d.Role, names)
	if err != nil {
		return nil, err
	}
	var active, missing []string
	for _, name := range names {
		switch state, has := states[name]; {
		case !has:
			missing = append(missing, name)
		case state == cloudwatch.StateValueAlarm:
			active = append(active, "<"+name+">")
		}
	}
	switch {
	case len(active) > 0:
		return &cause{api.ErrorCodeAlarmActive, "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, " +
			"and the affected deployments have been stopped. Activated alarms: " + strings.Join(active, " ")}, nil
	case aws.Val(d.Alarms.IgnorePollAlarmFailure):
		return nil, nil
	case unknown != nil:
		return unknown, nil
	case len(missing) > 0:
		return &cause{api.ErrorCodeAlarmActive, "The deployment was stopped because the state of its alarms could not be retrieved from Amazon CloudWatch: no such alarm: " +
			strings.Join(missing, ", ") + "."}, nil
	}
	return nil, nil
}

// alarmStates asks CloudWatch as the service role. unknown says why it cannot be
// asked.
func (s *Service) alarmStates(ctx context.Context, k store.Key, role string, names []string) (states map[string]cloudwatch.StateValue, unknown *cause, err error) {
	ctx, unknown = s.asRole(ctx, k, role, "DescribeAlarms")
	if unknown != nil {
		return nil, unknown, nil
	}
	answer, err := s.invoker.Invoke(ctx, "monitoring", "DescribeAlarms", &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, AlarmTypes: []cloudwatch.AlarmType{cloudwatch.AlarmTypeMetricAlarm, cloudwatch.AlarmTypeCompositeAlarm},
	})
	if isRefused(err) {
		return nil, &cause{api.ErrorCodeIamRolePermissions, fmt.Sprintf(
			"The service role %s does not give you permission to perform operations in the following AWS service: AmazonCloudWatch. %v", role, err)}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look at alarms: %w", err)
	}
	out, ok := answer.(*cloudwatch.DescribeAlarmsOutput)
	if !ok {
		return nil, nil, fmt.Errorf("look at alarms: DescribeAlarms answered %T", answer)
	}
	states = map[string]cloudwatch.StateValue{}
	for _, a := range out.MetricAlarms {
		states[aws.Val(a.AlarmName)] = a.StateValue
	}
	for _, a := range out.CompositeAlarms {
		states[aws.Val(a.AlarmName)] = a.StateValue
	}
	return states, nil, nil
}

// viewAlarms is the configuration as answers have it.
func viewAlarms(c *api.AlarmConfiguration) *api.AlarmConfiguration {
	if c == nil {
		return nil
	}
	return &api.AlarmConfiguration{Enabled: aws.Ptr(aws.Val(c.Enabled)), IgnorePollAlarmFailure: aws.Ptr(aws.Val(c.IgnorePollAlarmFailure)),
		Alarms: append([]api.Alarm{}, slices.Clone(c.Alarms)...)}
}
