package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/wire"
)

func (s *Service) endpointOperations() []wire.Operation {
	return []wire.Operation{
		newPart("CreateVpcEndpoint", "vpc-endpoint", s.CreateVpcEndpoint, func(in *api.CreateVpcEndpointInput) ([]api.TagSpecification, []string) {
			return in.TagSpecifications, slices.Concat([]string{aws.Val(in.VpcId)}, in.RouteTableIds, in.SubnetIds, in.SecurityGroupIds)
		}),
		onParts("ModifyVpcEndpoint", s.ModifyVpcEndpoint, func(in *api.ModifyVpcEndpointInput) []string {
			return slices.Concat([]string{aws.Val(in.VpcEndpointId)}, in.AddRouteTableIds, in.RemoveRouteTableIds, in.AddSubnetIds, in.RemoveSubnetIds, in.AddSecurityGroupIds, in.RemoveSecurityGroupIds)
		}),
		onParts("DeleteVpcEndpoints", s.DeleteVpcEndpoints, func(in *api.DeleteVpcEndpointsInput) []string { return in.VpcEndpointIds }),
		onAnything("DescribeVpcEndpoints", s.DescribeVpcEndpoints),
		onAnything("DescribeVpcEndpointServices", s.DescribeVpcEndpointServices),
		onAnything("DescribePrefixLists", s.DescribePrefixLists),
	}
}

var endpointParts = networkParts[api.VpcEndpoint]{
	absentAs("InvalidVpcEndpointId", "Vpc Endpoint Id"), []string{"ip-address-type", "service-name", "service-region", "vpc-endpoint-id", "vpc-endpoint-state", "vpc-endpoint-type", "vpc-id"},
	partsOfVPCs(func(c aws.Call, v *vpc) []networkPart[api.VpcEndpoint] {
		var out []networkPart[api.VpcEndpoint]
		for _, e := range v.Endpoints {
			out = append(out, networkPart[api.VpcEndpoint]{e.ID, *apiEndpoint(c, v, e), fields{
				"ip-address-type": {"ipv4"}, "service-name": {e.Service}, "service-region": {c.Region}, "vpc-endpoint-id": {e.ID}, "vpc-endpoint-state": {"available"},
				"vpc-endpoint-type": {"Gateway"}, "vpc-id": {v.ID},
			}})
		}
		return out
	}),
}

func apiEndpoint(c aws.Call, v *vpc, e vpcEndpoint) *api.VpcEndpoint {
	return &api.VpcEndpoint{
		VpcEndpointId: aws.Ptr(e.ID), VpcEndpointType: "Gateway", VpcId: aws.Ptr(v.ID), ServiceName: aws.Ptr(e.Service), State: "available", PolicyDocument: aws.Ptr(e.Policy),
		RouteTableIds: append([]string{}, e.RouteTables...), SubnetIds: []string{}, Groups: []api.SecurityGroupIdentifier{}, PrivateDnsEnabled: aws.Ptr(false), RequesterManaged: aws.Ptr(false),
		NetworkInterfaceIds: []string{}, DnsEntries: []api.DnsEntry{}, CreationTimestamp: aws.Ptr(e.Created), Tags: apiTags(v.Tags[e.ID]), OwnerId: aws.Ptr(c.Account),
		ServiceRegion: aws.Ptr(c.Region),
	}
}

// DescribeVpcEndpoints lists endpoints.
func (s *Service) DescribeVpcEndpoints(ctx context.Context, in *api.DescribeVpcEndpointsInput) (*api.DescribeVpcEndpointsOutput, error) {
	list, next, err := describeParts(ctx, s, endpointParts, in.VpcEndpointIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeVpcEndpointsOutput{VpcEndpoints: list, NextToken: next}, err
}

// gatewayServices are the services that may have an endpoint. Nothing answers for
// DynamoDB, with an endpoint as without one.
func gatewayServices(region string) []string {
	return []string{"com.amazonaws." + region + ".dynamodb", "com.amazonaws." + region + ".s3"}
}

func isGatewayService(region, name string) bool {
	return slices.Contains(gatewayServices(region), name)
}

// DescribeVpcEndpointServices lists the services that may have an endpoint.
func (s *Service) DescribeVpcEndpointServices(ctx context.Context, in *api.DescribeVpcEndpointServicesInput) (*api.DescribeVpcEndpointServicesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "owner", "service-name", "service-region", "service-type", "supported-ip-address-types"); err != nil {
		return nil, err
	}
	for _, name := range in.ServiceNames {
		if !isGatewayService(c.Region, name) {
			return nil, awserr.New("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", name)
		}
	}
	list := []api.ServiceDetail{}
	for _, name := range gatewayServices(c.Region) {
		f := fields{"owner": {"amazon"}, "service-name": {name}, "service-region": {c.Region}, "service-type": {"Gateway"}, "supported-ip-address-types": {"ipv4"}}
		named := len(in.ServiceNames) == 0 || slices.Contains(in.ServiceNames, name)
		here := len(in.ServiceRegions) == 0 || slices.Contains(in.ServiceRegions, c.Region)
		if named && here && f.matches(in.Filters) {
			list = append(list, serviceDetail(c.Region, name))
		}
	}
	list, next, err := paginate(list, func(d api.ServiceDetail) string { return *d.ServiceName }, in.NextToken, in.MaxResults)
	out := &api.DescribeVpcEndpointServicesOutput{ServiceDetails: list, ServiceNames: []string{}, NextToken: next}
	for _, d := range list {
		out.ServiceNames = append(out.ServiceNames, *d.ServiceName)
	}
	return out, err
}

func serviceDetail(region, name string) api.ServiceDetail {
	d := api.ServiceDetail{
		ServiceName: aws.Ptr(name), ServiceId: aws.Ptr("vpce-svc-" + digits17(name)), ServiceType: []api.ServiceTypeDetail{{ServiceType: "Gateway"}}, ServiceRegion: aws.Ptr(region),
		Owner: aws.Ptr("amazon"), VpcEndpointPolicySupported: aws.Ptr(true), AcceptanceRequired: aws.Ptr(false), ManagesVpcEndpoints: aws.Ptr(false), Tags: []api.Tag{},
		BaseEndpointDnsNames: []string{name[len("com.amazonaws."+region+"."):] + "." + region + ".amazonaws.com"}, SupportedIpAddressTypes: []api.ServiceConnectivityType{"ipv4"},
	}
	for _, z := range zones(region) {
		d.AvailabilityZones, d.AvailabilityZoneIds = append(d.AvailabilityZones, z.Name), append(d.AvailabilityZoneIds, z.ID)
	}
	return d
}

func digits17(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])[:17]
}

// knownLists are the ids that Amazon's prefix lists have where many templates name
// them; elsewhere they are made from the name.
var knownLists = map[string]string{"com.amazonaws.us-east-1.s3": "pl-63a5400a", "com.amazonaws.us-east-1.dynamodb": "pl-02cd2c6b", "com.amazonaws.us-west-2.s3": "pl-68a54001", "com.amazonaws.eu-west-1.s3": "pl-6da54004"}

// prefixListOf is the prefix list that has the addresses of a service.
func prefixListOf(service string) string {
	if id, ok := knownLists[service]; ok {
		return id
	}
	return "pl-" + digits17(service)[:8]
}

// DescribePrefixLists lists the addresses of the services that may have an endpoint:
// the one that their names resolve to in VPCs.
func (s *Service) DescribePrefixLists(ctx context.Context, in *api.DescribePrefixListsInput) (*api.DescribePrefixListsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "prefix-list-id", "prefix-list-name"); err != nil {
		return nil, err
	}
	list := []api.PrefixList{}
	seen := map[string]bool{}
	for _, name := range gatewayServices(c.Region) {
		id := prefixListOf(name)
		seen[id] = true
		f := fields{"prefix-list-id": {id}, "prefix-list-name": {name}}
		if (len(in.PrefixListIds) == 0 || slices.Contains(in.PrefixListIds, id)) && f.matches(in.Filters) {
			list = append(list, api.PrefixList{PrefixListId: aws.Ptr(id), PrefixListName: aws.Ptr(name), Cidrs: []string{network.EndpointAddr.String() + "/32"}})
		}
	}
	for _, id := range in.PrefixListIds {
		if !seen[id] {
			return nil, awserr.New("InvalidPrefixListId.NotFound", "The prefix list ID '%s' does not exist.", id)
		}
	}
	list, next, err := paginate(list, func(l api.PrefixList) string { return *l.PrefixListId }, in.NextToken, in.MaxResults)
	return &api.DescribePrefixListsOutput{PrefixLists: list, NextToken: next}, err
}
