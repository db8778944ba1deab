package ec2

import (
	"cmp"
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Wire returns the operations that are built, each with its IAM action and the
// resources it is judged on. Describe operations have no resources in IAM.
func (s *Service) Wire() wire.Service {
	ops := s.instanceOperations()
	ops = append(ops, s.profileOperations()...)
	ops = append(ops, s.groupOperations()...)
	ops = append(ops, s.keyAndTagOperations()...)
	ops = append(ops, s.addressOperations()...)
	ops = append(ops, s.interfaceOperations()...)
	ops = append(ops, s.vpcOperations()...)
	ops = append(ops, s.natOperations()...)
	ops = append(ops, s.cidrOperations()...)
	ops = append(ops, s.routeOperations()...)
	ops = append(ops, s.describeOperations()...)
	ops = append(ops, s.launchTemplateOperations()...)
	ops = append(ops, s.endpointOperations()...)
	ops = append(ops, s.aclOperations()...)
	return wire.Service{Model: api.Model(), Operations: wire.Completed(ops, s.describeCheck)}
}

// onInstances is an operation that is judged on the instances its input names.
func onInstances[I, O any](name string, h func(context.Context, *I) (*O, error), ids func(*I) []string) wire.Operation {
	return wire.Op(name, "ec2:"+name, h, func(ctx context.Context, in *I) ([]aws.Check, error) {
		return instanceChecks(ctx, ids(in)...), nil
	})
}

// onInstance is onInstances for an operation on one.
func onInstance[I, O any](name string, h func(context.Context, *I) (*O, error), id func(*I) *string) wire.Operation {
	return onInstances(name, h, func(in *I) []string { return []string{aws.Val(id(in))} })
}

// onGroup is an operation that is judged on the security group its input names,
// and on the rules that it tags.
func onGroup[I, O any](s *Service, name string, h func(context.Context, *I) (*O, error), group func(*I) (id, name *string, tags []api.TagSpecification)) wire.Operation {
	return wire.Op(name, "ec2:"+name, h, func(ctx context.Context, in *I) ([]aws.Check, error) {
		id, byName, tags := group(in)
		checks, err := s.groupChecks(ctx, id, byName)
		return append(checks, createTagsChecks(aws.CallFrom(ctx), name, tags)...), err
	})
}

// onAnything is an operation that is judged on "*".
func onAnything[I, O any](name string, h func(context.Context, *I) (*O, error)) wire.Operation {
	return wire.Op(name, "ec2:"+name, h, nil)
}

func (s *Service) instanceOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("RunInstances", "ec2:RunInstances", s.RunInstances, s.runChecks),
		onInstances("StartInstances", s.StartInstances, func(in *api.StartInstancesInput) []string { return in.InstanceIds }),
		onInstances("StopInstances", s.StopInstances, func(in *api.StopInstancesInput) []string { return in.InstanceIds }),
		onInstances("RebootInstances", s.RebootInstances, func(in *api.RebootInstancesInput) []string { return in.InstanceIds }),
		onInstances("TerminateInstances", s.TerminateInstances, func(in *api.TerminateInstancesInput) []string { return in.InstanceIds }),
		onInstances("MonitorInstances", s.MonitorInstances, func(in *api.MonitorInstancesInput) []string { return in.InstanceIds }),
		onInstances("UnmonitorInstances", s.UnmonitorInstances, func(in *api.UnmonitorInstancesInput) []string { return in.InstanceIds }),
		onInstance("GetConsoleOutput", s.GetConsoleOutput, func(in *api.GetConsoleOutputInput) *string { return in.InstanceId }),
		onInstance("GetPasswordData", s.GetPasswordData, func(in *api.GetPasswordDataInput) *string { return in.InstanceId }),
		onInstance("DescribeInstanceAttribute", s.DescribeInstanceAttribute, func(in *api.DescribeInstanceAttributeInput) *string { return in.InstanceId }),
		wire.Op("ModifyInstanceAttribute", "ec2:ModifyInstanceAttribute", s.ModifyInstanceAttribute, func(ctx context.Context, in *api.ModifyInstanceAttributeInput) ([]aws.Check, error) {
			checks := instanceChecks(ctx, aws.Val(in.InstanceId))
			for _, g := range in.Groups {
				checks = append(checks, aws.Check{Resource: groupARN(aws.CallFrom(ctx), g)})
			}
			return checks, nil
		}),
		onInstance("ModifyInstanceMetadataOptions", s.ModifyInstanceMetadataOptions, func(in *api.ModifyInstanceMetadataOptionsInput) *string { return in.InstanceId }),
	}
}

func (s *Service) profileOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("AssociateIamInstanceProfile", "ec2:AssociateIamInstanceProfile", s.AssociateIamInstanceProfile, func(ctx context.Context, in *api.AssociateIamInstanceProfileInput) ([]aws.Check, error) {
			return s.profileChecks(ctx, in.InstanceId, in.IamInstanceProfile)
		}),
		wire.Op("ReplaceIamInstanceProfileAssociation", "ec2:ReplaceIamInstanceProfileAssociation", s.ReplaceIamInstanceProfileAssociation, func(ctx context.Context, in *api.ReplaceIamInstanceProfileAssociationInput) ([]aws.Check, error) {
			return s.associationChecks(ctx, in.AssociationId, in.IamInstanceProfile)
		}),
		wire.Op("DisassociateIamInstanceProfile", "ec2:DisassociateIamInstanceProfile", s.DisassociateIamInstanceProfile, func(ctx context.Context, in *api.DisassociateIamInstanceProfileInput) ([]aws.Check, error) {
			return s.associationChecks(ctx, in.AssociationId, nil)
		}),
	}
}

func (s *Service) groupOperations() []wire.Operation {
	type tags = []api.TagSpecification
	return []wire.Operation{
		wire.Op("CreateSecurityGroup", "ec2:CreateSecurityGroup", s.CreateSecurityGroup, s.createGroupChecks),
		onPart("GetSecurityGroupsForVpc", s.GetSecurityGroupsForVpc, func(in *api.GetSecurityGroupsForVpcInput) *string { return in.VpcId }),
		onGroup(s, "DeleteSecurityGroup", s.DeleteSecurityGroup, func(in *api.DeleteSecurityGroupInput) (_, _ *string, _ tags) {
			return in.GroupId, in.GroupName, nil
		}),
		onGroup(s, "AuthorizeSecurityGroupIngress", s.AuthorizeSecurityGroupIngress, func(in *api.AuthorizeSecurityGroupIngressInput) (_, _ *string, _ tags) {
			return in.GroupId, in.GroupName, in.TagSpecifications
		}),
		onGroup(s, "AuthorizeSecurityGroupEgress", s.AuthorizeSecurityGroupEgress, func(in *api.AuthorizeSecurityGroupEgressInput) (_, _ *string, _ tags) {
			return in.GroupId, nil, in.TagSpecifications
		}),
		onGroup(s, "RevokeSecurityGroupIngress", s.RevokeSecurityGroupIngress, func(in *api.RevokeSecurityGroupIngressInput) (_, _ *string, _ tags) {
			return in.GroupId, in.GroupName, nil
		}),
		onGroup(s, "RevokeSecurityGroupEgress", s.RevokeSecurityGroupEgress, func(in *api.RevokeSecurityGroupEgressInput) (_, _ *string, _ tags) { return in.GroupId, nil, nil }),
		wire.Op("ModifySecurityGroupRules", "ec2:ModifySecurityGroupRules", s.ModifySecurityGroupRules, func(ctx context.Context, in *api.ModifySecurityGroupRulesInput) ([]aws.Check, error) {
			checks, err := s.groupChecks(ctx, in.GroupId, nil)
			for _, r := range in.SecurityGroupRules {
				checks = append(checks, aws.Check{Resource: ec2ARN(aws.CallFrom(ctx), "security-group-rule/"+aws.Val(r.SecurityGroupRuleId))})
			}
			return checks, err
		}),
		onGroup(s, "UpdateSecurityGroupRuleDescriptionsIngress", s.UpdateSecurityGroupRuleDescriptionsIngress, func(in *api.UpdateSecurityGroupRuleDescriptionsIngressInput) (_, _ *string, _ tags) {
			return in.GroupId, in.GroupName, nil
		}),
		onGroup(s, "UpdateSecurityGroupRuleDescriptionsEgress", s.UpdateSecurityGroupRuleDescriptionsEgress, func(in *api.UpdateSecurityGroupRuleDescriptionsEgressInput) (_, _ *string, _ tags) {
			return in.GroupId, in.GroupName, nil
		}),
	}
}

func (s *Service) keyAndTagOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateKeyPair", "ec2:CreateKeyPair", s.CreateKeyPair, func(ctx context.Context, in *api.CreateKeyPairInput) ([]aws.Check, error) {
			checks := newKeyChecks(ctx, "CreateKeyPair", aws.Val(in.KeyName), in.TagSpecifications)
			checks[0].OfferText("ec2:KeyPairType", cmp.Or(string(in.KeyType), "rsa"))
			return checks, nil
		}),
		wire.Op("ImportKeyPair", "ec2:ImportKeyPair", s.ImportKeyPair, func(ctx context.Context, in *api.ImportKeyPairInput) ([]aws.Check, error) {
			return newKeyChecks(ctx, "ImportKeyPair", aws.Val(in.KeyName), in.TagSpecifications), nil
		}),
		wire.Op("DeleteKeyPair", "ec2:DeleteKeyPair", s.DeleteKeyPair, s.deleteKeyChecks),
		wire.Op("CreateTags", "ec2:CreateTags", s.CreateTags, func(ctx context.Context, in *api.CreateTagsInput) ([]aws.Check, error) {
			return tagChecks(ctx, in.Resources)
		}),
		wire.Op("DeleteTags", "ec2:DeleteTags", s.DeleteTags, func(ctx context.Context, in *api.DeleteTagsInput) ([]aws.Check, error) {
			return tagChecks(ctx, in.Resources)
		}),
	}
}

func (s *Service) addressOperations() []wire.Operation {
	byRef := func(allocation, public *string) func(*store.Tx, aws.Call) (*address, error) {
		return func(tx *store.Tx, c aws.Call) (*address, error) { return findAddress(tx, c, allocation, public) }
	}
	return []wire.Operation{
		wire.Op("AllocateAddress", "ec2:AllocateAddress", s.AllocateAddress, func(ctx context.Context, in *api.AllocateAddressInput) ([]aws.Check, error) {
			return newAddressChecks(ctx, in.TagSpecifications), nil
		}),
		wire.Op("ReleaseAddress", "ec2:ReleaseAddress", s.ReleaseAddress, func(ctx context.Context, in *api.ReleaseAddressInput) ([]aws.Check, error) {
			return s.addressChecks(ctx, byRef(in.AllocationId, in.PublicIp))
		}),
		wire.Op("AssociateAddress", "ec2:AssociateAddress", s.AssociateAddress, func(ctx context.Context, in *api.AssociateAddressInput) ([]aws.Check, error) {
			return s.associateChecks(ctx, in, byRef(in.AllocationId, in.PublicIp))
		}),
		wire.Op("DisassociateAddress", "ec2:DisassociateAddress", s.DisassociateAddress, func(ctx context.Context, in *api.DisassociateAddressInput) ([]aws.Check, error) {
			return s.addressChecks(ctx, func(tx *store.Tx, c aws.Call) (*address, error) { return findAssociation(tx, c, in) })
		}),
	}
}

func (s *Service) describeOperations() []wire.Operation {
	return []wire.Operation{
		onAnything("DescribeInstances", s.DescribeInstances),
		onAnything("DescribeInstanceStatus", s.DescribeInstanceStatus),
		onAnything("DescribeInstanceTypes", s.DescribeInstanceTypes),
		onAnything("DescribeInstanceTypeOfferings", s.DescribeInstanceTypeOfferings),
		onAnything("DescribeInstanceCreditSpecifications", s.DescribeInstanceCreditSpecifications),
		onAnything("DescribeIamInstanceProfileAssociations", s.DescribeIamInstanceProfileAssociations),
		onAnything("DescribeImages", s.DescribeImages),
		onAnything("DescribeAvailabilityZones", s.DescribeAvailabilityZones),
		onAnything("DescribeRegions", s.DescribeRegions),
		onAnything("DescribeAccountAttributes", s.DescribeAccountAttributes),
		onAnything("DescribeVpcs", s.DescribeVpcs),
		onAnything("DescribeSubnets", s.DescribeSubnets),
		onAnything("DescribeInternetGateways", s.DescribeInternetGateways),
		onAnything("DescribeRouteTables", s.DescribeRouteTables),
		onAnything("DescribeNetworkAcls", s.DescribeNetworkAcls),
		onAnything("DescribeDhcpOptions", s.DescribeDhcpOptions),
		onAnything("DescribeNetworkInterfaces", s.DescribeNetworkInterfaces),
		onAnything("DescribeVolumes", s.DescribeVolumes),
		onAnything("DescribeSecurityGroups", s.DescribeSecurityGroups),
		onAnything("DescribeSecurityGroupRules", s.DescribeSecurityGroupRules),
		onAnything("DescribeKeyPairs", s.DescribeKeyPairs),
		onAnything("DescribeAddresses", s.DescribeAddresses),
		onAnything("DescribeTags", s.DescribeTags),
		onAnything("DescribeAddressesAttribute", s.DescribeAddressesAttribute),
		onAnything("DescribeVpnGateways", s.DescribeVpnGateways),
		onAnything("DescribeNatGateways", s.DescribeNatGateways),
		onAnything("DescribeVpcPeeringConnections", s.DescribeVpcPeeringConnections),
	}
}
