package ec2

import (
	"cmp"
	"context"
	"net/netip"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// maxDescription bounds the description of an interface, in characters.
const maxDescription = 255

// CreateNetworkInterface makes an interface in a subnet that is attached to nothing. A
// service that calls for itself makes one that it manages, and that counts as in use.
func (s *Service) CreateNetworkInterface(ctx context.Context, in *api.CreateNetworkInterfaceInput) (*api.CreateNetworkInterfaceOutput, error) {
	c := aws.CallFrom(ctx)
	want, private, err := wantedInterface(c, in)
	if err != nil {
		return nil, err
	}
	row := want
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		var token, hash string
		if m := want.NIC.Made; m != nil {
			token, hash = m.Token, m.Hash
		}
		made, err := madeWith(tx, c, &interfaces, token, hash, func(n *networkInterface) string { return n.NIC.Made.Hash })
		if made != nil || err != nil {
			row = made
			return err
		}
		return s.insertInterface(tx, c, want, in, private)
	})
	if err != nil {
		return nil, err
	}
	names, err := s.names(ctx, c)
	if err != nil {
		return nil, err
	}
	shown := apiInterface(c, heldRow(row), names)
	if row == want && !row.used() {
		shown.Status = "pending" // whoever waits for it describes it
	}
	return &api.CreateNetworkInterfaceOutput{NetworkInterface: &shown, ClientToken: in.ClientToken}, nil
}

// wantedInterface judges the request without looking at stored state; it also returns
// the private address that it asks for, if any.
func wantedInterface(c aws.Call, in *api.CreateNetworkInterfaceInput) (*networkInterface, netip.Addr, error) {
	service := c.Principal.Type == aws.PrincipalService
	err := refuse(
		asked{"Ipv4Prefixes", len(in.Ipv4Prefixes) > 0 || aws.Val(in.Ipv4PrefixCount) > 0},
		asked{"Ipv6Addresses", len(in.Ipv6Addresses) > 0 || aws.Val(in.Ipv6AddressCount) > 0 || len(in.Ipv6Prefixes) > 0 || aws.Val(in.Ipv6PrefixCount) > 0 || aws.Val(in.EnablePrimaryIpv6)},
		asked{"InterfaceType=" + string(in.InterfaceType), in.InterfaceType != "" && in.InterfaceType != "interface" && !service},
		asked{"ConnectionTrackingSpecification", in.ConnectionTrackingSpecification != nil},
		asked{"Operator", in.Operator != nil},
		asked{"SecondaryPrivateIpAddressCount", aws.Val(in.SecondaryPrivateIpAddressCount) > 0},
	)
	if err != nil {
		return nil, noAddr, err
	}
	if err := checkDescription(aws.Val(in.Description)); err != nil {
		return nil, noAddr, err
	}
	private, err := primaryAddress(in.PrivateIpAddress, in.PrivateIpAddresses)
	if err != nil {
		return nil, noAddr, err
	}
	row := &networkInterface{Kind: string(in.InterfaceType)}
	if service {
		row.Requester = c.Principal.Service
	}
	row.NIC.ID, row.NIC.Description, row.NIC.Creator = ids.Resource("eni"), aws.Val(in.Description), cmp.Or(c.Principal.UniqueID, c.Account)
	if row.open() {
		row.Kind = "network_load_balancer"
	}
	if row.NIC.Tags, err = newTags(c, in.TagSpecifications, "network-interface"); err != nil {
		return nil, noAddr, err
	}
	row.NIC.Made, err = makerOf(c, *in)
	return row, private, err
}

func checkDescription(text string) error {
	if utf8.RuneCountInString(text) > maxDescription {
		return awserr.New("InvalidParameterValue", "Invalid value for parameter description: it must not be longer than %d characters.", maxDescription)
	}
	return nil
}

// primaryAddress reads the private address from either of the two members that may
// give it. Secondary addresses are refused.
func primaryAddress(one *string, list []api.PrivateIpAddressSpecification) (netip.Addr, error) {
	text := aws.Val(one)
	for _, a := range list {
		switch {
		case !aws.Val(a.Primary):
			return noAddr, unsupported("PrivateIpAddresses beyond the primary one")
		case text != "" && text != aws.Val(a.PrivateIpAddress):
			return noAddr, awserr.New("InvalidParameterCombination", "Only one primary private IP address can be specified.")
		}
		text = aws.Val(a.PrivateIpAddress)
	}
	if text == "" {
		return noAddr, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return noAddr, awserr.New("InvalidParameterValue", "invalid value for parameter address: [%s]", text)
	}
	return a, nil
}

// makerOf remembers the token of a call that makes an interface.
func makerOf(c aws.Call, in api.CreateNetworkInterfaceInput) (*madeInterface, error) {
	given := in.ClientToken
	in.ClientToken, in.DryRun = nil, nil
	t, hash, err := creationToken(c, given, in)
	if t == "" || err != nil {
		return nil, err
	}
	return &madeInterface{Token: t, Hash: hash}, nil
}

func (s *Service) insertInterface(tx *store.Tx, c aws.Call, row *networkInterface, in *api.CreateNetworkInterfaceInput, private netip.Addr) error {
	subnetID := aws.Val(in.SubnetId)
	if subnetID == "" {
		return missing("subnetId")
	}
	if _, err := ensureDefaultVPC(tx, c); err != nil && !awserr.Is(err, "VPCIdNotSpecified") {
		return err
	}
	v, sub, err := vpcOfSubnet(tx, c, subnetID)
	if err != nil {
		return err
	}
	if !row.open() || len(in.Groups) > 0 {
		if row.NIC.Groups, err = resolveGroups(tx, c, v, sub.ID, in.Groups, nil); err != nil {
			return err
		}
	}
	if err := s.placeInterface(tx, v, sub, row, private); err != nil {
		return err
	}
	if row.Requester != "" {
		row.NIC.AttachmentID, row.Device, row.AttachedAt, row.NIC.Keep = ids.Resource("ela-attach"), 1, s.clock.Now().UTC(), true
	}
	emitPart(tx, c, row.NIC.ID, "network-interface-created")
	return interfaces.Insert(tx, key(c, row.NIC.ID), row)
}

// placeInterface gives a new interface its subnet, its private address (any when none
// is asked for) and its hardware address.
func (s *Service) placeInterface(tx *store.Tx, v *vpc, sub *subnet, row *networkInterface, private netip.Addr) (err error) {
	row.Zone, row.NIC.VPC, row.NIC.Subnet = sub.Zone, v.ID, sub.ID
	if private.IsValid() {
		row.NIC.Private, err = private, checkPrivate(tx, v, sub, private)
	} else {
		row.NIC.Private, err = s.freePrivate(tx, v, sub)
	}
	row.NIC.MAC = macOf(row.NIC.Private)
	return err
}
