package elbv2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/wire"
)

// asService is ctx for what the service does on its own account for a resource.
func asService(ctx context.Context, account, region, source string) context.Context {
	return aws.WithCall(ctx, aws.AsService(signer+".amazonaws.com", source, account, region))
}

// look calls an operation of EC2 to learn what the caller's input names.
func look[O any](ctx context.Context, s *Service, operation string, in any) (*O, error) {
	c := aws.CallFrom(ctx)
	return wire.Call[O](asService(ctx, c.Account, c.Region, ""), s.cfg.Invoker, "ec2", operation, in)
}

// place puts the balancer into subnets, a node in each. Elastic addresses have to be
// free, unless they are those of own.
func (s *Service) place(ctx context.Context, b *balancer, subnets []string, mappings []api.SubnetMapping, own []node) error {
	nodes, err := askedNodes(b, subnets, mappings)
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return errFewSubnets(b)
	}
	found, err := s.subnets(ctx, nodes)
	if err != nil {
		return err
	}
	b.VPC = aws.Val(found[nodes[0].Subnet].VpcId)
	zones := map[string]bool{}
	for i := range nodes {
		sub := found[nodes[i].Subnet]
		if aws.Val(sub.VpcId) != b.VPC {
			return awserr.New("InvalidSubnet", "All subnets must belong to the same VPC: '%s'", b.VPC)
		}
		nodes[i].Zone, nodes[i].Serial = aws.Val(sub.AvailabilityZone), ids.Hex(16)
		if zones[nodes[i].Zone] {
			return badRequest("A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		zones[nodes[i].Zone] = true
		if err := judgeFixed(nodes[i], aws.Val(sub.CidrBlock)); err != nil {
			return err
		}
	}
	if b.Type == application && len(zones) < 2 {
		return errFewSubnets(b)
	}
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.Zone, b.Zone) })
	b.Nodes = nodes
	if err := s.judgeAllocations(ctx, nodes, own); err != nil {
		return err
	}
	if b.Scheme == facing {
		return s.judgeGateway(ctx, b.VPC)
	}
	return nil
}

func errFewSubnets(b *balancer) error {
	if b.Type == network {
		return invalid("At least one subnet must be specified")
	}
	return invalid("At least two subnets in two different Availability Zones must be specified")
}

// askedNodes reads the two ways to name subnets.
func askedNodes(b *balancer, subnets []string, mappings []api.SubnetMapping) ([]node, error) {
	if len(subnets) > 0 && len(mappings) > 0 {
		return nil, invalid("You must specify either subnets or subnet mappings, but not both")
	}
	var nodes []node
	for _, id := range subnets {
		nodes = append(nodes, node{Subnet: id})
	}
	for _, m := range mappings {
		n := node{Subnet: aws.Val(m.SubnetId), Allocation: aws.Val(m.AllocationId), Fixed: aws.Val(m.PrivateIPv4Address)}
		switch {
		case n.Subnet == "":
			return nil, invalid("A subnet ID must be specified")
		case m.IPv6Address != nil || m.SourceNatIpv6Prefix != nil:
			return nil, badRequest("You must specify subnets with an associated IPv6 CIDR block.")
		case n.Allocation != "" && b.Type == application:
			return nil, badRequest("Elastic IP addresses are not supported for load balancers with type 'application'")
		case n.Allocation != "" && b.Scheme == internal:
			return nil, badRequest("Elastic IP addresses cannot be specified for internal load balancers")
		case n.Fixed != "" && (b.Type == application || b.Scheme != internal):
			return nil, badRequest("Private IPv4 addresses can only be specified for internal load balancers with type 'network'")
		}
		nodes = append(nodes, n)
	}
	for i, n := range nodes {
		if slices.ContainsFunc(nodes[:i], func(o node) bool { return o.Subnet == n.Subnet }) {
			return nil, badRequest("A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
	}
	return nodes, nil
}

func judgeFixed(n node, block string) error {
	if n.Fixed == "" {
		return nil
	}
	addr, err := netip.ParseAddr(n.Fixed)
	prefix, bad := netip.ParsePrefix(block)
	if err != nil || bad != nil || !prefix.Contains(addr) {
		return badRequest("The private IPv4 address '%s' is not in the CIDR block of the subnet '%s'", n.Fixed, n.Subnet)
	}
	return nil
}

// subnets looks up the nodes' subnets.
func (s *Service) subnets(ctx context.Context, nodes []node) (map[string]ec2api.Subnet, error) {
	var ids []string
	for _, n := range nodes {
		ids = append(ids, n.Subnet)
	}
	out, err := look[ec2api.DescribeSubnetsOutput](ctx, s, "DescribeSubnets", &ec2api.DescribeSubnetsInput{Filters: filter("subnet-id", ids...)})
	if err != nil {
		return nil, err
	}
	found := map[string]ec2api.Subnet{}
	for _, sub := range out.Subnets {
		found[aws.Val(sub.SubnetId)] = sub
	}
	for _, id := range ids {
		if _, ok := found[id]; !ok {
			return nil, awserr.New("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		}
	}
	return found, nil
}

func filter(name string, values ...string) []ec2api.Filter {
	return []ec2api.Filter{{Name: &name, Values: values}}
}

func (s *Service) judgeAllocations(ctx context.Context, nodes, own []node) error {
	var asked []string
	for _, n := range nodes {
		has := slices.ContainsFunc(own, func(o node) bool { return o.Allocation == n.Allocation })
		if n.Allocation != "" && !has {
			asked = append(asked, n.Allocation)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	out, err := look[ec2api.DescribeAddressesOutput](ctx, s, "DescribeAddresses", &ec2api.DescribeAddressesInput{Filters: filter("allocation-id", asked...)})
	if err != nil {
		return err
	}
	for _, id := range asked {
		i := slices.IndexFunc(out.Addresses, func(a ec2api.Address) bool { return aws.Val(a.AllocationId) == id })
		if i < 0 {
			return awserr.New("AllocationIdNotFound", "The allocation ID '%s' does not exist", id)
		}
		if out.Addresses[i].AssociationId != nil {
			return awserr.New("ResourceInUse", "The allocation ID '%s' is already associated", id)
		}
	}
	return nil
}

// judgeGateway wants an internet gateway for what faces the internet.
func (s *Service) judgeGateway(ctx context.Context, vpc string) error {
	out, err := look[ec2api.DescribeInternetGatewaysOutput](ctx, s, "DescribeInternetGateways", &ec2api.DescribeInternetGatewaysInput{Filters: filter("attachment.vpc-id", vpc)})
	if err == nil && len(out.InternetGateways) == 0 {
		return awserr.New("InvalidSubnet", "VPC %s has no internet gateway", vpc)
	}
	return err
}

// securityGroups looks up the groups asked for; an application balancer without any
// gets the VPC's default one.
func (s *Service) securityGroups(ctx context.Context, b *balancer, asked []string) ([]string, error) {
	in := &ec2api.DescribeSecurityGroupsInput{Filters: filter("group-id", asked...)}
	if len(asked) == 0 {
		if b.Type == network {
			return nil, nil
		}
		in.Filters = append(filter("vpc-id", b.VPC), filter("group-name", "default")...)
	}
	out, err := look[ec2api.DescribeSecurityGroupsOutput](ctx, s, "DescribeSecurityGroups", in)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		for _, g := range out.SecurityGroups {
			asked = append(asked, aws.Val(g.GroupId))
		}
		return asked, nil
	}
	for _, id := range asked {
		if !strings.HasPrefix(id, "sg-") {
			return nil, invalid("Security group '%s' is not valid", id)
		}
		i := slices.IndexFunc(out.SecurityGroups, func(g ec2api.SecurityGroup) bool { return aws.Val(g.GroupId) == id })
		switch {
		case i < 0:
			return nil, awserr.New("InvalidSecurityGroup", "The security group '%s' does not exist", id)
		case aws.Val(out.SecurityGroups[i].VpcId) != b.VPC:
			return nil, badRequest("Security group '%s' does not belong to VPC '%s'", id, b.VPC)
		}
	}
	slices.Sort(asked)
	return slices.Compact(asked), nil
}
