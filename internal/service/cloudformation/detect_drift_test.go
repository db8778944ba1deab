package cloudformation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

const drifting = `
Parameters: {Secret: {Type: String, Default: hush, NoEcho: true}}
Resources:
  Same: {Type: 'Test::Fake::Thing', Properties: {Value: a, Size: '7', List: [x, y]}}
  Changed: {Type: 'Test::Fake::Thing', DependsOn: Same, Properties: {Value: a, List: [x, y], Kind: k, Any: !Ref Secret}}
  Gone: {Type: 'Test::Fake::Thing', DependsOn: Changed}
  Handle: {Type: 'AWS::CloudFormation::WaitConditionHandle'}
`

func TestDrift(t *testing.T) {
	l := newLab(t)
	s := l.create("d", drifting, nil)
	detect := func() *api.DescribeStackDriftDetectionStatusOutput {
		id := must[api.DetectStackDriftOutput](l, "DetectStackDrift", &api.DetectStackDriftInput{StackName: s.StackName}).StackDriftDetectionId
		return must[api.DescribeStackDriftDetectionStatusOutput](l, "DescribeStackDriftDetectionStatus", &api.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: id})
	}
	if d := detect(); d.StackDriftStatus != "IN_SYNC" || d.DetectionStatus != "DETECTION_COMPLETE" || *d.DriftedStackResourceCount != 0 {
		t.Errorf("before: %+v", d)
	}
	l.fake.Change("fake-Changed-2", func(p *stacktest.FakeProperties) {
		p.Value, p.List, p.Kind, p.Any = "b", []string{"y", "z", "w"}, nil, "loud"
	})
	l.fake.Change("fake-Gone-3", nil)
	if d := detect(); d.StackDriftStatus != "DRIFTED" || *d.DriftedStackResourceCount != 2 {
		t.Errorf("after: %+v", d)
	}
	var got []string
	for _, d := range must[api.DescribeStackResourceDriftsOutput](l, "DescribeStackResourceDrifts", &api.DescribeStackResourceDriftsInput{StackName: s.StackName}).StackResourceDrifts {
		got = append(got, *d.LogicalResourceId+" "+string(d.StackResourceDriftStatus))
		for _, x := range d.PropertyDifferences {
			got = append(got, fmt.Sprintf("  %s %s %s -> %s", x.DifferenceType, *x.PropertyPath, *x.ExpectedValue, *x.ActualValue))
		}
		if strings.Contains(aws.Val(d.ExpectedProperties)+aws.Val(d.ActualProperties), "hush") {
			t.Error("a NoEcho value is shown")
		}
	}
	want := []string{"Changed MODIFIED", "  REMOVE /Kind k -> null", "  NOT_EQUAL /List/0 x -> z", "  ADD /List/2 null -> w",
		"  NOT_EQUAL /Value a -> b", "Gone DELETED", "Same IN_SYNC"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if now := must[api.DescribeStacksOutput](l, "DescribeStacks", &api.DescribeStacksInput{StackName: s.StackName}).Stacks[0]; now.DriftInformation.StackDriftStatus != "DRIFTED" {
		t.Errorf("stack is %s", now.DriftInformation.StackDriftStatus)
	}
	one := must[api.DetectStackResourceDriftOutput](l, "DetectStackResourceDrift", &api.DetectStackResourceDriftInput{StackName: s.StackName, LogicalResourceId: aws.Ptr("Same")})
	if one.StackResourceDrift.StackResourceDriftStatus != "IN_SYNC" {
		t.Errorf("one: %+v", one.StackResourceDrift)
	}
}

func TestDriftThatCannotBeDetected(t *testing.T) {
	l := newLab(t)
	s := l.create("d", drifting, nil)
	_, err := call[api.DetectStackResourceDriftOutput](l, "DetectStackResourceDrift", &api.DetectStackResourceDriftInput{StackName: s.StackName, LogicalResourceId: aws.Ptr("Handle")})
	wantError(t, err, "ValidationError", "Drift detection is not supported for resource type AWS::CloudFormation::WaitConditionHandle.")
	_, err = call[api.DetectStackDriftOutput](l, "DetectStackDrift", &api.DetectStackDriftInput{StackName: s.StackName, LogicalResourceIds: []string{"No"}})
	wantError(t, err, "ValidationError", "Resource No does not exist for stack d")
	l.fake.Before = func(_ context.Context, method string, r stack.Request) error {
		if method == "Live" && r.LogicalID == "Gone" {
			return errors.New("not allowed")
		}
		return nil
	}
	id := must[api.DetectStackDriftOutput](l, "DetectStackDrift", &api.DetectStackDriftInput{StackName: s.StackName}).StackDriftDetectionId
	d := must[api.DescribeStackDriftDetectionStatusOutput](l, "DescribeStackDriftDetectionStatus", &api.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: id})
	if d.DetectionStatus != "DETECTION_FAILED" || aws.Val(d.DetectionStatusReason) != "Failed to detect drift on resource [Gone]: not allowed" {
		t.Errorf("%+v", d)
	}
	l.fake.Before = nil
	l.fail("Delete", "Gone")
	must[api.DeleteStackOutput](l, "DeleteStack", &api.DeleteStackInput{StackName: s.StackName})
	l.wantStatus(l.rest(*s.StackId), "DELETE_FAILED")
	_, err = call[api.DetectStackDriftOutput](l, "DetectStackDrift", &api.DetectStackDriftInput{StackName: s.StackName})
	wantError(t, err, "ValidationError", "")
}
