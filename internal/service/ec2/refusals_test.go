package ec2

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// runRefusal is a change to a good request and the error that it earns.
type runRefusal struct {
	edit func(*api.RunInstancesInput)
	want string
}

func (w *world) checkRefused(cases map[string]runRefusal) {
	w.t.Helper()
	before := len(w.find())
	for name, c := range cases {
		in := &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](1), MaxCount: aws.Ptr[int32](1), InstanceType: "t3.micro"}
		c.edit(in)
		if got := refused(w, "RunInstances", in); got != c.want {
			w.t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
	if n := len(w.find()); n != before {
		w.t.Errorf("refused calls launched %d instances", n-before)
	}
}

// TestRunDevicesRefused: addresses, interfaces, disks and tags that RunInstances
// does not take, in EC2's words.
func TestRunDevicesRefused(t *testing.T) {
	w := newWorld(t)
	taken := *w.instance(w.launch(nil)).PrivateIpAddress
	nic := func(n api.InstanceNetworkInterfaceSpecification) func(*api.RunInstancesInput) {
		return func(in *api.RunInstancesInput) {
			in.NetworkInterfaces = []api.InstanceNetworkInterfaceSpecification{n}
		}
	}
	mapped := func(m api.BlockDeviceMapping) func(*api.RunInstancesInput) {
		return func(in *api.RunInstancesInput) { in.BlockDeviceMappings = []api.BlockDeviceMapping{m} }
	}
	disk := func(name string, e *api.EbsBlockDevice) func(*api.RunInstancesInput) {
		return mapped(api.BlockDeviceMapping{DeviceName: &name, Ebs: e})
	}
	tags := func(kind string, list ...string) func(*api.RunInstancesInput) {
		return func(in *api.RunInstancesInput) {
			in.TagSpecifications = []api.TagSpecification{{ResourceType: api.ResourceType(kind), Tags: tagList(list...)}}
		}
	}
	w.checkRefused(map[string]runRefusal{
		"address form":     {func(in *api.RunInstancesInput) { in.PrivateIpAddress = aws.Ptr("::1") }, "InvalidParameterValue: Invalid value '::1' for privateIpAddress."},
		"address outside":  {func(in *api.RunInstancesInput) { in.PrivateIpAddress = aws.Ptr("10.0.0.1") }, "InvalidParameterValue: Address 10.0.0.1 does not fall within the subnet's address range"},
		"reserved address": {func(in *api.RunInstancesInput) { in.PrivateIpAddress = aws.Ptr("172.31.0.3") }, "InvalidParameterValue: Address 172.31.0.3 does not fall within the subnet's address range"},
		"taken address":    {func(in *api.RunInstancesInput) { in.PrivateIpAddress = &taken }, "InvalidIPAddress.InUse: Address " + taken + " is in use."},
		"two addresses": {func(in *api.RunInstancesInput) {
			in.PrivateIpAddress, in.MaxCount = aws.Ptr("172.31.0.9"), aws.Ptr[int32](2)
		}, "InvalidParameterCombination: The parameter 'PrivateIpAddress' may not be used when launching more than one instance"},
		"interface and both": {func(in *api.RunInstancesInput) {
			nic(api.InstanceNetworkInterfaceSpecification{})(in)
			in.SecurityGroups = []string{"default"}
		}, "InvalidParameterCombination: Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request"},
		"absent interface":     {nic(api.InstanceNetworkInterfaceSpecification{NetworkInterfaceId: aws.Ptr("eni-1")}), "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-1' does not exist"},
		"interface and subnet": {nic(api.InstanceNetworkInterfaceSpecification{NetworkInterfaceId: aws.Ptr("eni-1"), SubnetId: aws.Ptr("subnet-1")}), "InvalidParameterCombination: A network interface may not specify both a network interface ID and a subnet"},
		"no first interface":   {nic(api.InstanceNetworkInterfaceSpecification{DeviceIndex: aws.Ptr[int32](1)}), "InvalidParameterValue: When specifying network interfaces, you must include a device at index 0."},
		"two first interfaces": {func(in *api.RunInstancesInput) {
			in.NetworkInterfaces = make([]api.InstanceNetworkInterfaceSpecification, 2)
		}, "InvalidParameterValue: Each network interface requires a unique device index."},
		"many with one interface": {func(in *api.RunInstancesInput) {
			nic(api.InstanceNetworkInterfaceSpecification{NetworkInterfaceId: aws.Ptr("eni-1")})(in)
			in.MaxCount = aws.Ptr[int32](2)
		}, "InvalidParameterCombination: A network interface ID may not be specified when launching more than one instance."},
		"public with two": {func(in *api.RunInstancesInput) {
			in.NetworkInterfaces = []api.InstanceNetworkInterfaceSpecification{{AssociatePublicIpAddress: aws.Ptr(true)}, {DeviceIndex: aws.Ptr[int32](1)}}
		}, "InvalidParameterCombination: The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces or with an existing one."},
		"too many interfaces": {func(in *api.RunInstancesInput) {
			in.NetworkInterfaces = []api.InstanceNetworkInterfaceSpecification{{}, {DeviceIndex: aws.Ptr[int32](1)}, {DeviceIndex: aws.Ptr[int32](2)}}
		}, "AttachmentLimitExceeded: Interface count 3 exceeds the limit for t3.micro"},
		"second disk":    {disk("/dev/sdb", &api.EbsBlockDevice{}), "UnsupportedOperation: The parameter BlockDeviceMapping /dev/sdb beyond the root device is not supported by hardstand."},
		"suppressed":     {mapped(api.BlockDeviceMapping{DeviceName: aws.Ptr(rootDevice), NoDevice: aws.Ptr("")}), "UnsupportedOperation: The parameter BlockDeviceMapping.NoDevice is not supported by hardstand."},
		"instance store": {mapped(api.BlockDeviceMapping{DeviceName: aws.Ptr("/dev/sdb"), VirtualName: aws.Ptr("ephemeral24")}), "UnsupportedOperation: The parameter BlockDeviceMapping /dev/sdb beyond the root device is not supported by hardstand."},
		"encrypted":      {disk(rootDevice, &api.EbsBlockDevice{Encrypted: aws.Ptr(true)}), "UnsupportedOperation: The parameter BlockDeviceMapping.Ebs.Encrypted is not supported by hardstand."},
		"disk's zone":    {disk(rootDevice, &api.EbsBlockDevice{AvailabilityZone: aws.Ptr("us-east-1a")}), "UnsupportedOperation: The parameter BlockDeviceMapping.Ebs.AvailabilityZone is not supported by hardstand."},
		"disk's card":    {disk(rootDevice, &api.EbsBlockDevice{EbsCardIndex: aws.Ptr[int32](1)}), "UnsupportedOperation: The parameter BlockDeviceMapping.Ebs.EbsCardIndex beyond 0 is not supported by hardstand."},
		"disk's filling": {disk(rootDevice, &api.EbsBlockDevice{VolumeInitializationRate: aws.Ptr[int32](100)}), "UnsupportedOperation: The parameter BlockDeviceMapping.Ebs.VolumeInitializationRate is not supported by hardstand."},
		"no disk":        {disk(rootDevice, &api.EbsBlockDevice{VolumeSize: aws.Ptr[int32](0)}), "InvalidBlockDeviceMapping: Invalid volume size 0 GiB: it must be between 1 and 16384."},
		"tag kind":       {tags("vpc", "a", "b"), "InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation."},
		"tag twice":      {tags("instance", "a", "b", "a", "c"), "InvalidParameterValue: Duplicate tag key 'a' specified."},
		"tag of AWS":     {tags("volume", "aws:a", "b"), "InvalidParameterValue: Value ( aws:a ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"},
	})
}

// TestRunRefused: the other parameters.
func TestRunRefused(t *testing.T) {
	newWorld(t).checkRefused(map[string]runRefusal{
		"no image":      {func(in *api.RunInstancesInput) { in.ImageId = nil }, "MissingParameter: The request must contain the parameter ImageId"},
		"bad image":     {func(in *api.RunInstancesInput) { in.ImageId = aws.Ptr("ami-xyz") }, `InvalidAMIID.Malformed: Invalid id: "ami-xyz" (expecting "ami-...")`},
		"no count":      {func(in *api.RunInstancesInput) { in.MinCount = nil }, "MissingParameter: The request must contain the parameter MinCount"},
		"zero":          {func(in *api.RunInstancesInput) { in.MinCount = aws.Ptr[int32](0) }, "InvalidParameterValue: Value (0) for parameter minCount is invalid. Parameter minCount must be greater than or equal to 1"},
		"max below min": {func(in *api.RunInstancesInput) { in.MinCount = aws.Ptr[int32](2) }, "InvalidParameterValue: Value (1) for parameter maxCount is invalid. Maximum count must be greater than or equal to the minimum count"},
		"too many":      {func(in *api.RunInstancesInput) { in.MaxCount = aws.Ptr[int32](1001) }, "InstanceLimitExceeded: You have requested more instances (1001) than your current instance limit of 1000 allows for the specified instance type. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."},
		"type":          {func(in *api.RunInstancesInput) { in.InstanceType = "t9.tiny" }, "InvalidParameterValue: Invalid value 't9.tiny' for InstanceType."},
		"real type":     {func(in *api.RunInstancesInput) { in.InstanceType = "p4d.24xlarge" }, "InvalidParameterValue: Invalid value 'p4d.24xlarge' for InstanceType."},
		"key":           {func(in *api.RunInstancesInput) { in.KeyName = aws.Ptr("none") }, "InvalidKeyPair.NotFound: The key pair 'none' does not exist"},
		"group id":      {func(in *api.RunInstancesInput) { in.SecurityGroupIds = []string{"sg-00000000000000000"} }, "InvalidGroup.NotFound: The security group 'sg-00000000000000000' does not exist"},
		"group form":    {func(in *api.RunInstancesInput) { in.SecurityGroupIds = []string{"web"} }, `InvalidGroupId.Malformed: Invalid id: "web" (expecting "sg-...")`},
		"subnet":        {func(in *api.RunInstancesInput) { in.SubnetId = aws.Ptr("subnet-00000000000000000") }, "InvalidSubnetID.NotFound: The subnet ID 'subnet-00000000000000000' does not exist"},
		"zone": {func(in *api.RunInstancesInput) {
			in.Placement = &api.Placement{AvailabilityZone: aws.Ptr("us-east-1z")}
		}, "InvalidParameterValue: Invalid availability zone: [us-east-1z]"},
		"tenancy":   {func(in *api.RunInstancesInput) { in.Placement = &api.Placement{Tenancy: "dedicated"} }, "UnsupportedOperation: The parameter Placement beyond AvailabilityZone is not supported by hardstand."},
		"partition": {func(in *api.RunInstancesInput) { in.Placement = &api.Placement{PartitionNumber: aws.Ptr[int32](1)} }, "UnsupportedOperation: The parameter Placement beyond AvailabilityZone is not supported by hardstand."},
		"affinity":  {func(in *api.RunInstancesInput) { in.Placement = &api.Placement{Affinity: aws.Ptr("host")} }, "UnsupportedOperation: The parameter Placement beyond AvailabilityZone is not supported by hardstand."},
		"spread":    {func(in *api.RunInstancesInput) { in.Placement = &api.Placement{SpreadDomain: aws.Ptr("d")} }, "UnsupportedOperation: The parameter Placement beyond AvailabilityZone is not supported by hardstand."},
		"profile": {func(in *api.RunInstancesInput) {
			in.IamInstanceProfile = &api.IamInstanceProfileSpecification{Name: aws.Ptr("none")}
		}, "InvalidParameterValue: Value (none) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"},
		"profile ARN": {func(in *api.RunInstancesInput) {
			in.IamInstanceProfile = &api.IamInstanceProfileSpecification{Arn: aws.Ptr("arn:x")}
		}, "InvalidParameterValue: Value (arn:x) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN"},
		"user data": {func(in *api.RunInstancesInput) { in.UserData = aws.Ptr("#!/bin/sh") }, "InvalidParameterValue: Invalid BASE64 encoding of user data."},
		"long user data": {func(in *api.RunInstancesInput) {
			in.UserData = aws.Ptr(base64.StdEncoding.EncodeToString(make([]byte, maxUserData+1)))
		}, "InvalidParameterValue: User data is limited to 16384 bytes"},
		"token":    {func(in *api.RunInstancesInput) { in.ClientToken = aws.Ptr(strings.Repeat("t", 65)) }, "InvalidParameterValue: Invalid value '" + strings.Repeat("t", 65) + "' for clientToken. It must not be longer than 64 characters."},
		"template": {func(in *api.RunInstancesInput) { in.LaunchTemplate = &api.LaunchTemplateSpecification{} }, "MissingParameter: The request must contain the parameter launch template ID or launch template name"},
		"spot":     {func(in *api.RunInstancesInput) { in.InstanceMarketOptions = &api.InstanceMarketOptionsRequest{} }, "UnsupportedOperation: The parameter InstanceMarketOptions is not supported by hardstand."},
		"hops": {func(in *api.RunInstancesInput) {
			in.MetadataOptions = &api.InstanceMetadataOptionsRequest{HttpPutResponseHopLimit: aws.Ptr[int32](65)}
		}, "InvalidParameterValue: Invalid value '65' for HttpPutResponseHopLimit."},
		"metadata tokens": {func(in *api.RunInstancesInput) {
			in.MetadataOptions = &api.InstanceMetadataOptionsRequest{HttpTokens: "perhaps"}
		}, "InvalidParameterValue: Invalid value 'perhaps' for MetadataOptions.HttpTokens."},
		"credits": {func(in *api.RunInstancesInput) {
			in.CreditSpecification = &api.CreditSpecificationRequest{CpuCredits: aws.Ptr("many")}
		}, "InvalidParameterValue: Invalid value 'many' for CreditSpecification.CpuCredits."},
	})
}

// TestRefusals: the same for the other operations.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	web := w.group("web")
	w.allow(web, tcp(80, 80, "0.0.0.0/0"))
	do[api.CreateKeyPairOutput](w, "CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("k"), KeyType: "ed25519"})
	id := w.launch(nil)
	def := *do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{GroupNames: []string{"default"}}).SecurityGroups[0].GroupId
	ingress := func(p ...api.IpPermission) *api.AuthorizeSecurityGroupIngressInput {
		return &api.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: p}
	}
	from := func(u api.UserIdGroupPair) *api.AuthorizeSecurityGroupIngressInput {
		u.GroupId = &web
		return ingress(api.IpPermission{IpProtocol: aws.Ptr("-1"), UserIdGroupPairs: []api.UserIdGroupPair{u}})
	}
	mine := *do[api.AllocateAddressOutput](w, "AllocateAddress", &api.AllocateAddressInput{NetworkBorderGroup: aws.Ptr("us-east-1")}).PublicIp
	open := []api.IpRange{{CidrIp: aws.Ptr("0.0.0.0/0")}}
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"DescribeInstances", &api.DescribeInstancesInput{InstanceIds: []string{"x"}}, `InvalidInstanceID.Malformed: Invalid id: "x"`},
		{"DescribeInstances", &api.DescribeInstancesInput{InstanceIds: []string{"i-00000001", "i-00000002", id}}, "InvalidInstanceID.NotFound: The instance IDs 'i-00000001, i-00000002' do not exist"},
		{"DescribeInstances", &api.DescribeInstancesInput{Filters: []api.Filter{filter("colour", "red")}}, "InvalidParameterValue: The filter 'colour' is invalid"},
		{"DescribeInstances", &api.DescribeInstancesInput{InstanceIds: []string{id}, MaxResults: aws.Ptr[int32](5)}, "InvalidParameterCombination: The parameter instancesSet cannot be used with the parameter maxResults"},
		{"DescribeInstances", &api.DescribeInstancesInput{MaxResults: aws.Ptr[int32](4)}, "InvalidParameterValue: Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than or equal to 5."},
		{"DescribeInstances", &api.DescribeInstancesInput{NextToken: aws.Ptr("%")}, "InvalidNextToken: The specified next token is not valid."},
		{"ModifyInstanceAttribute", &api.ModifyInstanceAttributeInput{InstanceId: &id, InstanceInitiatedShutdownBehavior: &api.AttributeValue{Value: aws.Ptr("explode")}}, "InvalidParameterValue: Invalid value 'explode' for instanceInitiatedShutdownBehavior."},
		{"StopInstances", &api.StopInstancesInput{}, "MissingParameter: The request must contain the parameter InstanceIds"},
		{"StopInstances", &api.StopInstancesInput{InstanceIds: []string{id}, Hibernate: aws.Ptr(true)}, "UnsupportedOperation: The parameter Hibernate is not supported by hardstand."},
		{"GetConsoleOutput", &api.GetConsoleOutputInput{InstanceId: aws.Ptr("i-00000000000000000")}, "InvalidInstanceID.NotFound: The instance ID 'i-00000000000000000' does not exist"},
		{"CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("web"), Description: aws.Ptr("d")}, "InvalidGroup.Duplicate: The security group 'web' already exists for VPC '" + w.row(id).NIC.VPC + "'"},
		{"CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("sg-x"), Description: aws.Ptr("d")}, "InvalidParameterValue: Value (sg-x) for parameter groupName is invalid. Group names may not be in the format sg-*."},
		{"CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("é"), Description: aws.Ptr("d")}, "InvalidParameterValue: Value (é) for parameter GroupName is invalid. " + groupTextWords},
		{"CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("x"), Description: aws.Ptr("d"), VpcId: aws.Ptr("vpc-0")}, "InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist"},
		{"DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: &def}, `CannotDelete: the specified group: "` + def + `" name: "default" cannot be deleted by a user`},
		{"DeleteSecurityGroup", &api.DeleteSecurityGroupInput{}, "MissingParameter: The request must contain the parameter GroupId or GroupName"},
		{"AuthorizeSecurityGroupIngress", ingress(), "MissingParameter: The request must contain the parameter ipPermissions"},
		{"AuthorizeSecurityGroupIngress", ingress(tcp(80, 80, "0.0.0.0/0")), `InvalidPermission.Duplicate: the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists`},
		{"AuthorizeSecurityGroupIngress", ingress(tcp(1, 2, "10.0.0.0/8"), tcp(1, 2, "10.0.0.0/8")), "InvalidParameterValue: The same permission must not appear multiple times"},
		{"AuthorizeSecurityGroupIngress", ingress(tcp(81, 80, "0.0.0.0/0")), "InvalidParameterValue: Invalid TCP/UDP port range (81:80)"},
		{"AuthorizeSecurityGroupIngress", ingress(tcp(1, 65536, "0.0.0.0/0")), "InvalidParameterValue: Invalid TCP/UDP port range (1:65536)"},
		{"AuthorizeSecurityGroupIngress", ingress(tcp(80, 80, "1.2.3.4")), "InvalidParameterValue: CIDR block 1.2.3.4 is malformed"},
		{"AuthorizeSecurityGroupIngress", ingress(tcp(80, 80, "::/0")), "InvalidParameterValue: CIDR block ::/0 is malformed"},
		{"AuthorizeSecurityGroupIngress", ingress(api.IpPermission{IpProtocol: aws.Ptr("tcp"), IpRanges: open}), "InvalidParameterValue: Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."},
		{"AuthorizeSecurityGroupIngress", ingress(api.IpPermission{IpProtocol: aws.Ptr("carrier pigeon"), IpRanges: open}), "InvalidParameterValue: Invalid value 'carrier pigeon' for IP protocol. Unknown protocol."},
		{"AuthorizeSecurityGroupIngress", ingress(api.IpPermission{IpProtocol: aws.Ptr("icmp"), FromPort: aws.Ptr[int32](256), IpRanges: open}), "InvalidParameterValue: ICMP code (-1) or type (256) out of range"},
		{"AuthorizeSecurityGroupIngress", ingress(api.IpPermission{IpProtocol: aws.Ptr("-1"), PrefixListIds: []api.PrefixListId{{}}}), "UnsupportedOperation: The parameter PrefixListIds is not supported by hardstand."},
		{"AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{GroupId: &web, SourceSecurityGroupName: aws.Ptr("default")}, "UnsupportedOperation: The parameter SourceSecurityGroupName is not supported by hardstand."},
		{"AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{GroupId: &web, SourceSecurityGroupOwnerId: aws.Ptr("123456789012")}, "UnsupportedOperation: The parameter SourceSecurityGroupName is not supported by hardstand."},
		{"AuthorizeSecurityGroupIngress", from(api.UserIdGroupPair{UserId: aws.Ptr("999999999999")}), "UnsupportedOperation: The parameter UserId of another account is not supported by hardstand."},
		{"AuthorizeSecurityGroupIngress", from(api.UserIdGroupPair{VpcPeeringConnectionId: aws.Ptr("pcx-0")}), "UnsupportedOperation: The parameter VpcPeeringConnectionId is not supported by hardstand."},
		{"AuthorizeSecurityGroupIngress", from(api.UserIdGroupPair{VpcId: aws.Ptr("vpc-0")}), "InvalidParameter: You have specified two resources that belong to different networks."},
		{"RevokeSecurityGroupIngress", &api.RevokeSecurityGroupIngressInput{GroupId: &web, IpPermissions: []api.IpPermission{tcp(443, 443, "0.0.0.0/0")}}, "InvalidPermission.NotFound: The specified rule does not exist in this security group."},
		{"RevokeSecurityGroupIngress", &api.RevokeSecurityGroupIngressInput{GroupId: &web, SecurityGroupRuleIds: []string{"sgr-0"}}, "InvalidSecurityGroupRuleId.NotFound: The security group rule ID 'sgr-0' does not exist"},
		{"CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("k")}, "InvalidKeyPair.Duplicate: The keypair already exists"},
		{"ImportKeyPair", &api.ImportKeyPairInput{KeyName: aws.Ptr("x"), PublicKeyMaterial: []byte("ssh-dss AAAA")}, "InvalidKey.Format: Key is not in valid OpenSSH public key format"},
		{"DescribeKeyPairs", &api.DescribeKeyPairsInput{KeyNames: []string{"none"}}, "InvalidKeyPair.NotFound: The key pair 'none' does not exist"},
		{"AllocateAddress", &api.AllocateAddressInput{NetworkBorderGroup: aws.Ptr("us-west-2")}, "InvalidParameterValue: Invalid value 'us-west-2' for networkBorderGroup."},
		{"ReleaseAddress", &api.ReleaseAddressInput{PublicIp: &mine, NetworkBorderGroup: aws.Ptr("us-west-2")}, "InvalidAddress.NotFound: Address '" + mine + "' not found."},
		{"ReleaseAddress", &api.ReleaseAddressInput{AllocationId: aws.Ptr("eipalloc-0")}, "InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0' does not exist"},
		{"DisassociateAddress", &api.DisassociateAddressInput{AssociationId: aws.Ptr("eipassoc-0")}, "InvalidAssociationID.NotFound: The association ID 'eipassoc-0' does not exist"},
		{"CreateTags", &api.CreateTagsInput{Resources: []string{"thing"}, Tags: tagList("a", "b")}, "InvalidID: The ID 'thing' is not valid"},
		{"DescribeInstanceTypes", &api.DescribeInstanceTypesInput{InstanceTypes: []string{"t1.none"}}, "InvalidInstanceType: The following supplied instance types do not exist: [t1.none]"},
		{"DescribeAvailabilityZones", &api.DescribeAvailabilityZonesInput{ZoneNames: []string{"eu-west-1a"}}, "InvalidParameterValue: Invalid availability zone: [eu-west-1a]"},
		{"DescribeImages", &api.DescribeImagesInput{ImageIds: []string{"ami-z"}}, `InvalidAMIID.Malformed: Invalid id: "ami-z"`},
		{"DescribeVolumes", &api.DescribeVolumesInput{VolumeIds: []string{"vol-0"}}, "InvalidVolume.NotFound: The volume 'vol-0' does not exist"},
		{"AssociateIamInstanceProfile", &api.AssociateIamInstanceProfileInput{InstanceId: &id, IamInstanceProfile: &api.IamInstanceProfileSpecification{Name: aws.Ptr("web")}}, "IncorrectInstanceState: The instance '" + id + "' is not in the 'running' or 'stopped' states."},
		{"DisassociateIamInstanceProfile", &api.DisassociateIamInstanceProfileInput{AssociationId: aws.Ptr("iip-assoc-0")}, "NoSuchAssociation: An invalid association-id of 'iip-assoc-0' was given"},
	} {
		if got := refused(w, c.operation, c.in); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.operation, got, c.want)
		}
	}
}
