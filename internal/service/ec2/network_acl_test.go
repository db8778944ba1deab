package ec2

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// aclWorld is a world with a running instance in the first default subnet, and an ACL.
type aclWorld struct {
	*world
	vpc, subnet, acl, association string
}

func newACLWorld(t *testing.T) *aclWorld {
	w := &aclWorld{world: newWorld(t)}
	w.run()
	i := w.instance(w.running(func(in *api.RunInstancesInput) {
		in.Placement = &api.Placement{AvailabilityZone: aws.Ptr("us-east-1a")}
	}))
	w.vpc, w.subnet = *i.VpcId, *i.SubnetId
	w.acl = *do[api.CreateNetworkAclOutput](w.world, "CreateNetworkAcl", &api.CreateNetworkAclInput{VpcId: &w.vpc}).NetworkAcl.NetworkAclId
	w.association = w.associated(w.subnet)
	return w
}

func (w *aclWorld) associated(subnet string) string {
	w.t.Helper()
	acl := do[api.DescribeNetworkAclsOutput](w.world, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{Filters: filterBy("association.subnet-id", subnet)}).NetworkAcls[0]
	for _, a := range acl.Associations {
		if *a.SubnetId == subnet {
			return *a.NetworkAclAssociationId
		}
	}
	return ""
}

func (w *aclWorld) enforced() []network.ACL {
	w.t.Helper()
	var acls []network.ACL
	err := w.db.View(w.ctx, func(tx *store.Tx) error {
		v, err := vpcs.Get(tx, key(aws.CallFrom(w.ctx), w.vpc))
		if err != nil {
			return err
		}
		n, err := networkVPC(tx, aws.CallFrom(w.ctx), v)
		acls = n.ACLs
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return acls
}

func TestNetworkACLs(t *testing.T) {
	w := newACLWorld(t)
	entry := func(edit func(*api.CreateNetworkAclEntryInput)) *api.CreateNetworkAclEntryInput {
		in := &api.CreateNetworkAclEntryInput{NetworkAclId: &w.acl, RuleNumber: aws.Ptr[int32](100), Protocol: aws.Ptr("tcp"), RuleAction: "allow", Egress: aws.Ptr(false), CidrBlock: aws.Ptr("0.0.0.0/0"), PortRange: &api.PortRange{From: aws.Ptr[int32](80), To: aws.Ptr[int32](80)}}
		edit(in)
		return in
	}
	do[api.CreateNetworkAclEntryOutput](w.world, "CreateNetworkAclEntry", entry(func(in *api.CreateNetworkAclEntryInput) { in.RuleNumber = aws.Ptr[int32](200) }))
	do[api.CreateNetworkAclEntryOutput](w.world, "CreateNetworkAclEntry", entry(func(in *api.CreateNetworkAclEntryInput) {
		in.RuleAction, in.Protocol, in.CidrBlock = "deny", aws.Ptr("-1"), aws.Ptr("10.1.2.3/8")
	}))
	do[api.CreateNetworkAclEntryOutput](w.world, "CreateNetworkAclEntry", entry(func(in *api.CreateNetworkAclEntryInput) {
		in.Egress, in.Protocol, in.CidrBlock, in.Ipv6CidrBlock = aws.Ptr(true), aws.Ptr("6"), nil, aws.Ptr("::/0")
	}))
	var shown []string
	for _, e := range do[api.DescribeNetworkAclsOutput](w.world, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{NetworkAclIds: []string{w.acl}}).NetworkAcls[0].Entries {
		shown = append(shown, boolText(*e.Egress)+" "+itoa(*e.RuleNumber)+" "+*e.Protocol+" "+string(e.RuleAction)+" "+aws.Val(e.CidrBlock)+aws.Val(e.Ipv6CidrBlock))
	}
	if diff := cmp.Diff([]string{"true 100 6 allow ::/0", "true 32767 -1 deny 0.0.0.0/0", "false 100 -1 deny 10.0.0.0/8", "false 200 6 allow 0.0.0.0/0", "false 32767 -1 deny 0.0.0.0/0"}, shown); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if n := len(w.enforced()); n != 0 {
		t.Errorf("%d ACLs are enforced without a subnet", n)
	}
	next := *do[api.ReplaceNetworkAclAssociationOutput](w.world, "ReplaceNetworkAclAssociation", &api.ReplaceNetworkAclAssociationInput{AssociationId: &w.association, NetworkAclId: &w.acl}).NewAssociationId
	everywhere := netip.MustParsePrefix("0.0.0.0/0")
	want := []network.ACL{{
		Subnet: netip.MustParsePrefix("172.31.0.0/20"),
		Ingress: []network.ACLEntry{{Deny: true, Rule: network.Rule{Protocol: "-1", From: -1, To: -1, CIDR: netip.MustParsePrefix("10.0.0.0/8")}},
			{Rule: network.Rule{Protocol: "6", From: 80, To: 80, CIDR: everywhere}}},
		Egress: []network.ACLEntry{{Rule: network.Rule{Protocol: "6", From: 80, To: 80, CIDR: netip.MustParsePrefix("::/0")}}},
	}}
	if diff := cmp.Diff(want, w.enforced(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("enforced (-want +got):\n%s", diff)
	}
	if got := refused(w.world, "DeleteNetworkAcl", &api.DeleteNetworkAclInput{NetworkAclId: &w.acl}); got != "DependencyViolation: The networkAcl '"+w.acl+"' has dependencies and cannot be deleted." {
		t.Error(got)
	}
	do[api.DeleteNetworkAclEntryOutput](w.world, "DeleteNetworkAclEntry", &api.DeleteNetworkAclEntryInput{NetworkAclId: &w.acl, RuleNumber: aws.Ptr[int32](100), Egress: aws.Ptr(false)})
	if got := len(w.enforced()[0].Ingress); got != 1 {
		t.Errorf("%d entries are enforced", got)
	}
	def := *do[api.DescribeNetworkAclsOutput](w.world, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{Filters: filterBy("default", "true")}).NetworkAcls[0].NetworkAclId
	do[api.ReplaceNetworkAclAssociationOutput](w.world, "ReplaceNetworkAclAssociation", &api.ReplaceNetworkAclAssociationInput{AssociationId: &next, NetworkAclId: &def})
	do[api.DeleteNetworkAclOutput](w.world, "DeleteNetworkAcl", &api.DeleteNetworkAclInput{NetworkAclId: &w.acl})
	if n := len(w.enforced()); n != 0 {
		t.Errorf("%d ACLs are enforced at the end", n)
	}
}

// TestDefaultACL: the entries of the default ACL can be changed too.
func TestDefaultACL(t *testing.T) {
	w := newACLWorld(t)
	def := *do[api.DescribeNetworkAclsOutput](w.world, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{Filters: filterBy("default", "true")}).NetworkAcls[0].NetworkAclId
	do[api.ReplaceNetworkAclEntryOutput](w.world, "ReplaceNetworkAclEntry", &api.ReplaceNetworkAclEntryInput{NetworkAclId: &def, RuleNumber: aws.Ptr[int32](100), Protocol: aws.Ptr("-1"), RuleAction: "deny", Egress: aws.Ptr(true), CidrBlock: aws.Ptr("0.0.0.0/0")})
	if got := w.enforced(); len(got) != len(w.subnets()) || !got[0].Egress[0].Deny {
		t.Errorf("enforced: %+v", got)
	}
	if got := refused(w.world, "DeleteNetworkAcl", &api.DeleteNetworkAclInput{NetworkAclId: &def}); got != "InvalidParameterValue: cannot delete default network ACL "+def {
		t.Error(got)
	}
}

func TestNetworkACLRefusals(t *testing.T) {
	w := newACLWorld(t)
	create := func(edit func(*api.CreateNetworkAclEntryInput)) *api.CreateNetworkAclEntryInput {
		in := &api.CreateNetworkAclEntryInput{NetworkAclId: &w.acl, RuleNumber: aws.Ptr[int32](100), Protocol: aws.Ptr("-1"), RuleAction: "allow", Egress: aws.Ptr(false), CidrBlock: aws.Ptr("0.0.0.0/0")}
		edit(in)
		return in
	}
	do[api.CreateNetworkAclEntryOutput](w.world, "CreateNetworkAclEntry", create(func(*api.CreateNetworkAclEntryInput) {}))
	const none = "acl-00000000000000000"
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateNetworkAclEntry", create(func(*api.CreateNetworkAclEntryInput) {}), "NetworkAclEntryAlreadyExists: The network acl entry identified by 100 already exists."},
		{"CreateNetworkAclEntry", create(func(in *api.CreateNetworkAclEntryInput) { in.RuleNumber = aws.Ptr[int32](32767) }), "InvalidParameterValue: The rule number '32767' is not in the allowed range (1-32766)."},
		{"CreateNetworkAclEntry", create(func(in *api.CreateNetworkAclEntryInput) { in.Protocol = aws.Ptr("quic") }), "InvalidParameterValue: Invalid value 'quic' for IP protocol. Unknown protocol."},
		{"CreateNetworkAclEntry", create(func(in *api.CreateNetworkAclEntryInput) { in.Protocol = aws.Ptr("6") }), "MissingParameter: The request must contain the parameter portRange"},
		{"CreateNetworkAclEntry", create(func(in *api.CreateNetworkAclEntryInput) { in.CidrBlock = nil }), "MissingParameter: The request must contain the parameter CidrBlock or Ipv6CidrBlock"},
		{"CreateNetworkAclEntry", create(func(in *api.CreateNetworkAclEntryInput) { in.NetworkAclId = aws.Ptr(none) }), "InvalidNetworkAclID.NotFound: The networkAcl ID '" + none + "' does not exist"},
		{"DeleteNetworkAclEntry", &api.DeleteNetworkAclEntryInput{NetworkAclId: &w.acl, RuleNumber: aws.Ptr[int32](7), Egress: aws.Ptr(true)}, "InvalidNetworkAclEntry.NotFound: The network acl entry identified by egress rule number 7 does not exist."},
		{"ReplaceNetworkAclEntry", (*api.ReplaceNetworkAclEntryInput)(create(func(in *api.CreateNetworkAclEntryInput) { in.RuleNumber = aws.Ptr[int32](7) })), "InvalidNetworkAclEntry.NotFound: The network acl entry identified by ingress rule number 7 does not exist."},
		{"ReplaceNetworkAclAssociation", &api.ReplaceNetworkAclAssociationInput{AssociationId: aws.Ptr("aclassoc-00000000000000000"), NetworkAclId: &w.acl}, "InvalidAssociationID.NotFound: The association ID 'aclassoc-00000000000000000' does not exist"},
		{"CreateNetworkAcl", &api.CreateNetworkAclInput{VpcId: aws.Ptr("vpc-00000000000000000")}, "InvalidVpcID.NotFound: The vpc ID 'vpc-00000000000000000' does not exist"},
		{"DeleteNetworkAcl", &api.DeleteNetworkAclInput{NetworkAclId: aws.Ptr(none)}, "InvalidNetworkAclID.NotFound: The networkAcl ID '" + none + "' does not exist"},
	} {
		if got := refused(w.world, c.operation, c.in); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.operation, got, c.want)
		}
	}
}

// TestACLAssociationComesBack: a stack that replaces an association and rolls back has
// the old one again; when the update succeeds, the end of the old one changes nothing.
func TestACLAssociationComesBack(t *testing.T) {
	w := newACLWorld(t)
	second := *do[api.CreateNetworkAclOutput](w.world, "CreateNetworkAcl", &api.CreateNetworkAclInput{VpcId: &w.vpc}).NetworkAcl.NetworkAclId
	def := *do[api.DescribeNetworkAclsOutput](w.world, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{Filters: filterBy("default", "true")}).NetworkAcls[0].NetworkAclId
	as := func(token string) context.Context {
		c := aws.CallFrom(w.ctx).WithVia("cloudformation.amazonaws.com")
		c.Token = token
		return aws.WithCall(w.ctx, c)
	}
	replace := func(token, association, acl string) string {
		t.Helper()
		out, err := w.server.Invoke(as(token), "ec2", "ReplaceNetworkAclAssociation", &api.ReplaceNetworkAclAssociationInput{AssociationId: &association, NetworkAclId: &acl})
		if err != nil {
			t.Fatal(err)
		}
		return *out.(*api.ReplaceNetworkAclAssociationOutput).NewAssociationId
	}
	first := replace("stack/A/1", w.association, w.acl)
	next := replace("stack/A/2", first, second)
	replace("", next, def) // rolled back
	if got := w.associated(w.subnet); got != first {
		t.Errorf("rolled back to %s, want %s", got, first)
	}
	next = replace("stack/A/3", first, second)
	replace("", first, def) // cleaned up
	if got := w.associated(w.subnet); got != next {
		t.Errorf("after the clean-up it is %s, want %s", got, next)
	}
	replace("", next, def)
	if acl := do[api.DescribeNetworkAclsOutput](w.world, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{Filters: filterBy("association.subnet-id", w.subnet)}).NetworkAcls[0]; *acl.NetworkAclId != def {
		t.Errorf("at the end it has %s", *acl.NetworkAclId)
	}
}
