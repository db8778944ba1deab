package elbv2_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/hardstand/hardstand/internal/aws"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// cloud is as much of EC2 as balancers ask: vpc-1 with subnets in zones a, b and twice
// c, vpc-2 without a gateway, groups, addresses and instances.
type cloud struct {
	mu         sync.Mutex
	interfaces map[string]*ec2api.NetworkInterface
	made       int
	tokens     map[string]made
	broken     error // of making interfaces
	lost       error // the answer to the next interface that is made
	private    error // of giving public addresses
	states     map[string]string
}

// made is what a client token stands for.
type made struct {
	input string
	n     *ec2api.NetworkInterface
}

var subnets = map[string][3]string{ // VPC, zone, block
	"subnet-a": {"vpc-1", "us-east-1a", "10.0.1.0/24"}, "subnet-b": {"vpc-1", "us-east-1b", "10.0.2.0/24"}, "subnet-c": {"vpc-1", "us-east-1c", "10.0.3.0/24"},
	"subnet-c2": {"vpc-1", "us-east-1c", "10.0.4.0/24"}, "subnet-x": {"vpc-2", "us-east-1a", "10.1.1.0/24"}, "subnet-y": {"vpc-2", "us-east-1b", "10.1.2.0/24"},
}

var securityGroups = map[string][2]string{"sg-1": {"vpc-1", "default"}, "sg-2": {"vpc-1", "web"}, "sg-9": {"vpc-2", "default"}}

func values(filters []ec2api.Filter, name string) ([]string, bool) {
	for _, f := range filters {
		if *f.Name == name {
			return f.Values, true
		}
	}
	return nil, false
}

func matches(filters []ec2api.Filter, name, value string) bool {
	list, asked := values(filters, name)
	return !asked || slices.Contains(list, value)
}

func (c *cloud) service() wire.Service {
	return wire.Service{Model: ec2api.Model(), Operations: []wire.Operation{
		wire.Op("DescribeSubnets", "ec2:DescribeSubnets", c.describeSubnets, nil),
		wire.Op("DescribeSecurityGroups", "ec2:DescribeSecurityGroups", c.describeSecurityGroups, nil),
		wire.Op("DescribeVpcs", "ec2:DescribeVpcs", func(_ context.Context, in *ec2api.DescribeVpcsInput) (*ec2api.DescribeVpcsOutput, error) {
			out := &ec2api.DescribeVpcsOutput{}
			for _, id := range []string{"vpc-1", "vpc-2"} {
				if matches(in.Filters, "vpc-id", id) {
					out.Vpcs = append(out.Vpcs, ec2api.Vpc{VpcId: &id})
				}
			}
			return out, nil
		}, nil),
		wire.Op("DescribeInternetGateways", "ec2:DescribeInternetGateways", func(_ context.Context, in *ec2api.DescribeInternetGatewaysInput) (*ec2api.DescribeInternetGatewaysOutput, error) {
			out := &ec2api.DescribeInternetGatewaysOutput{}
			if matches(in.Filters, "attachment.vpc-id", "vpc-1") {
				out.InternetGateways = []ec2api.InternetGateway{{}}
			}
			return out, nil
		}, nil),
		wire.Op("DescribeAddresses", "ec2:DescribeAddresses", func(_ context.Context, in *ec2api.DescribeAddressesInput) (*ec2api.DescribeAddressesOutput, error) {
			out := &ec2api.DescribeAddressesOutput{}
			if matches(in.Filters, "allocation-id", "eipalloc-1") {
				out.Addresses = append(out.Addresses, ec2api.Address{AllocationId: aws.Ptr("eipalloc-1"), PublicIp: aws.Ptr("198.18.0.9"), AssociationId: c.bound()})
			}
			if matches(in.Filters, "allocation-id", "eipalloc-2") {
				out.Addresses = append(out.Addresses, ec2api.Address{AllocationId: aws.Ptr("eipalloc-2"), AssociationId: aws.Ptr("x")})
			}
			return out, nil
		}, nil),
		wire.Op("DescribeInstances", "ec2:DescribeInstances", c.describeInstances, nil),
		wire.Op("CreateNetworkInterface", "ec2:CreateNetworkInterface", c.create, nil),
		wire.Op("DeleteNetworkInterface", "ec2:DeleteNetworkInterface", c.remove, nil),
		wire.Op("ModifyNetworkInterfaceAttribute", "ec2:ModifyNetworkInterfaceAttribute", c.modify, nil),
		wire.Op("DescribeNetworkInterfaces", "ec2:DescribeNetworkInterfaces", c.describe, nil),
		wire.Op("AssociateAddress", "ec2:AssociateAddress", func(_ context.Context, in *ec2api.AssociateAddressInput) (*ec2api.AssociateAddressOutput, error) {
			c.give(*in.NetworkInterfaceId, "198.18.0.9")
			return &ec2api.AssociateAddressOutput{}, nil
		}, nil),
	}}
}

func (c *cloud) describeSubnets(_ context.Context, in *ec2api.DescribeSubnetsInput) (*ec2api.DescribeSubnetsOutput, error) {
	out := &ec2api.DescribeSubnetsOutput{}
	for id, s := range subnets {
		if matches(in.Filters, "subnet-id", id) && matches(in.Filters, "vpc-id", s[0]) {
			out.Subnets = append(out.Subnets, ec2api.Subnet{SubnetId: &id, VpcId: &s[0], AvailabilityZone: &s[1], CidrBlock: &s[2]})
		}
	}
	return out, nil
}

func (c *cloud) describeSecurityGroups(_ context.Context, in *ec2api.DescribeSecurityGroupsInput) (*ec2api.DescribeSecurityGroupsOutput, error) {
	out := &ec2api.DescribeSecurityGroupsOutput{}
	for id, g := range securityGroups {
		if matches(in.Filters, "group-id", id) && matches(in.Filters, "vpc-id", g[0]) && matches(in.Filters, "group-name", g[1]) {
			out.SecurityGroups = append(out.SecurityGroups, ec2api.SecurityGroup{GroupId: &id, VpcId: &g[0], GroupName: &g[1]})
		}
	}
	return out, nil
}

func (c *cloud) describeInstances(_ context.Context, in *ec2api.DescribeInstancesInput) (*ec2api.DescribeInstancesOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &ec2api.DescribeInstancesOutput{Reservations: []ec2api.Reservation{{}}}
	for id, state := range c.states {
		vpc := "vpc-1"
		if id == "i-foreign" {
			vpc = "vpc-2"
		}
		if matches(in.Filters, "instance-id", id) {
			out.Reservations[0].Instances = append(out.Reservations[0].Instances, ec2api.Instance{InstanceId: &id, VpcId: &vpc, PrivateIpAddress: aws.Ptr("10.0.1.7"),
				State: &ec2api.InstanceState{Name: ec2api.InstanceStateName(state)}, Placement: &ec2api.Placement{AvailabilityZone: aws.Ptr("us-east-1a")}})
		}
	}
	return out, nil
}

func (c *cloud) create(_ context.Context, in *ec2api.CreateNetworkInterfaceInput) (*ec2api.CreateNetworkInterfaceOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return nil, c.broken
	}
	input, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if before, ok := c.tokens[*in.ClientToken]; ok {
		if before.input != string(input) {
			return nil, awserr.New("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
		}
		return &ec2api.CreateNetworkInterfaceOutput{NetworkInterface: before.n}, nil
	}
	c.made++
	n := &ec2api.NetworkInterface{NetworkInterfaceId: aws.Ptr(fmt.Sprintf("eni-%d", c.made)), SubnetId: in.SubnetId, Description: in.Description,
		PrivateIpAddress: aws.Ptr(fmt.Sprintf("10.0.9.%d", c.made))}
	if in.PrivateIpAddress != nil {
		n.PrivateIpAddress = in.PrivateIpAddress
	}
	for _, g := range in.Groups {
		n.Groups = append(n.Groups, ec2api.GroupIdentifier{GroupId: &g})
	}
	c.interfaces[*n.NetworkInterfaceId], c.tokens[*in.ClientToken] = n, made{string(input), n}
	if err, c.lost = c.lost, nil; err != nil {
		return nil, err
	}
	return &ec2api.CreateNetworkInterfaceOutput{NetworkInterface: n}, nil
}

func (c *cloud) remove(_ context.Context, in *ec2api.DeleteNetworkInterfaceInput) (*ec2api.DeleteNetworkInterfaceOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interfaces[*in.NetworkInterfaceId] == nil {
		return nil, awserr.New("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", *in.NetworkInterfaceId)
	}
	delete(c.interfaces, *in.NetworkInterfaceId)
	return &ec2api.DeleteNetworkInterfaceOutput{}, nil
}

func (c *cloud) give(id, public string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interfaces[id].Association = &ec2api.NetworkInterfaceAssociation{PublicIp: &public}
}

func (c *cloud) modify(_ context.Context, in *ec2api.ModifyNetworkInterfaceAttributeInput) (*ec2api.ModifyNetworkInterfaceAttributeOutput, error) {
	if aws.Val(in.AssociatePublicIpAddress) {
		c.mu.Lock()
		err := c.private
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		c.give(*in.NetworkInterfaceId, "198.18.0.1")
	}
	if in.Groups != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		n := c.interfaces[*in.NetworkInterfaceId]
		n.Groups = nil
		for _, g := range in.Groups {
			n.Groups = append(n.Groups, ec2api.GroupIdentifier{GroupId: &g})
		}
	}
	return &ec2api.ModifyNetworkInterfaceAttributeOutput{}, nil
}

func (c *cloud) describe(_ context.Context, in *ec2api.DescribeNetworkInterfacesInput) (*ec2api.DescribeNetworkInterfacesOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &ec2api.DescribeNetworkInterfacesOutput{NetworkInterfaces: []ec2api.NetworkInterface{*c.interfaces[in.NetworkInterfaceIds[0]]}}, nil
}

// bound is the association of the first address, once an interface has it.
func (c *cloud) bound() *string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.interfaces {
		if n.Association != nil && *n.Association.PublicIp == "198.18.0.9" {
			return n.NetworkInterfaceId
		}
	}
	return nil
}

// there are the interfaces that exist.
func (c *cloud) there() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.interfaces)
}
