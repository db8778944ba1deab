package ec2

import (
	"context"
	"encoding/base64"
	"fmt"

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
	flag := func(b bool) *api.AttributeBooleanValue { return &api.AttributeBooleanValue{Value: aws.Ptr(b)} }
	switch in.Attribute {
	case "userData":
		out.UserData = &api.AttributeValue{}
		if len(r.UserData) > 0 {
			out.UserData.Value = aws.Ptr(base64.StdEncoding.EncodeToString(r.UserData))
		}
	case "instanceType":
		out.InstanceType = &api.AttributeValue{Value: aws.Ptr(r.Type)}
	case "disableApiTermination":
		out.DisableApiTermination = flag(r.DisableAPITermination)
	case "disableApiStop":
		out.DisableApiStop = flag(false)
	case "instanceInitiatedShutdownBehavior":
		out.InstanceInitiatedShutdownBehavior = &api.AttributeValue{Value: aws.Ptr(r.shutdownBehavior())}
	case "rootDeviceName":
		out.RootDeviceName = &api.AttributeValue{Value: aws.Ptr(rootDevice)}
	case "sourceDestCheck":
		out.SourceDestCheck = flag(true)
	case "ebsOptimized":
		out.EbsOptimized = flag(false)
	case "enaSupport":
		out.EnaSupport = flag(true)
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
		return nil, unsupported("Attribute=" + string(in.Attribute))
	}
	return out, nil
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
	if err := attributeByName(in); err != nil {
		return nil, err
	}
	if in.Kernel != nil || in.Ramdisk != nil || in.SriovNetSupport != nil || len(in.BlockDeviceMappings) > 0 ||
		(in.SourceDestCheck != nil && !aws.Val(in.SourceDestCheck.Value)) || (in.EbsOptimized != nil && aws.Val(in.EbsOptimized.Value)) ||
		(in.DisableApiStop != nil && aws.Val(in.DisableApiStop.Value)) || (in.EnaSupport != nil && !aws.Val(in.EnaSupport.Value)) {
		return nil, unsupported("Kernel, Ramdisk, SriovNetSupport, BlockDeviceMappings, SourceDestCheck=false, EbsOptimized, DisableApiStop or EnaSupport=false")
	}
	var row *instance
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = getInstance(tx, c, aws.Val(in.InstanceId)); err != nil {
			return err
		}
		if err := modify(tx, c, row, in); err != nil {
			return err
		}
		s.emit(tx, c, row, "attribute")
		return instances.Put(tx, key(c, row.ID), row)
	})
	if err != nil {
		return nil, err
	}
	if len(in.Groups) > 0 && row.State == stateRunning {
		if err := s.syncGroups(ctx, key(c, row.ID), row.NIC.Groups); err != nil {
			return nil, err
		}
		if err := s.net.SetMembership(ctx, row.NIC.ID, row.NIC.Groups); err != nil {
			return nil, fmt.Errorf("security groups of %s: %w", row.ID, err)
		}
	}
	return &api.ModifyInstanceAttributeOutput{}, nil
}

// attributeByName turns the older form, Attribute and Value, into the newer one.
func attributeByName(in *api.ModifyInstanceAttributeInput) error {
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
	case "sourceDestCheck":
		in.SourceDestCheck = flag
	case "userData":
		b, err := decodeUserData(aws.Val(in.Value))
		if err != nil {
			return err
		}
		in.UserData = &api.BlobAttributeValue{Value: b}
	default:
		return unsupported("Attribute=" + string(in.Attribute))
	}
	return nil
}

func modify(tx *store.Tx, c aws.Call, r *instance, in *api.ModifyInstanceAttributeInput) error {
	if (in.InstanceType != nil || in.UserData != nil) && r.State != stateStopped {
		return awserr.New("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", r.ID)
	}
	if in.InstanceType != nil {
		t, err := requestedType(aws.Val(in.InstanceType.Value))
		if err != nil {
			return err
		}
		r.Type = t.Name
	}
	if in.UserData != nil {
		r.UserData = in.UserData.Value
	}
	if in.DisableApiTermination != nil {
		r.DisableAPITermination = aws.Val(in.DisableApiTermination.Value)
	}
	if b := in.InstanceInitiatedShutdownBehavior; b != nil {
		switch aws.Val(b.Value) {
		case "stop", "terminate":
			r.ShutdownTerminates = *b.Value == "terminate"
		default:
			return invalidValue(aws.Val(b.Value), "instanceInitiatedShutdownBehavior")
		}
	}
	if len(in.Groups) > 0 {
		v, err := vpcs.Get(tx, key(c, r.NIC.VPC))
		if err != nil {
			return err
		}
		if r.NIC.Groups, err = resolveGroups(tx, c, v, in.Groups, nil); err != nil {
			return err
		}
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
		m = r.Metadata
		if in.HttpTokens != "" {
			m.Tokens = string(in.HttpTokens)
		}
		if in.HttpEndpoint != "" {
			m.Endpoint = string(in.HttpEndpoint)
		}
		if in.InstanceMetadataTags != "" {
			m.Tags = string(in.InstanceMetadataTags)
		}
		if n := in.HttpPutResponseHopLimit; n != nil {
			if *n < 1 || *n > 64 {
				return invalidValue(itoa(*n), "HttpPutResponseHopLimit")
			}
			m.HopLimit = *n
		}
		if in.HttpProtocolIpv6 == "enabled" {
			return unsupported("HttpProtocolIpv6")
		}
		r.Metadata = m
		return instances.Put(tx, key(c, r.ID), r)
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifyInstanceMetadataOptionsOutput{InstanceId: in.InstanceId, InstanceMetadataOptions: apiMetadata(m)}, nil
}

// DescribeInstanceCreditSpecifications reports burstable instances as standard.
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
		if t, _ := findType(r.Type); t.Burstable && r.State != stateTerminated {
			list = append(list, api.InstanceCreditSpecification{InstanceId: aws.Ptr(r.ID), CpuCredits: aws.Ptr("standard")})
		}
	}
	list, next, err := paginate(list, in.NextToken, in.MaxResults)
	return &api.DescribeInstanceCreditSpecificationsOutput{InstanceCreditSpecifications: list, NextToken: next}, err
}
