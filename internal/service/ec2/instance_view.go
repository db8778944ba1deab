package ec2

import (
	"context"
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// describe renders a row as DescribeInstances shows it. A terminated instance shows no network, as on EC2.
func (s *Service) describe(c aws.Call, r *instance, names naming) api.Instance {
	kind, _ := findType(r.Type)
	out := api.Instance{
		InstanceId: aws.Ptr(r.ID), ImageId: aws.Ptr(r.ImageID), InstanceType: api.InstanceType(r.Type),
		State: apiState(r.State), LaunchTime: aws.Ptr(r.LaunchTime), AmiLaunchIndex: aws.Ptr(r.LaunchIndex),
		Architecture: api.ArchitectureValues(architecture), Hypervisor: "xen", VirtualizationType: "hvm", RootDeviceName: aws.Ptr(rootDevice), RootDeviceType: "ebs",
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

func describeNetwork(c aws.Call, r *instance, names naming, out *api.Instance) {
	out.VpcId, out.SubnetId = aws.Ptr(r.NIC.VPC), aws.Ptr(r.NIC.Subnet)
	out.PrivateIpAddress = aws.Ptr(r.NIC.Private.String())
	out.PrivateDnsName = aws.Ptr(privateDNS(c.Region, r.NIC.Private))
	out.SourceDestCheck = aws.Ptr(true)
	out.SecurityGroups = groupIdentifiers(r.NIC.Groups, names)
	var assoc *api.InstanceNetworkInterfaceAssociation
	if r.NIC.Public.IsValid() {
		dns := names.public(c.Region, r.NIC)
		out.PublicIpAddress, out.PublicDnsName = aws.Ptr(r.NIC.Public.String()), aws.Ptr(dns)
		assoc = &api.InstanceNetworkInterfaceAssociation{IpOwnerId: aws.Ptr(primaryOf(r).publicOwner(c)), PublicDnsName: aws.Ptr(dns), PublicIp: out.PublicIpAddress}
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

func groupIdentifiers(groups []string, names naming) []api.GroupIdentifier {
	out := make([]api.GroupIdentifier, 0, len(groups))
	for _, g := range groups {
		out = append(out, api.GroupIdentifier{GroupId: aws.Ptr(g), GroupName: aws.Ptr(names.groups[g])})
	}
	return out
}

// naming is what the description of an instance takes from other rows.
type naming struct {
	groups map[string]string // names of security groups by id
	// nameless holds the VPCs that give no public host names.
	nameless map[string]bool
}

func newNaming() naming { return naming{groups: map[string]string{}, nameless: map[string]bool{}} }

func (n naming) load(tx *store.Tx, c aws.Call) error {
	return errors.Join(
		eachRow(tx, c, &securityGroups, func(id string, g *securityGroup) { n.groups[id] = g.Name }),
		eachRow(tx, c, &vpcs, func(id string, v *vpc) { n.nameless[id] = !v.publicNames() }),
	)
}

// publicNames says whether instances with a public address have a name for it.
func (v *vpc) publicNames() bool { return v.HostNames && !v.NoDNS }

// public is the name of an interface's public address, or "".
func (n naming) public(region string, of nic) string {
	if n.nameless[of.VPC] {
		return ""
	}
	return publicDNS(region, of.Public)
}

// names returns the caller's naming.
func (s *Service) names(ctx context.Context, c aws.Call) (naming, error) {
	n := newNaming()
	err := s.db.View(ctx, func(tx *store.Tx) error { return n.load(tx, c) })
	return n, err
}
