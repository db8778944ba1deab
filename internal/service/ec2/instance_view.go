package ec2

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// describe renders a row as DescribeInstances shows it. names are group names by
// id. A terminated instance shows no network, as on EC2.
func (s *Service) describe(c aws.Call, r *instance, names map[string]string) api.Instance {
	kind, _ := findType(r.Type)
	out := api.Instance{
		InstanceId: aws.Ptr(r.ID), ImageId: aws.Ptr(r.ImageID), InstanceType: api.InstanceType(r.Type),
		State: apiState(r.State), LaunchTime: aws.Ptr(r.LaunchTime), AmiLaunchIndex: aws.Ptr(r.LaunchIndex),
		Architecture: "x86_64", Hypervisor: "xen", VirtualizationType: "hvm", RootDeviceName: aws.Ptr(rootDevice), RootDeviceType: "ebs",
		EbsOptimized: aws.Ptr(r.EBSOptimized), EnaSupport: aws.Ptr(true), PlatformDetails: aws.Ptr("Linux/UNIX"), UsageOperation: aws.Ptr("RunInstances"),
		UsageOperationUpdateTime: aws.Ptr(r.LaunchTime), StateTransitionReason: aws.Ptr(r.TransitionReason),
		Monitoring:         &api.Monitoring{State: api.MonitoringState(monitoringState(r.Monitoring))},
		Placement:          &api.Placement{AvailabilityZone: aws.Ptr(r.Zone), GroupName: aws.Ptr(""), Tenancy: "default"},
		CpuOptions:         &api.CpuOptions{CoreCount: aws.Ptr(kind.VCPUs), ThreadsPerCore: aws.Ptr[int32](1)},
		MetadataOptions:    apiMetadata(r.Metadata),
		PrivateDnsName:     aws.Ptr(""),
		PublicDnsName:      aws.Ptr(""),
		ProductCodes:       []api.ProductCode{},
		Tags:               apiTags(r.Tags),
		SecurityGroups:     []api.GroupIdentifier{},
		EnclaveOptions:     &api.EnclaveOptions{Enabled: aws.Ptr(false)},
		BootMode:           "uefi-preferred",
		HibernationOptions: &api.HibernationOptions{Configured: aws.Ptr(false)},
	}
	if r.KeyName != "" {
		out.KeyName = aws.Ptr(r.KeyName)
	}
	if t, ok := strings.CutPrefix(r.Token, clientToken); ok {
		out.ClientToken = aws.Ptr(t)
	}
	out.StateReason = apiReason(r)
	if r.Profile != nil {
		out.IamInstanceProfile = &api.IamInstanceProfile{Arn: aws.Ptr(r.Profile.ARN), Id: aws.Ptr(r.Profile.ID)}
	}
	if r.State != stateTerminated {
		describeNetwork(c, r, names, &out)
	}
	return out
}

func describeNetwork(c aws.Call, r *instance, names map[string]string, out *api.Instance) {
	out.VpcId, out.SubnetId = aws.Ptr(r.NIC.VPC), aws.Ptr(r.NIC.Subnet)
	out.PrivateIpAddress = aws.Ptr(r.NIC.Private.String())
	out.PrivateDnsName = aws.Ptr(privateDNS(c.Region, r.NIC.Private))
	out.SourceDestCheck = aws.Ptr(true)
	out.SecurityGroups = groupIdentifiers(r.NIC.Groups, names)
	var assoc *api.InstanceNetworkInterfaceAssociation
	if r.NIC.Public.IsValid() {
		dns := publicDNS(c.Region, r.NIC.Public)
		out.PublicIpAddress, out.PublicDnsName = aws.Ptr(r.NIC.Public.String()), aws.Ptr(dns)
		owner := "amazon"
		if r.NIC.Allocation != "" {
			owner = c.Account
		}
		assoc = &api.InstanceNetworkInterfaceAssociation{IpOwnerId: aws.Ptr(owner), PublicDnsName: aws.Ptr(dns), PublicIp: out.PublicIpAddress}
	}
	out.BlockDeviceMappings = []api.InstanceBlockDeviceMapping{{DeviceName: aws.Ptr(rootDevice), Ebs: &api.EbsInstanceBlockDevice{
		AttachTime: aws.Ptr(r.LaunchTime), DeleteOnTermination: aws.Ptr(true), Status: "attached", VolumeId: aws.Ptr(r.Root.ID),
	}}}
	out.NetworkInterfaces = []api.InstanceNetworkInterface{{
		Association: assoc, Description: aws.Ptr(r.NIC.Description), Groups: out.SecurityGroups, MacAddress: aws.Ptr(r.NIC.MAC),
		NetworkInterfaceId: aws.Ptr(r.NIC.ID), OwnerId: aws.Ptr(c.Account), PrivateDnsName: out.PrivateDnsName,
		PrivateIpAddress: out.PrivateIpAddress, SourceDestCheck: aws.Ptr(true), Status: "in-use", SubnetId: out.SubnetId, VpcId: out.VpcId,
		InterfaceType: aws.Ptr("interface"), Ipv6Addresses: []api.InstanceIpv6Address{},
		PrivateIpAddresses: []api.InstancePrivateIpAddress{{Association: assoc, Primary: aws.Ptr(true), PrivateDnsName: out.PrivateDnsName, PrivateIpAddress: out.PrivateIpAddress}},
		Attachment: &api.InstanceNetworkInterfaceAttachment{
			AttachTime: aws.Ptr(r.LaunchTime), AttachmentId: aws.Ptr(r.NIC.AttachmentID), DeleteOnTermination: aws.Ptr(true),
			DeviceIndex: aws.Ptr[int32](0), Status: "attached", NetworkCardIndex: aws.Ptr[int32](0),
		},
	}}
}

// apiReason is nil while all is as it should be.
func apiReason(r *instance) *api.StateReason {
	switch {
	case r.StateReason.Code != "":
		return &api.StateReason{Code: aws.Ptr(r.StateReason.Code), Message: aws.Ptr(r.StateReason.Message)}
	case r.State == statePending:
		return &api.StateReason{Code: aws.Ptr(statePending), Message: aws.Ptr(statePending)}
	}
	return nil
}

func apiState(s string) *api.InstanceState {
	return &api.InstanceState{Code: aws.Ptr(stateCodes[s]), Name: api.InstanceStateName(s)}
}

func apiMetadata(m metadataOptions) *api.InstanceMetadataOptionsResponse {
	return &api.InstanceMetadataOptionsResponse{
		State: "applied", HttpTokens: api.HttpTokensState(m.Tokens), HttpPutResponseHopLimit: aws.Ptr(m.HopLimit),
		HttpEndpoint: api.InstanceMetadataEndpointState(m.Endpoint), HttpProtocolIpv6: "disabled",
		InstanceMetadataTags: api.InstanceMetadataTagsState(m.Tags),
	}
}

func groupIdentifiers(groups []string, names map[string]string) []api.GroupIdentifier {
	out := make([]api.GroupIdentifier, 0, len(groups))
	for _, g := range groups {
		out = append(out, api.GroupIdentifier{GroupId: aws.Ptr(g), GroupName: aws.Ptr(names[g])})
	}
	return out
}

// groupNames returns the names of the caller's security groups by id.
func (s *Service) groupNames(ctx context.Context, c aws.Call) (map[string]string, error) {
	names := map[string]string{}
	err := s.db.View(ctx, func(tx *store.Tx) error { return loadGroupNames(tx, c, names) })
	return names, err
}
