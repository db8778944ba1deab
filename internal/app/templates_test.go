package app

import (
	"context"
	"os"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// Templates as people publish them make their resources, have not drifted then, and
// go again.
func TestTemplatesFromTheWild(t *testing.T) {
	l := &templateLab{server: start(t, testConfig(t)), t: t}
	must(l, ec2.Model(), "CreateKeyPair", &ec2.CreateKeyPairInput{KeyName: aws.Ptr("mykey")}, &ec2.CreateKeyPairOutput{})
	vpc, subnet := l.defaultNetwork()
	for _, c := range []struct {
		file       string
		parameters map[string]string
		left       int // resources that stay
	}{
		{"instance_with_address.yaml", map[string]string{"KeyName": "mykey"}, 0},
		{"groups_that_know_each_other.json", map[string]string{"Vpc": vpc}, 0},
		{"users_and_groups.yaml", nil, 0},
		{"bucket_that_stays.yaml", nil, 1},
		{"server_with_metadata.yaml", map[string]string{"DBPassword": "secret1"}, 0},
		{"deployment_group.yaml", nil, 0},
		{"every_parameter_type.yaml", map[string]string{"KeyName": "mykey", "Vpc": vpc, "Subnets": subnet}, 0},
		{"classic_fleet.yaml", nil, 0},
		{"network_of_two_zones.yaml", nil, 0},
		{"balancer_with_addresses.yaml", map[string]string{"Vpc": vpc, "Subnets": subnet}, 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			l := &templateLab{server: l.server, t: t}
			id := l.create(c.file, c.parameters)
			l.inSync(id)
			must(l, cloudformation.Model(), "DeleteStack", &cloudformation.DeleteStackInput{StackName: &id}, &cloudformation.DeleteStackOutput{})
			l.rest(id, "DELETE_COMPLETE")
			if left := l.skipped(id); left != c.left {
				t.Errorf("%d resources stay, want %d", left, c.left)
			}
		})
	}
}

// templateLab calls a running server's services.
type templateLab struct {
	*server
	t *testing.T
}

// must calls an operation as the account's root.
func must[O any](l *templateLab, m *model.Service, operation string, in any, out *O) *O {
	l.t.Helper()
	c := &client.Client{Model: m, Config: l.as(l.Access())}
	if err := c.Call(l.t.Context(), operation, in, out); err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func (l *templateLab) defaultNetwork() (vpc, subnet string) {
	l.t.Helper()
	out := must(l, ec2.Model(), "DescribeSubnets", &ec2.DescribeSubnetsInput{}, &ec2.DescribeSubnetsOutput{})
	return *out.Subnets[0].VpcId, *out.Subnets[0].SubnetId
}

func (l *templateLab) create(file string, parameters map[string]string) string {
	l.t.Helper()
	body, err := os.ReadFile("testdata/templates/" + file)
	if err != nil {
		l.t.Fatal(err)
	}
	in := &cloudformation.CreateStackInput{StackName: aws.Ptr("wild"), TemplateBody: aws.Ptr(string(body)), OnFailure: "DO_NOTHING",
		Capabilities: []cloudformation.Capability{"CAPABILITY_IAM"}}
	for key, value := range parameters {
		in.Parameters = append(in.Parameters, cloudformation.Parameter{ParameterKey: &key, ParameterValue: &value})
	}
	id := *must(l, cloudformation.Model(), "CreateStack", in, &cloudformation.CreateStackOutput{}).StackId
	l.rest(id, "CREATE_COMPLETE")
	return id
}

func (l *templateLab) rest(id, status string) {
	l.t.Helper()
	s, err := l.world.engine.Wait(context.Background(), store.Key{Account: "123456789012", Region: "us-east-1", ID: id})
	if err != nil {
		l.t.Fatal(err)
	}
	if s.Status == status {
		return
	}
	events := must(l, cloudformation.Model(), "DescribeStackEvents", &cloudformation.DescribeStackEventsInput{StackName: &id}, &cloudformation.DescribeStackEventsOutput{})
	for _, ev := range events.StackEvents {
		l.t.Log(aws.Val(ev.LogicalResourceId), ev.ResourceStatus, aws.Val(ev.ResourceStatusReason))
	}
	l.t.Fatalf("stack is %s, want %s", s.Status, status)
}

func (l *templateLab) inSync(id string) {
	l.t.Helper()
	made := must(l, cloudformation.Model(), "DetectStackDrift", &cloudformation.DetectStackDriftInput{StackName: &id}, &cloudformation.DetectStackDriftOutput{})
	found := must(l, cloudformation.Model(), "DescribeStackDriftDetectionStatus",
		&cloudformation.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: made.StackDriftDetectionId}, &cloudformation.DescribeStackDriftDetectionStatusOutput{})
	if found.StackDriftStatus == "IN_SYNC" && found.DetectionStatus == "DETECTION_COMPLETE" {
		return
	}
	l.t.Errorf("%s %s %s", found.DetectionStatus, aws.Val(found.DetectionStatusReason), found.StackDriftStatus)
	drifts := must(l, cloudformation.Model(), "DescribeStackResourceDrifts", &cloudformation.DescribeStackResourceDriftsInput{StackName: &id}, &cloudformation.DescribeStackResourceDriftsOutput{})
	for _, d := range drifts.StackResourceDrifts {
		for _, x := range d.PropertyDifferences {
			l.t.Log(*d.LogicalResourceId, x.DifferenceType, *x.PropertyPath, *x.ExpectedValue, *x.ActualValue)
		}
	}
}

// skipped counts the resources that a deletion has left.
func (l *templateLab) skipped(id string) (n int) {
	l.t.Helper()
	out := must(l, cloudformation.Model(), "ListStackResources", &cloudformation.ListStackResourcesInput{StackName: &id}, &cloudformation.ListStackResourcesOutput{})
	for _, r := range out.StackResourceSummaries {
		if r.ResourceStatus == "DELETE_SKIPPED" {
			n++
		}
	}
	return n
}
