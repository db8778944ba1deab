package ec2

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// prepareVPC makes the default VPC on its first use.
func (s *Service) prepareVPC(ctx context.Context, c aws.Call) error {
	_, err := s.defaultVPC(ctx, c)
	return err
}

func (s *Service) defaultVPC(ctx context.Context, c aws.Call) (*vpc, error) {
	var v *vpc
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := vpcs.Lookup(tx, "default", scoped(key(c, ""), "default"))
		if err == nil && len(rows) > 0 {
			v = rows[0].Value
		}
		return err
	})
	if err != nil || v != nil {
		return v, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) (err error) {
		v, err = ensureDefaultVPC(tx, c)
		return err
	})
	return v, err
}

// networkParts describes one kind of thing that belongs to a VPC. list gives every
// one of v as its answer and its filter fields.
type networkParts[T any] struct {
	code, word string // of the not-found error
	filters    []string
	list       func(c aws.Call, v *vpc) []networkPart[T]
}

type networkPart[T any] struct {
	id     string
	value  T
	fields fields
}

// describeParts is what all describe operations of the VPC's parts share.
func describeParts[T any](ctx context.Context, s *Service, p networkParts[T], ids []string, filters []api.Filter, token *string, max *int32) ([]T, *string, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(filters, p.filters...); err != nil {
		return nil, nil, err
	}
	if err := s.prepareVPC(ctx, c); err != nil {
		return nil, nil, err
	}
	out := []T{}
	seen := map[string]bool{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := vpcs.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return fmt.Errorf("list VPCs: %w", err)
		}
		for _, r := range rows {
			for _, part := range p.list(c, r.Value) {
				seen[part.id] = true
				if (len(ids) == 0 || slices.Contains(ids, part.id)) && part.fields.withTags(r.Value.Tags[part.id]).matches(filters) {
					out = append(out, part.value)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		if !seen[id] {
			return nil, nil, notFound(p.code, p.word, id)
		}
	}
	return paginate(out, token, max)
}

var vpcParts = networkParts[api.Vpc]{
	"InvalidVpcID", "vpc ID", []string{"vpc-id", "cidr", "cidr-block-association.cidr-block", "is-default", "isDefault", "state", "dhcp-options-id", "owner-id"},
	func(c aws.Call, v *vpc) []networkPart[api.Vpc] {
		return []networkPart[api.Vpc]{{v.ID, apiVPC(c, v), fields{
			"vpc-id": {v.ID}, "cidr": {v.CIDR.String()}, "cidr-block-association.cidr-block": {v.CIDR.String()}, "is-default": {fmt.Sprint(v.Default)},
			"isDefault": {fmt.Sprint(v.Default)}, "state": {"available"}, "dhcp-options-id": {v.DHCP}, "owner-id": {c.Account},
		}}}
	},
}

func apiVPC(c aws.Call, v *vpc) api.Vpc {
	return api.Vpc{
		VpcId: aws.Ptr(v.ID), CidrBlock: aws.Ptr(v.CIDR.String()), IsDefault: aws.Ptr(v.Default), State: "available", InstanceTenancy: "default",
		DhcpOptionsId: aws.Ptr(v.DHCP), OwnerId: aws.Ptr(c.Account), Tags: apiTags(v.Tags[v.ID]),
		CidrBlockAssociationSet: []api.VpcCidrBlockAssociation{{AssociationId: aws.Ptr("vpc-cidr-assoc-" + v.ID[4:]), CidrBlock: aws.Ptr(v.CIDR.String()), CidrBlockState: &api.VpcCidrBlockState{State: "associated"}}},
	}
}

// DescribeVpcs lists VPCs.
func (s *Service) DescribeVpcs(ctx context.Context, in *api.DescribeVpcsInput) (*api.DescribeVpcsOutput, error) {
	list, next, err := describeParts(ctx, s, vpcParts, in.VpcIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeVpcsOutput{Vpcs: list, NextToken: next}, err
}

// CreateDefaultVpc makes the default VPC unless it is there.
func (s *Service) CreateDefaultVpc(ctx context.Context, _ *api.CreateDefaultVpcInput) (*api.CreateDefaultVpcOutput, error) {
	c := aws.CallFrom(ctx)
	var v *vpc
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err := vpcs.Lookup(tx, "default", scoped(key(c, ""), "default"))
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			return awserr.New("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
		}
		v, err = ensureDefaultVPC(tx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateDefaultVpcOutput{Vpc: aws.Ptr(apiVPC(c, v))}, nil
}

// DescribeVpcAttribute answers for DNS: both are on in a default VPC.
func (s *Service) DescribeVpcAttribute(ctx context.Context, in *api.DescribeVpcAttributeInput) (*api.DescribeVpcAttributeOutput, error) {
	if _, _, err := describeParts(ctx, s, vpcParts, []string{aws.Val(in.VpcId)}, nil, nil, nil); err != nil {
		return nil, err
	}
	out := &api.DescribeVpcAttributeOutput{VpcId: in.VpcId}
	on := &api.AttributeBooleanValue{Value: aws.Ptr(true)}
	switch in.Attribute {
	case "enableDnsSupport":
		out.EnableDnsSupport = on
	case "enableDnsHostnames":
		out.EnableDnsHostnames = on
	case "enableNetworkAddressUsageMetrics":
		out.EnableNetworkAddressUsageMetrics = &api.AttributeBooleanValue{Value: aws.Ptr(false)}
	default:
		return nil, invalidValue(string(in.Attribute), "attribute")
	}
	return out, nil
}

var subnetParts = networkParts[api.Subnet]{
	"InvalidSubnetID", "subnet ID", []string{"subnet-id", "vpc-id", "availability-zone", "availabilityZone", "availability-zone-id", "cidr-block", "cidr", "cidrBlock", "default-for-az", "defaultForAz", "state", "owner-id", "map-public-ip-on-launch"},
	func(c aws.Call, v *vpc) []networkPart[api.Subnet] {
		var out []networkPart[api.Subnet]
		for _, s := range v.Subnets {
			cidr := s.CIDR.String()
			out = append(out, networkPart[api.Subnet]{s.ID, api.Subnet{
				SubnetId: aws.Ptr(s.ID), VpcId: aws.Ptr(v.ID), CidrBlock: aws.Ptr(cidr), AvailabilityZone: aws.Ptr(s.Zone), AvailabilityZoneId: aws.Ptr(s.ZoneID),
				State: "available", DefaultForAz: aws.Ptr(v.Default), MapPublicIpOnLaunch: aws.Ptr(v.Default), OwnerId: aws.Ptr(c.Account), AssignIpv6AddressOnCreation: aws.Ptr(false),
				SubnetArn: aws.Ptr(ec2ARN(c, "subnet/"+s.ID)), Tags: apiTags(v.Tags[s.ID]), AvailableIpAddressCount: aws.Ptr(int32(1)<<(32-s.CIDR.Bits()) - 5),
				EnableDns64: aws.Ptr(false), Ipv6Native: aws.Ptr(false), MapCustomerOwnedIpOnLaunch: aws.Ptr(false),
			}, fields{
				"subnet-id": {s.ID}, "vpc-id": {v.ID}, "availability-zone": {s.Zone}, "availabilityZone": {s.Zone}, "availability-zone-id": {s.ZoneID},
				"cidr-block": {cidr}, "cidr": {cidr}, "cidrBlock": {cidr}, "default-for-az": {fmt.Sprint(v.Default)}, "defaultForAz": {fmt.Sprint(v.Default)},
				"state": {"available"}, "owner-id": {c.Account}, "map-public-ip-on-launch": {fmt.Sprint(v.Default)},
			}})
		}
		return out
	},
}

// DescribeSubnets lists subnets.
func (s *Service) DescribeSubnets(ctx context.Context, in *api.DescribeSubnetsInput) (*api.DescribeSubnetsOutput, error) {
	list, next, err := describeParts(ctx, s, subnetParts, in.SubnetIds, in.Filters, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	err = s.countFree(ctx, list)
	return &api.DescribeSubnetsOutput{Subnets: list, NextToken: next}, err
}

// countFree takes the addresses of instances off the subnets' free counts.
func (s *Service) countFree(ctx context.Context, list []api.Subnet) error {
	return s.db.View(ctx, func(tx *store.Tx) error {
		for i := range list {
			rows, err := instances.Lookup(tx, "subnet", *list[i].SubnetId)
			if err != nil {
				return err
			}
			*list[i].AvailableIpAddressCount -= int32(len(rows))
		}
		return nil
	})
}

var gatewayParts = networkParts[api.InternetGateway]{
	"InvalidInternetGatewayID", "internetGateway ID", []string{"internet-gateway-id", "attachment.vpc-id", "attachment.state", "owner-id"},
	func(c aws.Call, v *vpc) []networkPart[api.InternetGateway] {
		return []networkPart[api.InternetGateway]{{v.InternetGateway, api.InternetGateway{
			InternetGatewayId: aws.Ptr(v.InternetGateway), OwnerId: aws.Ptr(c.Account), Tags: apiTags(v.Tags[v.InternetGateway]),
			Attachments: []api.InternetGatewayAttachment{{VpcId: aws.Ptr(v.ID), State: "available"}},
		}, fields{"internet-gateway-id": {v.InternetGateway}, "attachment.vpc-id": {v.ID}, "attachment.state": {"available"}, "owner-id": {c.Account}}}}
	},
}

// DescribeInternetGateways lists internet gateways.
func (s *Service) DescribeInternetGateways(ctx context.Context, in *api.DescribeInternetGatewaysInput) (*api.DescribeInternetGatewaysOutput, error) {
	list, next, err := describeParts(ctx, s, gatewayParts, in.InternetGatewayIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeInternetGatewaysOutput{InternetGateways: list, NextToken: next}, err
}

var routeTableParts = networkParts[api.RouteTable]{
	"InvalidRouteTableID", "routeTable ID", []string{"route-table-id", "vpc-id", "association.main", "association.route-table-id", "association.subnet-id", "owner-id", "route.gateway-id", "route.destination-cidr-block"},
	func(c aws.Call, v *vpc) []networkPart[api.RouteTable] {
		id := v.MainRouteTable
		return []networkPart[api.RouteTable]{{id, api.RouteTable{
			RouteTableId: aws.Ptr(id), VpcId: aws.Ptr(v.ID), OwnerId: aws.Ptr(c.Account), Tags: apiTags(v.Tags[id]), PropagatingVgws: []api.PropagatingVgw{},
			Associations: []api.RouteTableAssociation{{Main: aws.Ptr(true), RouteTableAssociationId: aws.Ptr(v.MainAssociation), RouteTableId: aws.Ptr(id), AssociationState: &api.RouteTableAssociationState{State: "associated"}}},
			Routes: []api.Route{
				{DestinationCidrBlock: aws.Ptr(v.CIDR.String()), GatewayId: aws.Ptr("local"), Origin: "CreateRouteTable", State: "active"},
				{DestinationCidrBlock: aws.Ptr("0.0.0.0/0"), GatewayId: aws.Ptr(v.InternetGateway), Origin: "CreateRoute", State: "active"},
			},
		}, fields{
			"route-table-id": {id}, "vpc-id": {v.ID}, "association.main": {"true"}, "association.route-table-id": {id}, "owner-id": {c.Account},
			"route.gateway-id": {"local", v.InternetGateway}, "route.destination-cidr-block": {v.CIDR.String(), "0.0.0.0/0"},
		}}}
	},
}

// DescribeRouteTables lists route tables.
func (s *Service) DescribeRouteTables(ctx context.Context, in *api.DescribeRouteTablesInput) (*api.DescribeRouteTablesOutput, error) {
	list, next, err := describeParts(ctx, s, routeTableParts, in.RouteTableIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeRouteTablesOutput{RouteTables: list, NextToken: next}, err
}

var aclParts = networkParts[api.NetworkAcl]{
	"InvalidNetworkAclID", "networkAcl ID", []string{"network-acl-id", "vpc-id", "default", "association.subnet-id", "association.network-acl-id", "owner-id"},
	func(c aws.Call, v *vpc) []networkPart[api.NetworkAcl] {
		a := api.NetworkAcl{NetworkAclId: aws.Ptr(v.NACL), VpcId: aws.Ptr(v.ID), IsDefault: aws.Ptr(true), OwnerId: aws.Ptr(c.Account), Tags: apiTags(v.Tags[v.NACL])}
		f := fields{"network-acl-id": {v.NACL}, "vpc-id": {v.ID}, "default": {"true"}, "association.network-acl-id": {v.NACL}, "owner-id": {c.Account}}
		for _, s := range v.Subnets {
			a.Associations = append(a.Associations, api.NetworkAclAssociation{NetworkAclAssociationId: aws.Ptr(s.NACLAssociation), NetworkAclId: aws.Ptr(v.NACL), SubnetId: aws.Ptr(s.ID)})
			f["association.subnet-id"] = append(f["association.subnet-id"], s.ID)
		}
		for _, egress := range []bool{true, false} {
			a.Entries = append(a.Entries,
				api.NetworkAclEntry{CidrBlock: aws.Ptr("0.0.0.0/0"), Egress: aws.Ptr(egress), Protocol: aws.Ptr("-1"), RuleAction: "allow", RuleNumber: aws.Ptr[int32](100)},
				api.NetworkAclEntry{CidrBlock: aws.Ptr("0.0.0.0/0"), Egress: aws.Ptr(egress), Protocol: aws.Ptr("-1"), RuleAction: "deny", RuleNumber: aws.Ptr[int32](32767)})
		}
		return []networkPart[api.NetworkAcl]{{v.NACL, a, f}}
	},
}

// DescribeNetworkAcls lists network ACLs: the default one, which allows all.
func (s *Service) DescribeNetworkAcls(ctx context.Context, in *api.DescribeNetworkAclsInput) (*api.DescribeNetworkAclsOutput, error) {
	list, next, err := describeParts(ctx, s, aclParts, in.NetworkAclIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeNetworkAclsOutput{NetworkAcls: list, NextToken: next}, err
}

var dhcpParts = networkParts[api.DhcpOptions]{
	"InvalidDhcpOptionID", "dhcpOption ID", []string{"dhcp-options-id", "key", "value", "owner-id"},
	func(c aws.Call, v *vpc) []networkPart[api.DhcpOptions] {
		domain := "ec2.internal"
		if c.Region != "us-east-1" {
			domain = c.Region + ".compute.internal"
		}
		return []networkPart[api.DhcpOptions]{{v.DHCP, api.DhcpOptions{
			DhcpOptionsId: aws.Ptr(v.DHCP), OwnerId: aws.Ptr(c.Account), Tags: apiTags(v.Tags[v.DHCP]),
			DhcpConfigurations: []api.DhcpConfiguration{
				{Key: aws.Ptr("domain-name"), Values: []api.AttributeValue{{Value: aws.Ptr(domain)}}},
				{Key: aws.Ptr("domain-name-servers"), Values: []api.AttributeValue{{Value: aws.Ptr("AmazonProvidedDNS")}}},
			},
		}, fields{"dhcp-options-id": {v.DHCP}, "key": {"domain-name", "domain-name-servers"}, "value": {domain, "AmazonProvidedDNS"}, "owner-id": {c.Account}}}}
	},
}

// DescribeDhcpOptions lists DHCP option sets.
func (s *Service) DescribeDhcpOptions(ctx context.Context, in *api.DescribeDhcpOptionsInput) (*api.DescribeDhcpOptionsOutput, error) {
	list, next, err := describeParts(ctx, s, dhcpParts, in.DhcpOptionsIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeDhcpOptionsOutput{DhcpOptions: list, NextToken: next}, err
}
