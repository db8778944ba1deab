package logs

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// Wire lists the operations, each judged on the ARN of its group or stream.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Invalid: violated, Operations: wire.Completed(append(s.groupOperations(), s.eventOperations()...), s.tagCheck)}
}

// tagCheck adds the tags of the group that the check is on, or on a stream of.
func (s *Service) tagCheck(ctx context.Context, _ any, check *aws.Check) error {
	c := aws.CallFrom(ctx)
	name, ok := strings.CutPrefix(check.Resource, groupARN(c, ""))
	name, _, _ = strings.Cut(name, ":")
	if !ok || name == "" {
		return nil
	}
	tags, err := s.tags(ctx, name, errNoGroup)
	for k, v := range tags {
		check.OfferTag(k, v)
	}
	if awserr.As(err) != nil { // no such group: the operation says so
		return nil
	}
	return err
}

// violated is how this service words what violates its model. Of names that are too
// long it has words of its own.
func violated(_ *model.Operation, list []validate.Violation) error {
	if v := list[0]; v.Kind == validate.Length && v.Over && (v.Path == "logGroupName" || v.Path == "logStreamName") {
		return invalid("Invalid LogGroup or LogStream, both must have length less than or equal to %v.", v.Limit)
	}
	return invalid("%s", validate.Message(list))
}

func (s *Service) groupOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateLogGroup", "logs:CreateLogGroup", s.CreateLogGroup, creating),
		wire.Op("DeleteLogGroup", "logs:DeleteLogGroup", s.DeleteLogGroup, onGroup(func(in *api.DeleteLogGroupInput) *string { return in.LogGroupName })),
		wire.Op("DescribeLogGroups", "logs:DescribeLogGroups", s.DescribeLogGroups, onGroup(func(*api.DescribeLogGroupsInput) *string { return nil })),
		wire.Op("ListLogGroups", "logs:ListLogGroups", s.ListLogGroups, onGroup(func(*api.ListLogGroupsInput) *string { return nil })),
		wire.Op("PutRetentionPolicy", "logs:PutRetentionPolicy", s.PutRetentionPolicy,
			onGroup(func(in *api.PutRetentionPolicyInput) *string { return in.LogGroupName })),
		wire.Op("DeleteRetentionPolicy", "logs:DeleteRetentionPolicy", s.DeleteRetentionPolicy,
			onGroup(func(in *api.DeleteRetentionPolicyInput) *string { return in.LogGroupName })),
		wire.Op("TagResource", "logs:TagResource", s.TagResource, onARN(func(in *api.TagResourceInput) *string { return in.ResourceArn })),
		wire.Op("UntagResource", "logs:UntagResource", s.UntagResource, onARN(func(in *api.UntagResourceInput) *string { return in.ResourceArn })),
		wire.Op("ListTagsForResource", "logs:ListTagsForResource", s.ListTagsForResource,
			onARN(func(in *api.ListTagsForResourceInput) *string { return in.ResourceArn })),
		wire.Op("TagLogGroup", "logs:TagLogGroup", s.TagLogGroup, onGroup(func(in *api.TagLogGroupInput) *string { return in.LogGroupName })),
		wire.Op("UntagLogGroup", "logs:UntagLogGroup", s.UntagLogGroup, onGroup(func(in *api.UntagLogGroupInput) *string { return in.LogGroupName })),
		wire.Op("ListTagsLogGroup", "logs:ListTagsLogGroup", s.ListTagsLogGroup, onGroup(func(in *api.ListTagsLogGroupInput) *string { return in.LogGroupName })),
		wire.Op("PutMetricFilter", "logs:PutMetricFilter", s.PutMetricFilter, onGroup(func(in *api.PutMetricFilterInput) *string { return in.LogGroupName })),
		wire.Op("DeleteMetricFilter", "logs:DeleteMetricFilter", s.DeleteMetricFilter,
			onGroup(func(in *api.DeleteMetricFilterInput) *string { return in.LogGroupName })),
		wire.Op("DescribeMetricFilters", "logs:DescribeMetricFilters", s.DescribeMetricFilters,
			onGroup(func(in *api.DescribeMetricFiltersInput) *string { return in.LogGroupName })),
		wire.Op("TestMetricFilter", "logs:TestMetricFilter", s.TestMetricFilter, nil),
		wire.Op("PutResourcePolicy", "logs:PutResourcePolicy", s.PutResourcePolicy, nil),
		wire.Op("DeleteResourcePolicy", "logs:DeleteResourcePolicy", s.DeleteResourcePolicy, nil),
		wire.Op("DescribeResourcePolicies", "logs:DescribeResourcePolicies", s.DescribeResourcePolicies, nil),
		wire.Op("DescribeAccountPolicies", "logs:DescribeAccountPolicies", s.DescribeAccountPolicies, nil),
		wire.Op("DescribeIndexPolicies", "logs:DescribeIndexPolicies", s.DescribeIndexPolicies, onGroups),
		wire.Op("DescribeDestinations", "logs:DescribeDestinations", s.DescribeDestinations, nil),
		wire.Op("DescribeExportTasks", "logs:DescribeExportTasks", s.DescribeExportTasks, nil),
		wire.Op("DescribeQueries", "logs:DescribeQueries", s.DescribeQueries, nil),
		wire.Op("DescribeSubscriptionFilters", "logs:DescribeSubscriptionFilters", s.DescribeSubscriptionFilters,
			onGroup(func(in *api.DescribeSubscriptionFiltersInput) *string { return in.LogGroupName })),
	}
}

func (s *Service) eventOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateLogStream", "logs:CreateLogStream", s.CreateLogStream,
			writing(s, func(in *api.CreateLogStreamInput) (*string, *string) { return in.LogGroupName, in.LogStreamName })),
		wire.Op("DeleteLogStream", "logs:DeleteLogStream", s.DeleteLogStream,
			onStream(func(in *api.DeleteLogStreamInput) (*string, *string, *string) {
				return in.LogGroupName, nil, in.LogStreamName
			})),
		wire.Op("DescribeLogStreams", "logs:DescribeLogStreams", s.DescribeLogStreams,
			onStream(func(in *api.DescribeLogStreamsInput) (*string, *string, *string) {
				return in.LogGroupName, in.LogGroupIdentifier, nil
			})),
		wire.Op("PutLogEvents", "logs:PutLogEvents", s.PutLogEvents,
			writing(s, func(in *api.PutLogEventsInput) (*string, *string) { return in.LogGroupName, in.LogStreamName })),
		wire.Op("GetLogEvents", "logs:GetLogEvents", s.GetLogEvents,
			onStream(func(in *api.GetLogEventsInput) (*string, *string, *string) {
				return in.LogGroupName, in.LogGroupIdentifier, in.LogStreamName
			})),
		wire.Op("FilterLogEvents", "logs:FilterLogEvents", s.FilterLogEvents,
			onStream(func(in *api.FilterLogEventsInput) (*string, *string, *string) {
				return in.LogGroupName, in.LogGroupIdentifier, nil
			})),
	}
}

// groupResource is a group in permissions: policies name group:* for it.
func groupResource(c aws.Call, name string) string { return streamARN(c, name, "") }

func creating(ctx context.Context, in *api.CreateLogGroupInput) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	checks := []aws.Check{{Resource: groupResource(c, *in.LogGroupName)}}
	if len(in.Tags) > 0 {
		checks = append(checks, aws.Check{Action: "logs:TagResource", Resource: groupARN(c, *in.LogGroupName)})
	}
	return checks, nil
}

// onGroup checks the action on the group that the input names.
func onGroup[I any](name func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		return []aws.Check{{Resource: groupResource(aws.CallFrom(ctx), aws.Val(name(in)))}}, nil
	}
}

func onGroups(ctx context.Context, in *api.DescribeIndexPoliciesInput) ([]aws.Check, error) {
	var checks []aws.Check
	for _, id := range in.LogGroupIdentifiers {
		name, err := groupOf(aws.CallFrom(ctx), id)
		if err != nil {
			return nil, err
		}
		checks = append(checks, aws.Check{Resource: groupResource(aws.CallFrom(ctx), name)})
	}
	if len(checks) == 0 {
		checks = []aws.Check{{Resource: groupResource(aws.CallFrom(ctx), "")}}
	}
	return checks, nil
}

// onARN checks the action on the ARN that the input names.
func onARN[I any](a func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(_ context.Context, in *I) ([]aws.Check, error) { return []aws.Check{{Resource: *a(in)}}, nil }
}

// onStream checks the action on the stream that the input names, with its group by
// name or identifier.
func onStream[I any](names func(*I) (group, identifier, stream *string)) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		name, identifier, stream := names(in)
		group, err := named(ctx, name, identifier)
		return []aws.Check{{Resource: streamARN(aws.CallFrom(ctx), group, aws.Val(stream))}}, err
	}
}

// writing is onStream for what the account's resource policies let services do.
func writing[I any](s *Service, names func(*I) (group, stream *string)) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		group, stream := names(in)
		text, err := s.accountPolicy(ctx)
		return []aws.Check{{Resource: streamARN(aws.CallFrom(ctx), *group, *stream), ResourcePolicy: text}}, err
	}
}
