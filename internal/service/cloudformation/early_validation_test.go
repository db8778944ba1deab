package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

// A change set says which properties AWS's schemas refuse, before anything is made.
func TestEarlyValidation(t *testing.T) {
	l := newLab(t)
	for name, c := range map[string]struct{ properties, path, reason string }{
		"unknown":          {"{Count: 1, Timeout: 5, Nope: x}", "/Resources/W/Properties", "Unsupported property [Nope]"},
		"kind":             {"{Count: many}", "/Resources/W/Properties/Count", "expected type: Integer, found: String"},
		"sound":            {"{Count: '1', Timeout: !Ref 'AWS::NoValue'}", "", ""},
		"not known before": {"{Count: 1, Handle: !Ref H}", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := "Resources: {H: {Type: 'AWS::CloudFormation::WaitConditionHandle'}, W: {Type: 'AWS::CloudFormation::WaitCondition', Properties: " + c.properties + "}}"
			made := must[api.CreateChangeSetOutput](l, "CreateChangeSet", &api.CreateChangeSetInput{StackName: aws.Ptr(strings.ReplaceAll(name, " ", "")), ChangeSetName: aws.Ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body})
			d := must[api.DescribeChangeSetOutput](l, "DescribeChangeSet", &api.DescribeChangeSetInput{ChangeSetName: made.Id})
			events := must[api.DescribeEventsOutput](l, "DescribeEvents", &api.DescribeEventsInput{ChangeSetName: made.Id, Filters: &api.EventFilter{FailedEvents: aws.Ptr(true)}}).OperationEvents
			if c.reason == "" {
				if d.Status != "CREATE_COMPLETE" || len(events) != 0 {
					t.Errorf("%s %s, %d events", d.Status, aws.Val(d.StatusReason), len(events))
				}
				return
			}
			if d.Status != "FAILED" || d.ExecutionStatus != "UNAVAILABLE" || !strings.HasPrefix(aws.Val(d.StatusReason), "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation].") {
				t.Errorf("%s %s %s", d.Status, d.ExecutionStatus, aws.Val(d.StatusReason))
			}
			ev := events[len(events)-1]
			if ev.EventType != "VALIDATION_ERROR" || *ev.LogicalResourceId != "W" || *ev.ValidationPath != c.path || *ev.ValidationStatusReason != c.reason || ev.ValidationStatus != "FAILED" {
				t.Errorf("event %+v", ev)
			}
		})
	}
}
