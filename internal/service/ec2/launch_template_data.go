package ec2

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// reshape turns one of the API's structures into another that has members of the same
// names, as the data of launch templates has in requests, answers and launches.
func reshape(from, into any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("reshape %T: %w", from, err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("reshape %T into %T: %w", from, into, err)
	}
	return nil
}

// shownData is the data of a template as answers show it.
func shownData(data api.RequestLaunchTemplateData) (*api.ResponseLaunchTemplateData, error) {
	out := &api.ResponseLaunchTemplateData{}
	return out, reshape(data, out)
}

// launchOf is the launch that the data of a template describes.
func launchOf(data api.RequestLaunchTemplateData) (*api.RunInstancesInput, error) {
	err := refuse( // what launches do not have, or call otherwise
		asked{"InstanceRequirements of a launch template", data.InstanceRequirements != nil},
		asked{"ElasticGpuSpecifications of a launch template", len(data.ElasticGpuSpecifications) > 0},
	)
	if err != nil {
		return nil, err
	}
	out := &api.RunInstancesInput{}
	return out, reshape(data, out)
}

// GetLaunchTemplateData gives the data with which a template would launch another
// instance like the one named.
func (s *Service) GetLaunchTemplateData(ctx context.Context, in *api.GetLaunchTemplateDataInput) (*api.GetLaunchTemplateDataOutput, error) {
	c := aws.CallFrom(ctx)
	r, err := s.one(ctx, c, in.InstanceId)
	if err != nil {
		return nil, err
	}
	user, err := s.userData(r)
	if err != nil {
		return nil, err
	}
	data := r.likeness()
	if len(user) > 0 {
		data.UserData = aws.Ptr(base64.StdEncoding.EncodeToString(user))
	}
	return &api.GetLaunchTemplateDataOutput{LaunchTemplateData: data}, nil
}

// likeness is the data of a template that launches such an instance.
func (r *instance) likeness() *api.ResponseLaunchTemplateData {
	off := aws.Ptr(false)
	data := &api.ResponseLaunchTemplateData{
		ImageId: aws.Ptr(r.ImageID), InstanceType: api.InstanceType(r.Type), EbsOptimized: aws.Ptr(r.EBSOptimized),
		DisableApiTermination: aws.Ptr(r.DisableAPITermination), DisableApiStop: aws.Ptr(r.DisableAPIStop), InstanceInitiatedShutdownBehavior: "stop",
		Monitoring: &api.LaunchTemplatesMonitoring{Enabled: aws.Ptr(r.Monitoring)},
		Placement:  &api.LaunchTemplatePlacement{AvailabilityZone: aws.Ptr(r.Zone), GroupName: aws.Ptr(""), Tenancy: "default"},
		MetadataOptions: &api.LaunchTemplateInstanceMetadataOptions{
			HttpTokens: api.LaunchTemplateHttpTokensState(r.Metadata.Tokens), HttpPutResponseHopLimit: aws.Ptr(r.Metadata.HopLimit), HttpProtocolIpv6: "disabled",
			HttpEndpoint: api.LaunchTemplateInstanceMetadataEndpointState(r.Metadata.Endpoint), InstanceMetadataTags: api.LaunchTemplateInstanceMetadataTagsState(r.Metadata.Tags),
		},
		BlockDeviceMappings: []api.LaunchTemplateBlockDeviceMapping{{DeviceName: aws.Ptr(rootDevice), Ebs: r.Root.likeness()}},
		NetworkInterfaces: []api.LaunchTemplateInstanceNetworkInterfaceSpecification{{
			AssociatePublicIpAddress: aws.Ptr(r.NIC.AutoPublic), DeleteOnTermination: aws.Ptr(true), Description: aws.Ptr(r.NIC.Description), DeviceIndex: aws.Ptr[int32](0),
			Groups: r.NIC.Groups, InterfaceType: aws.Ptr("interface"), NetworkCardIndex: aws.Ptr[int32](0), SubnetId: aws.Ptr(r.NIC.Subnet),
			PrivateIpAddresses: []api.PrivateIpAddressSpecification{{Primary: aws.Ptr(true), PrivateIpAddress: aws.Ptr(r.NIC.Private.String())}},
		}},
		EnclaveOptions: &api.LaunchTemplateEnclaveOptions{Enabled: off}, HibernationOptions: &api.LaunchTemplateHibernationOptions{Configured: off},
		MaintenanceOptions:               &api.LaunchTemplateInstanceMaintenanceOptions{AutoRecovery: "default"},
		PrivateDnsNameOptions:            &api.LaunchTemplatePrivateDnsNameOptions{HostnameType: "ip-name", EnableResourceNameDnsARecord: off, EnableResourceNameDnsAAAARecord: off},
		CapacityReservationSpecification: &api.LaunchTemplateCapacityReservationSpecificationResponse{CapacityReservationPreference: "open"},
		TagSpecifications:                likeTags(map[string]map[string]string{"instance": r.Tags, "volume": r.Root.Tags, "network-interface": r.NIC.Tags}),
	}
	if r.ShutdownTerminates {
		data.InstanceInitiatedShutdownBehavior = "terminate"
	}
	if r.KeyName != "" {
		data.KeyName = aws.Ptr(r.KeyName)
	}
	if r.Profile != nil {
		data.IamInstanceProfile = &api.LaunchTemplateIamInstanceProfileSpecification{Arn: aws.Ptr(r.Profile.ARN)}
	}
	if r.CPUCredits != "" {
		data.CreditSpecification = &api.CreditSpecification{CpuCredits: aws.Ptr(r.CPUCredits)}
	}
	return data
}

func (v volume) likeness() *api.LaunchTemplateEbsBlockDevice {
	e := &api.LaunchTemplateEbsBlockDevice{Encrypted: aws.Ptr(false), DeleteOnTermination: aws.Ptr(true), VolumeSize: aws.Ptr(v.GiB), VolumeType: api.VolumeType(v.Type)}
	if v.IOPS > 0 && v.Type != "gp2" { // which has them by its size
		e.Iops = aws.Ptr(v.IOPS)
	}
	if v.Throughput > 0 {
		e.Throughput = aws.Ptr(v.Throughput)
	}
	return e
}

// likeTags are the tags that somebody gave: those of services stay behind.
func likeTags(kinds map[string]map[string]string) []api.LaunchTemplateTagSpecification {
	out := []api.LaunchTemplateTagSpecification{}
	for _, kind := range []string{"instance", "network-interface", "volume"} {
		var own []api.Tag
		for _, t := range apiTags(kinds[kind]) {
			if countOwn(map[string]string{*t.Key: ""}) == 1 {
				own = append(own, t)
			}
		}
		if len(own) > 0 {
			out = append(out, api.LaunchTemplateTagSpecification{ResourceType: api.ResourceType(kind), Tags: own})
		}
	}
	return out
}
