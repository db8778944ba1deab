package ec2

import (
	"context"
	"encoding/base64"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeInstanceAttribute returns one attribute of an instance.
func (s *Service) DescribeInstanceAttribute(ctx context.Context, in *api.DescribeInstanceAttributeInput) (*api.DescribeInstanceAttributeOutput, error) {
	r, err := s.one(ctx, aws.CallFrom(ctx), in.InstanceId)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeInstanceAttributeOutput{InstanceId: aws.Ptr(r.ID)}
	if in.Attribute == "userData" {
		return out, s.userDataAttribute(r, out)
	}
	switch in.Attribute {
	case "blockDeviceMapping":
		out.BlockDeviceMappings = r.attachedVolumes()
		return out, nil
	case "enclaveOptions":
		out.EnclaveOptions = &api.EnclaveOptions{Enabled: aws.Ptr(false)}
		return out, nil
	case "sriovNetSupport": // no instance has it
		out.SriovNetSupport = &api.AttributeValue{}
		return out, nil
	}
	if !r.flagAttribute(string(in.Attribute), out) && !r.valueAttribute(string(in.Attribute), out) {
		return nil, unsupported("Attribute=" + string(in.Attribute))
	}
	return out, nil
}

// flagAttribute fills in an attribute that is on or off; it reports false for one
// that is not.
func (r *instance) flagAttribute(name string, out *api.DescribeInstanceAttributeOutput) bool {
	flag := func(b bool) *api.AttributeBooleanValue { return &api.AttributeBooleanValue{Value: aws.Ptr(b)} }
	switch name {
	case "disableApiTermination":
		out.DisableApiTermination = flag(r.DisableAPITermination)
	case "disableApiStop":
		out.DisableApiStop = flag(r.DisableAPIStop)
	case "sourceDestCheck":
		out.SourceDestCheck = flag(!r.NIC.Forwards)
	case "ebsOptimized":
		out.EbsOptimized = flag(r.EBSOptimized)
	case "enaSupport":
		out.EnaSupport = flag(true)
	default:
		return false
	}
	return true
}

func (s *Service) userDataAttribute(r *instance, out *api.DescribeInstanceAttributeOutput) error {
	out.UserData = &api.AttributeValue{}
	plain, err := s.userData(r)
	if len(plain) > 0 {
		out.UserData.Value = aws.Ptr(base64.StdEncoding.EncodeToString(plain))
	}
	return err
}

func (r *instance) valueAttribute(name string, out *api.DescribeInstanceAttributeOutput) bool {
	value := func(s string) *api.AttributeValue { return &api.AttributeValue{Value: aws.Ptr(s)} }
	switch name {
	case "instanceType":
		out.InstanceType = value(r.Type)
	case "instanceInitiatedShutdownBehavior":
		out.InstanceInitiatedShutdownBehavior = value(r.shutdownBehavior())
	case "rootDeviceName":
		out.RootDeviceName = value(rootDevice)
	case "groupSet":
		for _, g := range r.NIC.Groups {
			out.Groups = append(out.Groups, api.GroupIdentifier{GroupId: aws.Ptr(g)})
		}
	case "kernel":
		out.KernelId = &api.AttributeValue{}
	case "ramdisk":
		out.RamdiskId = &api.AttributeValue{}
	case "productCodes":
		out.ProductCodes = []api.ProductCode{}
	default:
		return false
	}
	return true
}

func (r *instance) shutdownBehavior() string {
	if r.ShutdownTerminates {
		return "terminate"
	}
	return "stop"
}

// ModifyInstanceAttribute changes groups, protection and shutdown behaviour at any
// time, type and user data while the instance is stopped.
func (s *Service) ModifyInstanceAttribute(ctx context.Context, in *api.ModifyInstanceAttributeInput) (*api.ModifyInstanceAttributeOutput, error) {
	c := aws.CallFrom(ctx)
	in, err := attributeByName(*in)
	if err != nil {
		return nil, err
	}
	err = refuse(
		asked{"Kernel", in.Kernel != nil}, asked{"Ramdisk", in.Ramdisk != nil}, asked{"SriovNetSupport", in.SriovNetSupport != nil},
		asked{"BlockDeviceMappings", len(in.BlockDeviceMappings) > 0},
		asked{"EnaSupport=false", in.EnaSupport != nil && !aws.Val(in.EnaSupport.Value)},
	)
	if err != nil {
		return nil, err
	}
	var row *instance
	err = s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = getInstance(tx, c, aws.Val(in.InstanceId)); err != nil {
			return err
		}
		if err := s.modify(tx, c, row, in); err != nil {
			return err
		}
		s.emit(tx, c, row, "attribute")
		return instances.Put(tx, key(c, row.ID), row)
	})
	if err != nil {
		return nil, err
	}
	if len(in.Groups) == 0 && in.SourceDestCheck == nil {
		return &api.ModifyInstanceAttributeOutput{}, nil
	}
	// The rules come first: a member of a group without rules would be cut off.
	for _, id := range row.NIC.Groups {
		if err := s.pushGroup(ctx, key(c, row.ID), id); err != nil {
			return nil, err
		}
	}
	return &api.ModifyInstanceAttributeOutput{}, s.pushInterface(ctx, key(c, row.ID))
}

// attributeByName returns in with the older form, Attribute and Value, turned into
// the newer one.
func attributeByName(in api.ModifyInstanceAttributeInput) (*api.ModifyInstanceAttributeInput, error) {
	v := &api.AttributeValue{Value: in.Value}
	flag := &api.AttributeBooleanValue{Value: aws.Ptr(aws.Val(in.Value) == "true")}
	switch in.Attribute {
	case "":
	case "instanceType":
		in.InstanceType = v
	case "instanceInitiatedShutdownBehavior":
		in.InstanceInitiatedShutdownBehavior = v
	case "disableApiTermination":
		in.DisableApiTermination = flag
	case "disableApiStop":
		in.DisableApiStop = flag
	case "ebsOptimized":
		in.EbsOptimized = flag
	case "sourceDestCheck":
		in.SourceDestCheck = flag
	case "userData":
		b, err := decodeUserData(aws.Val(in.Value))
		if err != nil {
			return nil, err
		}
		in.UserData = &api.BlobAttributeValue{Value: b}
	default:
		return nil, unsupported("Attribute=" + string(in.Attribute))
	}
	return &in, nil
}

func (s *Service) modify(tx *store.Tx, c aws.Call, r *instance, in *api.ModifyInstanceAttributeInput) error {
	if err := s.modifyStopped(r, in); err != nil {
		return err
	}
	if in.DisableApiTermination != nil {
		r.DisableAPITermination = aws.Val(in.DisableApiTermination.Value)
	}
	if in.DisableApiStop != nil {
		r.DisableAPIStop = aws.Val(in.DisableApiStop.Value)
	}
	if b := in.InstanceInitiatedShutdownBehavior; b != nil {
		switch aws.Val(b.Value) {
		case "stop", "terminate":
			r.ShutdownTerminates = *b.Value == "terminate"
		default:
			return invalidValue(aws.Val(b.Value), "instanceInitiatedShutdownBehavior")
		}
	}
	if len(in.Groups) == 0 && in.SourceDestCheck == nil {
		return nil
	}
	more, err := interfaces.Lookup(tx, "instance", r.ID)
	if err != nil {
		return err
	}
	if len(more) > 0 {
		return manyInterfaces(r.ID)
	}
	if in.SourceDestCheck != nil {
		r.NIC.Forwards = !aws.Val(in.SourceDestCheck.Value)
	}
	if len(in.Groups) == 0 {
		return nil
	}
	v, err := vpcs.Get(tx, key(c, r.NIC.VPC))
	if err != nil {
		return err
	}
	r.NIC.Groups, err = resolveGroups(tx, c, v, r.NIC.Subnet, in.Groups, nil)
	return err
}

// modifyStopped changes what a running machine cannot take in.
func (s *Service) modifyStopped(r *instance, in *api.ModifyInstanceAttributeInput) error {
	if (in.InstanceType != nil || in.UserData != nil || in.EbsOptimized != nil) && r.State != stateStopped {
		return awserr.New("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", r.ID)
	}
	if in.InstanceType != nil {
		t, err := requestedType(aws.Val(in.InstanceType.Value))
		if err != nil {
			return err
		}
		if r.Type != t.Name {
			if r.CPUCredits, err = requestedCredits(t, nil); err != nil {
				return err
			}
		}
		r.Type = t.Name
	}
	if in.UserData != nil {
		if err := checkUserData(in.UserData.Value); err != nil {
			return err
		}
		sealed, err := s.sealUserData(r.ID, in.UserData.Value)
		if err != nil {
			return err
		}
		r.UserData, r.PlainUserData = sealed, nil
	}
	if in.EbsOptimized != nil {
		r.EBSOptimized = aws.Val(in.EbsOptimized.Value)
	}
	return nil
}

// ModifyInstanceMetadataOptions takes effect at once.
func (s *Service) ModifyInstanceMetadataOptions(ctx context.Context, in *api.ModifyInstanceMetadataOptionsInput) (*api.ModifyInstanceMetadataOptionsOutput, error) {
	c := aws.CallFrom(ctx)
	var m metadataOptions
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := getInstance(tx, c, aws.Val(in.InstanceId))
		if err != nil {
			return err
		}
		m, err = r.Metadata.with(api.InstanceMetadataOptionsRequest{
			HttpTokens: in.HttpTokens, HttpEndpoint: in.HttpEndpoint, HttpPutResponseHopLimit: in.HttpPutResponseHopLimit,
			HttpProtocolIpv6: in.HttpProtocolIpv6, InstanceMetadataTags: in.InstanceMetadataTags,
		})
		if err != nil {
			return err
		}
		r.Metadata = m
		return instances.Put(tx, key(c, r.ID), r)
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifyInstanceMetadataOptionsOutput{InstanceId: in.InstanceId, InstanceMetadataOptions: apiMetadata(m)}, nil
}

// DescribeInstanceCreditSpecifications says how burstable instances may burst.
func (s *Service) DescribeInstanceCreditSpecifications(ctx context.Context, in *api.DescribeInstanceCreditSpecificationsInput) (*api.DescribeInstanceCreditSpecificationsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "instance-id"); err != nil {
		return nil, err
	}
	rows, _, err := s.selectInstances(ctx, c, in.InstanceIds, in.Filters)
	if err != nil {
		return nil, err
	}
	list := []api.InstanceCreditSpecification{}
	for _, r := range rows {
		if r.CPUCredits != "" && r.State != stateTerminated {
			list = append(list, api.InstanceCreditSpecification{InstanceId: aws.Ptr(r.ID), CpuCredits: aws.Ptr(r.CPUCredits)})
		}
	}
	list, next, err := paginate(list, func(i api.InstanceCreditSpecification) string { return *i.InstanceId }, in.NextToken, in.MaxResults)
	return &api.DescribeInstanceCreditSpecificationsOutput{InstanceCreditSpecifications: list, NextToken: next}, err
}
