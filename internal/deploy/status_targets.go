package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	elbapi "github.com/hardstand/hardstand/internal/aws/api/elb"
	elbv2api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
)

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
	if slices.Contains([]string{"TargetGroupNotFound", "LoadBalancerNotFound"}, errorCode(err)) {
		i.problem(ExitURL, p.Name+" is not there: "+plain(err))
	}
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
