package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrAddressInUse is returned when a public address is already routed by
// somebody else on this machine (another server, a VPN). The caller may choose
// another address and try again.
var ErrAddressInUse = errors.New("public address is in use on this machine")

// VPC is one virtual network: a namespace that routes between its instances.
type VPC struct {
	ID   string
	CIDR netip.Prefix
	// More are ranges of addresses beside CIDR.
	More []netip.Prefix
	// Gateway says whether an internet gateway is attached. Without one the
	// VPC has no uplink: no public address answers and nothing gets out.
	Gateway bool
	// Exits are the ways out by the gateway. What matches none stays in.
	Exits []Exit
	// ACLs filter what crosses the borders of subnets; one without an ACL is open.
	ACLs []ACL
	// Nameless turns the name server off.
	Nameless bool
}

// Exit is what the route table of a subnet says about one range of
// destinations. Of several that match the one with the longest To counts.
type Exit struct {
	From, To netip.Prefix
	// Closed is a way that leads nowhere: a more specific route to something
	// that is not there.
	Closed bool
	// NAT is the public address of a NAT gateway: what leaves by this way has it as
	// its source, and nothing but answers comes back.
	NAT netip.Addr
	// Via is the private address of an interface that takes what is sent this way;
	// while it is not attached the way leads nowhere.
	Via netip.Addr
}

// NIC is one network interface of an instance.
type NIC struct {
	ID             string // eni-...
	VPC            string // vpc-...
	VPCCIDR        netip.Prefix
	Subnet         netip.Prefix
	Private        netip.Addr
	Public         netip.Addr // zero: none
	MAC            string
	SecurityGroups []string
	// Device is the number of the interface in its instance, which has it as eth<Device>.
	Device int
	// Forwards has the interface take packets for other addresses, when an exit leads to
	// it, and send packets from other addresses.
	Forwards bool
	// Open lets all through where there are no security groups, as at a network load
	// balancer without any; else nothing passes then.
	Open bool
}

// Group is a security group: what its members may receive and send. What no
// rule allows is dropped.
type Group struct {
	ID              string
	Ingress, Egress []Rule
}

// Rule allows traffic with one peer: a CIDR or the members of a group.
type Rule struct {
	// Protocol is tcp, udp, icmp, -1 (everything) or an IP protocol number.
	Protocol string
	// From and To are ports; for icmp type and code, -1 meaning any.
	From, To int
	// CIDR is the peer unless Group is set.
	CIDR netip.Prefix
	// Group names the peer group, in the same VPC.
	Group string
}

// maxDevice is the highest number that an interface may have in its instance.
const maxDevice = 255

// Router returns the address of the subnet's router, which is the first one.
func (n NIC) Router() netip.Addr { return n.Subnet.Masked().Addr().Next() }

// link is the name of the interface as its instance sees it.
func (n NIC) link() string { return fmt.Sprintf("eth%d", n.Device) }

func (n NIC) validate() error {
	switch {
	case n.ID == "" || n.VPC == "":
		return fmt.Errorf("network interface %q of VPC %q: both ids are needed", n.ID, n.VPC)
	case !n.VPCCIDR.IsValid() || !n.VPCCIDR.Addr().Is4() || !n.Subnet.IsValid() || !n.Subnet.Addr().Is4():
		return fmt.Errorf("network interface %s: VPC CIDR %v and subnet %v must be IPv4", n.ID, n.VPCCIDR, n.Subnet)
	case !n.Private.IsValid() || !n.Subnet.Contains(n.Private):
		return fmt.Errorf("network interface %s: address %v is not in subnet %v", n.ID, n.Private, n.Subnet)
	case n.Device < 0 || n.Device > maxDevice:
		return fmt.Errorf("network interface %s: device number %d is not between 0 and %d", n.ID, n.Device, maxDevice)
	case n.Public.IsValid() && !n.Public.Is4():
		return fmt.Errorf("network interface %s: public address %v is not IPv4", n.ID, n.Public)
	}
	if _, err := net.ParseMAC(n.MAC); err != nil {
		return fmt.Errorf("network interface %s: %w", n.ID, err)
	}
	return nil
}
