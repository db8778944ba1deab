package ec2

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

func (w *world) addBlock(vpcID, cidr string) string {
	w.t.Helper()
	return *do[api.AssociateVpcCidrBlockOutput](w, "AssociateVpcCidrBlock", &api.AssociateVpcCidrBlockInput{VpcId: &vpcID, CidrBlock: &cidr}).CidrBlockAssociation.AssociationId
}

// TestVpcCidrBlock: a further range takes subnets and instances, is local for routes,
// and goes when it is empty.
func TestVpcCidrBlock(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	id := w.addBlock(l.vpc, "10.50.0.0/16")
	v := do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{Filters: []api.Filter{filter("cidr-block-association.cidr-block", "10.50.0.0/16")}}).Vpcs[0]
	if *v.VpcId != l.vpc || len(v.CidrBlockAssociationSet) != 2 || *v.CidrBlockAssociationSet[1].AssociationId != id || *v.CidrBlock != "10.0.0.0/16" {
		t.Errorf("the VPC is %+v", v)
	}
	if got := routes(w.tables(filter("route-table-id", l.main))[0]); !slices.Equal(got, []string{"10.0.0.0/16 local active", "10.50.0.0/16 local active"}) {
		t.Errorf("the routes are %v", got)
	}
	sub := w.subnet(l.vpc, "10.50.1.0/24")
	machine := w.running(inSubnet(sub))
	if known, _ := w.net.vpc(l.vpc); !slices.Equal(known.More, []netip.Prefix{netip.MustParsePrefix("10.50.0.0/16")}) {
		t.Errorf("the network has %v", known.More)
	}
	if md, err := w.svc.Metadata(w.ctx, machine); err != nil || len(md.VPCCIDRs) != 2 {
		t.Errorf("the metadata has %v, %v", md.VPCCIDRs, err)
	}
	first := *v.CidrBlockAssociationSet[0].AssociationId
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"AssociateVpcCidrBlock", &api.AssociateVpcCidrBlockInput{VpcId: &l.vpc, CidrBlock: aws.Ptr("10.50.9.0/24")}, "InvalidVpc.Range: The CIDR '10.50.9.0/24' conflicts with another CIDR block of the network '" + l.vpc + "'."},
		{"AssociateVpcCidrBlock", &api.AssociateVpcCidrBlockInput{VpcId: aws.Ptr("vpc-0"), CidrBlock: aws.Ptr("10.51.0.0/16")}, "InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist"},
		{"AssociateVpcCidrBlock", &api.AssociateVpcCidrBlockInput{VpcId: &l.vpc, AmazonProvidedIpv6CidrBlock: aws.Ptr(true)}, "UnsupportedOperation: The parameter AmazonProvidedIpv6CidrBlock is not supported by hardstand."},
		{"DisassociateVpcCidrBlock", &api.DisassociateVpcCidrBlockInput{AssociationId: &id}, "InvalidCidrBlock.InUse: The vpc " + l.vpc + " currently has a subnet within CIDR block 10.50.0.0/16"},
		{"DisassociateVpcCidrBlock", &api.DisassociateVpcCidrBlockInput{AssociationId: &first}, "OperationNotPermitted: The vpc CIDR block with association ID " + first + " may not be disassociated. It is the primary IPv4 CIDR block of the VPC"},
		{"DisassociateVpcCidrBlock", &api.DisassociateVpcCidrBlockInput{AssociationId: aws.Ptr("vpc-cidr-assoc-0")}, "InvalidVpcCidrBlockAssociationIdError.NotFound: The vpc CIDR block association ID 'vpc-cidr-assoc-0' does not exist"},
		{"CreateRoute", &api.CreateRouteInput{RouteTableId: &l.main, DestinationCidrBlock: aws.Ptr("10.50.3.0/24"), GatewayId: &l.gateway}, "InvalidParameterValue: Route target is not supported. This route only supports interface and instance targets."},
		{"DeleteRoute", &api.DeleteRouteInput{RouteTableId: &l.main, DestinationCidrBlock: aws.Ptr("10.50.0.0/16")}, "InvalidParameterValue: cannot remove local route 10.50.0.0/16 in route table " + l.main},
		{"CreateTags", &api.CreateTagsInput{Resources: []string{id}, Tags: tagList("a", "b")}, "InvalidVpcID.NotFound: The vpc ID '" + id + "' does not exist"},
	} {
		if got := refused(w, c.operation, c.in); got != c.want {
			t.Errorf("%s: %s\nwant\n%s", c.operation, got, c.want)
		}
	}
	w.terminate(machine)
	w.await(machine, stateTerminated)
	do[api.DeleteSubnetOutput](w, "DeleteSubnet", &api.DeleteSubnetInput{SubnetId: &sub})
	do[api.DisassociateVpcCidrBlockOutput](w, "DisassociateVpcCidrBlock", &api.DisassociateVpcCidrBlockInput{AssociationId: &id})
	for _, cidr := range []string{"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"} {
		w.addBlock(l.vpc, cidr)
	}
	if got := refused(w, "AssociateVpcCidrBlock", &api.AssociateVpcCidrBlockInput{VpcId: &l.vpc, CidrBlock: aws.Ptr("10.5.0.0/16")}); got != "CidrLimitExceeded: This network '"+l.vpc+"' has met its maximum number of allowed CIDRs: 5" {
		t.Error(got)
	}
}
