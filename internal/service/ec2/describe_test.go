package ec2

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

func filter(name string, values ...string) api.Filter {
	return api.Filter{Name: &name, Values: values}
}

// find returns the ids of the instances that pass the filters.
func (w *world) find(filters ...api.Filter) []string {
	w.t.Helper()
	var out []string
	for _, r := range do[api.DescribeInstancesOutput](w, "DescribeInstances", &api.DescribeInstancesInput{Filters: filters}).Reservations {
		for _, i := range r.Instances {
			out = append(out, *i.InstanceId)
		}
	}
	return out
}

func TestInstanceFilters(t *testing.T) {
	w := newWorld(t)
	w.run()
	sg := w.group("web")
	do[api.CreateKeyPairOutput](w, "CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("k"), KeyType: "ed25519"})
	id := w.running(func(in *api.RunInstancesInput) {
		in.KeyName, in.SecurityGroupIds, in.ClientToken = aws.Ptr("k"), []string{sg}, aws.Ptr("tok")
		in.IamInstanceProfile = &api.IamInstanceProfileSpecification{Name: aws.Ptr("web")}
		in.TagSpecifications = []api.TagSpecification{{ResourceType: "instance", Tags: tagList("Name", "web-1", "odd*", "a?b")}}
	})
	w.running(func(in *api.RunInstancesInput) {
		in.InstanceType, in.Placement = "t3.small", &api.Placement{AvailabilityZone: aws.Ptr("us-east-1c")}
	})
	i := w.instance(id)
	for _, f := range []api.Filter{
		filter("instance-id", id), filter("instance-type", "t3.mi*"), filter("key-name", "k"), filter("subnet-id", *i.SubnetId),
		filter("availability-zone", "us-east-1a"), filter("private-ip-address", *i.PrivateIpAddress), filter("ip-address", *i.PublicIpAddress),
		filter("dns-name", *i.PublicDnsName), filter("private-dns-name", *i.PrivateDnsName), filter("instance.group-id", sg), filter("group-name", "we?"),
		filter("iam-instance-profile.arn", w.profiles["web"].ARN), filter("client-token", "tok"), filter("tag:Name", "web-*"), filter("tag:Name", "none", "web-1"),
		filter("tag-key", "Name"), filter("tag-value", "web-1"), filter("tag:odd*", `a\?b`),
		filter("network-interface.network-interface-id", *i.NetworkInterfaces[0].NetworkInterfaceId),
		filter("network-interface.mac-address", *i.NetworkInterfaces[0].MacAddress), filter("network-interface.association.public-ip", *i.PublicIpAddress),
		filter("network-interface.attachment.attachment-id", *i.NetworkInterfaces[0].Attachment.AttachmentId), filter("network-interface.group-name", "web"),
		filter("block-device-mapping.volume-id", *i.BlockDeviceMappings[0].Ebs.VolumeId), filter("availability-zone-id", "use1-az1"),
	} {
		if got := w.find(f); !slices.Equal(got, []string{id}) {
			t.Errorf("%s=%v finds %v", *f.Name, f.Values, got)
		}
	}
	for _, f := range []api.Filter{
		filter("instance-state-name", "running"), filter("instance-state-code", "16"), filter("vpc-id", "vpc-*"), filter("owner-id", testAccount), filter("image-id", testImage),
	} {
		if got := w.find(f); len(got) != 2 {
			t.Errorf("%s=%v finds %v", *f.Name, f.Values, got)
		}
	}
	for _, never := range neverInstance {
		if got := w.find(filter(never, "*")); got != nil {
			t.Errorf("%s finds %v", never, got)
		}
	}
	if got := w.find(filter("tag:Name", "web-1"), filter("instance-type", "t3.small")); got != nil {
		t.Errorf("two filters that exclude each other find %v", got)
	}
	if got := w.find(filter("tag:Name", "WEB-1")); got != nil {
		t.Errorf("case is ignored: %v", got)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	var all []string
	for range 3 {
		out := do[api.RunInstancesOutput](w, "RunInstances", &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](4), MaxCount: aws.Ptr[int32](4)})
		for _, i := range out.Instances {
			all = append(all, *i.InstanceId)
		}
	}
	var seen []string
	in := &api.DescribeInstancesInput{MaxResults: aws.Ptr[int32](5)}
	for pages := 1; ; pages++ {
		out := do[api.DescribeInstancesOutput](w, "DescribeInstances", in)
		for _, r := range out.Reservations {
			for _, i := range r.Instances {
				seen = append(seen, *i.InstanceId)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	slices.Sort(all)
	slices.Sort(seen)
	if diff := cmp.Diff(all, seen); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

// TestPagesWhileItemsGo: a page begins behind the last item shown, also when items
// before it are gone by then, that item among them.
func TestPagesWhileItemsGo(t *testing.T) {
	w := newWorld(t)
	var all []string
	for i := range 12 {
		all = append(all, w.group(fmt.Sprintf("g%02d", i)))
	}
	first := do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{MaxResults: aws.Ptr[int32](6)})
	seen := map[string]bool{}
	for _, g := range first.SecurityGroups {
		seen[*g.GroupId] = true
		if *g.GroupName != "default" {
			do[api.DeleteSecurityGroupOutput](w, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: g.GroupId})
		}
	}
	second := do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{MaxResults: aws.Ptr[int32](1000), NextToken: first.NextToken})
	for _, g := range second.SecurityGroups {
		if seen[*g.GroupId] {
			t.Errorf("%s is shown twice", *g.GroupId)
		}
		seen[*g.GroupId] = true
	}
	for _, id := range all {
		if !seen[id] {
			t.Errorf("%s is not shown", id)
		}
	}
	if got := refused(w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{NextToken: aws.Ptr("MTA")}); got != "InvalidNextToken: The specified next token is not valid." {
		t.Error(got)
	}
}

// TestSeparateAccounts: what one account and region has, others do not see.
func TestSeparateAccounts(t *testing.T) {
	w := newWorld(t)
	id, sg, l := w.launch(nil), w.group("web"), w.lan()
	home := w.ctx
	for _, other := range []struct{ account, region string }{{"210987654321", testRegion}, {testAccount, "eu-west-1"}} {
		w.ctx = aws.WithCall(home, aws.Call{Account: other.account, Region: other.region})
		if got := w.find(); got != nil {
			t.Errorf("%v sees %v", other, got)
		}
		for operation, in := range map[string]any{
			"DescribeInstances":        &api.DescribeInstancesInput{InstanceIds: []string{id}},
			"TerminateInstances":       &api.TerminateInstancesInput{InstanceIds: []string{id}},
			"DescribeSecurityGroups":   &api.DescribeSecurityGroupsInput{GroupIds: []string{sg}},
			"DeleteSecurityGroup":      &api.DeleteSecurityGroupInput{GroupId: &sg},
			"DescribeVpcs":             &api.DescribeVpcsInput{VpcIds: []string{l.vpc}},
			"DeleteSubnet":             &api.DeleteSubnetInput{SubnetId: &l.private},
			"DeleteRouteTable":         &api.DeleteRouteTableInput{RouteTableId: &l.table},
			"DisassociateRouteTable":   &api.DisassociateRouteTableInput{AssociationId: &l.association},
			"DescribeInternetGateways": &api.DescribeInternetGatewaysInput{InternetGatewayIds: []string{l.gateway}},
			"CreateTags":               &api.CreateTagsInput{Resources: []string{id}, Tags: tagList("a", "b")},
		} {
			if got := refused(w, operation, in); !strings.Contains(got, ".NotFound: ") {
				t.Errorf("%v %s: %s", other, operation, got)
			}
		}
	}
}

// TestDefaultVPC looks at all the parts that a default VPC brings along.
func TestDefaultVPC(t *testing.T) {
	w := newWorld(t)
	v := do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{Filters: []api.Filter{filter("isDefault", "true")}}).Vpcs[0]
	if *v.CidrBlock != "172.31.0.0/16" || !*v.IsDefault {
		t.Errorf("VPC %+v", v)
	}
	in := []api.Filter{filter("vpc-id", *v.VpcId)}
	var subnets []string
	for _, s := range do[api.DescribeSubnetsOutput](w, "DescribeSubnets", &api.DescribeSubnetsInput{Filters: in}).Subnets {
		subnets = append(subnets, fmt.Sprint(*s.AvailabilityZone, " ", *s.AvailabilityZoneId, " ", *s.CidrBlock, " ", *s.AvailableIpAddressCount))
	}
	want := []string{
		"us-east-1a use1-az1 172.31.0.0/20 4091", "us-east-1b use1-az2 172.31.16.0/20 4091", "us-east-1c use1-az3 172.31.32.0/20 4091",
		"us-east-1d use1-az4 172.31.48.0/20 4091", "us-east-1e use1-az5 172.31.64.0/20 4091", "us-east-1f use1-az6 172.31.80.0/20 4091",
	}
	if diff := cmp.Diff(want, subnets); diff != "" {
		t.Errorf("subnets (-want +got):\n%s", diff)
	}
	gw := do[api.DescribeInternetGatewaysOutput](w, "DescribeInternetGateways", &api.DescribeInternetGatewaysInput{Filters: []api.Filter{filter("attachment.vpc-id", *v.VpcId)}}).InternetGateways[0]
	routes := do[api.DescribeRouteTablesOutput](w, "DescribeRouteTables", &api.DescribeRouteTablesInput{Filters: in}).RouteTables[0].Routes
	if *routes[1].GatewayId != *gw.InternetGatewayId || *routes[1].DestinationCidrBlock != "0.0.0.0/0" {
		t.Errorf("routes %+v", routes)
	}
	if a := do[api.DescribeNetworkAclsOutput](w, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{Filters: in}).NetworkAcls; len(a) != 1 || len(a[0].Associations) != 6 {
		t.Errorf("ACLs %+v", a)
	}
	if d := do[api.DescribeDhcpOptionsOutput](w, "DescribeDhcpOptions", &api.DescribeDhcpOptionsInput{DhcpOptionsIds: []string{*v.DhcpOptionsId}}).DhcpOptions; *d[0].DhcpConfigurations[0].Values[0].Value != "ec2.internal" {
		t.Errorf("DHCP options %+v", d)
	}
	if a := do[api.DescribeVpcAttributeOutput](w, "DescribeVpcAttribute", &api.DescribeVpcAttributeInput{VpcId: v.VpcId, Attribute: "enableDnsHostnames"}); !*a.EnableDnsHostnames.Value {
		t.Error("no DNS host names")
	}
	if got := refused(w, "CreateDefaultVpc", &api.CreateDefaultVpcInput{}); got != "DefaultVpcAlreadyExists: A Default VPC already exists for this account in this region." {
		t.Error(got)
	}
	w.launch(nil)
	if s := w.subnets()[0]; *s.AvailableIpAddressCount != 4090 {
		t.Errorf("an instance leaves %d addresses", *s.AvailableIpAddressCount)
	}
}

func TestZonesOfRegions(t *testing.T) {
	for region, want := range map[string]string{"us-east-1": "use1-az1", "ap-northeast-1": "apne1-az1", "ap-southeast-2": "apse2-az1", "eu-west-3": "euw3-az1", "sa-east-1": "sae1-az1", "ca-central-1": "cac1-az1"} {
		if got := zones(region)[0].ID; got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
}

func TestCatalogue(t *testing.T) {
	w := newWorld(t)
	types := do[api.DescribeInstanceTypesOutput](w, "DescribeInstanceTypes", &api.DescribeInstanceTypesInput{InstanceTypes: []string{"t2.micro"}}).InstanceTypes
	if i := types[0]; *i.VCpuInfo.DefaultVCpus != 1 || *i.MemoryInfo.SizeInMiB != 1024 || !*i.FreeTierEligible {
		t.Errorf("t2.micro is %+v", i)
	}
	offers := do[api.DescribeInstanceTypeOfferingsOutput](w, "DescribeInstanceTypeOfferings", &api.DescribeInstanceTypeOfferingsInput{LocationType: "availability-zone", Filters: []api.Filter{filter("instance-type", "t3.micro")}})
	if len(offers.InstanceTypeOfferings) != 6 {
		t.Errorf("offered in %d zones", len(offers.InstanceTypeOfferings))
	}
	images := do[api.DescribeImagesOutput](w, "DescribeImages", &api.DescribeImagesInput{Owners: []string{"099720109477"}, Filters: []api.Filter{filter("name", "ubuntu/images/*jammy*"), filter("architecture", "x86_64")}}).Images
	if len(images) != 1 || *images[0].ImageId != ImageIDFor(*images[0].Name) || *images[0].Description != imageNote {
		t.Errorf("images %+v", images)
	}
	for user, want := range map[string]int{"all": 1, "self": 0} {
		in := &api.DescribeImagesInput{ImageIds: []string{testImage}, ExecutableUsers: []string{user}}
		if n := len(do[api.DescribeImagesOutput](w, "DescribeImages", in).Images); n != want {
			t.Errorf("%d images that %s may launch", n, user)
		}
	}
	if any := do[api.DescribeImagesOutput](w, "DescribeImages", &api.DescribeImagesInput{ImageIds: []string{testImage}}).Images; *any[0].Description != imageNote {
		t.Errorf("an unknown id is %+v", any[0])
	}
	regions := do[api.DescribeRegionsOutput](w, "DescribeRegions", &api.DescribeRegionsInput{RegionNames: []string{"eu-west-1"}}).Regions
	if len(regions) != 1 || *regions[0].Endpoint != "ec2.eu-west-1.amazonaws.com" || len(Regions()) != 17 {
		t.Errorf("regions %+v", regions)
	}
	attributes := do[api.DescribeAccountAttributesOutput](w, "DescribeAccountAttributes", &api.DescribeAccountAttributesInput{AttributeNames: []api.AccountAttributeName{"default-vpc"}}).AccountAttributes
	if len(attributes) != 1 || !strings.HasPrefix(*attributes[0].AttributeValues[0].AttributeValue, "vpc-") {
		t.Errorf("attributes %+v", attributes)
	}
}

func TestInstanceStatus(t *testing.T) {
	w := newWorld(t)
	w.run()
	id, idle := w.running(nil), w.running(nil)
	w.stop(idle)
	w.await(idle, stateStopped)
	out := do[api.DescribeInstanceStatusOutput](w, "DescribeInstanceStatus", &api.DescribeInstanceStatusInput{}).InstanceStatuses
	if len(out) != 1 || *out[0].InstanceId != id || out[0].InstanceStatus.Status != "ok" {
		t.Errorf("statuses %+v", out)
	}
	w.svc.fake = true
	all := do[api.DescribeInstanceStatusOutput](w, "DescribeInstanceStatus", &api.DescribeInstanceStatusInput{IncludeAllInstances: aws.Ptr(true), InstanceIds: []string{id, idle}}).InstanceStatuses
	for _, s := range all {
		want := map[string]string{id: "insufficient-data", idle: "not-applicable"}[*s.InstanceId]
		if string(s.SystemStatus.Status) != want {
			t.Errorf("%s is %s, want %s", *s.InstanceId, s.SystemStatus.Status, want)
		}
	}
}

func TestConsoleOutput(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	w.terminate(id)
	w.await(id, stateTerminated)
	out := do[api.GetConsoleOutputOutput](w, "GetConsoleOutput", &api.GetConsoleOutputInput{InstanceId: &id})
	text, err := decodeUserData(*out.Output) // it is base64 as well
	if err != nil || string(text) != "console of "+id || !out.Timestamp.Equal(testEpoch) {
		t.Errorf("console %q at %v: %v", text, out.Timestamp, err)
	}
}
