package ec2

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// defaultVPC returns nil when it was deleted.
func (s *Service) defaultVPC(ctx context.Context, c aws.Call) (*vpc, error) {
	var v *vpc
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		v, err = findDefaultVPC(tx, c)
		return err
	})
	if err != nil || v != nil {
		return v, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) (err error) {
		v, err = ensureDefaultVPC(tx, c)
		return err
	})
	if awserr.Is(err, "VPCIdNotSpecified") {
		return nil, nil
	}
	return v, err
}

// networkParts describes one kind of thing that belongs to a VPC. list gives every
// one of the caller's as its answer and its filter fields.
type networkParts[T any] struct {
	absent  func(id string) error // the not-found error
	filters []string
	list    func(tx *store.Tx, c aws.Call) ([]networkPart[T], error)
}

// absentAs gives the not-found error its usual form.
func absentAs(code, word string) func(id string) error {
	return func(id string) error { return notFound(code, word, id) }
}

type networkPart[T any] struct {
	id     string
	value  T
	fields fields
}

// partsOfVPCs lists the parts of all VPCs, each once, with their tags.
func partsOfVPCs[T any](of func(c aws.Call, v *vpc) []networkPart[T]) func(*store.Tx, aws.Call) ([]networkPart[T], error) {
	return func(tx *store.Tx, c aws.Call) ([]networkPart[T], error) {
		rows, err := vpcs.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return nil, fmt.Errorf("list VPCs: %w", err)
		}
		var out []networkPart[T]
		seen := map[string]bool{}
		for _, r := range rows {
			for _, part := range of(c, r.Value) {
				if !seen[part.id] {
					part.fields = part.fields.withTags(r.Value.Tags[part.id])
					out = append(out, part)
				}
				seen[part.id] = true
			}
		}
		return out, nil
	}
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
	var kept []networkPart[T]
	seen := map[string]bool{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		parts, err := p.list(tx, c)
		for _, part := range parts {
			seen[part.id] = true
			if (len(ids) == 0 || slices.Contains(ids, part.id)) && part.fields.matches(filters) {
				kept = append(kept, part)
			}
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		if !seen[id] {
			return nil, nil, p.absent(id)
		}
	}
	kept, next, err := paginate(kept, func(p networkPart[T]) string { return p.id }, token, max)
	out := make([]T, 0, len(kept))
	for _, part := range kept {
		out = append(out, part.value)
	}
	return out, next, err
}

var vpcParts = networkParts[api.Vpc]{
	absentAs("InvalidVpcID", "vpc ID"), append(neverVPC, "vpc-id", "cidr", "cidr-block-association.cidr-block", "is-default", "isDefault", "state", "dhcp-options-id", "dhcpOptionsId", "owner-id", "cidr-block", "cidrBlock", "cidr-block-association.association-id", "cidr-block-association.state"),
	partsOfVPCs(func(c aws.Call, v *vpc) []networkPart[api.Vpc] {
		return []networkPart[api.Vpc]{{v.ID, apiVPC(c, v), fields{
			"vpc-id": {v.ID}, "cidr": {v.CIDR.String()}, "is-default": {fmt.Sprint(v.Default)},
			"isDefault": {fmt.Sprint(v.Default)}, "state": {"available"}, "dhcp-options-id": {v.DHCP}, "dhcpOptionsId": {v.DHCP}, "owner-id": {c.Account}, "cidr-block": {v.CIDR.String()}, "cidrBlock": {v.CIDR.String()},
			"cidr-block-association.state": {"associated"},
		}.withBlocks(v)}}
	}),
}

// withBlocks adds the ranges of a VPC.
func (f fields) withBlocks(v *vpc) fields {
	for _, b := range apiBlocks(v) {
		f.add("cidr-block-association.cidr-block", *b.CidrBlock)
		f.add("cidr-block-association.association-id", *b.AssociationId)
	}
	return f
}

func (v *vpc) cidrAssociation() string { return "vpc-cidr-assoc-" + strings.TrimPrefix(v.ID, "vpc-") }

func apiVPC(c aws.Call, v *vpc) api.Vpc {
	return api.Vpc{
		VpcId: aws.Ptr(v.ID), CidrBlock: aws.Ptr(v.CIDR.String()), IsDefault: aws.Ptr(v.Default), State: "available", InstanceTenancy: api.Tenancy(v.tenancy()),
		DhcpOptionsId: aws.Ptr(v.DHCP), OwnerId: aws.Ptr(c.Account), Tags: apiTags(v.Tags[v.ID]),
		CidrBlockAssociationSet:     apiBlocks(v),
		Ipv6CidrBlockAssociationSet: []api.VpcIpv6CidrBlockAssociation{}, BlockPublicAccessStates: &api.BlockPublicAccessStates{InternetGatewayBlockMode: "off"},
	}
}

// DescribeVpcs lists VPCs.
func (s *Service) DescribeVpcs(ctx context.Context, in *api.DescribeVpcsInput) (*api.DescribeVpcsOutput, error) {
	list, next, err := describeParts(ctx, s, vpcParts, in.VpcIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeVpcsOutput{Vpcs: list, NextToken: next}, err
}

var subnetParts = networkParts[api.Subnet]{
	absentAs("InvalidSubnetID", "subnet ID"), append(neverSubnet, "enable-dns64", "map-customer-owned-ip-on-launch", "private-dns-name-options-on-launch.hostname-type",
		"private-dns-name-options-on-launch.enable-resource-name-dns-a-record", "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record",
		"subnet-id", "subnet-arn", "vpc-id", "availability-zone", "availabilityZone", "availability-zone-id", "availabilityZoneId", "cidr-block", "cidr", "cidrBlock", "default-for-az", "defaultForAz", "state", "owner-id", "map-public-ip-on-launch", "available-ip-address-count", "ipv6-native"),
	func(tx *store.Tx, c aws.Call) ([]networkPart[api.Subnet], error) {
		list, err := partsOfVPCs(subnetsOf)(tx, c)
		for i := range list {
			used, err := interfacesIn(tx, "subnet", list[i].id)
			if err != nil {
				return nil, err
			}
			*list[i].value.AvailableIpAddressCount -= int32(used)
			list[i].fields.add("available-ip-address-count", itoa(*list[i].value.AvailableIpAddressCount))
		}
		return list, err
	},
}

func subnetsOf(c aws.Call, v *vpc) []networkPart[api.Subnet] {
	var out []networkPart[api.Subnet]
	for _, sub := range v.Subnets {
		cidr, isDefault := sub.CIDR.String(), boolText(sub.Default)
		out = append(out, networkPart[api.Subnet]{sub.ID, apiSubnet(c, v, sub), fields{
			"subnet-id": {sub.ID}, "subnet-arn": {ec2ARN(c, "subnet/"+sub.ID)}, "vpc-id": {v.ID}, "availability-zone": {sub.Zone}, "availabilityZone": {sub.Zone},
			"availability-zone-id": {sub.ZoneID}, "availabilityZoneId": {sub.ZoneID}, "cidr-block": {cidr}, "cidr": {cidr}, "cidrBlock": {cidr},
			"default-for-az": {isDefault}, "defaultForAz": {isDefault}, "state": {"available"}, "owner-id": {c.Account},
			"map-public-ip-on-launch": {boolText(sub.MapPublic)}, "ipv6-native": {"false"}, "enable-dns64": {"false"},
			"map-customer-owned-ip-on-launch": {"false"}, "private-dns-name-options-on-launch.hostname-type": {"ip-name"},
			"private-dns-name-options-on-launch.enable-resource-name-dns-a-record":    {"false"},
			"private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": {"false"},
		}})
	}
	return out
}

// apiSubnet counts no instances: it serves new subnets, and the list takes them off.
func apiSubnet(c aws.Call, v *vpc, sub subnet) api.Subnet {
	return api.Subnet{
		SubnetId: aws.Ptr(sub.ID), VpcId: aws.Ptr(v.ID), CidrBlock: aws.Ptr(sub.CIDR.String()), AvailabilityZone: aws.Ptr(sub.Zone), AvailabilityZoneId: aws.Ptr(sub.ZoneID),
		State: "available", DefaultForAz: aws.Ptr(sub.Default), MapPublicIpOnLaunch: aws.Ptr(sub.MapPublic), OwnerId: aws.Ptr(c.Account), AssignIpv6AddressOnCreation: aws.Ptr(false),
		SubnetArn: aws.Ptr(ec2ARN(c, "subnet/"+sub.ID)), Tags: apiTags(v.Tags[sub.ID]), AvailableIpAddressCount: aws.Ptr(free(sub.CIDR)),
		EnableDns64: aws.Ptr(false), Ipv6Native: aws.Ptr(false), MapCustomerOwnedIpOnLaunch: aws.Ptr(false), Ipv6CidrBlockAssociationSet: []api.SubnetIpv6CidrBlockAssociation{},
		PrivateDnsNameOptionsOnLaunch: &api.PrivateDnsNameOptionsOnLaunch{HostnameType: "ip-name", EnableResourceNameDnsARecord: aws.Ptr(false), EnableResourceNameDnsAAAARecord: aws.Ptr(false)},
		BlockPublicAccessStates:       &api.BlockPublicAccessStates{InternetGatewayBlockMode: "off"},
	}
}

// DescribeSubnets lists subnets.
func (s *Service) DescribeSubnets(ctx context.Context, in *api.DescribeSubnetsInput) (*api.DescribeSubnetsOutput, error) {
	list, next, err := describeParts(ctx, s, subnetParts, in.SubnetIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeSubnetsOutput{Subnets: list, NextToken: next}, err
}

var dhcpParts = networkParts[api.DhcpOptions]{
	absentAs("InvalidDhcpOptionID", "dhcpOption ID"), []string{"dhcp-options-id", "key", "value", "owner-id"},
	partsOfVPCs(func(c aws.Call, v *vpc) []networkPart[api.DhcpOptions] {
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
	}),
}

// DescribeDhcpOptions lists DHCP option sets.
func (s *Service) DescribeDhcpOptions(ctx context.Context, in *api.DescribeDhcpOptionsInput) (*api.DescribeDhcpOptionsOutput, error) {
	list, next, err := describeParts(ctx, s, dhcpParts, in.DhcpOptionsIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeDhcpOptionsOutput{DhcpOptions: list, NextToken: next}, err
}
