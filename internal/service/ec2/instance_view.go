package ec2

import (
	"context"
	"errors"
	"slices"
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
		Placement:          &api.Placement{AvailabilityZone: aws.Ptr(r.Zone), GroupName: aws.Ptr(""), Tenancy: api.Tenancy((&vpc{Dedicated: r.Dedicated}).tenancy())},
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
	out.SourceDestCheck = aws.Ptr(!r.NIC.Forwards)
	out.SecurityGroups = groupIdentifiers(r.NIC.Groups, names)
	if r.NIC.Public.IsValid() {
		out.PublicIpAddress, out.PublicDnsName = aws.Ptr(r.NIC.Public.String()), aws.Ptr(names.public(c.Region, r.NIC))
	}
	out.BlockDeviceMappings = r.attachedVolumes()
	for _, h := range r.interfaces(names) {
		out.NetworkInterfaces = append(out.NetworkInterfaces, instanceInterface(c, h, names))
	}
}

// interfaces lists an instance's interfaces by their device numbers.
func (r *instance) interfaces(names naming) []heldInterface {
	out := []heldInterface{primaryOf(r)}
	for _, row := range names.devices[r.ID] {
		out = append(out, heldRow(row))
	}
	return out
}

// instanceInterface is an interface as its instance shows it.
func instanceInterface(c aws.Call, h heldInterface, names naming) api.InstanceNetworkInterface {
	n := apiInterface(c, h, names)
	out := api.InstanceNetworkInterface{
		Description: n.Description, Groups: n.Groups, MacAddress: n.MacAddress, NetworkInterfaceId: n.NetworkInterfaceId, OwnerId: n.OwnerId,
		PrivateDnsName: n.PrivateDnsName, PrivateIpAddress: n.PrivateIpAddress, SourceDestCheck: n.SourceDestCheck, Status: n.Status,
		SubnetId: n.SubnetId, VpcId: n.VpcId, InterfaceType: aws.Ptr(string(n.InterfaceType)), Ipv6Addresses: []api.InstanceIpv6Address{},
		Attachment: &api.InstanceNetworkInterfaceAttachment{
			AttachTime: n.Attachment.AttachTime, AttachmentId: n.Attachment.AttachmentId, DeleteOnTermination: n.Attachment.DeleteOnTermination,
			DeviceIndex: n.Attachment.DeviceIndex, Status: "attached", NetworkCardIndex: n.Attachment.NetworkCardIndex,
		},
	}
	if a := n.Association; a != nil {
		out.Association = &api.InstanceNetworkInterfaceAssociation{IpOwnerId: a.IpOwnerId, PublicDnsName: a.PublicDnsName, PublicIp: a.PublicIp}
	}
	out.PrivateIpAddresses = []api.InstancePrivateIpAddress{{Association: out.Association, Primary: aws.Ptr(true), PrivateDnsName: out.PrivateDnsName, PrivateIpAddress: out.PrivateIpAddress}}
	return out
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
	// devices are the interfaces beside the primary one, by instance and in order.
	devices map[string][]*networkInterface
}

func newNaming() naming {
	return naming{groups: map[string]string{}, nameless: map[string]bool{}, devices: map[string][]*networkInterface{}}
}

func (n naming) load(tx *store.Tx, c aws.Call) error {
	return errors.Join(
		eachRow(tx, c, &securityGroups, func(id string, g *securityGroup) { n.groups[id] = g.Name }),
		eachRow(tx, c, &vpcs, func(id string, v *vpc) { n.nameless[id] = !v.publicNames() }),
		eachRow(tx, c, &interfaces, func(_ string, r *networkInterface) {
			if r.Instance != "" {
				n.devices[r.Instance] = append(n.devices[r.Instance], r)
				slices.SortFunc(n.devices[r.Instance], func(a, b *networkInterface) int { return int(a.Device - b.Device) })
			}
		}),
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

// attachedVolumes shows the root volume, the only one there is.
func (r *instance) attachedVolumes() []api.InstanceBlockDeviceMapping {
	return []api.InstanceBlockDeviceMapping{{DeviceName: aws.Ptr(rootDevice), Ebs: &api.EbsInstanceBlockDevice{
		AttachTime: aws.Ptr(r.LaunchTime), DeleteOnTermination: aws.Ptr(true), Status: "attached", VolumeId: aws.Ptr(r.Root.ID),
	}}}
}
