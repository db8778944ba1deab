package ec2

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// regions are the regions that DescribeRegions lists, all enabled by default.
var regions = []string{
	"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
	"eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
}

// optional are the regions that an account has to ask for first. Nobody can here.
var optional = []string{
	"af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7", "ca-west-1",
	"eu-central-2", "eu-south-1", "eu-south-2", "il-central-1", "me-central-1", "me-south-1", "mx-central-1",
}

// Regions returns the names of the regions.
func Regions() []string { return slices.Clone(regions) }

// DescribeRegions lists the regions.
func (s *Service) DescribeRegions(_ context.Context, in *api.DescribeRegionsInput) (*api.DescribeRegionsOutput, error) {
	if err := checkFilters(in.Filters, "region-name", "endpoint", "opt-in-status"); err != nil {
		return nil, err
	}
	out := &api.DescribeRegionsOutput{Regions: []api.Region{}}
	for _, n := range in.RegionNames {
		if !slices.Contains(regions, n) && !slices.Contains(optional, n) {
			return nil, awserr.New("InvalidParameterValue", "Invalid region provided: %s", n)
		}
	}
	all := slices.Clone(regions)
	if aws.Val(in.AllRegions) || len(in.RegionNames) > 0 {
		all = append(all, optional...)
		slices.Sort(all)
	}
	for _, n := range all {
		r := api.Region{RegionName: aws.Ptr(n), Endpoint: aws.Ptr("ec2." + n + ".amazonaws.com"), OptInStatus: aws.Ptr("opt-in-not-required")}
		if slices.Contains(optional, n) {
			r.OptInStatus = aws.Ptr("not-opted-in")
		}
		f := fields{"region-name": {n}, "endpoint": {*r.Endpoint}, "opt-in-status": {*r.OptInStatus}}
		if (len(in.RegionNames) == 0 || slices.Contains(in.RegionNames, n)) && f.matches(in.Filters) {
			out.Regions = append(out.Regions, r)
		}
	}
	return out, nil
}

// DescribeAvailabilityZones lists the zones of the caller's region.
func (s *Service) DescribeAvailabilityZones(ctx context.Context, in *api.DescribeAvailabilityZonesInput) (*api.DescribeAvailabilityZonesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "zone-name", "zone-id", "region-name", "state", "zone-type", "opt-in-status", "group-name"); err != nil {
		return nil, err
	}
	all := zones(c.Region)
	for _, n := range in.ZoneNames {
		if !slices.ContainsFunc(all, func(z zone) bool { return z.Name == n }) {
			return nil, awserr.New("InvalidParameterValue", "Invalid availability zone: [%s]", n)
		}
	}
	out := &api.DescribeAvailabilityZonesOutput{AvailabilityZones: []api.AvailabilityZone{}}
	for _, z := range all {
		f := fields{"zone-name": {z.Name}, "zone-id": {z.ID}, "region-name": {c.Region}, "state": {"available"}, "zone-type": {"availability-zone"}, "opt-in-status": {"opt-in-not-required"}, "group-name": {c.Region}}
		if (len(in.ZoneNames) > 0 && !slices.Contains(in.ZoneNames, z.Name)) || (len(in.ZoneIds) > 0 && !slices.Contains(in.ZoneIds, z.ID)) || !f.matches(in.Filters) {
			continue
		}
		out.AvailabilityZones = append(out.AvailabilityZones, api.AvailabilityZone{
			ZoneName: aws.Ptr(z.Name), ZoneId: aws.Ptr(z.ID), RegionName: aws.Ptr(c.Region), State: "available", OptInStatus: "opt-in-not-required",
			GroupName: aws.Ptr(c.Region), NetworkBorderGroup: aws.Ptr(c.Region), ZoneType: aws.Ptr("availability-zone"), Messages: []api.AvailabilityZoneMessage{},
		})
	}
	return out, nil
}

// DescribeInstanceTypes lists what an instance of a type gets.
func (s *Service) DescribeInstanceTypes(_ context.Context, in *api.DescribeInstanceTypesInput) (*api.DescribeInstanceTypesOutput, error) {
	err := checkFilters(in.Filters, "instance-type", "current-generation", "burstable-performance-supported", "processor-info.supported-architecture",
		"vcpu-info.default-vcpus", "memory-info.size-in-mib", "bare-metal", "supported-virtualization-type", "supported-root-device-type", "free-tier-eligible")
	if err != nil {
		return nil, err
	}
	for _, n := range in.InstanceTypes {
		if _, ok := findType(n); !ok {
			return nil, awserr.New("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", n)
		}
	}
	list := []api.InstanceTypeInfo{}
	for _, t := range instanceTypes {
		if (len(in.InstanceTypes) == 0 || slices.Contains(in.InstanceTypes, t.Name)) && typeFields(t).matches(in.Filters) {
			list = append(list, apiType(t))
		}
	}
	list, next, err := paginate(list, func(i api.InstanceTypeInfo) string { return string(i.InstanceType) }, in.NextToken, in.MaxResults)
	return &api.DescribeInstanceTypesOutput{InstanceTypes: list, NextToken: next}, err
}

func typeFields(t instanceType) fields {
	return fields{
		"instance-type": {t.Name}, "current-generation": {fmt.Sprint(t.Current)}, "burstable-performance-supported": {fmt.Sprint(t.Burstable)},
		"processor-info.supported-architecture": {architecture}, "vcpu-info.default-vcpus": {itoa(t.VCPUs)}, "memory-info.size-in-mib": {fmt.Sprint(t.MemoryMiB)},
		"bare-metal": {"false"}, "supported-virtualization-type": {"hvm"}, "supported-root-device-type": {"ebs"}, "free-tier-eligible": {fmt.Sprint(freeTier(t))},
	}
}

func freeTier(t instanceType) bool { return t.Name == "t2.micro" || t.Name == "t3.micro" }

func apiType(t instanceType) api.InstanceTypeInfo {
	return api.InstanceTypeInfo{
		InstanceType: api.InstanceType(t.Name), CurrentGeneration: aws.Ptr(t.Current), FreeTierEligible: aws.Ptr(freeTier(t)),
		SupportedUsageClasses: []api.UsageClassType{"on-demand"}, SupportedRootDeviceTypes: []api.RootDeviceType{"ebs"},
		SupportedVirtualizationTypes: []api.VirtualizationType{"hvm"}, BareMetal: aws.Ptr(false), Hypervisor: "xen",
		ProcessorInfo: &api.ProcessorInfo{SupportedArchitectures: []api.ArchitectureType{api.ArchitectureType(architecture)}},
		VCpuInfo:      &api.VCpuInfo{DefaultVCpus: aws.Ptr(t.VCPUs), DefaultCores: aws.Ptr(t.VCPUs), DefaultThreadsPerCore: aws.Ptr[int32](1)},
		MemoryInfo:    &api.MemoryInfo{SizeInMiB: aws.Ptr(t.MemoryMiB)}, InstanceStorageSupported: aws.Ptr(false),
		NetworkInfo:          &api.NetworkInfo{MaximumNetworkInterfaces: aws.Ptr(maxInterfaces(t.Name)), Ipv4AddressesPerInterface: aws.Ptr[int32](1), Ipv6Supported: aws.Ptr(false), EnaSupport: "supported"},
		HibernationSupported: aws.Ptr(false), BurstablePerformanceSupported: aws.Ptr(t.Burstable), DedicatedHostsSupported: aws.Ptr(false), AutoRecoverySupported: aws.Ptr(false),
	}
}

// DescribeInstanceTypeOfferings says where the types are to be had: everywhere.
func (s *Service) DescribeInstanceTypeOfferings(ctx context.Context, in *api.DescribeInstanceTypeOfferingsInput) (*api.DescribeInstanceTypeOfferingsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "instance-type", "location"); err != nil {
		return nil, err
	}
	kind := string(in.LocationType)
	var locations []string
	switch kind {
	case "", "region":
		kind, locations = "region", []string{c.Region}
	case "availability-zone":
		for _, z := range zones(c.Region) {
			locations = append(locations, z.Name)
		}
	case "availability-zone-id":
		for _, z := range zones(c.Region) {
			locations = append(locations, z.ID)
		}
	default:
		return nil, unsupported("LocationType=" + kind)
	}
	list := []api.InstanceTypeOffering{}
	for _, t := range instanceTypes {
		for _, l := range locations {
			f := fields{"instance-type": {t.Name}, "location": {l}}
			if f.matches(in.Filters) {
				list = append(list, api.InstanceTypeOffering{InstanceType: api.InstanceType(t.Name), LocationType: api.LocationType(kind), Location: aws.Ptr(l)})
			}
		}
	}
	list, next, err := paginate(list, func(i api.InstanceTypeOffering) string { return string(i.InstanceType) + " " + *i.Location }, in.NextToken, in.MaxResults)
	return &api.DescribeInstanceTypeOfferingsOutput{InstanceTypeOfferings: list, NextToken: next}, err
}

// DescribeAccountAttributes answers with the default VPC and the limits.
func (s *Service) DescribeAccountAttributes(ctx context.Context, in *api.DescribeAccountAttributesInput) (*api.DescribeAccountAttributesOutput, error) {
	v, err := s.defaultVPC(ctx, aws.CallFrom(ctx))
	if err != nil {
		return nil, err
	}
	id := "none"
	if v != nil {
		id = v.ID
	}
	values := map[string]string{
		"default-vpc": id, "supported-platforms": "VPC", "max-instances": itoa(maxPerCall),
		"vpc-max-security-groups-per-interface": "5", "max-elastic-ips": "5", "vpc-max-elastic-ips": "5",
	}
	out := &api.DescribeAccountAttributesOutput{AccountAttributes: []api.AccountAttribute{}}
	for _, n := range []string{"vpc-max-security-groups-per-interface", "max-instances", "supported-platforms", "default-vpc", "max-elastic-ips", "vpc-max-elastic-ips"} {
		if len(in.AttributeNames) > 0 && !slices.Contains(in.AttributeNames, api.AccountAttributeName(n)) {
			continue
		}
		out.AccountAttributes = append(out.AccountAttributes, api.AccountAttribute{
			AttributeName: aws.Ptr(n), AttributeValues: []api.AccountAttributeValue{{AttributeValue: aws.Ptr(values[n])}},
		})
	}
	return out, nil
}
