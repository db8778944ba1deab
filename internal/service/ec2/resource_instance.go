package ec2

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceInstance is AWS::EC2::Instance.
type resourceInstance struct{ s *Service }

type instanceProperties struct {
	ImageId                           *string
	LaunchTemplate                    *launchTemplateProperty
	InstanceType                      *string
	KeyName                           *string
	SecurityGroups                    []string
	SecurityGroupIds                  []string
	SubnetId                          *string
	AvailabilityZone                  *string
	PrivateIpAddress                  *string
	UserData                          *string
	IamInstanceProfile                *string
	DisableApiTermination             *bool
	Monitoring                        *bool
	EbsOptimized                      *bool
	SourceDestCheck                   *bool
	Tenancy                           *string
	InstanceInitiatedShutdownBehavior *string
	PropagateTagsToVolumeOnCreation   *bool
	CreditSpecification               *struct{ CPUCredits *string }
	HibernationOptions                *struct{ Configured *bool }
	EnclaveOptions                    *struct{ Enabled *bool }
	PrivateDnsNameOptions             *privateNamesProperty `cfn:",createOnly"`
	Volumes                           []json.RawMessage
	SsmAssociations                   []json.RawMessage
	MetadataOptions                   *metadataProperty
	BlockDeviceMappings               []blockDeviceProperty `cfn:",createOnly"`
	NetworkInterfaces                 []interfaceProperty
	Tags                              []stack.Tag
}

type metadataProperty struct {
	HttpTokens, HttpEndpoint, HttpProtocolIpv6, InstanceMetadataTags *string
	HttpPutResponseHopLimit                                          *int32
}

type privateNamesProperty struct {
	HostnameType                                                  *string
	EnableResourceNameDnsARecord, EnableResourceNameDnsAAAARecord *bool
}

type blockDeviceProperty struct {
	DeviceName  string `cfn:",required"`
	VirtualName *string
	NoDevice    json.RawMessage
	Ebs         *struct {
		DeleteOnTermination, Encrypted *bool
		Iops, VolumeSize               *int32
		KmsKeyId, SnapshotId           *string
		VolumeType                     *string
	}
}

type interfaceProperty struct {
	DeviceIndex              string `cfn:",required"`
	AssociatePublicIpAddress *bool
	DeleteOnTermination      *bool
	Description              *string
	GroupSet                 []string
	NetworkInterfaceId       *string
	PrivateIpAddress         *string
	SubnetId                 *string
}

func (resourceInstance) Schema() stack.Schema {
	sc := stack.SchemaOf(instanceProperties{})
	sc.Attributes = []string{"AvailabilityZone", "PrivateDnsName", "PrivateIp", "PublicDnsName", "PublicIp", "InstanceId", "VpcId", "State.Code", "State.Name"}
	sc.Taggable, sc.Signals = true, true
	return sc
}

func (t resourceInstance) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p instanceProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	in, err := p.runInput(r)
	if err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.RunInstancesOutput](ctx, t.s, "RunInstances", in)
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.Instances[0].InstanceId)
	started(id)
	r.PhysicalID = id
	if !orDefault(p.SourceDestCheck, true) {
		edit := &api.ModifyInstanceAttributeInput{InstanceId: &id, SourceDestCheck: &api.AttributeBooleanValue{Value: p.SourceDestCheck}}
		if _, err := call[api.ModifyInstanceAttributeOutput](ctx, t.s, "ModifyInstanceAttribute", edit); err != nil {
			return stack.Result{PhysicalID: id}, err
		}
	}
	if stack.Express(ctx) {
		return t.Read(ctx, r)
	}
	if err := t.s.awaitState(ctx, id, stateRunning); err != nil {
		return stack.Result{PhysicalID: id}, err
	}
	return t.Read(ctx, r)
}

func (p *instanceProperties) runInput(r stack.Request) (*api.RunInstancesInput, error) {
	if aws.Val(p.ImageId) == "" && p.LaunchTemplate == nil {
		return nil, &stack.PropertyError{Message: "Property validation failure: [The property {/ImageId} is required]"}
	}
	one := aws.Ptr[int32](1)
	in := &api.RunInstancesInput{
		ImageId: p.ImageId, LaunchTemplate: p.LaunchTemplate.specification(), MinCount: one, MaxCount: one, InstanceType: api.InstanceType(aws.Val(p.InstanceType)), KeyName: p.KeyName,
		SecurityGroups: p.SecurityGroups, SecurityGroupIds: p.SecurityGroupIds, SubnetId: p.SubnetId, PrivateIpAddress: p.PrivateIpAddress,
		UserData: p.UserData, DisableApiTermination: p.DisableApiTermination, EbsOptimized: p.EbsOptimized,
		InstanceInitiatedShutdownBehavior: api.ShutdownBehavior(aws.Val(p.InstanceInitiatedShutdownBehavior)),
		TagSpecifications:                 []api.TagSpecification{{ResourceType: "instance", Tags: toAPITags(r.TagsWith(p.Tags))}},
	}
	if aws.Val(p.PropagateTagsToVolumeOnCreation) {
		in.TagSpecifications = append(in.TagSpecifications, api.TagSpecification{ResourceType: "volume", Tags: in.TagSpecifications[0].Tags})
	}
	if p.AvailabilityZone != nil || p.Tenancy != nil {
		in.Placement = &api.Placement{AvailabilityZone: p.AvailabilityZone, Tenancy: api.Tenancy(aws.Val(p.Tenancy))}
	}
	if p.IamInstanceProfile != nil {
		in.IamInstanceProfile = &api.IamInstanceProfileSpecification{Name: p.IamInstanceProfile}
	}
	if p.Monitoring != nil {
		in.Monitoring = &api.RunInstancesMonitoringEnabled{Enabled: p.Monitoring}
	}
	if p.CreditSpecification != nil {
		in.CreditSpecification = &api.CreditSpecificationRequest{CpuCredits: p.CreditSpecification.CPUCredits}
	}
	if err := p.options(in); err != nil {
		return nil, err
	}
	return in, p.devices(in)
}

func (p *instanceProperties) devices(in *api.RunInstancesInput) error {
	for _, b := range p.BlockDeviceMappings {
		m := api.BlockDeviceMapping{DeviceName: &b.DeviceName, VirtualName: b.VirtualName}
		if b.NoDevice != nil {
			m.NoDevice = aws.Ptr("")
		}
		if e := b.Ebs; e != nil {
			m.Ebs = &api.EbsBlockDevice{
				DeleteOnTermination: e.DeleteOnTermination, Encrypted: e.Encrypted, VolumeSize: e.VolumeSize,
				SnapshotId: e.SnapshotId, KmsKeyId: e.KmsKeyId, Iops: e.Iops, VolumeType: api.VolumeType(aws.Val(e.VolumeType)),
			}
		}
		in.BlockDeviceMappings = append(in.BlockDeviceMappings, m)
	}
	for _, n := range p.NetworkInterfaces {
		device, err := strconv.ParseInt(n.DeviceIndex, 10, 32)
		if err != nil {
			return invalidValue(n.DeviceIndex, "DeviceIndex")
		}
		in.NetworkInterfaces = append(in.NetworkInterfaces, api.InstanceNetworkInterfaceSpecification{
			DeviceIndex: aws.Ptr(int32(device)), AssociatePublicIpAddress: n.AssociatePublicIpAddress, DeleteOnTermination: n.DeleteOnTermination,
			Description: n.Description, Groups: n.GroupSet, NetworkInterfaceId: n.NetworkInterfaceId, PrivateIpAddress: n.PrivateIpAddress, SubnetId: n.SubnetId,
		})
	}
	return nil
}

func (t resourceInstance) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	i, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	attrs := map[string]any{
		"InstanceId": r.PhysicalID, "VpcId": aws.Val(i.VpcId), "AvailabilityZone": aws.Val(i.Placement.AvailabilityZone),
		"PrivateDnsName": aws.Val(i.PrivateDnsName), "PrivateIp": aws.Val(i.PrivateIpAddress),
		"PublicDnsName": aws.Val(i.PublicDnsName), "PublicIp": aws.Val(i.PublicIpAddress),
		"State.Code": json.Number(itoa(*i.State.Code)), "State.Name": string(i.State.Name),
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: attrs}, nil
}

func (t resourceInstance) find(ctx context.Context, id string) (*api.Instance, error) {
	out, err := call[api.DescribeInstancesOutput](ctx, t.s, "DescribeInstances", &api.DescribeInstancesInput{InstanceIds: []string{id}})
	if awserr.Is(err, "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	i := &out.Reservations[0].Instances[0]
	if i.State.Name == stateTerminated {
		return nil, stack.ErrNotFound
	}
	return i, nil
}

func (t resourceInstance) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.TerminateInstancesOutput](ctx, t.s, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{r.PhysicalID}})
	if awserr.Is(err, "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed") {
		return nil
	}
	if err != nil {
		return err
	}
	return t.s.awaitState(ctx, r.PhysicalID, stateTerminated)
}
