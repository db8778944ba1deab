package ec2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// interfaceFilters are those of DescribeNetworkInterfaces. Nothing ever passes those of
// what interfaces here never have: IPv6, prefixes, carrier addresses, operators.
var interfaceFilters = []string{
	"network-interface-id", "vpc-id", "subnet-id", "group-id", "group-name", "private-ip-address", "private-dns-name", "public-dns-name",
	"addresses.private-ip-address", "addresses.primary", "addresses.association.public-ip", "addresses.association.owner-id",
	"association.allocation-id", "association.association-id", "association.ip-owner-id", "association.public-ip", "association.public-dns-name",
	"addresses.association.public-dns-name", "addresses.association.allocation-id", "addresses.association.association-id", "addresses.private-dns-name",
	"attachment.attachment-id", "attachment.attach-time", "attachment.instance-id", "attachment.instance-owner-id", "attachment.device-index",
	"attachment.delete-on-termination", "attachment.status", "attachment.network-card-index", "attachment.nat-gateway-id",
	"availability-zone", "availability-zone-id", "status", "mac-address", "owner-id", "interface-type", "description", "requester-id", "requester-managed",
	"source-dest-check", "operator.managed",
	"ipv6-addresses.ipv6-address", "ipv4-prefixes.ipv4-prefix", "ipv6-prefixes.ipv6-prefix", "operator.principal", "outpost-arn",
	"association.carrier-ip", "association.customer-owned-ip", "addresses.association.carrier-ip", "addresses.association.customer-owned-ip",
}

// DescribeNetworkInterfaces lists interfaces, those of instances and others.
func (s *Service) DescribeNetworkInterfaces(ctx context.Context, in *api.DescribeNetworkInterfacesInput) (*api.DescribeNetworkInterfacesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, interfaceFilters...); err != nil {
		return nil, err
	}
	for _, id := range in.NetworkInterfaceIds {
		if err := checkInterfaceID(id); err != nil {
			return nil, err
		}
	}
	list := []api.NetworkInterface{}
	seen := map[string]bool{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		names := newNaming()
		if err := names.load(tx, c); err != nil {
			return err
		}
		all, err := allInterfaces(tx, c)
		for _, h := range all {
			seen[h.ID] = true
			if (len(in.NetworkInterfaceIds) == 0 || slices.Contains(in.NetworkInterfaceIds, h.ID)) && h.fields(c, names).matches(in.Filters) {
				list = append(list, apiInterface(c, h, names))
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range in.NetworkInterfaceIds {
		if !seen[id] {
			return nil, noInterface(id)
		}
	}
	list, next, err := paginate(list, func(i api.NetworkInterface) string { return *i.NetworkInterfaceId }, in.NextToken, in.MaxResults)
	return &api.DescribeNetworkInterfacesOutput{NetworkInterfaces: list, NextToken: next}, err
}

// fields are what filters compare with.
func (h heldInterface) fields(c aws.Call, names naming) fields {
	private, dns := h.Private.String(), privateDNS(c.Region, h.Private)
	f := fields{
		"network-interface-id": {h.ID}, "vpc-id": {h.VPC}, "subnet-id": {h.Subnet}, "group-id": h.Groups, "mac-address": {h.MAC},
		"private-ip-address": {private}, "addresses.private-ip-address": {private}, "addresses.primary": {"true"},
		"private-dns-name": {dns}, "addresses.private-dns-name": {dns}, "availability-zone": {h.zone()}, "availability-zone-id": {zoneID(c.Region, h.zone())},
		"status": {h.status()}, "owner-id": {c.Account}, "interface-type": {string(h.kind())}, "description": {h.Description},
		"requester-managed": {boolText(h.requester() != "")}, "source-dest-check": {boolText(!h.Forwards)}, "operator.managed": {"false"},
	}
	for _, g := range h.Groups {
		f.add("group-name", names.groups[g])
	}
	if id := h.requesterID(); id != "" {
		f.add("requester-id", id)
	}
	h.attachmentFields(c, f)
	if h.Public.IsValid() {
		f.set(h.Public.String(), "association.public-ip", "addresses.association.public-ip")
		f.set(names.public(c.Region, *h.nic), "association.public-dns-name", "addresses.association.public-dns-name", "public-dns-name")
		f.set(h.publicOwner(c), "association.ip-owner-id", "addresses.association.owner-id")
	}
	if h.Allocation != "" {
		f.set(h.Allocation, "association.allocation-id", "addresses.association.allocation-id")
		f.set(h.Association, "association.association-id", "addresses.association.association-id")
	}
	return f.withTags(h.Tags)
}

func (h heldInterface) attachmentFields(c aws.Call, f fields) {
	if h.AttachmentID == "" {
		return
	}
	instanceID, device, since := h.attachment()
	f.set(h.AttachmentID, "attachment.attachment-id")
	f.set(h.attachmentOwner(c), "attachment.instance-owner-id")
	f.set(itoa(device), "attachment.device-index")
	f.set("0", "attachment.network-card-index")
	f.set(boolText(!h.Keep), "attachment.delete-on-termination")
	f.set("attached", "attachment.status")
	f.set(since.Format(filterTime), "attachment.attach-time")
	if instanceID != "" {
		f.set(instanceID, "attachment.instance-id")
	}
}

func (h heldInterface) status() string {
	if h.inUse() {
		return "in-use"
	}
	return "available"
}

// publicOwner is the owner of an interface's public address.
func (h heldInterface) publicOwner(c aws.Call) string {
	switch {
	case h.Allocation != "":
		return c.Account
	case h.requester() != "":
		return h.attachmentOwner(c)
	}
	return "amazon"
}

func zoneID(region, name string) string {
	i := slices.IndexFunc(zones(region), func(z zone) bool { return z.Name == name })
	if i < 0 {
		return ""
	}
	return zones(region)[i].ID
}

func apiInterface(c aws.Call, h heldInterface, names naming) api.NetworkInterface {
	out := api.NetworkInterface{
		NetworkInterfaceId: aws.Ptr(h.ID), VpcId: aws.Ptr(h.VPC), SubnetId: aws.Ptr(h.Subnet), AvailabilityZone: aws.Ptr(h.zone()),
		AvailabilityZoneId: aws.Ptr(zoneID(c.Region, h.zone())),
		Description:        aws.Ptr(h.Description), Groups: groupIdentifiers(h.Groups, names), InterfaceType: h.kind(), MacAddress: aws.Ptr(h.MAC),
		OwnerId: aws.Ptr(c.Account), PrivateDnsName: aws.Ptr(privateDNS(c.Region, h.Private)), PrivateIpAddress: aws.Ptr(h.Private.String()),
		RequesterManaged: aws.Ptr(h.requester() != ""), SourceDestCheck: aws.Ptr(!h.Forwards), Status: api.NetworkInterfaceStatus(h.status()),
		TagSet: apiTags(h.Tags), Ipv6Addresses: []api.NetworkInterfaceIpv6Address{}, Attachment: apiAttachment(c, h),
		Operator: &api.OperatorResponse{Managed: aws.Ptr(false)},
	}
	if id := h.requesterID(); id != "" {
		out.RequesterId = aws.Ptr(id)
	}
	if h.Public.IsValid() {
		out.Association = &api.NetworkInterfaceAssociation{PublicIp: aws.Ptr(h.Public.String()), PublicDnsName: aws.Ptr(names.public(c.Region, *h.nic)), IpOwnerId: aws.Ptr(h.publicOwner(c))}
		if h.Allocation != "" {
			out.Association.AllocationId, out.Association.AssociationId = aws.Ptr(h.Allocation), aws.Ptr(h.Association)
		}
	}
	out.PrivateIpAddresses = []api.NetworkInterfacePrivateIpAddress{{Association: out.Association, Primary: aws.Ptr(true), PrivateDnsName: out.PrivateDnsName, PrivateIpAddress: out.PrivateIpAddress}}
	return out
}

// apiAttachment is nil for an interface that is attached to nothing.
func apiAttachment(c aws.Call, h heldInterface) *api.NetworkInterfaceAttachment {
	if h.AttachmentID == "" {
		return nil
	}
	id, device, since := h.attachment()
	out := &api.NetworkInterfaceAttachment{
		AttachTime: aws.Ptr(since), AttachmentId: aws.Ptr(h.AttachmentID), DeleteOnTermination: aws.Ptr(!h.Keep), DeviceIndex: aws.Ptr(device),
		InstanceOwnerId: aws.Ptr(h.attachmentOwner(c)), Status: "attached", NetworkCardIndex: aws.Ptr[int32](0),
	}
	if id != "" {
		out.InstanceId = aws.Ptr(id)
	}
	return out
}
