package ec2

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

func (s *Service) aclOperations() []wire.Operation {
	return []wire.Operation{
		newPart("CreateNetworkAcl", "network-acl", s.CreateNetworkAcl, func(in *api.CreateNetworkAclInput) ([]api.TagSpecification, []string) {
			return in.TagSpecifications, []string{aws.Val(in.VpcId)}
		}),
		onPart("DeleteNetworkAcl", s.DeleteNetworkAcl, func(in *api.DeleteNetworkAclInput) *string { return in.NetworkAclId }),
		onPart("CreateNetworkAclEntry", s.CreateNetworkAclEntry, func(in *api.CreateNetworkAclEntryInput) *string { return in.NetworkAclId }),
		onPart("ReplaceNetworkAclEntry", s.ReplaceNetworkAclEntry, func(in *api.ReplaceNetworkAclEntryInput) *string { return in.NetworkAclId }),
		onPart("DeleteNetworkAclEntry", s.DeleteNetworkAclEntry, func(in *api.DeleteNetworkAclEntryInput) *string { return in.NetworkAclId }),
		wire.Op("ReplaceNetworkAclAssociation", "ec2:ReplaceNetworkAclAssociation", s.ReplaceNetworkAclAssociation, s.aclAssociationChecks),
	}
}

// askedEntry reads an entry from a request. IPv6 entries are kept, and there is nothing
// here for them to match.
func askedEntry(in *api.ReplaceNetworkAclEntryInput) (aclEntry, error) {
	e := aclEntry{Egress: aws.Val(in.Egress), Number: aws.Val(in.RuleNumber), Deny: in.RuleAction == "deny", From: -1, To: -1}
	var err error
	if e.Protocol, err = protocolNumber(aws.Val(in.Protocol)); err != nil {
		return e, err
	}
	if e.Number < 1 || e.Number > lastACLEntry {
		return e, awserr.New("InvalidParameterValue", "The rule number '%d' is not in the allowed range (1-%d).", e.Number, lastACLEntry)
	}
	switch v4, v6 := aws.Val(in.CidrBlock), aws.Val(in.Ipv6CidrBlock); {
	case v4 == "" && v6 == "":
		return e, awserr.New("MissingParameter", "The request must contain the parameter CidrBlock or Ipv6CidrBlock")
	case v4 != "" && v6 != "":
		return e, awserr.New("InvalidParameterCombination", "Only one of cidrBlock and ipv6CidrBlock may be specified.")
	case v4 != "":
		to, err := parseBlock(v4, "cidrBlock")
		if err != nil {
			return e, err
		}
		e.CIDR = to.Masked().String()
	default:
		to, err := netip.ParsePrefix(v6)
		if err != nil || !to.Addr().Is6() {
			return e, invalidValue(v6, "ipv6CidrBlock")
		}
		e.CIDR = to.Masked().String()
	}
	return e, e.ports(in)
}

func (e *aclEntry) ports(in *api.ReplaceNetworkAclEntryInput) error {
	switch e.Protocol {
	case "6", "17":
		p := in.PortRange
		if p == nil || p.From == nil || p.To == nil {
			return missing("portRange")
		}
		e.From, e.To = *p.From, *p.To
		if e.From == -1 && e.To == -1 {
			e.From, e.To = 0, 65535
		}
		if e.From < 0 || e.To > 65535 || e.From > e.To {
			return awserr.New("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
		}
	case "1", "58":
		i := in.IcmpTypeCode
		if i == nil || i.Type == nil {
			return missing("icmpTypeCode")
		}
		e.From, e.To = *i.Type, orDefault(i.Code, -1)
		if e.From < -1 || e.From > 255 || e.To < -1 || e.To > 255 {
			return awserr.New("InvalidParameterValue", "ICMP code (%d) and type (%d) must be between -1 and 255.", e.To, e.From)
		}
	}
	return nil
}

func (e aclEntry) api() api.NetworkAclEntry {
	out := api.NetworkAclEntry{Egress: aws.Ptr(e.Egress), Protocol: aws.Ptr(e.Protocol), RuleAction: "allow", RuleNumber: aws.Ptr(e.Number)}
	if e.Deny {
		out.RuleAction = "deny"
	}
	if p, err := netip.ParsePrefix(e.CIDR); err == nil && p.Addr().Is6() {
		out.Ipv6CidrBlock = aws.Ptr(e.CIDR)
	} else {
		out.CidrBlock = aws.Ptr(e.CIDR)
	}
	switch e.Protocol {
	case "6", "17":
		out.PortRange = &api.PortRange{From: aws.Ptr(e.From), To: aws.Ptr(e.To)}
	case "1", "58":
		out.IcmpTypeCode = &api.IcmpTypeCode{Type: aws.Ptr(e.From), Code: aws.Ptr(e.To)}
	}
	return out
}

func (a *networkACL) entry(egress bool, number int32) int {
	return slices.IndexFunc(a.Entries, func(e aclEntry) bool { return e.Egress == egress && e.Number == number })
}

// changeEntries changes the entries of an ACL, in its row and in the network.
func (s *Service) changeEntries(ctx context.Context, id string, change func(a *networkACL) error) error {
	c := aws.CallFrom(ctx)
	var v *vpc
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		var a *networkACL
		var err error
		if v, a, err = vpcOfACL(tx, c, id); err != nil {
			return err
		}
		if err := change(a); err != nil {
			return err
		}
		slices.SortFunc(a.Entries, func(x, y aclEntry) int {
			if x.Egress != y.Egress {
				return map[bool]int{true: -1, false: 1}[x.Egress]
			}
			return cmp.Compare(x.Number, y.Number)
		})
		emitPart(tx, c, id, "network-acl-changed")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return err
	}
	return s.pushVPC(ctx, key(c, v.ID))
}

// CreateNetworkAclEntry adds an entry.
func (s *Service) CreateNetworkAclEntry(ctx context.Context, in *api.CreateNetworkAclEntryInput) (*api.CreateNetworkAclEntryOutput, error) {
	e, err := askedEntry((*api.ReplaceNetworkAclEntryInput)(in))
	if err != nil {
		return nil, err
	}
	e.Token = aws.CallFrom(ctx).Token
	return &api.CreateNetworkAclEntryOutput{}, s.changeEntries(ctx, aws.Val(in.NetworkAclId), func(a *networkACL) error {
		if i := a.entry(e.Egress, e.Number); i >= 0 {
			if e.Token != "" && a.Entries[i] == e {
				return nil // the same creation, repeated
			}
			return awserr.New("NetworkAclEntryAlreadyExists", "The network acl entry identified by %d already exists.", e.Number)
		}
		n := 0
		for _, o := range a.Entries {
			if o.Egress == e.Egress {
				n++
			}
		}
		if n >= maxACLEntries {
			return awserr.New("NetworkAclEntryLimitExceeded", "The maximum number of network acl entries has been reached.")
		}
		a.Entries = append(a.Entries, e)
		return nil
	})
}

// ReplaceNetworkAclEntry changes an entry.
func (s *Service) ReplaceNetworkAclEntry(ctx context.Context, in *api.ReplaceNetworkAclEntryInput) (*api.ReplaceNetworkAclEntryOutput, error) {
	e, err := askedEntry(in)
	if err != nil {
		return nil, err
	}
	return &api.ReplaceNetworkAclEntryOutput{}, s.changeEntries(ctx, aws.Val(in.NetworkAclId), func(a *networkACL) error {
		i := a.entry(e.Egress, e.Number)
		if i < 0 {
			return noACLEntry(e.Number, e.Egress)
		}
		e.Token = a.Entries[i].Token
		a.Entries[i] = e
		return nil
	})
}

// DeleteNetworkAclEntry removes an entry.
func (s *Service) DeleteNetworkAclEntry(ctx context.Context, in *api.DeleteNetworkAclEntryInput) (*api.DeleteNetworkAclEntryOutput, error) {
	return &api.DeleteNetworkAclEntryOutput{}, s.changeEntries(ctx, aws.Val(in.NetworkAclId), func(a *networkACL) error {
		i := a.entry(aws.Val(in.Egress), aws.Val(in.RuleNumber))
		if i < 0 {
			return noACLEntry(aws.Val(in.RuleNumber), aws.Val(in.Egress))
		}
		a.Entries = slices.Delete(a.Entries, i, i+1)
		return nil
	})
}

func noACLEntry(number int32, egress bool) error {
	direction := "ingress"
	if egress {
		direction = "egress"
	}
	return awserr.New("InvalidNetworkAclEntry.NotFound", "The network acl entry identified by %s rule number %d does not exist.", direction, number)
}

// networkACLs translates the ACLs of subnets for the network. Those that let
// everything pass are none.
func networkACLs(v *vpc) []network.ACL {
	var out []network.ACL
	for i := range v.Subnets {
		sub := &v.Subnets[i]
		a := v.acl(v.aclOf(sub))
		if a == nil || a.open() {
			continue
		}
		to := network.ACL{Subnet: sub.CIDR}
		for _, e := range a.Entries {
			prefix, err := netip.ParsePrefix(e.CIDR)
			if err != nil {
				continue // none is kept without a prefix
			}
			entry := network.ACLEntry{Deny: e.Deny, Rule: network.Rule{Protocol: e.Protocol, From: int(e.From), To: int(e.To), CIDR: prefix}}
			if e.Egress {
				to.Egress = append(to.Egress, entry)
			} else {
				to.Ingress = append(to.Ingress, entry)
			}
		}
		out = append(out, to)
	}
	return out
}
