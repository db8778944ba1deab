package ec2

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

const s3Service = "com.amazonaws.us-east-1.s3"

func TestVPCEndpoints(t *testing.T) {
	w := newWorld(t)
	v := do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{}).Vpcs[0].VpcId
	table := do[api.CreateRouteTableOutput](w, "CreateRouteTable", &api.CreateRouteTableInput{VpcId: v}).RouteTable.RouteTableId
	in := &api.CreateVpcEndpointInput{VpcId: v, ServiceName: aws.Ptr(s3Service), RouteTableIds: []string{*table}, ClientToken: aws.Ptr("once"), TagSpecifications: []api.TagSpecification{{ResourceType: "vpc-endpoint", Tags: tagList("Name", "s3")}}}
	e := do[api.CreateVpcEndpointOutput](w, "CreateVpcEndpoint", in).VpcEndpoint
	if again := do[api.CreateVpcEndpointOutput](w, "CreateVpcEndpoint", in).VpcEndpoint; *again.VpcEndpointId != *e.VpcEndpointId {
		t.Error("the repetition made another endpoint")
	}
	other := *in
	other.ServiceName, other.RouteTableIds = aws.Ptr("com.amazonaws.us-east-1.dynamodb"), nil
	if got := refused(w, "CreateVpcEndpoint", &other); !strings.HasPrefix(got, "IdempotentParameterMismatch: ") {
		t.Errorf("the token for another endpoint: %s", got)
	}
	if e.VpcEndpointType != "Gateway" || e.State != "available" || *e.PolicyDocument != openPolicy || *e.Tags[0].Value != "s3" {
		t.Errorf("made %+v", e)
	}
	routes := func() []string {
		var out []string
		for _, r := range do[api.DescribeRouteTablesOutput](w, "DescribeRouteTables", &api.DescribeRouteTablesInput{RouteTableIds: []string{*table}}).RouteTables[0].Routes {
			out = append(out, aws.Val(r.DestinationCidrBlock)+aws.Val(r.DestinationPrefixListId)+" "+*r.GatewayId)
		}
		return out
	}
	if diff := cmp.Diff([]string{"172.31.0.0/16 local", "pl-63a5400a " + *e.VpcEndpointId}, routes()); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	list := do[api.DescribePrefixListsOutput](w, "DescribePrefixLists", &api.DescribePrefixListsInput{PrefixListIds: []string{"pl-63a5400a"}}).PrefixLists
	if len(list) != 1 || *list[0].PrefixListName != s3Service || list[0].Cidrs[0] != "169.254.169.252/32" {
		t.Errorf("prefix lists: %+v", list)
	}
	services := do[api.DescribeVpcEndpointServicesOutput](w, "DescribeVpcEndpointServices", &api.DescribeVpcEndpointServicesInput{Filters: filterBy("service-type", "Gateway")})
	if diff := cmp.Diff([]string{"com.amazonaws.us-east-1.dynamodb", s3Service}, services.ServiceNames); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	do[api.ModifyVpcEndpointOutput](w, "ModifyVpcEndpoint", &api.ModifyVpcEndpointInput{VpcEndpointId: e.VpcEndpointId, RemoveRouteTableIds: []string{*table}})
	if diff := cmp.Diff([]string{"172.31.0.0/16 local"}, routes()); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if got := refused(w, "DeleteVpc", &api.DeleteVpcInput{VpcId: v}); got != "DependencyViolation: The vpc '"+*v+"' has dependencies and cannot be deleted." {
		t.Error(got)
	}
	out := do[api.DeleteVpcEndpointsOutput](w, "DeleteVpcEndpoints", &api.DeleteVpcEndpointsInput{VpcEndpointIds: []string{*e.VpcEndpointId, "vpce-00000000000000000"}})
	if len(out.Unsuccessful) != 1 || *out.Unsuccessful[0].Error.Code != "InvalidVpcEndpointId.NotFound" {
		t.Errorf("unsuccessful: %+v", out.Unsuccessful)
	}
	if got := refused(w, "DescribeVpcEndpoints", &api.DescribeVpcEndpointsInput{VpcEndpointIds: []string{*e.VpcEndpointId}}); got != "InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id '"+*e.VpcEndpointId+"' does not exist" {
		t.Error(got)
	}
}

func TestVPCEndpointRefusals(t *testing.T) {
	w := newWorld(t)
	v := do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{}).Vpcs[0].VpcId
	main := do[api.DescribeRouteTablesOutput](w, "DescribeRouteTables", &api.DescribeRouteTablesInput{}).RouteTables[0].RouteTableId
	e := do[api.CreateVpcEndpointOutput](w, "CreateVpcEndpoint", &api.CreateVpcEndpointInput{VpcId: v, ServiceName: aws.Ptr(s3Service), RouteTableIds: []string{*main}}).VpcEndpoint
	for name, c := range map[string]struct {
		edit func(*api.CreateVpcEndpointInput)
		want string
	}{
		"interface":   {func(in *api.CreateVpcEndpointInput) { in.VpcEndpointType = "Interface" }, "UnsupportedOperation: The parameter VpcEndpointType=Interface is not supported by hardstand."},
		"service":     {func(in *api.CreateVpcEndpointInput) { in.ServiceName = aws.Ptr("com.amazonaws.us-east-1.sqs") }, "InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.us-east-1.sqs' does not exist"},
		"no service":  {func(in *api.CreateVpcEndpointInput) { in.ServiceName = nil }, "MissingParameter: The request must contain the parameter ServiceName"},
		"subnets":     {func(in *api.CreateVpcEndpointInput) { in.SubnetIds = []string{"subnet-1"} }, "InvalidParameter: Subnet IDs are only supported for Interface type VPC Endpoints."},
		"groups":      {func(in *api.CreateVpcEndpointInput) { in.SecurityGroupIds = []string{"sg-1"} }, "InvalidParameter: Security Groups are only supported for Interface type VPC Endpoints."},
		"names":       {func(in *api.CreateVpcEndpointInput) { in.PrivateDnsEnabled = aws.Ptr(true) }, "InvalidParameter: Private DNS is only supported for Interface type VPC Endpoints."},
		"no VPC":      {func(in *api.CreateVpcEndpointInput) { in.VpcId = aws.Ptr("vpc-00000000000000000") }, "InvalidVpcID.NotFound: The vpc ID 'vpc-00000000000000000' does not exist"},
		"no table":    {func(in *api.CreateVpcEndpointInput) { in.RouteTableIds = []string{"rtb-00000000000000000"} }, "InvalidRouteTableId.NotFound: The routeTable ID 'rtb-00000000000000000' does not exist"},
		"taken table": {func(in *api.CreateVpcEndpointInput) { in.RouteTableIds = []string{*main} }, "RouteAlreadyExists: route table " + *main + " already has a route with destination-prefix-list-id pl-63a5400a"},
	} {
		in := &api.CreateVpcEndpointInput{VpcId: v, ServiceName: aws.Ptr(s3Service)}
		c.edit(in)
		if got := refused(w, "CreateVpcEndpoint", in); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
	modify := func(edit func(*api.ModifyVpcEndpointInput)) string {
		in := &api.ModifyVpcEndpointInput{VpcEndpointId: e.VpcEndpointId}
		edit(in)
		return refused(w, "ModifyVpcEndpoint", in)
	}
	if got := modify(func(in *api.ModifyVpcEndpointInput) { in.PolicyDocument = aws.Ptr("{}") }); got[:len("InvalidPolicyDocument: ")] != "InvalidPolicyDocument: " {
		t.Error(got)
	}
	if got := modify(func(in *api.ModifyVpcEndpointInput) { in.AddSubnetIds = []string{"subnet-1"} }); got != "UnsupportedOperation: The parameter AddSubnetIds is not supported by hardstand." {
		t.Error(got)
	}
}

// The same client token may be given to operations that make different kinds of parts;
// for a part of another VPC it is refused.
func TestClientTokensOfParts(t *testing.T) {
	w := newWorld(t)
	v := do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{}).Vpcs[0].VpcId
	other := do[api.CreateVpcOutput](w, "CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.9.0.0/16")}).Vpc.VpcId
	once := aws.Ptr("once")
	acl := do[api.CreateNetworkAclOutput](w, "CreateNetworkAcl", &api.CreateNetworkAclInput{VpcId: v, ClientToken: once}).NetworkAcl.NetworkAclId
	do[api.CreateRouteTableOutput](w, "CreateRouteTable", &api.CreateRouteTableInput{VpcId: v, ClientToken: once})
	do[api.CreateVpcEndpointOutput](w, "CreateVpcEndpoint", &api.CreateVpcEndpointInput{VpcId: v, ServiceName: aws.Ptr(s3Service), ClientToken: once})
	if again := do[api.CreateNetworkAclOutput](w, "CreateNetworkAcl", &api.CreateNetworkAclInput{VpcId: v, ClientToken: once}).NetworkAcl.NetworkAclId; *again != *acl {
		t.Errorf("the repetition made %s", *again)
	}
	for operation, in := range map[string]any{
		"CreateNetworkAcl":  &api.CreateNetworkAclInput{VpcId: other, ClientToken: once},
		"CreateRouteTable":  &api.CreateRouteTableInput{VpcId: other, ClientToken: once},
		"CreateVpcEndpoint": &api.CreateVpcEndpointInput{VpcId: other, ServiceName: aws.Ptr(s3Service), ClientToken: once},
	} {
		if got := refused(w, operation, in); !strings.HasPrefix(got, "IdempotentParameterMismatch: ") {
			t.Errorf("%s in another VPC: %s", operation, got)
		}
	}
}
