package ec2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// DescribeNetworkInterfaces lists the interfaces of instances; there are no others.
func (s *Service) DescribeNetworkInterfaces(ctx context.Context, in *api.DescribeNetworkInterfacesInput) (*api.DescribeNetworkInterfacesOutput, error) {
	c := aws.CallFrom(ctx)
	err := checkFilters(in.Filters, "network-interface-id", "vpc-id", "subnet-id", "group-id", "group-name", "attachment.instance-id", "attachment.status",
		"private-ip-address", "addresses.private-ip-address", "association.public-ip", "addresses.association.public-ip", "availability-zone", "status", "mac-address", "owner-id", "interface-type", "description", "association.allocation-id", "requester-id",
		"attachment.attachment-id", "attachment.instance-owner-id", "attachment.device-index", "attachment.delete-on-termination", "association.association-id", "association.ip-owner-id",
		"association.public-dns-name", "addresses.primary", "private-dns-name", "requester-managed", "source-dest-check")
	if err != nil {
		return nil, err
	}
	rows, names, err := s.selectInstances(ctx, c, nil, nil)
	if err != nil {
		return nil, err
	}
	list := []api.NetworkInterface{}
	seen := map[string]bool{}
	for _, r := range rows {
		if r.State == stateTerminated {
			continue
		}
		seen[r.NIC.ID] = true
		if (len(in.NetworkInterfaceIds) == 0 || slices.Contains(in.NetworkInterfaceIds, r.NIC.ID)) && interfaceFields(c, r, names).matches(in.Filters) {
			list = append(list, apiInterface(c, r, names))
		}
	}
	for _, id := range in.NetworkInterfaceIds {
		if !seen[id] {
			return nil, notFound("InvalidNetworkInterfaceID", "networkInterface ID", id)
		}
	}
	list, next, err := paginate(list, func(i api.NetworkInterface) string { return *i.NetworkInterfaceId }, in.NextToken, in.MaxResults)
	return &api.DescribeNetworkInterfacesOutput{NetworkInterfaces: list, NextToken: next}, err
}

func interfaceFields(c aws.Call, r *instance, names naming) fields {
	f := fields{
		"network-interface-id": {r.NIC.ID}, "vpc-id": {r.NIC.VPC}, "subnet-id": {r.NIC.Subnet}, "group-id": r.NIC.Groups,
		"attachment.instance-id": {r.ID}, "attachment.status": {"attached"}, "private-ip-address": {r.NIC.Private.String()},
		"addresses.private-ip-address": {r.NIC.Private.String()}, "availability-zone": {r.Zone}, "status": {"in-use"}, "mac-address": {r.NIC.MAC},
		"owner-id": {c.Account}, "interface-type": {"interface"}, "description": {r.NIC.Description}, "association.allocation-id": {r.NIC.Allocation},
	}
	f.add("attachment.attachment-id", r.NIC.AttachmentID)
	f.add("attachment.instance-owner-id", c.Account)
	f.add("attachment.device-index", "0")
	f.add("attachment.delete-on-termination", "true")
	f.add("addresses.primary", "true")
	f.add("private-dns-name", privateDNS(c.Region, r.NIC.Private))
	f.add("requester-managed", "false")
	f.add("source-dest-check", "true")
	for _, g := range r.NIC.Groups {
		f["group-name"] = append(f["group-name"], names.groups[g])
	}
	if r.NIC.Public.IsValid() {
		f["association.public-ip"] = []string{r.NIC.Public.String()}
		f["addresses.association.public-ip"] = f["association.public-ip"]
		f.add("association.public-dns-name", names.public(c.Region, r))
		f.add("association.association-id", r.NIC.Association)
		f.add("association.ip-owner-id", publicOwner(c, r))
	}
	return f.withTags(r.NIC.Tags)
}

// publicOwner is the owner of an instance's public address.
func publicOwner(c aws.Call, r *instance) string {
	if r.NIC.Allocation == "" {
		return "amazon"
	}
	return c.Account
}

func apiInterface(c aws.Call, r *instance, names naming) api.NetworkInterface {
	out := api.NetworkInterface{
		NetworkInterfaceId: aws.Ptr(r.NIC.ID), VpcId: aws.Ptr(r.NIC.VPC), SubnetId: aws.Ptr(r.NIC.Subnet), AvailabilityZone: aws.Ptr(r.Zone),
		Description: aws.Ptr(r.NIC.Description), Groups: groupIdentifiers(r.NIC.Groups, names), InterfaceType: "interface", MacAddress: aws.Ptr(r.NIC.MAC),
		OwnerId: aws.Ptr(c.Account), PrivateDnsName: aws.Ptr(privateDNS(c.Region, r.NIC.Private)), PrivateIpAddress: aws.Ptr(r.NIC.Private.String()),
		RequesterManaged: aws.Ptr(false), SourceDestCheck: aws.Ptr(true), Status: "in-use", TagSet: apiTags(r.NIC.Tags), Ipv6Addresses: []api.NetworkInterfaceIpv6Address{},
		Attachment: &api.NetworkInterfaceAttachment{
			AttachTime: aws.Ptr(r.LaunchTime), AttachmentId: aws.Ptr(r.NIC.AttachmentID), DeleteOnTermination: aws.Ptr(true),
			DeviceIndex: aws.Ptr[int32](0), InstanceId: aws.Ptr(r.ID), InstanceOwnerId: aws.Ptr(c.Account), Status: "attached",
		},
	}
	if r.NIC.Public.IsValid() {
		out.Association = &api.NetworkInterfaceAssociation{PublicIp: aws.Ptr(r.NIC.Public.String()), PublicDnsName: aws.Ptr(names.public(c.Region, r)), IpOwnerId: aws.Ptr(publicOwner(c, r))}
		if r.NIC.Allocation != "" {
			out.Association.AllocationId, out.Association.AssociationId = aws.Ptr(r.NIC.Allocation), aws.Ptr(r.NIC.Association)
		}
	}
	out.PrivateIpAddresses = []api.NetworkInterfacePrivateIpAddress{{Association: out.Association, Primary: aws.Ptr(true), PrivateDnsName: out.PrivateDnsName, PrivateIpAddress: out.PrivateIpAddress}}
	return out
}

// DescribeVolumes lists the root volumes of instances; there are no others.
func (s *Service) DescribeVolumes(ctx context.Context, in *api.DescribeVolumesInput) (*api.DescribeVolumesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "volume-id", "attachment.instance-id", "attachment.device", "attachment.status", "attachment.delete-on-termination", "availability-zone", "status", "size", "volume-type", "encrypted", "create-time"); err != nil {
		return nil, err
	}
	rows, _, err := s.selectInstances(ctx, c, nil, nil)
	if err != nil {
		return nil, err
	}
	list := []api.Volume{}
	seen := map[string]bool{}
	for _, r := range rows {
		if r.State == stateTerminated {
			continue
		}
		seen[r.Root.ID] = true
		f := fields{
			"volume-id": {r.Root.ID}, "attachment.instance-id": {r.ID}, "attachment.device": {rootDevice}, "attachment.status": {"attached"},
			"attachment.delete-on-termination": {"true"}, "availability-zone": {r.Zone}, "status": {"in-use"}, "size": {itoa(r.Root.GiB)},
			"volume-type": {r.Root.Type}, "encrypted": {"false"}, "create-time": {r.LaunchTime.Format("2006-01-02T15:04:05.000Z")},
		}
		if (len(in.VolumeIds) == 0 || slices.Contains(in.VolumeIds, r.Root.ID)) && f.withTags(r.Root.Tags).matches(in.Filters) {
			list = append(list, apiVolume(r))
		}
	}
	for _, id := range in.VolumeIds {
		if !seen[id] {
			return nil, notFound("InvalidVolume", "volume", id)
		}
	}
	list, next, err := paginate(list, func(i api.Volume) string { return *i.VolumeId }, in.NextToken, in.MaxResults)
	return &api.DescribeVolumesOutput{Volumes: list, NextToken: next}, err
}

func apiVolume(r *instance) api.Volume {
	v := api.Volume{
		VolumeId: aws.Ptr(r.Root.ID), Size: aws.Ptr(r.Root.GiB), AvailabilityZone: aws.Ptr(r.Zone), State: "in-use", CreateTime: aws.Ptr(r.LaunchTime),
		VolumeType: api.VolumeType(r.Root.Type), Encrypted: aws.Ptr(false), SnapshotId: aws.Ptr(""), MultiAttachEnabled: aws.Ptr(false), Tags: apiTags(r.Root.Tags),
		Attachments: []api.VolumeAttachment{{
			VolumeId: aws.Ptr(r.Root.ID), InstanceId: aws.Ptr(r.ID), Device: aws.Ptr(rootDevice), State: "attached",
			AttachTime: aws.Ptr(r.LaunchTime), DeleteOnTermination: aws.Ptr(true),
		}},
	}
	if r.Root.IOPS > 0 {
		v.Iops = aws.Ptr(r.Root.IOPS)
	}
	if r.Root.Throughput > 0 {
		v.Throughput = aws.Ptr(r.Root.Throughput)
	}
	return v
}
