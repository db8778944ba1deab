package ec2

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// newInterface makes an interface in a subnet after edit has changed the request.
func (w *world) newInterface(subnetID string, edit func(*api.CreateNetworkInterfaceInput)) api.NetworkInterface {
	w.t.Helper()
	in := &api.CreateNetworkInterfaceInput{SubnetId: &subnetID}
	if edit != nil {
		edit(in)
	}
	return *do[api.CreateNetworkInterfaceOutput](w, "CreateNetworkInterface", in).NetworkInterface
}

func (w *world) interfaces(filters ...api.Filter) []string {
	w.t.Helper()
	out := []string{}
	for _, i := range do[api.DescribeNetworkInterfacesOutput](w, "DescribeNetworkInterfaces", &api.DescribeNetworkInterfacesInput{Filters: filters}).NetworkInterfaces {
		out = append(out, *i.NetworkInterfaceId)
	}
	return out
}

func (w *world) networkInterface(id string) api.NetworkInterface {
	w.t.Helper()
	return do[api.DescribeNetworkInterfacesOutput](w, "DescribeNetworkInterfaces", &api.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}}).NetworkInterfaces[0]
}

// asBalancer is the world as the load balancing service sees it.
func (w *world) asBalancer() *world {
	b := *w
	b.ctx = aws.WithCall(w.t.Context(), aws.AsService("elasticloadbalancing.amazonaws.com", "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1", testAccount, testRegion))
	return &b
}

// TestNetworkInterface follows one interface: what it is made with, what may change,
// what stands in the way of it and what it stands in the way of.
func TestNetworkInterface(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	group := *do[api.CreateSecurityGroupOutput](w, "CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("g"), Description: aws.Ptr("g"), VpcId: &l.vpc}).GroupId
	made := func(in *api.CreateNetworkInterfaceInput) {
		in.PrivateIpAddress, in.Description, in.Groups, in.ClientToken = aws.Ptr("10.0.1.77"), aws.Ptr("front"), []string{group}, aws.Ptr("once")
		in.TagSpecifications = []api.TagSpecification{{ResourceType: "network-interface", Tags: tagList("Name", "n")}}
	}
	id := *w.newInterface(l.public, made).NetworkInterfaceId
	if again := *w.newInterface(l.public, made).NetworkInterfaceId; again != id {
		t.Errorf("the same token made %s", again)
	}
	if got := refused(w, "CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.private, ClientToken: aws.Ptr("once")}); got != "IdempotentParameterMismatch: Arguments on this idempotent request are inconsistent with arguments used in previous request(s)." {
		t.Error(got)
	}
	n := w.networkInterface(id)
	if n.Status != "available" || *n.PrivateIpAddress != "10.0.1.77" || *n.Description != "front" || *n.Groups[0].GroupId != group || n.Attachment != nil ||
		n.Association != nil || *n.VpcId != l.vpc || *n.RequesterId != "AIDATESTER" || *n.RequesterManaged || *n.TagSet[0].Value != "n" || !*n.SourceDestCheck {
		t.Errorf("the interface is %+v", n)
	}
	for _, f := range []api.Filter{filter("group-name", "g"), filter("private-ip-address", "10.0.1.77"), filter("status", "available"), filter("subnet-id", l.public),
		filter("description", "fr*"), filter("tag:Name", "n"), filter("availability-zone-id", "use1-az1"), filter("requester-id", "AIDATESTER"), filter("mac-address", *n.MacAddress)} {
		if got := w.interfaces(f); !slices.Equal(got, []string{id}) {
			t.Errorf("filter %s %v finds %v", *f.Name, f.Values, got)
		}
	}
	for what, got := range map[string]string{
		"group":  refused(w, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: &group}),
		"subnet": refused(w, "DeleteSubnet", &api.DeleteSubnetInput{SubnetId: &l.public}),
	} {
		if want := map[string]string{"group": "DependencyViolation: resource " + group + " has a dependent object", "subnet": "DependencyViolation: The subnet '" + l.public + "' has dependencies and cannot be deleted."}[what]; got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	w.changeAttributes(l, id)
	do[api.DeleteNetworkInterfaceOutput](w, "DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id})
	if got := w.interfaces(); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
	do[api.DeleteSecurityGroupOutput](w, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: &group})
}

func (w *world) changeAttributes(l lan, id string) {
	w.t.Helper()
	def := *do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{Filters: []api.Filter{filter("vpc-id", l.vpc), filter("group-name", "default")}}).SecurityGroups[0].GroupId
	attribute := func(name api.NetworkInterfaceAttribute) *api.DescribeNetworkInterfaceAttributeOutput {
		return do[api.DescribeNetworkInterfaceAttributeOutput](w, "DescribeNetworkInterfaceAttribute", &api.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, Attribute: name})
	}
	for _, in := range []*api.ModifyNetworkInterfaceAttributeInput{
		{Description: &api.AttributeValue{Value: aws.Ptr("back")}}, {Groups: []string{def}}, {SourceDestCheck: &api.AttributeBooleanValue{Value: aws.Ptr(false)}},
	} {
		in.NetworkInterfaceId = &id
		do[api.ModifyNetworkInterfaceAttributeOutput](w, "ModifyNetworkInterfaceAttribute", in)
	}
	if got := attribute("description").Description; *got.Value != "back" {
		w.t.Errorf("description %s", *got.Value)
	}
	if got := attribute("groupSet").Groups; len(got) != 1 || *got[0].GroupId != def || *got[0].GroupName != "default" {
		w.t.Errorf("groups %+v", got)
	}
	if got := attribute("sourceDestCheck").SourceDestCheck; *got.Value {
		w.t.Error("source and destination are still checked")
	}
	if got := attribute("attachment").Attachment; got != nil {
		w.t.Errorf("attachment %+v", got)
	}
	do[api.ResetNetworkInterfaceAttributeOutput](w, "ResetNetworkInterfaceAttribute", &api.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, SourceDestCheck: aws.Ptr("true")})
	if !*w.networkInterface(id).SourceDestCheck {
		w.t.Error("the check was not reset")
	}
}

// TestPrimaryInterface: the interface of an instance is one like others, and its
// attributes are the instance's.
func TestPrimaryInterface(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	nic := *w.instance(id).NetworkInterfaces[0].NetworkInterfaceId
	n := w.networkInterface(nic)
	if n.Status != "in-use" || *n.Attachment.InstanceId != id || *n.Attachment.DeviceIndex != 0 || !*n.Attachment.DeleteOnTermination || n.RequesterId != nil {
		t.Errorf("the interface is %+v", n)
	}
	if got := refused(w, "DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &nic}); got != "InvalidParameterValue: Network interface '"+nic+"' is currently in use." {
		t.Error(got)
	}
	group := w.group("g")
	do[api.ModifyNetworkInterfaceAttributeOutput](w, "ModifyNetworkInterfaceAttribute", &api.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &nic, Groups: []string{group}})
	if got := w.instance(id).SecurityGroups; *got[0].GroupId != group {
		t.Errorf("the instance is in %+v", got)
	}
	if got := w.net.membersOf(nic); !slices.Equal(got, []string{group}) {
		t.Errorf("the network has it in %v", got)
	}
}

// TestElasticAddressOfInterface: an interface holds an elastic address as an instance does.
func TestElasticAddressOfInterface(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	id := *w.newInterface(l.public, nil).NetworkInterfaceId
	eip := w.allocate()
	associate := func(in *api.AssociateAddressInput) string {
		in.AllocationId = eip.AllocationId
		return *do[api.AssociateAddressOutput](w, "AssociateAddress", in).AssociationId
	}
	association := associate(&api.AssociateAddressInput{NetworkInterfaceId: &id})
	a := w.address(*eip.AllocationId)
	if *a.NetworkInterfaceId != id || a.InstanceId != nil || *a.AssociationId != association {
		t.Errorf("the address is at %+v", a)
	}
	n := w.networkInterface(id)
	if n.Association == nil || *n.Association.AllocationId != *eip.AllocationId || *n.Association.PublicIp != *eip.PublicIp || *n.Association.IpOwnerId != testAccount {
		t.Errorf("the interface has %+v", n.Association)
	}
	for _, f := range []api.Filter{filter("association.allocation-id", *eip.AllocationId), filter("addresses.association.public-ip", *eip.PublicIp), filter("association.association-id", association)} {
		if got := w.interfaces(f); !slices.Equal(got, []string{id}) {
			t.Errorf("filter %s finds %v", *f.Name, got)
		}
	}
	if got := refused(w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: eip.AllocationId, NetworkInterfaceId: &id, PrivateIpAddress: aws.Ptr("10.0.1.250")}); got != "InvalidParameterValue: Network interface '"+id+"' does not have private IP address '10.0.1.250'." {
		t.Error(got)
	}
	if got := refused(w, "DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc}); got != "DependencyViolation: Network "+l.vpc+" has some mapped public address(es). Please unmap those public address(es) before detaching the gateway." {
		t.Error(got)
	}
	machine := w.running(inSubnet(l.public))
	associate(&api.AssociateAddressInput{InstanceId: &machine})
	if n := w.networkInterface(id); n.Association != nil {
		t.Errorf("the interface still has %+v", n.Association)
	}
	associate(&api.AssociateAddressInput{NetworkInterfaceId: &id, PrivateIpAddress: w.networkInterface(id).PrivateIpAddress})
	do[api.DeleteNetworkInterfaceOutput](w, "DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id})
	if a := w.address(*eip.AllocationId); a.AssociationId != nil || a.NetworkInterfaceId != nil {
		t.Errorf("the address is still at %+v", a)
	}
}

// TestInterfaceOfService: a service has interfaces that its users see and may not
// touch, and brings them up.
func TestInterfaceOfService(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	b := w.asBalancer()
	id := *b.newInterface(l.public, func(in *api.CreateNetworkInterfaceInput) { in.Description = aws.Ptr("ELB app/a/1") }).NetworkInterfaceId
	n := w.networkInterface(id)
	if !*n.RequesterManaged || *n.RequesterId != "amazon-elb" || n.Status != "in-use" || *n.Attachment.InstanceOwnerId != "amazon-elb" || n.Attachment.InstanceId != nil || *n.Attachment.DeleteOnTermination {
		t.Errorf("the interface is %+v", n)
	}
	for operation, c := range map[string]struct {
		in   any
		want string
	}{
		"DeleteNetworkInterface":          {&api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id}, "InvalidParameterValue: Network interface '" + id + "' is currently in use."},
		"ModifyNetworkInterfaceAttribute": {&api.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, Description: &api.AttributeValue{Value: aws.Ptr("x")}}, "AuthFailure: You do not have permission to access the specified resource."},
		"AssociateAddress":                {&api.AssociateAddressInput{NetworkInterfaceId: &id, AllocationId: w.allocate().AllocationId}, "AuthFailure: You do not have permission to access the specified resource."},
	} {
		if got := refused(w, operation, c.in); got != c.want {
			t.Errorf("%s: %s", operation, got)
		}
	}
	do[api.ModifyNetworkInterfaceAttributeOutput](b, "ModifyNetworkInterfaceAttribute", &api.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, AssociatePublicIpAddress: aws.Ptr(true)})
	if a := w.networkInterface(id).Association; a == nil || *a.IpOwnerId != "amazon-elb" || a.AllocationId != nil {
		t.Errorf("its public address is %+v", a)
	}
	if _, err := w.svc.Up(w.ctx, id); err != nil {
		t.Fatal(err)
	}
	if wire, up := w.net.node(id); !up || wire.VPC != l.vpc || wire.Public.String() != *w.networkInterface(id).Association.PublicIp {
		t.Errorf("the network has %+v", wire)
	}
	if v, known := w.net.vpc(l.vpc); !known || !v.Gateway {
		t.Errorf("the network knows the VPC as %+v", v)
	}
	if err := w.svc.Down(w.ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Up(w.ctx, id); err != nil {
		t.Fatal(err)
	}
	do[api.DeleteNetworkInterfaceOutput](b, "DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id})
	if _, up := w.net.node(id); up {
		t.Error("an interface that is deleted is up")
	}
	if err := w.svc.Down(w.ctx, id); err != nil {
		t.Errorf("down for what is gone: %v", err)
	}
}

// TestUpRefusals: only what a service manages comes up, and nothing where nothing runs.
func TestUpRefusals(t *testing.T) {
	w := newWorld(t)
	id := *w.newInterface(w.lan().public, nil).NetworkInterfaceId
	if _, err := w.svc.Up(w.ctx, id); err == nil {
		t.Error("a user's interface came up")
	}
	if _, err := w.svc.Up(w.ctx, "eni-0"); !isNotFound(err) {
		t.Errorf("one that does not exist: %v", err)
	}
	w.svc.fake = true
	if _, err := w.svc.Up(context.Background(), id); !errors.Is(err, ErrNoDataPlane) {
		t.Errorf("with the fake driver: %v", err)
	}
}

// TestInterfaceRefusals holds EC2's own words for what the operations on interfaces refuse.
func TestInterfaceRefusals(t *testing.T) {
	w := newWorld(t)
	l, other := w.lan(), w.lan()
	id := *w.newInterface(l.public, func(in *api.CreateNetworkInterfaceInput) { in.PrivateIpAddress = aws.Ptr("10.0.1.9") }).NetworkInterfaceId
	foreign := *do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{Filters: []api.Filter{filter("vpc-id", other.vpc)}}).SecurityGroups[0].GroupId
	long := string(slices.Repeat([]byte("x"), 256))
	modify := func(edit func(*api.ModifyNetworkInterfaceAttributeInput)) *api.ModifyNetworkInterfaceAttributeInput {
		in := &api.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &id}
		edit(in)
		return in
	}
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: aws.Ptr("subnet-0")}, "InvalidSubnetID.NotFound: The subnet ID 'subnet-0' does not exist"},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, Groups: []string{"sg-0"}}, "InvalidGroup.NotFound: The security group 'sg-0' does not exist"},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, Groups: []string{foreign}}, "InvalidParameter: Security group " + foreign + " and subnet " + l.public + " belong to different networks."},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, PrivateIpAddress: aws.Ptr("10.0.1.9")}, "InvalidIPAddress.InUse: Address 10.0.1.9 is in use."},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, PrivateIpAddress: aws.Ptr("10.0.2.9")}, "InvalidParameterValue: Address 10.0.2.9 does not fall within the subnet's address range"},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, PrivateIpAddress: aws.Ptr("x")}, "InvalidParameterValue: invalid value for parameter address: [x]"},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, Description: &long}, "InvalidParameterValue: Invalid value for parameter description: it must not be longer than 255 characters."},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, InterfaceType: "efa"}, "UnsupportedOperation: The parameter InterfaceType=efa is not supported by hardstand."},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, Ipv6AddressCount: aws.Ptr[int32](1)}, "UnsupportedOperation: The parameter Ipv6Addresses is not supported by hardstand."},
		{"CreateNetworkInterface", &api.CreateNetworkInterfaceInput{SubnetId: &l.public, TagSpecifications: named("instance")}, "InvalidParameterValue: 'instance' is not a valid taggable resource type for this operation."},
		{"DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.Ptr("eni-0")}, "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0' does not exist"},
		{"DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.Ptr("x")}, "InvalidNetworkInterfaceId.Malformed: Invalid id: \"x\" (expecting \"eni-...\")"},
		{"DescribeNetworkInterfaces", &api.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{"eni-0"}}, "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0' does not exist"},
		{"DescribeNetworkInterfaces", &api.DescribeNetworkInterfacesInput{Filters: []api.Filter{filter("colour", "red")}}, "InvalidParameterValue: The filter 'colour' is invalid"},
		{"DescribeNetworkInterfaceAttribute", &api.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: &id}, "InvalidParameterCombination: No attributes specified."},
		{"ModifyNetworkInterfaceAttribute", modify(func(*api.ModifyNetworkInterfaceAttributeInput) {}), "InvalidParameterCombination: No attributes specified."},
		{"ModifyNetworkInterfaceAttribute", modify(func(in *api.ModifyNetworkInterfaceAttributeInput) {
			in.Groups, in.Description = []string{foreign}, &api.AttributeValue{}
		}), "InvalidParameterCombination: Multiple attributes specified. Only one attribute can be modified at a time."},
		{"ModifyNetworkInterfaceAttribute", modify(func(in *api.ModifyNetworkInterfaceAttributeInput) { in.Groups = []string{foreign} }), "InvalidParameter: Security group " + foreign + " and subnet " + l.public + " belong to different networks."},
		{"ModifyNetworkInterfaceAttribute", modify(func(in *api.ModifyNetworkInterfaceAttributeInput) { in.AssociatePublicIpAddress = aws.Ptr(true) }), "UnsupportedOperation: The parameter AssociatePublicIpAddress is not supported by hardstand."},
		{"ModifyNetworkInterfaceAttribute", modify(func(in *api.ModifyNetworkInterfaceAttributeInput) {
			in.Attachment = &api.NetworkInterfaceAttachmentChanges{AttachmentId: aws.Ptr("eni-attach-0"), DeleteOnTermination: aws.Ptr(true)}
		}), "InvalidAttachmentID.NotFound: The attachment ID 'eni-attach-0' does not exist"},
		{"ResetNetworkInterfaceAttribute", &api.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: &id}, "InvalidParameterCombination: No attributes specified."},
	} {
		if got := refused(w, c.operation, c.in); got != c.want {
			t.Errorf("%s %+v:\n  %s\nwant\n  %s", c.operation, c.in, got, c.want)
		}
	}
}

// TestInterfacesOfNetworkBalancers: a network load balancer may have no groups, others
// get the VPC's default one.
func TestInterfacesOfNetworkBalancers(t *testing.T) {
	w := newWorld(t)
	w.run()
	l, b := w.lan(), w.asBalancer()
	made := func(description string, groups ...string) api.NetworkInterface {
		return w.networkInterface(*b.newInterface(l.public, func(in *api.CreateNetworkInterfaceInput) { in.Description, in.Groups = &description, groups }).NetworkInterfaceId)
	}
	bare := made("ELB net/n/0123456789abcdef")
	if len(bare.Groups) > 0 || bare.InterfaceType != "network_load_balancer" || !*bare.RequesterManaged {
		t.Errorf("without groups it is %+v", bare)
	}
	other := made("ELB app/a/0123456789abcdef")
	if len(other.Groups) != 1 || other.InterfaceType != "interface" {
		t.Errorf("that of an application load balancer is %+v", other)
	}
	if held := made("ELB net/m/0123456789abcdef", *other.Groups[0].GroupId); len(held.Groups) != 1 {
		t.Errorf("with a group it has %v", held.Groups)
	}
}
