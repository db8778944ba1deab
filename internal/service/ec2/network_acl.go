package ec2

import (
	"context"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// networkACL is kept with its VPC. The default one of a VPC is kept only when somebody
// has changed its entries.
type networkACL struct {
	ID      string
	Entries []aclEntry // by direction and number
	Token   string
}

type aclEntry struct {
	Egress   bool
	Number   int32
	Protocol string // a number, or -1 for all
	Deny     bool
	CIDR     string // IPv4 or IPv6
	From, To int32  // ports, or type and code of ICMP; -1 to -1: all
	Token    string
}

const (
	maxACLs       = 200 // of a VPC
	maxACLEntries = 40  // of each direction
	lastACLEntry  = 32766
)

// openEntries are the entries that the default ACL begins with.
func openEntries() []aclEntry {
	return []aclEntry{
		{Egress: true, Number: 100, Protocol: "-1", CIDR: "0.0.0.0/0", From: -1, To: -1},
		{Number: 100, Protocol: "-1", CIDR: "0.0.0.0/0", From: -1, To: -1},
	}
}

// acl returns the ACL of the id, or nil. The default one is put into the VPC's row.
func (v *vpc) acl(id string) *networkACL {
	i := slices.IndexFunc(v.ACLs, func(a networkACL) bool { return a.ID == id })
	if i < 0 && id == v.NACL {
		i = len(v.ACLs)
		v.ACLs = append(v.ACLs, networkACL{ID: id, Entries: openEntries()})
	}
	if i < 0 {
		return nil
	}
	return &v.ACLs[i]
}

// aclOf returns the id of the ACL that a subnet has.
func (v *vpc) aclOf(sub *subnet) string {
	if sub.NACL != "" {
		return sub.NACL
	}
	return v.NACL
}

// open tells the ACL that lets everything pass, as the default one does at first.
func (a *networkACL) open() bool { return slices.Equal(a.Entries, openEntries()) }

func vpcOfACL(tx *store.Tx, c aws.Call, id string) (*vpc, *networkACL, error) {
	v, err := vpcOfPart(tx, c, id)
	if err == nil {
		if a := v.acl(id); a != nil {
			return v, a, nil
		}
	}
	if err == nil || isNotFound(err) {
		err = notFound("InvalidNetworkAclID", "networkAcl ID", id)
	}
	return nil, nil, err
}

// CreateNetworkAcl makes an ACL that lets nothing pass.
func (s *Service) CreateNetworkAcl(ctx context.Context, in *api.CreateNetworkAclInput) (*api.CreateNetworkAclOutput, error) {
	c := aws.CallFrom(ctx)
	tags, err := newTags(c, in.TagSpecifications, "network-acl")
	if err != nil {
		return nil, err
	}
	a := networkACL{ID: ids.Resource("acl"), Token: partToken(c, "network-acl", in.ClientToken)}
	var v *vpc
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if v, err = partMade(tx, c, a.Token, in.VpcId); v != nil || err != nil {
			return err
		}
		if v, err = getVPC(tx, c, aws.Val(in.VpcId)); err != nil {
			return err
		}
		if len(v.ACLs) >= maxACLs {
			return awserr.New("NetworkAclLimitExceeded", "The maximum number of network ACLs has been reached.")
		}
		v.ACLs = append(v.ACLs, a)
		v.setTags(a.ID, tags)
		emitPart(tx, c, a.ID, "network-acl-created")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(v.ACLs, func(o networkACL) bool { return o.ID == a.ID || a.Token != "" && o.Token == a.Token })
	out := apiACL(c, v, v.ACLs[i])
	return &api.CreateNetworkAclOutput{NetworkAcl: &out, ClientToken: in.ClientToken}, nil
}

// DeleteNetworkAcl removes an ACL that no subnet has.
func (s *Service) DeleteNetworkAcl(ctx context.Context, in *api.DeleteNetworkAclInput) (*api.DeleteNetworkAclOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.NetworkAclId)
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		v, _, err := vpcOfACL(tx, c, id)
		switch {
		case err != nil:
			return err
		case id == v.NACL:
			return awserr.New("InvalidParameterValue", "cannot delete default network ACL %s", id)
		case slices.ContainsFunc(v.Subnets, func(o subnet) bool { return o.NACL == id }):
			return inUse("networkAcl", id)
		}
		v.ACLs = slices.DeleteFunc(v.ACLs, func(o networkACL) bool { return o.ID == id })
		delete(v.Tags, id)
		emitPart(tx, c, id, "network-acl-deleted")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteNetworkAclOutput{}, nil
}

// ReplaceNetworkAclAssociation gives a subnet another ACL.
func (s *Service) ReplaceNetworkAclAssociation(ctx context.Context, in *api.ReplaceNetworkAclAssociationInput) (*api.ReplaceNetworkAclAssociationOutput, error) {
	c := aws.CallFrom(ctx)
	association, id := aws.Val(in.AssociationId), aws.Val(in.NetworkAclId)
	next := ids.Resource("aclassoc")
	var v *vpc
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		var sub *subnet
		var err error
		if v, sub, err = vpcOfACLAssociation(tx, c, association); err != nil {
			return err
		}
		home, _, err := vpcOfACL(tx, c, id)
		if err != nil {
			return err
		}
		if home.ID != v.ID {
			return awserr.New("InvalidParameterValue", "network acl %s and subnet %s belong to different networks", id, sub.ID)
		}
		next = sub.changeACL(c, association, next, id, id == v.NACL)
		emitPart(tx, c, next, "network-acl-associated")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.ReplaceNetworkAclAssociationOutput{NewAssociationId: &next}, s.pushVPC(ctx, key(c, v.ID))
}

// changeACL ends an association and begins another, and returns its id. A stack makes
// a new association before it ends the one that it replaces; when it ends the new one
// instead, to roll back, the old one comes back.
func (sub *subnet) changeACL(c aws.Call, ended, next, acl string, isDefault bool) string {
	if isDefault {
		acl = ""
	}
	former, ending := sub.FormerACL, isDefault && len(c.Via) > 0
	sub.FormerACL = nil
	switch {
	case former != nil && former.ID == ended: // it was ended for good
		return sub.NACLAssociation
	case former != nil && ending:
		sub.NACLAssociation, sub.NACL, sub.ACLToken = former.ID, former.RouteTable, former.Token
		return sub.NACLAssociation
	case sameMaker(sub.ACLToken, c.Token):
		sub.FormerACL = &formerAssociation{ID: sub.NACLAssociation, RouteTable: sub.NACL, Token: sub.ACLToken}
	}
	sub.NACLAssociation, sub.NACL, sub.ACLToken = next, acl, c.Token
	return next
}

func vpcOfACLAssociation(tx *store.Tx, c aws.Call, id string) (*vpc, *subnet, error) {
	rows, err := vpcs.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		for i := range r.Value.Subnets {
			sub := &r.Value.Subnets[i]
			if sub.NACLAssociation == id || sub.FormerACL != nil && sub.FormerACL.ID == id {
				return r.Value, sub, nil
			}
		}
	}
	return nil, nil, notFound("InvalidAssociationID", "association ID", id)
}

// aclAssociationChecks judges the ACL that a subnet is to have, and the subnet.
func (s *Service) aclAssociationChecks(ctx context.Context, in *api.ReplaceNetworkAclAssociationInput) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	id := "*"
	err := s.db.View(ctx, func(tx *store.Tx) error {
		_, sub, err := vpcOfACLAssociation(tx, c, aws.Val(in.AssociationId))
		if awserr.As(err) != nil {
			return nil // the operation says that it is not there
		}
		if err == nil {
			id = sub.ID
		}
		return err
	})
	return []aws.Check{{Resource: ec2ARN(c, "network-acl/"+aws.Val(in.NetworkAclId))}, {Resource: ec2ARN(c, "subnet/"+id)}}, err
}

var aclParts = networkParts[api.NetworkAcl]{
	absentAs("InvalidNetworkAclID", "networkAcl ID"), []string{"network-acl-id", "vpc-id", "default", "association.association-id", "association.subnet-id", "association.network-acl-id", "owner-id",
		"entry.cidr", "entry.icmp.code", "entry.icmp.type", "entry.ipv6-cidr", "entry.port-range.from", "entry.port-range.to", "entry.protocol", "entry.rule-action", "entry.rule-number"},
	partsOfVPCs(func(c aws.Call, v *vpc) []networkPart[api.NetworkAcl] {
		v.acl(v.NACL) // is there, changed or not
		var out []networkPart[api.NetworkAcl]
		for _, a := range v.ACLs {
			shown := apiACL(c, v, a)
			f := fields{"network-acl-id": {a.ID}, "vpc-id": {v.ID}, "default": {boolText(a.ID == v.NACL)}, "owner-id": {c.Account}}
			for _, s := range shown.Associations {
				f.add("association.association-id", *s.NetworkAclAssociationId)
				f.add("association.subnet-id", *s.SubnetId)
				f.add("association.network-acl-id", a.ID)
			}
			for _, e := range shown.Entries {
				f.entry(e)
			}
			out = append(out, networkPart[api.NetworkAcl]{a.ID, shown, f})
		}
		return out
	}),
}

func (f fields) entry(e api.NetworkAclEntry) {
	f.offer("entry.cidr", aws.Val(e.CidrBlock))
	f.offer("entry.ipv6-cidr", aws.Val(e.Ipv6CidrBlock))
	f.add("entry.protocol", *e.Protocol)
	f.add("entry.rule-action", string(e.RuleAction))
	f.add("entry.rule-number", itoa(*e.RuleNumber))
	if p := e.PortRange; p != nil {
		f.add("entry.port-range.from", itoa(*p.From))
		f.add("entry.port-range.to", itoa(*p.To))
	}
	if i := e.IcmpTypeCode; i != nil {
		f.add("entry.icmp.type", itoa(*i.Type))
		f.add("entry.icmp.code", itoa(*i.Code))
	}
}

func apiACL(c aws.Call, v *vpc, a networkACL) api.NetworkAcl {
	out := api.NetworkAcl{
		NetworkAclId: aws.Ptr(a.ID), VpcId: aws.Ptr(v.ID), IsDefault: aws.Ptr(a.ID == v.NACL), OwnerId: aws.Ptr(c.Account), Tags: apiTags(v.Tags[a.ID]),
		Associations: []api.NetworkAclAssociation{},
	}
	for i := range v.Subnets {
		if sub := &v.Subnets[i]; v.aclOf(sub) == a.ID {
			out.Associations = append(out.Associations, api.NetworkAclAssociation{NetworkAclAssociationId: aws.Ptr(sub.NACLAssociation), NetworkAclId: aws.Ptr(a.ID), SubnetId: aws.Ptr(sub.ID)})
		}
	}
	for _, egress := range []bool{true, false} {
		for _, e := range a.Entries {
			if e.Egress == egress {
				out.Entries = append(out.Entries, e.api())
			}
		}
		out.Entries = append(out.Entries, api.NetworkAclEntry{CidrBlock: aws.Ptr("0.0.0.0/0"), Egress: aws.Ptr(egress), Protocol: aws.Ptr("-1"), RuleAction: "deny", RuleNumber: aws.Ptr[int32](lastACLEntry + 1)})
	}
	return out
}

// DescribeNetworkAcls lists network ACLs.
func (s *Service) DescribeNetworkAcls(ctx context.Context, in *api.DescribeNetworkAclsInput) (*api.DescribeNetworkAclsOutput, error) {
	list, next, err := describeParts(ctx, s, aclParts, in.NetworkAclIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeNetworkAclsOutput{NetworkAcls: list, NextToken: next}, err
}

// protocolNumber is how entries write a protocol: by its number.
func protocolNumber(name string) (string, error) {
	switch name {
	case "tcp":
		return "6", nil
	case "udp":
		return "17", nil
	case "icmp":
		return "1", nil
	case "icmpv6":
		return "58", nil
	case "all":
		return "-1", nil
	}
	n, err := strconv.Atoi(name)
	if err != nil || n < -1 || n > 255 {
		return "", awserr.New("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", name)
	}
	return strconv.Itoa(n), nil
}

// ownACLs tells whether there is an ACL beside the default one.
func (v *vpc) ownACLs() bool {
	return slices.ContainsFunc(v.ACLs, func(a networkACL) bool { return a.ID != v.NACL })
}
