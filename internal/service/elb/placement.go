package elb

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// subnet is one as EC2 describes it.
type subnet struct{ id, zone, vpc string }

// asService is a context in which the service itself calls EC2 for a balancer.
func asService(ctx context.Context, k store.Key) context.Context {
	return aws.WithCall(ctx, aws.AsService(principal, arnOf(k), k.Account, k.Region))
}

func filter(name string, values ...string) ec2.Filter {
	return ec2.Filter{Name: aws.Ptr(name), Values: values}
}

// describeSubnets asks EC2 with filters; what does not exist is left out.
func (s *Service) describeSubnets(ctx context.Context, k store.Key, filters ...ec2.Filter) ([]subnet, error) {
	out, err := wire.Call[ec2.DescribeSubnetsOutput](asService(ctx, k), s.cfg.Invoker, "ec2", "DescribeSubnets", &ec2.DescribeSubnetsInput{Filters: filters})
	if err != nil {
		return nil, err
	}
	var found []subnet
	for _, n := range out.Subnets {
		found = append(found, subnet{id: aws.Val(n.SubnetId), zone: aws.Val(n.AvailabilityZone), vpc: aws.Val(n.VpcId)})
	}
	return found, nil
}

// subnets finds subnets by their ids, in the order given.
func (s *Service) subnets(ctx context.Context, k store.Key, ids []string) ([]subnet, error) {
	found, err := s.describeSubnets(ctx, k, filter("subnet-id", ids...))
	if err != nil {
		return nil, err
	}
	var out []subnet
	for _, id := range ids {
		i := slices.IndexFunc(found, func(n subnet) bool { return n.id == id })
		if i < 0 {
			return nil, awserr.New("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		}
		if found[i].vpc != found[0].vpc {
			return nil, awserr.New("InvalidSubnet", "All subnets must belong to the same VPC")
		}
		if slices.ContainsFunc(out, func(n subnet) bool { return n.id == id }) {
			return nil, errConfiguration("ELB cannot be attached to multiple subnets in the same AZ.")
		}
		out = append(out, found[i])
	}
	return out, nil
}

// defaultSubnets finds the default subnets of zones.
func (s *Service) defaultSubnets(ctx context.Context, k store.Key, zones []string) ([]subnet, error) {
	found, err := s.describeSubnets(ctx, k, filter("default-for-az", "true"))
	if err != nil {
		return nil, err
	}
	var out []subnet
	for _, z := range zones {
		i := slices.IndexFunc(found, func(n subnet) bool { return n.zone == z })
		if i < 0 {
			return nil, errValidation("Requested AZ %s is not valid or has no default subnet", z)
		}
		if !slices.Contains(out, found[i]) {
			out = append(out, found[i])
		}
	}
	return out, nil
}

// join adds nodes for subnets, of which a zone may have one.
func (b *balancer) join(found []subnet) error {
	for _, n := range found {
		i := slices.IndexFunc(b.Nodes, func(o node) bool { return o.Zone == n.zone })
		switch {
		case n.vpc != b.VPC:
			return awserr.New("InvalidSubnet", "The subnet %s does not belong to the VPC %s of the load balancer", n.id, b.VPC)
		case i >= 0 && b.Nodes[i].Subnet == n.id:
			// is there already
		case i >= 0:
			return errConfiguration("ELB cannot be attached to multiple subnets in the same AZ.")
		default:
			b.Nodes = append(b.Nodes, node{Subnet: n.id, Zone: n.zone})
		}
	}
	return nil
}

// leave takes nodes away; their interfaces are deleted behind the transaction. One has
// to stay.
func (b *balancer) leave(tx *store.Tx, k store.Key, gone func(node) bool) error {
	var left []node
	for _, n := range b.Nodes {
		if !gone(n) {
			left = append(left, n)
			continue
		}
		if n.Interface != "" {
			if err := leavings.Put(tx, store.Key{Account: k.Account, Region: k.Region, ID: n.Interface}, &leaving{Balancer: k.ID}); err != nil {
				return err
			}
		}
	}
	if len(left) == 0 {
		return errConfiguration("A load balancer must be attached to at least one subnet")
	}
	b.Nodes = left
	return nil
}

// needGateway refuses a VPC that the internet cannot reach.
func (s *Service) needGateway(ctx context.Context, k store.Key, vpc string) error {
	out, err := wire.Call[ec2.DescribeInternetGatewaysOutput](asService(ctx, k), s.cfg.Invoker, "ec2", "DescribeInternetGateways",
		&ec2.DescribeInternetGatewaysInput{Filters: []ec2.Filter{filter("attachment.vpc-id", vpc)}})
	if err == nil && len(out.InternetGateways) == 0 {
		err = awserr.New("InvalidSubnet", "VPC %s has no internet gateway", vpc)
	}
	return err
}

// secure sets the security groups, the VPC's default one when none are given.
func (s *Service) secure(ctx context.Context, k store.Key, b *balancer, ids []string) error {
	filters := []ec2.Filter{filter("vpc-id", b.VPC), filter("group-name", "default")}
	if len(ids) > 0 {
		filters = []ec2.Filter{filter("group-id", ids...)}
	}
	out, err := wire.Call[ec2.DescribeSecurityGroupsOutput](asService(ctx, k), s.cfg.Invoker, "ec2", "DescribeSecurityGroups",
		&ec2.DescribeSecurityGroupsInput{Filters: filters})
	if err != nil {
		return err
	}
	if len(ids) == 0 && len(out.SecurityGroups) > 0 {
		ids = []string{aws.Val(out.SecurityGroups[0].GroupId)}
	}
	b.SecurityGroups = nil
	for n, id := range ids {
		i := slices.IndexFunc(out.SecurityGroups, func(g ec2.SecurityGroup) bool { return aws.Val(g.GroupId) == id })
		switch {
		case i < 0:
			return awserr.New("InvalidSecurityGroup", "One or more of the specified security groups do not exist.")
		case aws.Val(out.SecurityGroups[i].VpcId) != b.VPC:
			return errConfiguration("One or more of the specified security groups do not belong to the VPC %s of the load balancer.", b.VPC)
		case n == 0:
			b.GroupName = aws.Val(out.SecurityGroups[i].GroupName)
		}
		b.SecurityGroups = append(b.SecurityGroups, id)
	}
	return nil
}

// AttachLoadBalancerToSubnets gives the balancer nodes in more subnets.
func (s *Service) AttachLoadBalancerToSubnets(ctx context.Context, in *api.AttachLoadBalancerToSubnetsInput) (*api.AttachLoadBalancerToSubnetsOutput, error) {
	if _, err := s.view(ctx, in.LoadBalancerName); err != nil {
		return nil, err
	}
	found, err := s.subnets(ctx, keyOf(ctx, aws.Val(in.LoadBalancerName)), in.Subnets)
	if err != nil {
		return nil, err
	}
	b, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, _ store.Key, b *balancer) error { return b.join(found) })
	if err != nil {
		return nil, err
	}
	return &api.AttachLoadBalancerToSubnetsOutput{Subnets: b.subnets()}, nil
}

// DetachLoadBalancerFromSubnets takes nodes away.
func (s *Service) DetachLoadBalancerFromSubnets(ctx context.Context, in *api.DetachLoadBalancerFromSubnetsInput) (*api.DetachLoadBalancerFromSubnetsOutput, error) {
	b, err := s.change(ctx, in.LoadBalancerName, func(tx *store.Tx, k store.Key, b *balancer) error {
		for _, id := range in.Subnets {
			if !slices.Contains(b.subnets(), id) {
				return errConfiguration("The load balancer %s is not attached to the subnet %s", k.ID, id)
			}
		}
		return b.leave(tx, k, func(n node) bool { return slices.Contains(in.Subnets, n.Subnet) })
	})
	if err != nil {
		return nil, err
	}
	return &api.DetachLoadBalancerFromSubnetsOutput{Subnets: b.subnets()}, nil
}

// EnableAvailabilityZonesForLoadBalancer adds the default subnets of zones.
func (s *Service) EnableAvailabilityZonesForLoadBalancer(ctx context.Context, in *api.EnableAvailabilityZonesForLoadBalancerInput) (*api.EnableAvailabilityZonesForLoadBalancerOutput, error) {
	if _, err := s.view(ctx, in.LoadBalancerName); err != nil {
		return nil, err
	}
	found, err := s.defaultSubnets(ctx, keyOf(ctx, aws.Val(in.LoadBalancerName)), in.AvailabilityZones)
	if err != nil {
		return nil, err
	}
	b, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, _ store.Key, b *balancer) error { return b.join(found) })
	if err != nil {
		return nil, err
	}
	return &api.EnableAvailabilityZonesForLoadBalancerOutput{AvailabilityZones: b.zones()}, nil
}

// DisableAvailabilityZonesForLoadBalancer takes the nodes of zones away.
func (s *Service) DisableAvailabilityZonesForLoadBalancer(ctx context.Context, in *api.DisableAvailabilityZonesForLoadBalancerInput) (*api.DisableAvailabilityZonesForLoadBalancerOutput, error) {
	b, err := s.change(ctx, in.LoadBalancerName, func(tx *store.Tx, k store.Key, b *balancer) error {
		return b.leave(tx, k, func(n node) bool { return slices.Contains(in.AvailabilityZones, n.Zone) })
	})
	if err != nil {
		return nil, err
	}
	return &api.DisableAvailabilityZonesForLoadBalancerOutput{AvailabilityZones: b.zones()}, nil
}

// ApplySecurityGroupsToLoadBalancer replaces the security groups.
func (s *Service) ApplySecurityGroupsToLoadBalancer(ctx context.Context, in *api.ApplySecurityGroupsToLoadBalancerInput) (*api.ApplySecurityGroupsToLoadBalancerOutput, error) {
	k := keyOf(ctx, aws.Val(in.LoadBalancerName))
	now, err := s.view(ctx, in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	if len(in.SecurityGroups) == 0 {
		return nil, errConfiguration("At least one security group must be specified")
	}
	if err := s.secure(ctx, k, now, in.SecurityGroups); err != nil {
		return nil, err
	}
	b, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, _ store.Key, b *balancer) error {
		b.SecurityGroups, b.GroupName = now.SecurityGroups, now.GroupName
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ApplySecurityGroupsToLoadBalancerOutput{SecurityGroups: b.SecurityGroups}, nil
}

func (b *balancer) subnets() []string {
	out := []string{}
	for _, n := range b.Nodes {
		out = append(out, n.Subnet)
	}
	return out
}

func (b *balancer) zones() []string {
	out := []string{}
	for _, n := range b.Nodes {
		out = append(out, n.Zone)
	}
	slices.Sort(out)
	return out
}
