package ec2

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// TestVPCRefusals holds EC2's own words for what the operations on networks refuse.
func TestVPCRefusals(t *testing.T) {
	w := newWorld(t)
	w.run()
	l, other := w.lan(), w.lan()
	w.running(inSubnet(l.public))
	spare := *do[api.CreateInternetGatewayOutput](w, "CreateInternetGateway", &api.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	mainAssociation := *w.tables(filter("route-table-id", l.main))[0].Associations[0].RouteTableAssociationId
	network := func(cidr string) *api.CreateVpcInput { return &api.CreateVpcInput{CidrBlock: &cidr} }
	sub := func(cidr string) *api.CreateSubnetInput {
		return &api.CreateSubnetInput{VpcId: &l.vpc, CidrBlock: &cidr}
	}
	route := func(to, gateway string) *api.CreateRouteInput {
		return &api.CreateRouteInput{RouteTableId: &l.table, DestinationCidrBlock: &to, GatewayId: &gateway}
	}
	attach := func(gateway, vpcID string) *api.AttachInternetGatewayInput {
		return &api.AttachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &vpcID}
	}
	associate := func(table, subnetID string) *api.AssociateRouteTableInput {
		return &api.AssociateRouteTableInput{RouteTableId: &table, SubnetId: &subnetID}
	}
	none, def := aws.Ptr("rtbassoc-0"), aws.Ptr("0.0.0.0/0")
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateVpc", &api.CreateVpcInput{}, "MissingParameter: Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided."},
		{"CreateVpc", network("10.0.0.0/8"), "InvalidVpc.Range: The CIDR '10.0.0.0/8' is invalid."},
		{"CreateVpc", network("10.0.0.0/29"), "InvalidVpc.Range: The CIDR '10.0.0.0/29' is invalid."},
		{"CreateVpc", network("169.254.0.0/16"), "InvalidVpc.Range: The CIDR '169.254.0.0/16' is invalid."},
		{"CreateVpc", network("198.19.0.0/16"), "InvalidVpc.Range: The CIDR '198.19.0.0/16' is invalid. It overlaps 198.18.0.0/15, from which hardstand gives public addresses."},
		{"CreateVpc", network("10.0.0.0"), "InvalidParameterValue: Value (10.0.0.0) for parameter cidrBlock is invalid. This is not a valid CIDR block."},
		{"CreateVpc", network("fd00::/56"), "InvalidParameterValue: Value (fd00::/56) for parameter cidrBlock is invalid. This is not a valid CIDR block."},
		{"CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.0.0.0/16"), InstanceTenancy: "host"}, "UnsupportedOperation: The parameter InstanceTenancy=host is not supported by hardstand."},
		{"CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.0.0.0/16"), TagSpecifications: named("subnet")}, "InvalidParameterValue: 'subnet' is not a valid taggable resource type for this operation."},
		{"CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.0.0.0/16"), Ipv6CidrBlockNetworkBorderGroup: aws.Ptr("us-east-1")}, "UnsupportedOperation: The parameter Ipv6CidrBlock is not supported by hardstand."},
		{"DeleteVpc", &api.DeleteVpcInput{VpcId: aws.Ptr("vpc-0")}, "InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist"},
		{"DeleteVpc", &api.DeleteVpcInput{VpcId: &l.vpc}, "DependencyViolation: The vpc '" + l.vpc + "' has dependencies and cannot be deleted."},
		{"ModifyVpcAttribute", &api.ModifyVpcAttributeInput{VpcId: &l.vpc}, "InvalidParameterCombination: Exactly one attribute must be specified."},
		{"ModifyVpcAttribute", &api.ModifyVpcAttributeInput{VpcId: &l.vpc, EnableDnsSupport: &api.AttributeBooleanValue{}}, "InvalidParameterCombination: Exactly one attribute must be specified."},
		{"ModifyVpcAttribute", &api.ModifyVpcAttributeInput{VpcId: &l.vpc, EnableDnsSupport: &api.AttributeBooleanValue{}, EnableDnsHostnames: &api.AttributeBooleanValue{Value: aws.Ptr(true)}}, "InvalidParameterCombination: Exactly one attribute must be specified."},
		{"CreateSubnet", sub("10.1.0.0/24"), "InvalidSubnet.Range: The CIDR '10.1.0.0/24' is invalid."},
		{"CreateSubnet", sub("10.0.0.0/15"), "InvalidSubnet.Range: The CIDR '10.0.0.0/15' is invalid."},
		{"CreateSubnet", sub("10.0.9.0/29"), "InvalidSubnet.Range: The CIDR '10.0.9.0/29' is invalid."},
		{"CreateSubnet", sub("10.0.1.128/25"), "InvalidSubnet.Conflict: The CIDR '10.0.1.128/25' conflicts with another subnet"},
		{"CreateSubnet", sub("x"), "InvalidParameterValue: Value (x) for parameter cidrBlock is invalid. This is not a valid CIDR block."},
		{"CreateSubnet", &api.CreateSubnetInput{VpcId: aws.Ptr("vpc-0"), CidrBlock: def}, "InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist"},
		{"CreateSubnet", &api.CreateSubnetInput{VpcId: &l.vpc, CidrBlock: aws.Ptr("10.0.9.0/24"), AvailabilityZone: aws.Ptr("us-east-1z")}, "InvalidParameterValue: Value (us-east-1z) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f."},
		{"DeleteSubnet", &api.DeleteSubnetInput{SubnetId: aws.Ptr("subnet-0")}, "InvalidSubnetID.NotFound: The subnet ID 'subnet-0' does not exist"},
		{"DeleteSubnet", &api.DeleteSubnetInput{SubnetId: &l.public}, "DependencyViolation: The subnet '" + l.public + "' has dependencies and cannot be deleted."},
		{"ModifySubnetAttribute", &api.ModifySubnetAttributeInput{SubnetId: &l.public}, "InvalidParameterCombination: Exactly one attribute must be specified."},
		{"ModifySubnetAttribute", &api.ModifySubnetAttributeInput{SubnetId: &l.public, EnableDns64: &api.AttributeBooleanValue{Value: aws.Ptr(true)}}, "UnsupportedOperation: The parameter EnableDns64 is not supported by hardstand."},
		{"AttachInternetGateway", attach("igw-0", l.vpc), "InvalidInternetGatewayID.NotFound: The internetGateway ID 'igw-0' does not exist"},
		{"AttachInternetGateway", attach(spare, "vpc-0"), "InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist"},
		{"AttachInternetGateway", attach(spare, l.vpc), "InvalidParameterValue: Network " + l.vpc + " already has an internet gateway attached"},
		{"AttachInternetGateway", attach(l.gateway, l.vpc), "Resource.AlreadyAssociated: resource " + l.gateway + " is already attached to network " + l.vpc},
		{"DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: &spare, VpcId: &l.vpc}, "Gateway.NotAttached: resource " + spare + " is not attached to network " + l.vpc},
		{"DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc}, "DependencyViolation: Network " + l.vpc + " has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."},
		{"DeleteInternetGateway", &api.DeleteInternetGatewayInput{InternetGatewayId: &l.gateway}, "DependencyViolation: The internetGateway '" + l.gateway + "' has dependencies and cannot be deleted."},
		{"CreateRouteTable", &api.CreateRouteTableInput{VpcId: aws.Ptr("vpc-0")}, "InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist"},
		{"DeleteRouteTable", &api.DeleteRouteTableInput{RouteTableId: aws.Ptr("rtb-0")}, "InvalidRouteTableID.NotFound: The routeTable ID 'rtb-0' does not exist"},
		{"DeleteRouteTable", &api.DeleteRouteTableInput{RouteTableId: &l.main}, "DependencyViolation: The routeTable '" + l.main + "' has dependencies and cannot be deleted."},
		{"DeleteRouteTable", &api.DeleteRouteTableInput{RouteTableId: &l.table}, "DependencyViolation: The routeTable '" + l.table + "' has dependencies and cannot be deleted."},
		{"CreateRoute", route("0.0.0.0/0", l.gateway), "RouteAlreadyExists: The route identified by 0.0.0.0/0 already exists."},
		{"CreateRoute", route("10.0.1.0/24", l.gateway), "InvalidParameterValue: Route target is not supported. This route only supports interface and instance targets."},
		{"CreateRoute", route("1.2.3.4", l.gateway), "InvalidParameterValue: Value (1.2.3.4) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."},
		{"CreateRoute", route("1.2.3.4/32", "igw-0"), "InvalidInternetGatewayID.NotFound: The internetGateway ID 'igw-0' does not exist"},
		{"CreateRoute", route("1.2.3.4/32", "nat-0"), "InvalidGatewayID.NotFound: The gateway ID 'nat-0' does not exist"},
		{"CreateRoute", route("1.2.3.4/32", spare), "InvalidParameterValue: route table " + l.table + " and network gateway " + spare + " belong to different networks"},
		{"CreateRoute", &api.CreateRouteInput{RouteTableId: &l.table, GatewayId: &l.gateway}, "MissingParameter: The request must contain the parameter destinationCidrBlock"},
		{"CreateRoute", &api.CreateRouteInput{RouteTableId: &l.table, DestinationCidrBlock: def}, "MissingParameter: The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, carrierGatewayId, vpcEndpointId, coreNetworkArn or instanceId"},
		{"CreateRoute", &api.CreateRouteInput{RouteTableId: &l.table, DestinationCidrBlock: def, NatGatewayId: aws.Ptr("nat-0")}, "InvalidNatGatewayID.NotFound: The natGateway ID 'nat-0' does not exist"},
		{"CreateRoute", &api.CreateRouteInput{RouteTableId: &l.table, DestinationCidrBlock: def, NatGatewayId: aws.Ptr("nat-0"), GatewayId: &l.gateway}, "InvalidParameterCombination: Exactly one route target must be specified."},
		{"ReplaceRoute", &api.ReplaceRouteInput{RouteTableId: &l.main, DestinationCidrBlock: def, GatewayId: &l.gateway}, "InvalidParameterValue: There is no route defined for '0.0.0.0/0' in the route table. Use CreateRoute instead."},
		{"DeleteRoute", &api.DeleteRouteInput{RouteTableId: &l.main, DestinationCidrBlock: def}, "InvalidRoute.NotFound: no route with destination-cidr-block 0.0.0.0/0 in route table " + l.main},
		{"DeleteRoute", &api.DeleteRouteInput{RouteTableId: &l.main, DestinationCidrBlock: aws.Ptr("10.0.0.0/16")}, "InvalidParameterValue: cannot remove local route 10.0.0.0/16 in route table " + l.main},
		{"AssociateRouteTable", associate(l.main, l.public), "Resource.AlreadyAssociated: the specified association for route table " + l.main + " conflicts with an existing association"},
		{"AssociateRouteTable", associate(l.table, other.private), "InvalidParameterValue: route table " + l.table + " and subnet " + other.private + " belong to different networks"},
		{"AssociateRouteTable", associate(l.table, "subnet-0"), "InvalidSubnetID.NotFound: The subnet ID 'subnet-0' does not exist"},
		{"DisassociateRouteTable", &api.DisassociateRouteTableInput{AssociationId: none}, "InvalidAssociationID.NotFound: The association ID 'rtbassoc-0' does not exist"},
		{"DisassociateRouteTable", &api.DisassociateRouteTableInput{AssociationId: &mainAssociation}, "InvalidParameterValue: cannot disassociate the main route table association " + mainAssociation},
		{"ReplaceRouteTableAssociation", &api.ReplaceRouteTableAssociationInput{AssociationId: &l.association, RouteTableId: &other.table}, "InvalidParameterValue: route table " + other.table + " and association " + l.association + " belong to different networks"},
		{"DescribeSubnets", &api.DescribeSubnetsInput{SubnetIds: []string{"subnet-0"}}, "InvalidSubnetID.NotFound: The subnet ID 'subnet-0' does not exist"},
	} {
		if got := refused(w, c.operation, c.in); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.operation, got, c.want)
		}
	}
}

// TestLaunchInVPC: what RunInstances and AssociateAddress refuse in a VPC.
func TestLaunchInVPC(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	web := w.group("web") // of the default VPC
	w.checkRefused(map[string]runRefusal{
		"group of another VPC": {func(in *api.RunInstancesInput) { in.SubnetId, in.SecurityGroupIds = &l.public, []string{web} }, "InvalidParameter: Security group " + web + " and subnet " + l.public + " belong to different networks."},
		"group by name":        {func(in *api.RunInstancesInput) { in.SubnetId, in.SecurityGroups = &l.public, []string{"web"} }, "InvalidParameterCombination: The parameter groupName cannot be used with the parameter subnet"},
		"zone of another": {func(in *api.RunInstancesInput) {
			in.SubnetId, in.Placement = &l.public, &api.Placement{AvailabilityZone: aws.Ptr("us-east-1b")}
		}, "InvalidParameterValue: The availability zone 'us-east-1b' does not match the zone of subnet '" + l.public + "'."},
		"address of another": {func(in *api.RunInstancesInput) { in.SubnetId, in.PrivateIpAddress = &l.public, aws.Ptr("10.0.2.9") }, "InvalidParameterValue: Address 10.0.2.9 does not fall within the subnet's address range"},
	})
	public := func(subnetID string, yes bool) func(*api.RunInstancesInput) {
		return func(in *api.RunInstancesInput) {
			in.NetworkInterfaces = []api.InstanceNetworkInterfaceSpecification{{DeviceIndex: aws.Ptr[int32](0), SubnetId: &subnetID, AssociatePublicIpAddress: &yes}}
		}
	}
	if i := w.instance(w.running(public(l.public, false))); i.PublicIpAddress != nil {
		t.Errorf("an address that nobody wanted: %s", *i.PublicIpAddress)
	}
	id := w.running(public(l.private, true))
	if i := w.instance(id); i.PublicIpAddress == nil {
		t.Error("no public address")
	}
	if n := *do[api.DescribeSubnetsOutput](w, "DescribeSubnets", &api.DescribeSubnetsInput{SubnetIds: []string{l.private}}).Subnets[0].AvailableIpAddressCount; n != 250 {
		t.Errorf("%d addresses are free", n)
	}
	eip := w.allocate()
	do[api.AssociateAddressOutput](w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: eip.AllocationId, NetworkInterfaceId: w.instance(id).NetworkInterfaces[0].NetworkInterfaceId})
	if got := *w.instance(id).PublicIpAddress; got != *eip.PublicIp {
		t.Errorf("public address %s", got)
	}
	bare := *do[api.CreateVpcOutput](w, "CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.9.0.0/16")}).Vpc.VpcId
	lone := w.running(inSubnet(w.subnet(bare, "10.9.0.0/24")))
	for in, want := range map[*api.AssociateAddressInput]string{
		{InstanceId: &lone}:                    "Gateway.NotAttached: Network " + bare + " is not attached to any internet gateway",
		{NetworkInterfaceId: aws.Ptr("eni-0")}: "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0' does not exist",
		{}:                                     "MissingParameter: Either 'InstanceId' or 'NetworkInterfaceId' must be provided",
		{InstanceId: &id, PrivateIpAddress: def()}: "InvalidParameterValue: Network interface '" + *w.instance(id).NetworkInterfaces[0].NetworkInterfaceId + "' does not have private IP address '10.0.0.1'.",
	} {
		in.AllocationId = w.allocate().AllocationId
		if got := refused(w, "AssociateAddress", in); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func def() *string { return aws.Ptr("10.0.0.1") }

// TestVPCChecks: on which resources the operations on networks are judged.
func TestVPCChecks(t *testing.T) {
	w := newWorld(t)
	l := w.lan()
	env := []api.TagSpecification{{ResourceType: "subnet", Tags: tagList("Name", "x")}}
	do[api.CreateTagsOutput](w, "CreateTags", &api.CreateTagsInput{Resources: []string{l.vpc, l.table}, Tags: tagList("Env", "prod")})
	w.auth.take()
	dry := aws.Ptr(true)
	for _, c := range []struct {
		operation string
		in        any
		want      []string
	}{
		{"CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.0.0.0/16"), DryRun: dry}, []string{"vpc/*"}},
		{"CreateSubnet", &api.CreateSubnetInput{VpcId: &l.vpc, CidrBlock: aws.Ptr("10.0.3.0/24"), TagSpecifications: env, DryRun: dry}, []string{
			"subnet/* aws:RequestTag/Name=x aws:TagKeys=Name", "vpc/" + l.vpc + " aws:ResourceTag/Env=prod", "ec2:CreateTags subnet/* ec2:CreateAction=CreateSubnet aws:RequestTag/Name=x aws:TagKeys=Name"}},
		{"AttachInternetGateway", &api.AttachInternetGatewayInput{VpcId: &l.vpc, InternetGatewayId: &l.gateway, DryRun: dry}, []string{"internet-gateway/" + l.gateway, "vpc/" + l.vpc + " aws:ResourceTag/Env=prod"}},
		{"CreateRoute", &api.CreateRouteInput{RouteTableId: &l.table, GatewayId: &l.gateway, DryRun: dry}, []string{"route-table/" + l.table + " aws:ResourceTag/Env=prod"}},
		{"DisassociateRouteTable", &api.DisassociateRouteTableInput{AssociationId: &l.association, DryRun: dry}, []string{"route-table/" + l.table + " aws:ResourceTag/Env=prod", "subnet/" + l.public}},
		{"ReplaceRouteTableAssociation", &api.ReplaceRouteTableAssociationInput{AssociationId: &l.association, RouteTableId: &l.main, DryRun: dry}, []string{"route-table/" + l.table + " aws:ResourceTag/Env=prod", "subnet/" + l.public, "route-table/" + l.main}},
	} {
		if _, err := w.server.Invoke(w.ctx, "ec2", c.operation, c.in); !awserr.Is(err, "DryRunOperation") {
			t.Errorf("%s: %v", c.operation, err)
		}
		for i, s := range c.want {
			if s[:4] != "ec2:" {
				c.want[i] = "ec2:" + c.operation + " " + s
			}
		}
		if diff := cmp.Diff(c.want, asks(w.auth.take())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.operation, diff)
		}
	}
}
