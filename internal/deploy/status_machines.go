package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	autoscalingapi "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	elbapi "github.com/hardstand/hardstand/internal/aws/api/elb"
	elbv2api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
)

type instanceReport struct {
	ID       string `json:"id"`
	Resource string `json:"resource,omitempty"` // its name in the template
	State    string `json:"state,omitempty"`
	Public   string `json:"publicAddress,omitempty"`
	Private  string `json:"privateAddress,omitempty"`
	// Runs is the revision that was last installed with success.
	Runs             string `json:"runs,omitempty"`
	Deployment       string `json:"lastDeployment,omitempty"`
	DeploymentStatus string `json:"lastDeploymentStatus,omitempty"`
	LastEvent        string `json:"lastEvent,omitempty"`
}

// poolReport is a target group, or a classic load balancer, with its targets.
type poolReport struct {
	Name    string         `json:"name"`
	Targets []targetReport `json:"targets"`
	Unread  string         `json:"unread,omitempty"`
}

type targetReport struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

type scaleReport struct {
	Name      string         `json:"name"`
	Min       int32          `json:"min"`
	Max       int32          `json:"max"`
	Desired   int32          `json:"desired"`
	Instances []targetReport `json:"instances"`
}

// machine returns the report of an instance.
func (i *inspection) machine(id string) *instanceReport {
	m := i.machines[id]
	if m == nil {
		m = &instanceReport{ID: id, Resource: i.logical[id]}
		i.machines[id] = m
	}
	return m
}

// lookAtScaling reads the Auto Scaling groups of the stack and of the deployment group.
func (i *inspection) lookAtScaling(ctx context.Context) error {
	names := slices.Clone(i.resources[typeScalingGroup])
	if i.group.info != nil {
		for _, g := range i.group.info.AutoScalingGroups {
			names = append(names, aws.ToString(g.Name))
		}
	}
	i.report.Scaling = []scaleReport{}
	if names = slices.Compact(slices.Sorted(slices.Values(names))); len(names) == 0 {
		return nil
	}
	in := &autoscalingapi.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names}
	for {
		var out autoscalingapi.DescribeAutoScalingGroupsOutput
		if err := i.scaling.Call(ctx, "DescribeAutoScalingGroups", in, &out); err != nil {
			i.report.ScalingUnread, err = unread(err)
			return err
		}
		for _, g := range out.AutoScalingGroups {
			i.noteScaling(g)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return nil
		}
	}
}

func (i *inspection) noteScaling(g autoscalingapi.AutoScalingGroup) {
	rep := scaleReport{Name: aws.ToString(g.AutoScalingGroupName), Min: aws.ToInt32(g.MinSize), Max: aws.ToInt32(g.MaxSize), Desired: aws.ToInt32(g.DesiredCapacity), Instances: []targetReport{}}
	inService := int32(0)
	for _, m := range g.Instances {
		i.machine(aws.ToString(m.InstanceId))
		rep.Instances = append(rep.Instances, targetReport{aws.ToString(m.InstanceId), string(m.LifecycleState), aws.ToString(m.HealthStatus)})
		if m.LifecycleState == autoscalingapi.LifecycleStateInService {
			inService++
		}
	}
	if inService < rep.Desired {
		i.changing = true // the group is at work on it
	}
	i.report.Scaling = append(i.report.Scaling, rep)
}

// lookAtInstances reads the instances that the stack, the deployments and the groups
// name, and those that the deployment group finds by its tags.
func (i *inspection) lookAtInstances(ctx context.Context) error {
	i.report.Instances = []instanceReport{}
	for _, id := range i.resources[typeInstance] {
		i.machine(id)
	}
	var known []string
	for _, id := range sortedKeys(i.machines) {
		if strings.HasPrefix(id, "i-") { // others are machines on premises
			known = append(known, id)
		}
	}
	var err error
	for ids := range slices.Chunk(known, maxFilterValues) {
		if err == nil {
			err = i.describeInstances(ctx, ec2api.Filter{Name: aws.String("instance-id"), Values: ids}, false)
		}
	}
	if i.group.info != nil && err == nil {
		for _, f := range tagFilters(i.group.info) {
			if err = i.describeInstances(ctx, f, true); err != nil {
				break
			}
		}
	}
	if i.report.InstancesUnread, err = unread(err); err != nil {
		return err
	}
	for _, id := range sortedKeys(i.machines) {
		m := i.machines[id]
		i.report.Instances = append(i.report.Instances, *m)
		if _, ours := i.logical[id]; ours && m.State != "" && m.State != "running" && m.State != "pending" {
			i.problem(ExitURL, "the instance "+id+" is "+m.State)
		}
	}
	return nil
}

// maxFilterValues is how many values a filter of EC2's may have.
const maxFilterValues = 200

// tagFilters are the filters of EC2's for a group's tags; groups of tags are left
// out, their instances are known from deployments.
func tagFilters(g *types.DeploymentGroupInfo) []ec2api.Filter {
	var list []ec2api.Filter
	for _, f := range g.Ec2TagFilters {
		switch f.Type {
		case types.EC2TagFilterTypeKeyOnly:
			list = append(list, ec2api.Filter{Name: aws.String("tag-key"), Values: []string{aws.ToString(f.Key)}})
		case types.EC2TagFilterTypeValueOnly:
			list = append(list, ec2api.Filter{Name: aws.String("tag-value"), Values: []string{aws.ToString(f.Value)}})
		default:
			list = append(list, ec2api.Filter{Name: aws.String("tag:" + aws.ToString(f.Key)), Values: []string{aws.ToString(f.Value)}})
		}
	}
	return list
}

// describeInstances notes states and addresses. Of those found by tags the terminated
// ones are nobody's any more.
func (i *inspection) describeInstances(ctx context.Context, filter ec2api.Filter, byTag bool) error {
	in := &ec2api.DescribeInstancesInput{Filters: []ec2api.Filter{filter}}
	for {
		var out ec2api.DescribeInstancesOutput
		if err := i.ec2.Call(ctx, "DescribeInstances", in, &out); err != nil {
			return err
		}
		for _, r := range out.Reservations {
			for _, m := range r.Instances {
				id, state := aws.ToString(m.InstanceId), ""
				if m.State != nil {
					state = string(m.State.Name)
				}
				if byTag && i.machines[id] == nil && state == "terminated" {
					continue
				}
				rep := i.machine(id)
				rep.State, rep.Public, rep.Private = state, aws.ToString(m.PublicIpAddress), aws.ToString(m.PrivateIpAddress)
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return nil
		}
	}
}

// lookAtTargets reads the health of the targets behind the load balancers of the stack
// and of the deployment group.
func (i *inspection) lookAtTargets(ctx context.Context) error {
	groups, balancers := slices.Clone(i.resources[typeTargetGroup]), slices.Clone(i.resources[typeBalancer])
	var names []string
	if i.group.info != nil && i.group.info.LoadBalancerInfo != nil {
		for _, g := range i.group.info.LoadBalancerInfo.TargetGroupInfoList {
			names = append(names, aws.ToString(g.Name))
		}
		for _, b := range i.group.info.LoadBalancerInfo.ElbInfoList {
			balancers = append(balancers, aws.ToString(b.Name))
		}
	}
	i.report.Targets = []poolReport{}
	for _, name := range names {
		if slices.ContainsFunc(groups, func(arn string) bool { return targetGroupName(arn) == name }) {
			continue
		}
		arn, err := i.targetGroupARN(ctx, name)
		if err != nil {
			if err := i.notePool(poolReport{Name: name}, err); err != nil {
				return err
			}
			continue
		}
		groups = append(groups, arn)
	}
	for _, arn := range groups {
		pool, err := i.targetHealth(ctx, arn)
		if err := i.notePool(pool, err); err != nil {
			return err
		}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(balancers))) {
		pool, err := i.balancerHealth(ctx, name)
		if err := i.notePool(pool, err); err != nil {
			return err
		}
	}
	return nil
}

// notePool takes a pool into the report, or why it is not known.
func (i *inspection) notePool(p poolReport, err error) error {
	if p.Unread, err = unread(err); err != nil {
		return err
	}
	if p.Targets == nil {
		p.Targets = []targetReport{}
	}
	slices.SortFunc(p.Targets, func(a, b targetReport) int { return cmp.Compare(a.ID, b.ID) })
	for _, t := range p.Targets {
		if sick(t.State) {
			i.problem(ExitURL, t.ID+" is "+t.State+" in "+p.Name)
		}
	}
	i.report.Targets = append(i.report.Targets, p)
	return nil
}

func sick(state string) bool { return state == "unhealthy" || state == "OutOfService" }

// targetGroupName finds the name in arn:...:targetgroup/NAME/ID.
func targetGroupName(arn string) string {
	_, rest, _ := strings.Cut(arn, ":targetgroup/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func (i *inspection) targetGroupARN(ctx context.Context, name string) (string, error) {
	var out elbv2api.DescribeTargetGroupsOutput
	if err := i.elbv2.Call(ctx, "DescribeTargetGroups", &elbv2api.DescribeTargetGroupsInput{Names: []string{name}}, &out); err != nil {
		return "", err
	}
	if len(out.TargetGroups) == 0 {
		return "", fmt.Errorf("there is no target group %s", name)
	}
	return aws.ToString(out.TargetGroups[0].TargetGroupArn), nil
}

func (i *inspection) targetHealth(ctx context.Context, arn string) (poolReport, error) {
	p := poolReport{Name: targetGroupName(arn)}
	var out elbv2api.DescribeTargetHealthOutput
	err := i.elbv2.Call(ctx, "DescribeTargetHealth", &elbv2api.DescribeTargetHealthInput{TargetGroupArn: &arn}, &out)
	for _, d := range out.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth == nil {
			continue
		}
		t := targetReport{ID: aws.ToString(d.Target.Id), State: string(d.TargetHealth.State), Reason: cmp.Or(aws.ToString(d.TargetHealth.Description), string(d.TargetHealth.Reason))}
		if d.Target.Port != nil {
			t.ID += fmt.Sprintf(":%d", *d.Target.Port)
		}
		p.Targets = append(p.Targets, t)
	}
	return p, err
}

func (i *inspection) balancerHealth(ctx context.Context, name string) (poolReport, error) {
	p := poolReport{Name: name}
	var out elbapi.DescribeInstanceHealthOutput
	err := i.elb.Call(ctx, "DescribeInstanceHealth", &elbapi.DescribeInstanceHealthInput{LoadBalancerName: &name}, &out)
	for _, s := range out.InstanceStates {
		t := targetReport{ID: aws.ToString(s.InstanceId), State: aws.ToString(s.State)}
		if sick(t.State) {
			t.Reason = aws.ToString(s.Description)
		}
		p.Targets = append(p.Targets, t)
	}
	return p, err
}
