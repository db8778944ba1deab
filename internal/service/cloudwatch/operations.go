package cloudwatch

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Wire lists the operations. Those on metrics are judged on "*", as on AWS.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Operations: wire.Completed([]wire.Operation{
		wire.Op("PutMetricData", "cloudwatch:PutMetricData", s.PutMetricData, putting),
		wire.Op("GetMetricStatistics", "cloudwatch:GetMetricStatistics", s.GetMetricStatistics, nil),
		wire.Op("GetMetricData", "cloudwatch:GetMetricData", s.GetMetricData, nil),
		wire.Op("ListMetrics", "cloudwatch:ListMetrics", s.ListMetrics, nil),
		wire.Op("PutMetricAlarm", "cloudwatch:PutMetricAlarm", s.PutMetricAlarm,
			withActions(onAlarms(func(in *api.PutMetricAlarmInput) []string { return []string{*in.AlarmName} }),
				func(in *api.PutMetricAlarmInput) []string {
					return slices.Concat(in.AlarmActions, in.OKActions, in.InsufficientDataActions)
				})),
		wire.Op("PutCompositeAlarm", "cloudwatch:PutCompositeAlarm", s.PutCompositeAlarm,
			withActions(onAlarms(func(in *api.PutCompositeAlarmInput) []string { return []string{*in.AlarmName} }),
				func(in *api.PutCompositeAlarmInput) []string {
					return slices.Concat(in.AlarmActions, in.OKActions, in.InsufficientDataActions)
				})),
		wire.Op("DescribeAlarms", "cloudwatch:DescribeAlarms", s.DescribeAlarms,
			onAlarms(func(in *api.DescribeAlarmsInput) []string { return in.AlarmNames })),
		wire.Op("DescribeAlarmsForMetric", "cloudwatch:DescribeAlarmsForMetric", s.DescribeAlarmsForMetric, nil),
		wire.Op("DescribeAlarmHistory", "cloudwatch:DescribeAlarmHistory", s.DescribeAlarmHistory,
			onAlarms(func(in *api.DescribeAlarmHistoryInput) []string {
				if in.AlarmName == nil {
					return nil
				}
				return []string{*in.AlarmName}
			})),
		wire.Op("SetAlarmState", "cloudwatch:SetAlarmState", s.SetAlarmState,
			onAlarms(func(in *api.SetAlarmStateInput) []string { return []string{*in.AlarmName} })),
		wire.Op("EnableAlarmActions", "cloudwatch:EnableAlarmActions", s.EnableAlarmActions,
			onAlarms(func(in *api.EnableAlarmActionsInput) []string { return in.AlarmNames })),
		wire.Op("DisableAlarmActions", "cloudwatch:DisableAlarmActions", s.DisableAlarmActions,
			onAlarms(func(in *api.DisableAlarmActionsInput) []string { return in.AlarmNames })),
		wire.Op("DeleteAlarms", "cloudwatch:DeleteAlarms", s.DeleteAlarms,
			onAlarms(func(in *api.DeleteAlarmsInput) []string { return in.AlarmNames })),
		wire.Op("TagResource", "cloudwatch:TagResource", s.TagResource, onARN(func(in *api.TagResourceInput) *string { return in.ResourceARN })),
		wire.Op("UntagResource", "cloudwatch:UntagResource", s.UntagResource, onARN(func(in *api.UntagResourceInput) *string { return in.ResourceARN })),
		wire.Op("ListTagsForResource", "cloudwatch:ListTagsForResource", s.ListTagsForResource,
			onARN(func(in *api.ListTagsForResourceInput) *string { return in.ResourceARN })),
		wire.Op("PutDashboard", "cloudwatch:PutDashboard", s.PutDashboard,
			onDashboards(func(in *api.PutDashboardInput) []string { return []string{*in.DashboardName} })),
		wire.Op("GetDashboard", "cloudwatch:GetDashboard", s.GetDashboard,
			onDashboards(func(in *api.GetDashboardInput) []string { return []string{*in.DashboardName} })),
		wire.Op("ListDashboards", "cloudwatch:ListDashboards", s.ListDashboards, nil),
		wire.Op("DeleteDashboards", "cloudwatch:DeleteDashboards", s.DeleteDashboards,
			onDashboards(func(in *api.DeleteDashboardsInput) []string { return in.DashboardNames })),
		wire.Op("DescribeAnomalyDetectors", "cloudwatch:DescribeAnomalyDetectors", s.DescribeAnomalyDetectors, nil),
	}, s.tagCheck)}
}

// tagCheck adds the tags of an alarm or a dashboard to the check on it.
func (s *Service) tagCheck(ctx context.Context, _ any, check *aws.Check) error {
	c := aws.CallFrom(ctx)
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var tags map[string]string
		if name, ok := strings.CutPrefix(check.Resource, dashboardARN(c.Account, "")); ok {
			d, err := dashboards.Get(tx, dashboardKey(c, name))
			if err != nil {
				return err
			}
			tags = d.Tags
		} else if name, ok := strings.CutPrefix(check.Resource, alarmARN(key(c, ""))); ok {
			a, err := alarms.Get(tx, key(c, name))
			if err != nil {
				return err
			}
			tags = a.Tags
		}
		for k, v := range tags {
			check.OfferTag(k, v)
		}
		return nil
	})
	if isNotFound(err) {
		return nil
	}
	return err
}

// services lets services put metrics for the accounts that they work for: the
// metric filters of Logs, EC2's own metrics, those of Auto Scaling groups and of load
// balancers.
const services = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": ["logs.amazonaws.com", "ec2.amazonaws.com", "autoscaling.amazonaws.com",
	"elasticloadbalancing.amazonaws.com"]}, "Action": "cloudwatch:PutMetricData", "Resource": "*"}]}`

func putting(ctx context.Context, in *api.PutMetricDataInput) ([]aws.Check, error) {
	c := aws.Check{Resource: "*", Context: map[string][]string{"cloudwatch:namespace": {*in.Namespace}}}
	if aws.CallFrom(ctx).Principal.Type == aws.PrincipalService {
		c.ResourcePolicy = services
	}
	return []aws.Check{c}, nil
}

// onAlarms checks the action on each alarm that the input names, or on all.
func onAlarms[I any](names func(*I) []string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		var checks []aws.Check
		for _, name := range names(in) {
			checks = append(checks, aws.Check{Resource: alarmARN(key(aws.CallFrom(ctx), name))})
		}
		if len(checks) == 0 {
			checks = []aws.Check{{Resource: alarmARN(key(aws.CallFrom(ctx), "*"))}}
		}
		return checks, nil
	}
}

// withActions adds what the alarm will do to its checks.
func withActions[I any](checks func(context.Context, *I) ([]aws.Check, error), actions func(*I) []string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		list, err := checks(ctx, in)
		for i := range list {
			list[i].Offer("cloudwatch:AlarmActions", actions(in)...)
		}
		return list, err
	}
}

func onDashboards[I any](names func(*I) []string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		checks := []aws.Check{}
		for _, name := range names(in) {
			checks = append(checks, aws.Check{Resource: dashboardARN(aws.CallFrom(ctx).Account, name)})
		}
		if len(checks) == 0 {
			checks = []aws.Check{{Resource: "*"}}
		}
		return checks, nil
	}
}

// onARN checks the action on the ARN that the input names.
func onARN[I any](a func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(_ context.Context, in *I) ([]aws.Check, error) { return []aws.Check{{Resource: *a(in)}}, nil }
}
