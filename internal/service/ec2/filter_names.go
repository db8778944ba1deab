package ec2

import (
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
)

// Filters that EC2 knows for what no resource here ever has: outposts, IPv6, product
// codes, scheduled events. They are valid, and nothing passes them.
var (
	neverVPC    = ipv6Association
	neverSubnet = append([]string{"customer-owned-ipv4-pool", "enable-lni-at-device-index", "outpost-arn"}, ipv6Association...)
	neverStatus = []string{"event.code", "event.description", "event.instance-event-id", "event.not-after", "event.not-before", "event.not-before-deadline",
		"operator.principal"}
	neverImage = []string{"block-device-mapping.snapshot-id", "kernel-id", "product-code", "product-code.type", "ramdisk-id", "source-image-id", "source-image-region",
		"source-instance-id", "state-reason-code", "state-reason-message", "sriov-net-support"}
	neverInstance = []string{"affinity", "capacity-reservation-id", "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
		"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn", "host-id", "instance-lifecycle", "ipv6-address",
		"kernel-id", "network-interface.addresses.association.carrier-ip", "network-interface.addresses.association.customer-owned-ip",
		"network-interface.association.carrier-ip", "network-interface.association.customer-owned-ip", "network-interface.ipv4-prefixes.ipv4-prefix",
		"network-interface.ipv6-address", "network-interface.ipv6-addresses.ipv6-address", "network-interface.ipv6-addresses.is-primary-ipv6",
		"network-interface.ipv6-prefixes.ipv6-prefix", "network-interface.operator.principal", "network-interface.outpost-arn", "network-interface.requester-id",
		"network-interface.tag-key", "network-interface.tag-value", "operator.principal", "outpost-arn", "placement-group-name", "placement-partition-number", "platform",
		"product-code", "product-code.type", "ramdisk-id", "spot-instance-request-id", "tpm-support"}
	ipv6Association = []string{"ipv6-cidr-block-association.ipv6-cidr-block", "ipv6-cidr-block-association.ipv6-pool",
		"ipv6-cidr-block-association.association-id", "ipv6-cidr-block-association.state"}
)

// instanceDetails are the filters of an instance's lesser properties.
var instanceDetails = []string{
	"availability-zone-id", "boot-mode", "current-instance-boot-mode", "ebs-optimized", "ena-support", "enclave-options.enabled", "hibernation-options.configured",
	"metadata-options.http-endpoint", "metadata-options.http-protocol-ipv6", "metadata-options.http-put-response-hop-limit",
	"metadata-options.instance-metadata-tags", "metadata-options.state", "operator.managed", "reason", "state-reason-message", "usage-operation",
	"usage-operation-update-time",
	"block-device-mapping.attach-time", "block-device-mapping.delete-on-termination", "block-device-mapping.device-name", "block-device-mapping.status",
	"block-device-mapping.volume-id",
	"network-interface.addresses.association.ip-owner-id", "network-interface.addresses.association.public-dns-name", "network-interface.addresses.association.public-ip",
	"network-interface.addresses.primary", "network-interface.addresses.private-dns-name",
	"network-interface.association.ip-owner-id", "network-interface.association.public-dns-name", "network-interface.association.public-ip",
	"network-interface.attachment.attach-time", "network-interface.attachment.attachment-id", "network-interface.attachment.delete-on-termination",
	"network-interface.attachment.device-index", "network-interface.attachment.instance-id", "network-interface.attachment.instance-owner-id",
	"network-interface.attachment.network-card-index", "network-interface.attachment.status", "network-interface.availability-zone", "network-interface.description",
	"network-interface.group-id", "network-interface.group-name", "network-interface.mac-address", "network-interface.operator.managed", "network-interface.owner-id",
	"network-interface.private-dns-name", "network-interface.private-ip-address", "network-interface.public-dns-name", "network-interface.requester-managed",
	"network-interface.source-dest-check", "network-interface.status",
}

func (f fields) set(value string, names ...string) {
	for _, n := range names {
		f[n] = []string{value}
	}
}

const filterTime = "2006-01-02T15:04:05.000Z"

// detailFields fills in the lesser properties that DescribeInstances shows.
func (r *instance) detailFields(c aws.Call, f fields) {
	f.set(boolText(r.EBSOptimized), "ebs-optimized")
	f.set("true", "ena-support")
	f.set("false", "enclave-options.enabled", "hibernation-options.configured", "operator.managed")
	f.set("uefi-preferred", "boot-mode")
	f.set("applied", "metadata-options.state")
	f.set("disabled", "metadata-options.http-protocol-ipv6")
	f.set(r.Metadata.Endpoint, "metadata-options.http-endpoint")
	f.set(r.Metadata.Tags, "metadata-options.instance-metadata-tags")
	f.set(itoa(r.Metadata.HopLimit), "metadata-options.http-put-response-hop-limit")
	f.set(r.TransitionReason, "reason")
	f.set(r.StateReason.Message, "state-reason-message")
	f.set("RunInstances", "usage-operation")
	f.set(r.LaunchTime.Format(filterTime), "usage-operation-update-time")
	for _, z := range zones(c.Region) {
		if z.Name == r.Zone {
			f.set(z.ID, "availability-zone-id")
		}
	}
}

// attachedFields fills in the root volume and the interfaces, which go when the instance
// is terminated.
func (r *instance) attachedFields(c aws.Call, f fields, names naming) {
	f.set(r.LaunchTime.Format(filterTime), "block-device-mapping.attach-time")
	f.set("true", "block-device-mapping.delete-on-termination")
	f.set("attached", "block-device-mapping.status")
	f.set(rootDevice, "block-device-mapping.device-name")
	f.set(r.Root.ID, "block-device-mapping.volume-id")
	for _, h := range r.interfaces(names) {
		own := h.fields(c, names)
		own["addresses.association.ip-owner-id"] = own["addresses.association.owner-id"]
		for name, values := range own {
			if !strings.HasPrefix(name, "tag:") {
				f["network-interface."+name] = append(f["network-interface."+name], values...)
			}
		}
	}
}
