package codedeploy

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// maxBalancers is AWS's limit for each of the two lists.
const maxBalancers = 10

func errBalancer(why string) error {
	return awserr.New("InvalidLoadBalancerInfoException", "An invalid load balancer name, or no load balancer name, was specified. %s", why)
}

// givenBalancer is the configuration, nil for one that names nothing.
func givenBalancer(in *api.LoadBalancerInfo) *api.LoadBalancerInfo {
	if in == nil || len(in.ElbInfoList)+len(in.TargetGroupInfoList) == 0 {
		return nil
	}
	return &api.LoadBalancerInfo{ElbInfoList: in.ElbInfoList, TargetGroupInfoList: in.TargetGroupInfoList}
}

// checkBalancer refuses what names no load balancer. Whether those named exist is
// the deployment's to find out.
func checkBalancer(operation string, in *api.LoadBalancerInfo) error {
	if in == nil {
		return nil
	}
	if len(in.TargetGroupPairInfoList) > 0 {
		return awserr.New("InvalidTargetGroupPairException", "A target group pair associated with this deployment is not valid. "+
			"Pairs are for deployments of Amazon ECS; %s is for instances.", operation)
	}
	if len(in.ElbInfoList) > maxBalancers || len(in.TargetGroupInfoList) > maxBalancers {
		return errBalancer(fmt.Sprintf("At most %d load balancers and %d target groups can be specified.", maxBalancers, maxBalancers))
	}
	for _, b := range in.ElbInfoList {
		if aws.Val(b.Name) == "" {
			return errBalancer("A load balancer has no name.")
		}
	}
	for _, b := range in.TargetGroupInfoList {
		if aws.Val(b.Name) == "" {
			return errBalancer("A target group has no name.")
		}
	}
	return nil
}

// balancer is the load balancer that deployments of the group control, nil for
// none.
func (g *group) balancer() *api.LoadBalancerInfo {
	if g.style().DeploymentOption != api.DeploymentOptionWithTrafficControl {
		return nil
	}
	return g.Balancer
}

// balancers are a deployment's load balancers, to be called as its role.
type balancers struct {
	ctx  context.Context
	role string
	all  []balancer
}

// balancer is one of them: a classic one, or a target group.
type balancer interface {
	id() string
	// ports returns those at which the instance has traffic, none where it has none
	// or has no choice.
	ports(ctx context.Context, instance string) ([]int32, error)
	// change lets traffic to the target at its ports, or asks for its end.
	change(ctx context.Context, t *target, allow bool) error
	// waits says what is missing to the change, "" for nothing, and whether time
	// alone will not bring it.
	waits(ctx context.Context, instance string, allow bool) (missing string, stuck bool, err error)
}

// balancers finds the deployment's; why says what is wrong with them.
func (s *Service) balancers(ctx context.Context, k store.Key, d *deployment) (b *balancers, why *cause, err error) {
	b = &balancers{role: d.Role}
	if b.ctx, why = s.asRole(ctx, k, d.Role, "DescribeTargetGroups"); why != nil {
		return nil, why, nil
	}
	for _, g := range d.Balancer.TargetGroupInfoList {
		arn, err := findTargetGroup(b.ctx, s.invoker, *g.Name)
		if why := b.unusable(err, "target group "+*g.Name); why != nil || err != nil {
			return nil, why, passed(why, err)
		}
		b.all = append(b.all, targetGroup{s.invoker, *g.Name, arn, &groupHealth{}})
	}
	for _, c := range d.Balancer.ElbInfoList {
		_, err := wire.Call[elb.DescribeLoadBalancersOutput](b.ctx, s.invoker, "elb", "DescribeLoadBalancers",
			&elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{*c.Name}})
		if why := b.unusable(err, "load balancer "+*c.Name); why != nil || err != nil {
			return nil, why, passed(why, err)
		}
		b.all = append(b.all, classicBalancer{s.invoker, *c.Name})
	}
	return b, nil, nil
}

// passed returns err where it has no cause.
func passed(why *cause, err error) error {
	if why != nil {
		return nil
	}
	return err
}

// unusable turns an error into the cause of a deployment's end, where it is one.
func (b *balancers) unusable(err error, what string) *cause {
	switch {
	case err == nil:
		return nil
	case isRefused(err):
		return &cause{api.ErrorCodeIamRolePermissions, fmt.Sprintf(
			"The service role %s does not give you permission to perform operations in the following AWS service: AmazonElasticLoadBalancing. %v", b.role, err)}
	case awserr.As(err) != nil:
		return &cause{api.ErrorCodeElasticLoadBalancingInvalid, fmt.Sprintf("The deployment cannot use the %s of its deployment group: %v", what, err)}
	}
	return nil
}

// refused turns an error into the failure of an instance's change, where it is
// one.
func (b *balancers) refused(err error, one balancer) *outcome {
	why := b.unusable(err, one.id())
	if why == nil {
		return nil
	}
	if why.code == api.ErrorCodeElasticLoadBalancingInvalid {
		why.code, why.message = api.ErrorCodeElbInvalidInstance, fmt.Sprintf("%s: %v", one.id(), err)
	}
	return &outcome{failed: why.message, issue: why.code}
}

func findTargetGroup(ctx context.Context, inv Invoker, name string) (arn string, err error) {
	out, err := wire.Call[elbv2.DescribeTargetGroupsOutput](ctx, inv, "elbv2", "DescribeTargetGroups", &elbv2.DescribeTargetGroupsInput{Names: []string{name}})
	if err != nil {
		return "", err
	}
	if len(out.TargetGroups) == 0 {
		return "", awserr.New("TargetGroupNotFound", "One or more target groups not found")
	}
	return aws.Val(out.TargetGroups[0].TargetGroupArn), nil
}

type targetGroup struct {
	inv       Invoker
	name, arn string
	known     *groupHealth
}

// groupHealth is what a target group has said of its instances, nil before: a look at
// many instances asks once, and again after a change.
type groupHealth struct {
	of map[string][]elbv2.TargetHealthDescription
}

func (g targetGroup) id() string { return "target group " + g.name }

func (g targetGroup) ports(ctx context.Context, instance string) (ports []int32, err error) {
	list, err := g.health(ctx, instance)
	for _, h := range list {
		ports = append(ports, aws.Val(h.Target.Port))
	}
	return ports, err
}

func (g targetGroup) change(ctx context.Context, t *target, allow bool) error {
	if !allow {
		return g.deregister(ctx, t.InstanceID)
	}
	ports := t.Ports[g.id()]
	if len(ports) == 0 { // it may be there: its traffic was never taken away
		var err error
		if ports, err = g.ports(ctx, t.InstanceID); err != nil {
			return err
		}
	}
	in := &elbv2.RegisterTargetsInput{TargetGroupArn: &g.arn}
	for _, port := range ports {
		in.Targets = append(in.Targets, elbv2.TargetDescription{Id: &t.InstanceID, Port: &port})
	}
	if len(in.Targets) == 0 {
		in.Targets = []elbv2.TargetDescription{{Id: &t.InstanceID}}
	}
	g.known.of = nil
	_, err := wire.Call[elbv2.RegisterTargetsOutput](ctx, g.inv, "elbv2", "RegisterTargets", in)
	return err
}

// deregister takes the instance out at all its ports.
func (g targetGroup) deregister(ctx context.Context, instance string) error {
	list, err := g.health(ctx, instance)
	if err != nil {
		return err
	}
	in := &elbv2.DeregisterTargetsInput{TargetGroupArn: &g.arn}
	for _, h := range list {
		if h.TargetHealth.State != elbv2.TargetHealthStateEnumDraining {
			in.Targets = append(in.Targets, elbv2.TargetDescription{Id: &instance, Port: h.Target.Port})
		}
	}
	if len(in.Targets) == 0 {
		return nil
	}
	g.known.of = nil
	_, err = wire.Call[elbv2.DeregisterTargetsOutput](ctx, g.inv, "elbv2", "DeregisterTargets", in)
	return err
}

// health returns what the group knows of the instance, an entry for each port.
func (g targetGroup) health(ctx context.Context, instance string) ([]elbv2.TargetHealthDescription, error) {
	if g.known.of != nil {
		return g.known.of[instance], nil
	}
	out, err := wire.Call[elbv2.DescribeTargetHealthOutput](ctx, g.inv, "elbv2", "DescribeTargetHealth", &elbv2.DescribeTargetHealthInput{TargetGroupArn: &g.arn})
	if err != nil {
		return nil, err
	}
	of := map[string][]elbv2.TargetHealthDescription{}
	for _, h := range out.TargetHealthDescriptions {
		if h.Target != nil && h.TargetHealth != nil {
			of[aws.Val(h.Target.Id)] = append(of[aws.Val(h.Target.Id)], h)
		}
	}
	g.known.of = of
	return of[instance], nil
}

func (g targetGroup) waits(ctx context.Context, instance string, allow bool) (missing string, stuck bool, err error) {
	list, err := g.health(ctx, instance)
	if err != nil {
		return "", false, err
	}
	if allow && len(list) == 0 {
		return g.id() + " does not know the instance any more", true, nil
	}
	for _, h := range list {
		state := h.TargetHealth.State
		settled := state != elbv2.TargetHealthStateEnumDraining
		if allow {
			settled = state == elbv2.TargetHealthStateEnumHealthy
		}
		if settled {
			continue
		}
		text := fmt.Sprintf("%s says %s", g.id(), state)
		if h.TargetHealth.Reason != "" {
			text += fmt.Sprintf(" (%s: %s)", h.TargetHealth.Reason, aws.Val(h.TargetHealth.Description))
		}
		return text, state == elbv2.TargetHealthStateEnumUnused, nil
	}
	return "", false, nil
}

type classicBalancer struct {
	inv  Invoker
	name string
}

func (c classicBalancer) id() string { return "load balancer " + c.name }

func (c classicBalancer) ports(context.Context, string) ([]int32, error) { return nil, nil }

func (c classicBalancer) change(ctx context.Context, t *target, allow bool) error {
	list := []elb.Instance{{InstanceId: &t.InstanceID}}
	var err error
	if allow {
		_, err = wire.Call[elb.RegisterInstancesWithLoadBalancerOutput](ctx, c.inv, "elb", "RegisterInstancesWithLoadBalancer",
			&elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &c.name, Instances: list})
	} else {
		_, err = wire.Call[elb.DeregisterInstancesFromLoadBalancerOutput](ctx, c.inv, "elb", "DeregisterInstancesFromLoadBalancer",
			&elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: &c.name, Instances: list})
		err = ignoreCode(err, instanceGone)
	}
	return err
}

// instanceGone is the code for an instance that is terminated: it has no traffic.
const instanceGone = "InvalidInstance"

// draining is what a classic load balancer says of an instance whose connections
// are being drained.
const draining = "Instance deregistration currently in progress."

func (c classicBalancer) waits(ctx context.Context, instance string, allow bool) (missing string, stuck bool, err error) {
	out, err := wire.Call[elb.DescribeInstanceHealthOutput](ctx, c.inv, "elb", "DescribeInstanceHealth",
		&elb.DescribeInstanceHealthInput{LoadBalancerName: &c.name, Instances: []elb.Instance{{InstanceId: &instance}}})
	if !allow && awserr.Is(err, instanceGone) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	if allow && len(out.InstanceStates) == 0 {
		return c.id() + " does not know the instance any more", true, nil
	}
	for _, st := range out.InstanceStates {
		settled := aws.Val(st.Description) != draining
		if allow {
			settled = aws.Val(st.State) == "InService"
		}
		if settled {
			continue
		}
		return fmt.Sprintf("%s says %s (%s)", c.id(), aws.Val(st.State), aws.Val(st.Description)), false, nil
	}
	return "", false, nil
}
