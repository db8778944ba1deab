package ec2

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// wantedDevice is an interface that a launch asks for: one that is there, or one to be
// made.
type wantedDevice struct {
	index       int32
	id          string // of the one that is there
	subnetID    string
	groups      []string
	private     netip.Addr
	public      *bool
	description string
	keep        bool
}

// wantedDevices judges the interfaces of a launch and orders them by their indexes.
func wantedDevices(list []api.InstanceNetworkInterfaceSpecification, instances int32) ([]wantedDevice, error) {
	var out []wantedDevice
	for _, ni := range list {
		if err := refuseInterface(ni); err != nil {
			return nil, err
		}
		d, err := wanted1(ni)
		if err != nil {
			return nil, err
		}
		switch {
		case slices.ContainsFunc(out, func(o wantedDevice) bool { return o.index == d.index }):
			return nil, awserr.New("InvalidParameterValue", "Each network interface requires a unique device index.")
		case d.id != "" && instances > 1:
			return nil, awserr.New("InvalidParameterCombination", "A network interface ID may not be specified when launching more than one instance.")
		case d.public != nil && (len(list) > 1 || d.id != ""):
			return nil, awserr.New("InvalidParameterCombination", "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces or with an existing one.")
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b wantedDevice) int { return cmp.Compare(a.index, b.index) })
	if out[0].index != 0 {
		return nil, awserr.New("InvalidParameterValue", "When specifying network interfaces, you must include a device at index 0.")
	}
	return out, nil
}

func wanted1(ni api.InstanceNetworkInterfaceSpecification) (wantedDevice, error) {
	d := wantedDevice{
		index: aws.Val(ni.DeviceIndex), id: aws.Val(ni.NetworkInterfaceId), subnetID: aws.Val(ni.SubnetId), groups: ni.Groups,
		public: ni.AssociatePublicIpAddress, description: aws.Val(ni.Description),
	}
	var err error
	if d.private, err = primaryAddress(ni.PrivateIpAddress, ni.PrivateIpAddresses); err != nil {
		return d, err
	}
	// What a launch makes goes with the instance, what was there before stays.
	if d.keep = d.id != ""; ni.DeleteOnTermination != nil {
		d.keep = !*ni.DeleteOnTermination
	}
	if d.id == "" {
		return d, nil
	}
	for _, also := range []struct {
		name string
		set  bool
	}{{"a subnet", d.subnetID != ""}, {"security groups", len(d.groups) > 0}, {"a private IP address", d.private.IsValid()}, {"a description", d.description != ""}} {
		if also.set {
			return d, awserr.New("InvalidParameterCombination", "A network interface may not specify both a network interface ID and %s", also.name)
		}
	}
	return d, checkInterfaceID(d.id)
}

// refuseInterface refuses what hardstand's interfaces do not do.
func refuseInterface(ni api.InstanceNetworkInterfaceSpecification) error {
	return refuse(
		asked{"NetworkInterface.NetworkCardIndex beyond 0", aws.Val(ni.NetworkCardIndex) != 0},
		asked{"NetworkInterface.InterfaceType", aws.Val(ni.InterfaceType) != "" && *ni.InterfaceType != "interface"},
		asked{"NetworkInterface.SecondaryPrivateIpAddressCount", aws.Val(ni.SecondaryPrivateIpAddressCount) > 0},
		asked{"NetworkInterface.Ipv4Prefixes", len(ni.Ipv4Prefixes) > 0 || aws.Val(ni.Ipv4PrefixCount) > 0},
		asked{"NetworkInterface.Ipv6Addresses", len(ni.Ipv6Addresses) > 0 || aws.Val(ni.Ipv6AddressCount) > 0 || len(ni.Ipv6Prefixes) > 0 || aws.Val(ni.Ipv6PrefixCount) > 0 || aws.Val(ni.PrimaryIpv6)},
		asked{"NetworkInterface.AssociateCarrierIpAddress", aws.Val(ni.AssociateCarrierIpAddress)},
		asked{"NetworkInterface.ConnectionTrackingSpecification", ni.ConnectionTrackingSpecification != nil},
		asked{"NetworkInterface.EnaSrdSpecification", ni.EnaSrdSpecification != nil || ni.EnaQueueCount != nil},
	)
}

// givenPrimary returns the interface that a launch is to have as its primary one, or
// nil when it makes one.
func (r *runRequest) givenPrimary(tx *store.Tx, c aws.Call) (*networkInterface, error) {
	if r.primary.id == "" {
		return nil, nil
	}
	return freeInterface(tx, c, r.primary.id)
}

// takePrimary has a new instance hold the interface that was given.
func takePrimary(tx *store.Tx, c aws.Call, row *instance, given *networkInterface) error {
	if err := interfaces.Delete(tx, key(c, given.NIC.ID)); err != nil {
		return err
	}
	return moveAddress(tx, c, primaryOf(row))
}

// addDevice gives a new instance a further interface.
func (s *Service) addDevice(tx *store.Tx, c aws.Call, r *instance, d wantedDevice, tags map[string]string) error {
	now := s.clock.Now().UTC()
	if d.id != "" {
		row, err := freeInterface(tx, c, d.id)
		if err != nil {
			return err
		}
		return attachTo(tx, c, r, row, d.index, d.keep, now)
	}
	if d.subnetID == "" {
		d.subnetID = r.NIC.Subnet
	}
	v, sub, err := vpcOfSubnet(tx, c, d.subnetID)
	if err != nil {
		return err
	}
	row := &networkInterface{NIC: nic{ID: ids.Resource("eni"), Description: d.description, Tags: tags}}
	if row.NIC.Groups, err = resolveGroups(tx, c, v, sub.ID, d.groups, nil); err != nil {
		return err
	}
	if err := s.placeInterface(tx, v, sub, row, d.private); err != nil {
		return err
	}
	if err := interfaces.Insert(tx, key(c, row.NIC.ID), row); err != nil {
		return err
	}
	return attachTo(tx, c, r, row, d.index, d.keep, now)
}

// deviceChecks are the permissions on the interfaces, subnets and groups that a launch
// uses beside those of its primary interface.
func (r *runRequest) deviceChecks(c aws.Call) []aws.Check {
	var out []aws.Check
	for _, d := range r.devices {
		if d.id != "" {
			out = append(out, aws.Check{Resource: ec2ARN(c, "network-interface/"+d.id)})
		}
		if d.subnetID != "" {
			out = append(out, aws.Check{Resource: ec2ARN(c, "subnet/"+d.subnetID)})
		}
		for _, g := range d.groups {
			out = append(out, aws.Check{Resource: groupARN(c, g)})
		}
	}
	return out
}
