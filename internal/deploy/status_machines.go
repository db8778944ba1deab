package deploy

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	autoscalingapi "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
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
			break
		}
	}
	for _, name := range names { // AWS leaves out those that it does not have
		if !slices.ContainsFunc(i.report.Scaling, func(g scaleReport) bool { return g.Name == name }) {
			i.problem(ExitURL, "there is no Auto Scaling group "+name)
		}
	}
	return nil
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
