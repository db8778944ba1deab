package ec2

import (
	"context"
	"reflect"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/stack"
)

// Update changes what EC2 can change on an existing instance. A new type, new user
// data or another EbsOptimized needs a stop and a start in between.
func (t resourceInstance) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old instanceProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	err := refuse(
		asked{"an update of Tenancy", aws.Val(p.Tenancy) != aws.Val(old.Tenancy)},
		asked{"an update of Volumes", !reflect.DeepEqual(p.Volumes, old.Volumes)},
		asked{"an update of SsmAssociations", !reflect.DeepEqual(p.SsmAssociations, old.SsmAssociations)},
		asked{"an update of CreditSpecification", !reflect.DeepEqual(p.CreditSpecification, old.CreditSpecification)},
	)
	if err != nil {
		return stack.Result{}, err
	}
	if aws.Val(p.InstanceType) != aws.Val(old.InstanceType) || aws.Val(p.UserData) != aws.Val(old.UserData) || aws.Val(p.EbsOptimized) != aws.Val(old.EbsOptimized) {
		if err := t.rework(ctx, r.PhysicalID, &p, &old); err != nil {
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

func (t resourceInstance) rework(ctx context.Context, id string, p, old *instanceProperties) error {
	edits, err := p.reworked(id, old)
	if err != nil {
		return err
	}
	if _, err := call[api.StopInstancesOutput](ctx, t.s, "StopInstances", &api.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
		return err
	}
	if err := t.s.awaitState(ctx, id, stateStopped); err != nil {
		return err
	}
	for _, in := range edits {
		if _, err := call[api.ModifyInstanceAttributeOutput](ctx, t.s, "ModifyInstanceAttribute", in); err != nil {
			return err
		}
	}
	if _, err := call[api.StartInstancesOutput](ctx, t.s, "StartInstances", &api.StartInstancesInput{InstanceIds: []string{id}}); err != nil {
		return err
	}
	return t.s.awaitState(ctx, id, stateRunning)
}

// reworked are the edits of what has changed. The rest may be a launch template's.
func (p *instanceProperties) reworked(id string, old *instanceProperties) ([]*api.ModifyInstanceAttributeInput, error) {
	var edits []*api.ModifyInstanceAttributeInput
	if aws.Val(p.InstanceType) != aws.Val(old.InstanceType) {
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, InstanceType: &api.AttributeValue{Value: aws.Ptr(orDefault(p.InstanceType, defaultType))}})
	}
	if aws.Val(p.UserData) != aws.Val(old.UserData) {
		user, err := decodeUserData(aws.Val(p.UserData))
		if err != nil {
			return nil, err
		}
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, UserData: &api.BlobAttributeValue{Value: user}})
	}
	if aws.Val(p.EbsOptimized) != aws.Val(old.EbsOptimized) {
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, EbsOptimized: &api.AttributeBooleanValue{Value: aws.Ptr(aws.Val(p.EbsOptimized))}})
	}
	return edits, nil
}

func (t resourceInstance) modify(ctx context.Context, id string, p, old *instanceProperties) error {
	var edits []*api.ModifyInstanceAttributeInput
	if !slices.Equal(p.SecurityGroupIds, old.SecurityGroupIds) && len(p.SecurityGroupIds) > 0 {
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, Groups: p.SecurityGroupIds})
	}
	if aws.Val(p.DisableApiTermination) != aws.Val(old.DisableApiTermination) {
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, DisableApiTermination: &api.AttributeBooleanValue{Value: aws.Ptr(aws.Val(p.DisableApiTermination))}})
	}
	if check := orDefault(p.SourceDestCheck, true); check != orDefault(old.SourceDestCheck, true) {
		edits = append(edits, &api.ModifyInstanceAttributeInput{InstanceId: &id, SourceDestCheck: &api.AttributeBooleanValue{Value: &check}})
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
	if !reflect.DeepEqual(p.MetadataOptions, old.MetadataOptions) {
		if err := t.setMetadata(ctx, id, p.MetadataOptions); err != nil {
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

// setMetadata brings the options to want, and to EC2's defaults where it is silent.
func (t resourceInstance) setMetadata(ctx context.Context, id string, want *metadataProperty) error {
	if want == nil {
		want = &metadataProperty{}
	}
	in := &api.ModifyInstanceMetadataOptionsInput{
		InstanceId: &id, HttpTokens: api.HttpTokensState(orDefault(want.HttpTokens, "optional")),
		HttpEndpoint:            api.InstanceMetadataEndpointState(orDefault(want.HttpEndpoint, "enabled")),
		InstanceMetadataTags:    api.InstanceMetadataTagsState(orDefault(want.InstanceMetadataTags, "disabled")),
		HttpProtocolIpv6:        api.InstanceMetadataProtocolState(aws.Val(want.HttpProtocolIpv6)),
		HttpPutResponseHopLimit: aws.Ptr(orDefault(want.HttpPutResponseHopLimit, 1)),
	}
	_, err := call[api.ModifyInstanceMetadataOptionsOutput](ctx, t.s, "ModifyInstanceMetadataOptions", in)
	return err
}

func orDefault[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
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
