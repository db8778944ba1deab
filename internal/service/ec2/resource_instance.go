package ec2

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceInstance is AWS::EC2::Instance.
type resourceInstance struct{ s *Service }

type instanceProperties struct {
	ImageId                           string `cfn:",createOnly"`
	InstanceType                      *string
	KeyName                           *string  `cfn:",createOnly"`
	SecurityGroups                    []string `cfn:",createOnly"`
	SecurityGroupIds                  []string
	SubnetId                          *string `cfn:",createOnly"`
	AvailabilityZone                  *string `cfn:",createOnly"`
	PrivateIpAddress                  *string `cfn:",createOnly"`
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
	MetadataOptions                   *struct {
		HttpTokens, HttpEndpoint, HttpProtocolIpv6, InstanceMetadataTags *string
		HttpPutResponseHopLimit                                          *int32
	}
	BlockDeviceMappings []blockDeviceProperty `cfn:",createOnly"`
	NetworkInterfaces   []interfaceProperty   `cfn:",createOnly"`
	Tags                []stack.Tag
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
	if err := t.s.awaitState(ctx, id, stateRunning); err != nil {
		return stack.Result{PhysicalID: id}, err
	}
	r.PhysicalID = id
	return t.Read(ctx, r)
}

func (p *instanceProperties) runInput(r stack.Request) (*api.RunInstancesInput, error) {
	if p.ImageId == "" {
		return nil, &stack.PropertyError{Message: "Property validation failure: [The property {/ImageId} is required]"}
	}
	one := aws.Ptr[int32](1)
	in := &api.RunInstancesInput{
		ImageId: &p.ImageId, MinCount: one, MaxCount: one, InstanceType: api.InstanceType(aws.Val(p.InstanceType)), KeyName: p.KeyName,
		SecurityGroups: p.SecurityGroups, SecurityGroupIds: p.SecurityGroupIds, SubnetId: p.SubnetId, PrivateIpAddress: p.PrivateIpAddress,
		UserData: p.UserData, DisableApiTermination: p.DisableApiTermination, EbsOptimized: p.EbsOptimized,
		InstanceInitiatedShutdownBehavior: api.ShutdownBehavior(aws.Val(p.InstanceInitiatedShutdownBehavior)),
		TagSpecifications:                 []api.TagSpecification{{ResourceType: "instance", Tags: toAPITags(r.TagsWith(p.Tags))}},
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
	if p.SourceDestCheck != nil && !*p.SourceDestCheck {
		return nil, unsupported("SourceDestCheck=false")
	}
	if m := p.MetadataOptions; m != nil {
		in.MetadataOptions = &api.InstanceMetadataOptionsRequest{
			HttpTokens: api.HttpTokensState(aws.Val(m.HttpTokens)), HttpEndpoint: api.InstanceMetadataEndpointState(aws.Val(m.HttpEndpoint)),
			HttpPutResponseHopLimit: m.HttpPutResponseHopLimit, HttpProtocolIpv6: api.InstanceMetadataProtocolState(aws.Val(m.HttpProtocolIpv6)),
			InstanceMetadataTags: api.InstanceMetadataTagsState(aws.Val(m.InstanceMetadataTags)),
		}
	}
	return in, p.devices(in)
}

func (p *instanceProperties) devices(in *api.RunInstancesInput) error {
	for _, b := range p.BlockDeviceMappings {
		if b.VirtualName != nil || b.NoDevice != nil {
			return unsupported("BlockDeviceMappings.VirtualName and NoDevice")
		}
		m := api.BlockDeviceMapping{DeviceName: &b.DeviceName}
		if e := b.Ebs; e != nil {
			m.Ebs = &api.EbsBlockDevice{
				DeleteOnTermination: e.DeleteOnTermination, Encrypted: e.Encrypted, VolumeSize: e.VolumeSize,
				SnapshotId: e.SnapshotId, KmsKeyId: e.KmsKeyId, Iops: e.Iops, VolumeType: api.VolumeType(aws.Val(e.VolumeType)),
			}
		}
		in.BlockDeviceMappings = append(in.BlockDeviceMappings, m)
	}
	for _, n := range p.NetworkInterfaces {
		if n.DeviceIndex != "0" {
			return unsupported("NetworkInterfaces beyond device index 0")
		}
		in.NetworkInterfaces = append(in.NetworkInterfaces, api.InstanceNetworkInterfaceSpecification{
			DeviceIndex: aws.Ptr[int32](0), AssociatePublicIpAddress: n.AssociatePublicIpAddress, DeleteOnTermination: n.DeleteOnTermination,
			Description: n.Description, Groups: n.GroupSet, NetworkInterfaceId: n.NetworkInterfaceId, PrivateIpAddress: n.PrivateIpAddress, SubnetId: n.SubnetId,
		})
	}
	return nil
}

func toAPITags(tags []stack.Tag) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, t := range tags {
		out = append(out, api.Tag{Key: aws.Ptr(t.Key), Value: aws.Ptr(t.Value)})
	}
	return out
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

// Update changes what EC2 can change on an existing instance. A new type or new
// user data needs a stop and a start in between.
func (t resourceInstance) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old instanceProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if aws.Val(p.Tenancy) != aws.Val(old.Tenancy) {
		return stack.Result{}, unsupported("Tenancy")
	}
	if aws.Val(p.InstanceType) != aws.Val(old.InstanceType) || aws.Val(p.UserData) != aws.Val(old.UserData) {
		if err := t.rework(ctx, r.PhysicalID, &p); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.modify(ctx, r.PhysicalID, &p, &old); err != nil {
		return stack.Result{}, err
	}
	if err := t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceInstance) rework(ctx context.Context, id string, p *instanceProperties) error {
	if _, err := call[api.StopInstancesOutput](ctx, t.s, "StopInstances", &api.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
		return err
	}
	if err := t.s.awaitState(ctx, id, stateStopped); err != nil {
		return err
	}
	kind := aws.Val(p.InstanceType)
	if kind == "" {
		kind = defaultType
	}
	user, err := base64.StdEncoding.DecodeString(aws.Val(p.UserData))
	if err != nil {
		return awserr.New("InvalidParameterValue", "Invalid BASE64 encoding of user data.")
	}
	for _, in := range []*api.ModifyInstanceAttributeInput{
		{InstanceId: &id, InstanceType: &api.AttributeValue{Value: &kind}},
		{InstanceId: &id, UserData: &api.BlobAttributeValue{Value: user}},
	} {
		if _, err := call[api.ModifyInstanceAttributeOutput](ctx, t.s, "ModifyInstanceAttribute", in); err != nil {
			return err
		}
	}
	if _, err := call[api.StartInstancesOutput](ctx, t.s, "StartInstances", &api.StartInstancesInput{InstanceIds: []string{id}}); err != nil {
		return err
	}
	return t.s.awaitState(ctx, id, stateRunning)
}

func (t resourceInstance) modify(ctx context.Context, id string, p, old *instanceProperties) error {
	var edits []*api.ModifyInstanceAttributeInput
	if !slices.Equal(p.SecurityGroupIds, old.SecurityGroupIds) && len(p.SecurityGroupIds) > 0 {
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, Groups: p.SecurityGroupIds})
	}
	if aws.Val(p.DisableApiTermination) != aws.Val(old.DisableApiTermination) {
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, DisableApiTermination: &api.AttributeBooleanValue{Value: aws.Ptr(aws.Val(p.DisableApiTermination))}})
	}
	if b := aws.Val(p.InstanceInitiatedShutdownBehavior); b != aws.Val(old.InstanceInitiatedShutdownBehavior) {
		if b == "" {
			b = "stop"
		}
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, InstanceInitiatedShutdownBehavior: &api.AttributeValue{Value: &b}})
	}
	for _, in := range edits {
		if _, err := call[api.ModifyInstanceAttributeOutput](ctx, t.s, "ModifyInstanceAttribute", in); err != nil {
			return err
		}
	}
	if aws.Val(p.Monitoring) != aws.Val(old.Monitoring) {
		if err := t.monitor(ctx, id, aws.Val(p.Monitoring)); err != nil {
			return err
		}
	}
	if aws.Val(p.IamInstanceProfile) != aws.Val(old.IamInstanceProfile) {
		return t.swapProfile(ctx, id, p.IamInstanceProfile)
	}
	return nil
}

func (t resourceInstance) monitor(ctx context.Context, id string, on bool) error {
	var err error
	if on {
		_, err = call[api.MonitorInstancesOutput](ctx, t.s, "MonitorInstances", &api.MonitorInstancesInput{InstanceIds: []string{id}})
	} else {
		_, err = call[api.UnmonitorInstancesOutput](ctx, t.s, "UnmonitorInstances", &api.UnmonitorInstancesInput{InstanceIds: []string{id}})
	}
	return err
}

func (t resourceInstance) swapProfile(ctx context.Context, id string, name *string) error {
	have, err := call[api.DescribeIamInstanceProfileAssociationsOutput](ctx, t.s, "DescribeIamInstanceProfileAssociations",
		&api.DescribeIamInstanceProfileAssociationsInput{Filters: []api.Filter{{Name: aws.Ptr("instance-id"), Values: []string{id}}}})
	if err != nil {
		return err
	}
	for _, a := range have.IamInstanceProfileAssociations {
		if _, err := call[api.DisassociateIamInstanceProfileOutput](ctx, t.s, "DisassociateIamInstanceProfile", &api.DisassociateIamInstanceProfileInput{AssociationId: a.AssociationId}); err != nil {
			return err
		}
	}
	if name == nil {
		return nil
	}
	_, err = call[api.AssociateIamInstanceProfileOutput](ctx, t.s, "AssociateIamInstanceProfile",
		&api.AssociateIamInstanceProfileInput{InstanceId: &id, IamInstanceProfile: &api.IamInstanceProfileSpecification{Name: name}})
	return err
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

// call runs an operation of EC2 as the caller in ctx, by the door that everybody
// uses: validated, authorised, audited.
func call[O any](ctx context.Context, s *Service, operation string, in any) (*O, error) {
	out, err := s.invoker.Invoke(ctx, "ec2", operation, in)
	if err != nil {
		return nil, err
	}
	o, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("ec2 %s answered %T", operation, out)
	}
	return o, nil
}

// awaitState waits for an instance to reach a state, and fails as soon as it
// cannot any more.
func (s *Service) awaitState(ctx context.Context, id, want string) error {
	return s.await(ctx, key(aws.CallFrom(ctx), id), func(r *instance) (bool, error) {
		if r.State != want && cannotReach(r.State, want) {
			return false, awserr.New("InstanceFailed", "Instance %s did not stabilize: it is %s. %s", id, r.State, r.StateReason.Message)
		}
		return r.State == want, nil
	})
}

func cannotReach(state, want string) bool {
	if want == stateTerminated {
		return state != stateShuttingDown
	}
	ended := state == stateTerminated || state == stateShuttingDown
	return ended || (want == stateRunning && (state == stateStopping || state == stateStopped))
}

func tagMap(stackTags map[string]string, own []stack.Tag) map[string]string {
	out := maps.Clone(stackTags)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range own {
		out[t.Key] = t.Value
	}
	return out
}

// syncTags brings the tags of a resource from old to want.
func (s *Service) syncTags(ctx context.Context, id string, old, want map[string]string) error {
	var gone []api.Tag
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if _, ok := want[k]; !ok {
			gone = append(gone, api.Tag{Key: aws.Ptr(k)})
		}
	}
	if len(gone) > 0 {
		if _, err := call[api.DeleteTagsOutput](ctx, s, "DeleteTags", &api.DeleteTagsInput{Resources: []string{id}, Tags: gone}); err != nil {
			return err
		}
	}
	if maps.Equal(old, want) || len(want) == 0 {
		return nil
	}
	_, err := call[api.CreateTagsOutput](ctx, s, "CreateTags", &api.CreateTagsInput{Resources: []string{id}, Tags: apiTags(want)})
	return err
}
