package autoscaling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

var start = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// lab is a service with an EC2 that tests move: instances are pending until boot.
type lab struct {
	*wiretest.Lab
	svc   *Service
	fleet *fleet
}

// fleet is EC2, CloudWatch, SNS and target groups, as far as Auto Scaling asks them.
type fleet struct {
	mu        sync.Mutex
	instances map[string]*ec2.Instance
	byToken   map[string]string
	order     []string
	callers   map[string]string // principal by operation
	refuse    error             // what RunInstances answers, nil for an instance
	linked    bool              // the service-linked role exists
	alarms    map[string]*cloudwatch.PutMetricAlarmInput
	published []*sns.PublishInput
	targets   map[string]elbv2.TargetHealthStateEnum
	untagged  []string
	unwelcome string // the instance that RegisterTargets fails for
}

func newLab(t *testing.T, g wire.Authorizer) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, start, g), fleet: &fleet{instances: map[string]*ec2.Instance{}, byToken: map[string]string{}, callers: map[string]string{},
		alarms: map[string]*cloudwatch.PutMetricAlarmInput{}, targets: map[string]elbv2.TargetHealthStateEnum{}}}
	l.svc = New(Config{DB: l.DB, Sealer: l.Sealer, Clock: l.Clock, Log: slog.New(slog.DiscardHandler), Invoker: l.Server, Roles: l.fleet, Profiles: l.fleet})
	f := l.fleet
	l.Register(l.svc.Wire(),
		wire.Service{Model: ec2.Model(), Operations: []wire.Operation{
			wire.Op("RunInstances", "ec2:RunInstances", f.runInstances, nil), wire.Op("DescribeInstances", "ec2:DescribeInstances", f.describeInstances, nil),
			wire.Op("TerminateInstances", "ec2:TerminateInstances", f.terminateInstances, nil), wire.Op("DescribeSubnets", "ec2:DescribeSubnets", f.describeSubnets, nil),
			wire.Op("DescribeAvailabilityZones", "ec2:DescribeAvailabilityZones", f.describeZones, nil), wire.Op("DeleteTags", "ec2:DeleteTags", f.deleteTags, nil),
			wire.Op("CreateTags", "ec2:CreateTags", f.createTags, nil),
			wire.Op("DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplateVersions", f.describeTemplates, nil)}},
		wire.Service{Model: iam.Model(), Operations: []wire.Operation{wire.Op("CreateServiceLinkedRole", "iam:CreateServiceLinkedRole", f.createLinkedRole, nil)}},
		wire.Service{Model: sns.Model(), Operations: []wire.Operation{wire.Op("Publish", "sns:Publish", f.publish, nil)}},
		wire.Service{Model: cloudwatch.Model(), Operations: []wire.Operation{wire.Op("PutMetricAlarm", "cloudwatch:PutMetricAlarm", f.putAlarm, nil),
			wire.Op("DescribeAlarms", "cloudwatch:DescribeAlarms", f.describeAlarms, nil), wire.Op("DeleteAlarms", "cloudwatch:DeleteAlarms", f.deleteAlarms, nil)}},
		wire.Service{Model: elbv2.Model(), Operations: []wire.Operation{wire.Op("DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroups", f.describeTargetGroups, nil),
			wire.Op("RegisterTargets", "elasticloadbalancing:RegisterTargets", f.registerTargets, nil), wire.Op("DeregisterTargets", "elasticloadbalancing:DeregisterTargets", f.deregisterTargets, nil),
			wire.Op("DescribeTargetHealth", "elasticloadbalancing:DescribeTargetHealth", f.targetHealth, nil)}},
	)
	return l
}

// AssumeServiceRole implements Roles: the default role exists when it was made, others always.
func (f *fleet) AssumeServiceRole(_ context.Context, role, service string) (aws.Principal, error) {
	if strings.HasSuffix(role, "AWSServiceRoleForAutoScaling") && !f.linked {
		return aws.Principal{}, awserr.New("NoSuchEntity", "no role")
	}
	return aws.Principal{Type: aws.PrincipalAssumedRole, Account: wiretest.Account, RoleARN: role, ARN: strings.Replace(role, ":role/", ":assumed-role/", 1) + "/AutoScaling", Service: service}, nil
}

// RoleOf implements Profiles.
func (*fleet) RoleOf(_ context.Context, account, profile string) (string, error) {
	return "arn:aws:iam::" + account + ":role/of-" + profile, nil
}

func (f *fleet) createLinkedRole(context.Context, *iam.CreateServiceLinkedRoleInput) (*iam.CreateServiceLinkedRoleOutput, error) {
	f.linked = true
	return &iam.CreateServiceLinkedRoleOutput{}, nil
}

func (f *fleet) note(ctx context.Context) {
	c := aws.CallFrom(ctx)
	f.callers[c.Operation] = c.Principal.ARN
}

func (f *fleet) runInstances(ctx context.Context, in *ec2.RunInstancesInput) (*ec2.RunInstancesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(ctx)
	if f.refuse != nil {
		return nil, f.refuse
	}
	id, made := f.byToken[*in.ClientToken]
	if !made {
		id = fmt.Sprintf("i-%017d", len(f.order)+1)
		f.byToken[*in.ClientToken] = id
		f.order = append(f.order, id)
		i := &ec2.Instance{InstanceId: &id, InstanceType: in.InstanceType, ImageId: in.ImageId, SubnetId: in.SubnetId, Tags: in.TagSpecifications[0].Tags,
			State: &ec2.InstanceState{Name: "pending"}, Placement: &ec2.Placement{AvailabilityZone: ptr("us-east-1a")}}
		if in.Placement != nil {
			i.Placement.AvailabilityZone = in.Placement.AvailabilityZone
		}
		if in.SubnetId != nil && *in.SubnetId == "subnet-b" {
			i.Placement.AvailabilityZone = ptr("us-east-1b")
		}
		f.instances[id] = i
	}
	if !slices.EqualFunc(f.instances[id].Tags, in.TagSpecifications[0].Tags, func(a, b ec2.Tag) bool { return *a.Key == *b.Key }) {
		return nil, awserr.New("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	}
	return &ec2.RunInstancesOutput{Instances: []ec2.Instance{*f.instances[id]}}, nil
}

func (f *fleet) describeInstances(ctx context.Context, in *ec2.DescribeInstancesInput) (*ec2.DescribeInstancesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(ctx)
	wanted := slices.Clone(in.InstanceIds)
	for _, filter := range in.Filters {
		wanted = append(wanted, filter.Values...)
	}
	out := &ec2.DescribeInstancesOutput{}
	for _, id := range wanted {
		if made, ok := f.byToken[id]; ok { // the filter client-token
			id = made
		}
		if i := f.instances[id]; i != nil {
			shown, state := *i, *i.State
			shown.State = &state
			out.Reservations = append(out.Reservations, ec2.Reservation{Instances: []ec2.Instance{shown}})
		}
	}
	return out, nil
}

func (f *fleet) terminateInstances(_ context.Context, in *ec2.TerminateInstancesInput) (*ec2.TerminateInstancesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range in.InstanceIds {
		f.instances[id].State.Name = "shutting-down"
	}
	return &ec2.TerminateInstancesOutput{}, nil
}

func (f *fleet) describeSubnets(_ context.Context, in *ec2.DescribeSubnetsInput) (*ec2.DescribeSubnetsOutput, error) {
	out := &ec2.DescribeSubnetsOutput{}
	for _, id := range in.SubnetIds {
		if id != "subnet-a" && id != "subnet-b" {
			return nil, awserr.New("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
		}
		out.Subnets = append(out.Subnets, ec2.Subnet{SubnetId: &id, VpcId: ptr("vpc-1"), AvailabilityZone: ptr("us-east-1" + id[7:])})
	}
	return out, nil
}

func (*fleet) describeZones(context.Context, *ec2.DescribeAvailabilityZonesInput) (*ec2.DescribeAvailabilityZonesOutput, error) {
	return &ec2.DescribeAvailabilityZonesOutput{AvailabilityZones: []ec2.AvailabilityZone{{ZoneName: ptr("us-east-1a")}, {ZoneName: ptr("us-east-1b")}}}, nil
}

func (f *fleet) deleteTags(_ context.Context, in *ec2.DeleteTagsInput) (*ec2.DeleteTagsOutput, error) {
	f.untagged = append(f.untagged, in.Resources...)
	return &ec2.DeleteTagsOutput{}, nil
}

func (*fleet) createTags(context.Context, *ec2.CreateTagsInput) (*ec2.CreateTagsOutput, error) {
	return &ec2.CreateTagsOutput{}, nil
}

func (*fleet) describeTemplates(_ context.Context, in *ec2.DescribeLaunchTemplateVersionsInput) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
	if val(in.LaunchTemplateId) != "lt-1" && val(in.LaunchTemplateName) != "web" {
		return nil, awserr.New("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", val(in.LaunchTemplateName))
	}
	n := int64(len(in.Versions[0]) - len("$Latest") + 7) // $Latest is 7, $Default is 8
	if in.Versions[0] == "1" || in.Versions[0] == "2" {
		n = int64(in.Versions[0][0] - '0')
	}
	return &ec2.DescribeLaunchTemplateVersionsOutput{LaunchTemplateVersions: []ec2.LaunchTemplateVersion{{LaunchTemplateId: ptr("lt-1"), LaunchTemplateName: ptr("web"), VersionNumber: &n}}}, nil
}

func (f *fleet) publish(ctx context.Context, in *sns.PublishInput) (*sns.PublishOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(ctx)
	f.published = append(f.published, in)
	return &sns.PublishOutput{}, nil
}

func (f *fleet) putAlarm(_ context.Context, in *cloudwatch.PutMetricAlarmInput) (*cloudwatch.PutMetricAlarmOutput, error) {
	f.alarms[*in.AlarmName] = in
	return &cloudwatch.PutMetricAlarmOutput{}, nil
}

func (*fleet) describeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput) (*cloudwatch.DescribeAlarmsOutput, error) {
	return &cloudwatch.DescribeAlarmsOutput{}, nil
}

func (f *fleet) deleteAlarms(_ context.Context, in *cloudwatch.DeleteAlarmsInput) (*cloudwatch.DeleteAlarmsOutput, error) {
	for _, n := range in.AlarmNames {
		delete(f.alarms, n)
	}
	return &cloudwatch.DeleteAlarmsOutput{}, nil
}

func (*fleet) describeTargetGroups(_ context.Context, in *elbv2.DescribeTargetGroupsInput) (*elbv2.DescribeTargetGroupsOutput, error) {
	if in.TargetGroupArns[0] != targetGroup {
		return nil, awserr.New("TargetGroupNotFound", "One or more target groups not found")
	}
	return &elbv2.DescribeTargetGroupsOutput{}, nil
}

const targetGroup = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/t/0123456789abcdef"

func (f *fleet) registerTargets(_ context.Context, in *elbv2.RegisterTargetsInput) (*elbv2.RegisterTargetsOutput, error) {
	if *in.Targets[0].Id == f.unwelcome {
		return nil, errors.New("the balancer is broken")
	}
	f.targets[*in.Targets[0].Id] = "initial"
	return &elbv2.RegisterTargetsOutput{}, nil
}

func (f *fleet) deregisterTargets(_ context.Context, in *elbv2.DeregisterTargetsInput) (*elbv2.DeregisterTargetsOutput, error) {
	f.targets[*in.Targets[0].Id] = "draining"
	return &elbv2.DeregisterTargetsOutput{}, nil
}

func (f *fleet) targetHealth(_ context.Context, in *elbv2.DescribeTargetHealthInput) (*elbv2.DescribeTargetHealthOutput, error) {
	id := *in.Targets[0].Id
	h := &elbv2.TargetHealth{State: f.targets[id]}
	if h.State == "" {
		h = &elbv2.TargetHealth{State: "unused", Reason: "Target.NotRegistered"}
	}
	return &elbv2.DescribeTargetHealthOutput{TargetHealthDescriptions: []elbv2.TargetHealthDescription{{Target: &in.Targets[0], TargetHealth: h}}}, nil
}

// boot brings all pending instances up and ends those that shut down.
func (f *fleet) boot() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.instances {
		switch i.State.Name {
		case "pending":
			i.State.Name = "running"
		case "shutting-down":
			i.State.Name = "terminated"
		}
	}
}

func (f *fleet) kill(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances[id].State.Name = "terminated"
}

// step has the worker look at a group once, and says when it wants to look again.
func (l *lab) step(name string) time.Time {
	l.T.Helper()
	due, err := l.svc.step(l.Ctx, key(aws.CallFrom(l.Ctx), name))
	if err != nil {
		l.T.Fatal(err)
	}
	return due
}

// settle steps and boots until nothing moves.
func (l *lab) settle(name string) {
	l.T.Helper()
	for before := "-"; before != l.states(name); {
		before = l.states(name)
		l.step(name)
		l.fleet.boot()
		l.step(name)
	}
}

// group creates a group g with a launch configuration of the same name.
func (l *lab) group(change ...func(*api.CreateAutoScalingGroupInput)) {
	l.T.Helper()
	wiretest.Must[api.CreateLaunchConfigurationOutput](l, "CreateLaunchConfiguration",
		&api.CreateLaunchConfigurationInput{LaunchConfigurationName: ptr("g"), ImageId: ptr("ami-1"), InstanceType: ptr("t3.micro")})
	wiretest.Must[api.CreateAutoScalingGroupOutput](l, "CreateAutoScalingGroup", newGroup(change...))
}

func newGroup(change ...func(*api.CreateAutoScalingGroupInput)) *api.CreateAutoScalingGroupInput {
	in := &api.CreateAutoScalingGroupInput{AutoScalingGroupName: ptr("g"), LaunchConfigurationName: ptr("g"), MinSize: ptr[int32](0), MaxSize: ptr[int32](4),
		VPCZoneIdentifier: ptr("subnet-a,subnet-b")}
	for _, f := range change {
		f(in)
	}
	return in
}

func size(n int32) func(*api.CreateAutoScalingGroupInput) {
	return func(in *api.CreateAutoScalingGroupInput) { in.DesiredCapacity = &n }
}

func (l *lab) describe(name string) *api.AutoScalingGroup {
	l.T.Helper()
	out := wiretest.Must[api.DescribeAutoScalingGroupsOutput](l, "DescribeAutoScalingGroups", &api.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if len(out.AutoScalingGroups) == 0 {
		return nil
	}
	return &out.AutoScalingGroups[0]
}

// states are the instances of a group in short: "1 InService a, 2 Pending b".
func (l *lab) states(name string) string {
	l.T.Helper()
	g := l.describe(name)
	if g == nil {
		return "gone"
	}
	var out []string
	for _, i := range g.Instances {
		s := fmt.Sprintf("%s %s %s", strings.TrimLeft(*i.InstanceId, "i-0"), i.LifecycleState, (*i.AvailabilityZone)[9:])
		if *i.HealthStatus != "Healthy" {
			s += " " + *i.HealthStatus
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func (l *lab) expect(name, want string) {
	l.T.Helper()
	if got := l.states(name); got != want {
		l.T.Fatalf("the group has %q, not %q", got, want)
	}
}

func instance(n int) string { return fmt.Sprintf("i-%017d", n) }

// activity is the nth newest activity.
func (l *lab) activity(n int) api.Activity {
	l.T.Helper()
	return wiretest.Must[api.DescribeScalingActivitiesOutput](l, "DescribeScalingActivities", &api.DescribeScalingActivitiesInput{AutoScalingGroupName: ptr("g")}).Activities[n]
}

// deliver sends the queued messages.
func (l *lab) deliver() []*sns.PublishInput {
	l.T.Helper()
	var rows []store.Row[message]
	err := l.DB.View(l.Ctx, func(tx *store.Tx) (err error) {
		rows, err = messages.List(tx, store.Scope{}, "", 0)
		return err
	})
	for _, r := range rows {
		if err == nil {
			err = l.svc.publish(l.Ctx, r.Key, r.Value)
		}
	}
	if err != nil {
		l.T.Fatal(err)
	}
	return l.fleet.published
}
