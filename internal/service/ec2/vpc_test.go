package ec2

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// lan is a VPC with a gateway, a subnet that a route leads out of and one without.
type lan struct{ vpc, gateway, main, table, public, private, association string }

func (w *world) lan() lan {
	w.t.Helper()
	l := lan{}
	l.vpc = *do[api.CreateVpcOutput](w, "CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.0.0.0/16"), TagSpecifications: named("vpc")}).Vpc.VpcId
	l.main = *w.tables(filter("vpc-id", l.vpc), filter("association.main", "true"))[0].RouteTableId
	l.gateway = *do[api.CreateInternetGatewayOutput](w, "CreateInternetGateway", &api.CreateInternetGatewayInput{TagSpecifications: named("internet-gateway")}).InternetGateway.InternetGatewayId
	do[api.AttachInternetGatewayOutput](w, "AttachInternetGateway", &api.AttachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc})
	l.public, l.private = w.subnet(l.vpc, "10.0.1.0/24"), w.subnet(l.vpc, "10.0.2.0/24")
	l.table = *do[api.CreateRouteTableOutput](w, "CreateRouteTable", &api.CreateRouteTableInput{VpcId: &l.vpc, TagSpecifications: named("route-table")}).RouteTable.RouteTableId
	do[api.CreateRouteOutput](w, "CreateRoute", &api.CreateRouteInput{RouteTableId: &l.table, DestinationCidrBlock: aws.Ptr("0.0.0.0/0"), GatewayId: &l.gateway})
	l.association = *do[api.AssociateRouteTableOutput](w, "AssociateRouteTable", &api.AssociateRouteTableInput{RouteTableId: &l.table, SubnetId: &l.public}).AssociationId
	do[api.ModifySubnetAttributeOutput](w, "ModifySubnetAttribute", &api.ModifySubnetAttributeInput{SubnetId: &l.public, MapPublicIpOnLaunch: &api.AttributeBooleanValue{Value: aws.Ptr(true)}})
	return l
}

func named(kind api.ResourceType) []api.TagSpecification {
	return []api.TagSpecification{{ResourceType: kind, Tags: tagList("Name", "lan")}}
}

func (w *world) subnet(vpcID, cidr string) string {
	w.t.Helper()
	return *do[api.CreateSubnetOutput](w, "CreateSubnet", &api.CreateSubnetInput{VpcId: &vpcID, CidrBlock: &cidr, TagSpecifications: named("subnet")}).Subnet.SubnetId
}

func (w *world) tables(filters ...api.Filter) []api.RouteTable {
	w.t.Helper()
	return do[api.DescribeRouteTablesOutput](w, "DescribeRouteTables", &api.DescribeRouteTablesInput{Filters: filters}).RouteTables
}

func inSubnet(id string) func(*api.RunInstancesInput) {
	return func(in *api.RunInstancesInput) { in.SubnetId = &id }
}

// routes renders a route table: destination, gateway, state.
func routes(t api.RouteTable) (out []string) {
	for _, r := range t.Routes {
		out = append(out, *r.DestinationCidrBlock+" "+*r.GatewayId+" "+string(r.State))
	}
	return out
}

// exits waits for nothing: the network is told before an operation answers.
func (w *world) checkExits(what, vpcID string, want ...network.Exit) {
	w.t.Helper()
	v, _ := w.net.vpc(vpcID)
	if diff := cmp.Diff(want, v.Exits, compareAddresses, cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("%s: exits (-want +got):\n%s", what, diff)
	}
}

// TestRoutes: what the network is told when routes, associations and attachments
// change while instances run.
func TestRoutes(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	if _, known := w.net.vpc(l.vpc); known {
		t.Error("the network knows a VPC that nobody is in")
	}
	in, out := w.running(inSubnet(l.public)), w.running(inSubnet(l.private))
	if i := w.instance(in); i.PublicIpAddress == nil || *i.PrivateIpAddress != "10.0.1.4" || *i.VpcId != l.vpc || *i.PublicDnsName != "" {
		t.Errorf("in the public subnet: %+v", i)
	}
	if i := w.instance(out); i.PublicIpAddress != nil || *i.PrivateIpAddress != "10.0.2.4" {
		t.Errorf("in the private subnet: %+v", i)
	}
	from := netip.MustParsePrefix("10.0.1.0/24")
	all := network.Exit{From: from, To: everywhere}
	w.checkExits("at first", l.vpc, all)
	do[api.CreateRouteOutput](w, "CreateRoute", &api.CreateRouteInput{RouteTableId: &l.main, DestinationCidrBlock: aws.Ptr("192.0.2.1/24"), GatewayId: &l.gateway})
	w.checkExits("with a route in the main table", l.vpc, all, network.Exit{From: netip.MustParsePrefix("10.0.2.0/24"), To: netip.MustParsePrefix("192.0.2.0/24")})
	do[api.DeleteRouteOutput](w, "DeleteRoute", &api.DeleteRouteInput{RouteTableId: &l.main, DestinationCidrBlock: aws.Ptr("192.0.2.0/24")})
	w.checkExits("without it", l.vpc, all)
	replaced := do[api.ReplaceRouteTableAssociationOutput](w, "ReplaceRouteTableAssociation", &api.ReplaceRouteTableAssociationInput{AssociationId: &l.association, RouteTableId: &l.main})
	w.checkExits("by the main table", l.vpc)
	do[api.ReplaceRouteTableAssociationOutput](w, "ReplaceRouteTableAssociation", &api.ReplaceRouteTableAssociationInput{AssociationId: replaced.NewAssociationId, RouteTableId: &l.table})
	w.terminate(in)
	w.await(in, stateTerminated)
	do[api.DetachInternetGatewayOutput](w, "DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc})
	w.checkExits("without a gateway", l.vpc, network.Exit{From: from, To: everywhere, Closed: true})
	if v, _ := w.net.vpc(l.vpc); v.Gateway {
		t.Error("the network still has a gateway")
	}
	want := []string{"10.0.0.0/16 local active", "0.0.0.0/0 " + l.gateway + " blackhole"}
	if diff := cmp.Diff(want, routes(w.tables(filter("route-table-id", l.table))[0])); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	do[api.AttachInternetGatewayOutput](w, "AttachInternetGateway", &api.AttachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc})
	w.checkExits("with the gateway again", l.vpc, all)
}

// TestNetworkAfterRestart: a server that starts again tells the network the same.
func TestNetworkAfterRestart(t *testing.T) {
	w := newWorld(t)
	stop := w.run()
	l := w.lan()
	w.running(inSubnet(l.public))
	want, _ := w.net.vpc(l.vpc)
	stop()
	w.restart()
	if err := w.svc.Adopt(w.ctx); err != nil {
		t.Fatal(err)
	}
	if len(w.net.adopted) != 1 || w.net.adopted[0].ID != l.vpc {
		t.Fatalf("adopted %+v", w.net.adopted)
	}
	if diff := cmp.Diff(want, w.net.adopted[0].VPC, compareAddresses); diff != "" {
		t.Errorf("adopted (-want +got):\n%s", diff)
	}
	if len(w.net.adopted[0].Groups) != 1 || len(w.net.adopted[0].NICs) != 1 {
		t.Errorf("adopted %+v", w.net.adopted[0])
	}
}

// TestTearDown: in the right order everything goes, and its tags with it.
func TestTearDown(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	id := w.running(inSubnet(l.public))
	w.terminate(id)
	w.await(id, stateTerminated)
	do[api.DisassociateRouteTableOutput](w, "DisassociateRouteTable", &api.DisassociateRouteTableInput{AssociationId: &l.association})
	do[api.DeleteRouteTableOutput](w, "DeleteRouteTable", &api.DeleteRouteTableInput{RouteTableId: &l.table})
	for _, sub := range []string{l.public, l.private} {
		do[api.DeleteSubnetOutput](w, "DeleteSubnet", &api.DeleteSubnetInput{SubnetId: &sub})
	}
	do[api.DetachInternetGatewayOutput](w, "DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc})
	do[api.DeleteInternetGatewayOutput](w, "DeleteInternetGateway", &api.DeleteInternetGatewayInput{InternetGatewayId: &l.gateway})
	do[api.DeleteVpcOutput](w, "DeleteVpc", &api.DeleteVpcInput{VpcId: &l.vpc})
	if _, known := w.net.vpc(l.vpc); known {
		t.Error("the network still has the VPC")
	}
	if tags := do[api.DescribeTagsOutput](w, "DescribeTags", &api.DescribeTagsInput{}).Tags; len(tags) != 0 {
		t.Errorf("tags are left: %+v", tags)
	}
	if groups := do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{Filters: []api.Filter{filter("vpc-id", l.vpc)}}).SecurityGroups; len(groups) != 0 {
		t.Errorf("groups are left: %+v", groups)
	}
}

// TestOverlappingVPCs: the same addresses may be in use in two VPCs.
func TestOverlappingVPCs(t *testing.T) {
	w := newWorld(t)
	w.run()
	one, two := w.lan(), w.lan()
	a, b := w.instance(w.running(inSubnet(one.private))), w.instance(w.running(inSubnet(two.private)))
	if *a.PrivateIpAddress != *b.PrivateIpAddress || *a.VpcId == *b.VpcId {
		t.Errorf("%s in %s, %s in %s", *a.PrivateIpAddress, *a.VpcId, *b.PrivateIpAddress, *b.VpcId)
	}
	if dhcp := do[api.DescribeDhcpOptionsOutput](w, "DescribeDhcpOptions", &api.DescribeDhcpOptionsInput{}).DhcpOptions; len(dhcp) != 1 {
		t.Errorf("%d DHCP option sets", len(dhcp))
	}
}

// TestHostNames: public names follow the attributes of the VPC.
func TestHostNames(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	id := w.running(inSubnet(l.public))
	set := func(in *api.ModifyVpcAttributeInput, want bool) {
		t.Helper()
		in.VpcId = &l.vpc
		do[api.ModifyVpcAttributeOutput](w, "ModifyVpcAttribute", in)
		m, err := w.svc.Metadata(w.ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if i := w.instance(id); (*i.PublicDnsName != "") != want || m.PublicHost != *i.PublicDnsName {
			t.Errorf("public name %q, in the metadata %q", *i.PublicDnsName, m.PublicHost)
		}
	}
	yes, no := &api.AttributeBooleanValue{Value: aws.Ptr(true)}, &api.AttributeBooleanValue{Value: aws.Ptr(false)}
	set(&api.ModifyVpcAttributeInput{EnableDnsHostnames: yes}, true)
	set(&api.ModifyVpcAttributeInput{EnableDnsSupport: no}, false)
	if v, _ := w.net.vpc(l.vpc); !v.Nameless {
		t.Error("the network still has a name server")
	}
	set(&api.ModifyVpcAttributeInput{EnableDnsSupport: yes}, true)
}

// TestDefaultVPCIsGone: a default VPC that was deleted comes back only when asked for.
func TestDefaultVPCIsGone(t *testing.T) {
	w := newWorld(t)
	v := do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{}).Vpcs[0]
	igw := do[api.DescribeInternetGatewaysOutput](w, "DescribeInternetGateways", &api.DescribeInternetGatewaysInput{}).InternetGateways[0].InternetGatewayId
	var zone string
	for _, sub := range w.subnets() {
		zone = *sub.AvailabilityZone
		do[api.DeleteSubnetOutput](w, "DeleteSubnet", &api.DeleteSubnetInput{SubnetId: sub.SubnetId})
	}
	if got := refused(w, "RunInstances", &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](1), MaxCount: aws.Ptr[int32](1)}); got != "MissingInput: No subnets found for the default VPC '"+*v.VpcId+"'. Please specify a subnet." {
		t.Error(got)
	}
	sub := do[api.CreateDefaultSubnetOutput](w, "CreateDefaultSubnet", &api.CreateDefaultSubnetInput{AvailabilityZone: &zone}).Subnet
	if *sub.CidrBlock != "172.31.80.0/20" || !*sub.DefaultForAz || !*sub.MapPublicIpOnLaunch {
		t.Errorf("default subnet %+v", sub)
	}
	if got := refused(w, "CreateDefaultSubnet", &api.CreateDefaultSubnetInput{AvailabilityZone: &zone}); got != "DefaultSubnetAlreadyExistsInAvailabilityZone: '"+*sub.SubnetId+"' already exists as default subnet in "+zone {
		t.Error(got)
	}
	do[api.DeleteSubnetOutput](w, "DeleteSubnet", &api.DeleteSubnetInput{SubnetId: sub.SubnetId})
	do[api.DetachInternetGatewayOutput](w, "DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: igw, VpcId: v.VpcId})
	do[api.DeleteVpcOutput](w, "DeleteVpc", &api.DeleteVpcInput{VpcId: v.VpcId})
	if left := do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{}).Vpcs; len(left) != 0 {
		t.Errorf("VPCs %+v", left)
	}
	const none = "VPCIdNotSpecified: No default VPC for this user"
	for operation, in := range map[string]any{
		"RunInstances":        &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](1), MaxCount: aws.Ptr[int32](1)},
		"CreateSecurityGroup": &api.CreateSecurityGroupInput{GroupName: aws.Ptr("x"), Description: aws.Ptr("d")},
	} {
		if got := refused(w, operation, in); got != none {
			t.Errorf("%s: %s", operation, got)
		}
	}
	w.lan()
	if again := do[api.CreateDefaultVpcOutput](w, "CreateDefaultVpc", &api.CreateDefaultVpcInput{}).Vpc; !*again.IsDefault || *again.VpcId == *v.VpcId {
		t.Errorf("default VPC %+v", again)
	}
	w.launch(nil)
}

// TestFirstVersionOfVPCs: what an earlier version stored goes on to work.
func TestFirstVersionOfVPCs(t *testing.T) {
	doc := `{"ID":"vpc-1","CIDR":"172.31.0.0/16","Default":true,"InternetGateway":"igw-1","MainRouteTable":"rtb-1","NACL":"acl-1","DHCP":"dopt-1","DefaultGroup":"sg-1","MainAssociation":"rtbassoc-1",
		"Subnets":[{"ID":"subnet-1","Zone":"us-east-1a","ZoneID":"use1-az1","CIDR":"172.31.0.0/20","NACLAssociation":"aclassoc-1"}],"Tags":{"igw-1":{"a":"b"}}}`
	w := newWorld(t)
	old := store.Table[map[string]any]{Name: vpcs.Name, Version: 1}
	row := map[string]any{}
	if err := json.Unmarshal([]byte(doc), &row); err != nil {
		t.Fatal(err)
	}
	c := aws.CallFrom(w.ctx)
	if err := w.db.Update(w.ctx, func(tx *store.Tx) error { return old.Insert(tx, key(c, "vpc-1"), &row) }); err != nil {
		t.Fatal(err)
	}
	if err := w.svc.Adopt(w.ctx); err != nil {
		t.Fatal(err)
	}
	if sub := w.subnets(); len(sub) != 1 || !*sub[0].DefaultForAz || !*sub[0].MapPublicIpOnLaunch {
		t.Errorf("subnets %+v", sub)
	}
	if got := routes(w.tables()[0]); !slices.Equal(got, []string{"172.31.0.0/16 local active", "0.0.0.0/0 igw-1 active"}) {
		t.Errorf("routes %v", got)
	}
	igw := do[api.DescribeInternetGatewaysOutput](w, "DescribeInternetGateways", &api.DescribeInternetGatewaysInput{Filters: []api.Filter{filter("tag:a", "b")}}).InternetGateways
	if len(igw) != 1 || *igw[0].Attachments[0].VpcId != "vpc-1" {
		t.Errorf("gateways %+v", igw)
	}
}
