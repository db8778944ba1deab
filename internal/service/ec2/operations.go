package ec2

import (
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
	ops = append(ops, s.groupOperations()...)
	ops = append(ops, s.otherOperations()...)
	ops = append(ops, s.describeOperations()...)
	return wire.Service{Model: api.Model(), Operations: ops}
}

func (s *Service) instanceOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("RunInstances", "ec2:RunInstances", s.RunInstances, s.runChecks),
		wire.Op("StartInstances", "ec2:StartInstances", s.StartInstances, func(ctx context.Context, in *api.StartInstancesInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, in.InstanceIds...)
		}),
		wire.Op("StopInstances", "ec2:StopInstances", s.StopInstances, func(ctx context.Context, in *api.StopInstancesInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, in.InstanceIds...)
		}),
		wire.Op("RebootInstances", "ec2:RebootInstances", s.RebootInstances, func(ctx context.Context, in *api.RebootInstancesInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, in.InstanceIds...)
		}),
		wire.Op("TerminateInstances", "ec2:TerminateInstances", s.TerminateInstances, func(ctx context.Context, in *api.TerminateInstancesInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, in.InstanceIds...)
		}),
		wire.Op("MonitorInstances", "ec2:MonitorInstances", s.MonitorInstances, func(ctx context.Context, in *api.MonitorInstancesInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, in.InstanceIds...)
		}),
		wire.Op("UnmonitorInstances", "ec2:UnmonitorInstances", s.UnmonitorInstances, func(ctx context.Context, in *api.UnmonitorInstancesInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, in.InstanceIds...)
		}),
		wire.Op("GetConsoleOutput", "ec2:GetConsoleOutput", s.GetConsoleOutput, func(ctx context.Context, in *api.GetConsoleOutputInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, aws.Val(in.InstanceId))
		}),
		wire.Op("GetPasswordData", "ec2:GetPasswordData", s.GetPasswordData, func(ctx context.Context, in *api.GetPasswordDataInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, aws.Val(in.InstanceId))
		}),
		wire.Op("DescribeInstanceAttribute", "ec2:DescribeInstanceAttribute", s.DescribeInstanceAttribute, func(ctx context.Context, in *api.DescribeInstanceAttributeInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, aws.Val(in.InstanceId))
		}),
		wire.Op("ModifyInstanceAttribute", "ec2:ModifyInstanceAttribute", s.ModifyInstanceAttribute, func(ctx context.Context, in *api.ModifyInstanceAttributeInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, aws.Val(in.InstanceId))
		}),
		wire.Op("ModifyInstanceMetadataOptions", "ec2:ModifyInstanceMetadataOptions", s.ModifyInstanceMetadataOptions, func(ctx context.Context, in *api.ModifyInstanceMetadataOptionsInput) ([]aws.Check, error) {
			return s.instanceChecks(ctx, aws.Val(in.InstanceId))
		}),
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
	return []wire.Operation{
		wire.Op("CreateSecurityGroup", "ec2:CreateSecurityGroup", s.CreateSecurityGroup, s.createGroupChecks),
		wire.Op("DeleteSecurityGroup", "ec2:DeleteSecurityGroup", s.DeleteSecurityGroup, func(ctx context.Context, in *api.DeleteSecurityGroupInput) ([]aws.Check, error) {
			return s.groupChecks(ctx, in.GroupId, in.GroupName)
		}),
		wire.Op("AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupIngress", s.AuthorizeSecurityGroupIngress, func(ctx context.Context, in *api.AuthorizeSecurityGroupIngressInput) ([]aws.Check, error) {
			return s.authorizeChecks(ctx, "AuthorizeSecurityGroupIngress", in.GroupId, in.GroupName, in.TagSpecifications)
		}),
		wire.Op("AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupEgress", s.AuthorizeSecurityGroupEgress, func(ctx context.Context, in *api.AuthorizeSecurityGroupEgressInput) ([]aws.Check, error) {
			return s.authorizeChecks(ctx, "AuthorizeSecurityGroupEgress", in.GroupId, nil, in.TagSpecifications)
		}),
		wire.Op("RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", s.RevokeSecurityGroupIngress, func(ctx context.Context, in *api.RevokeSecurityGroupIngressInput) ([]aws.Check, error) {
			return s.groupChecks(ctx, in.GroupId, in.GroupName)
		}),
		wire.Op("RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress", s.RevokeSecurityGroupEgress, func(ctx context.Context, in *api.RevokeSecurityGroupEgressInput) ([]aws.Check, error) {
			return s.groupChecks(ctx, in.GroupId, nil)
		}),
		wire.Op("ModifySecurityGroupRules", "ec2:ModifySecurityGroupRules", s.ModifySecurityGroupRules, func(ctx context.Context, in *api.ModifySecurityGroupRulesInput) ([]aws.Check, error) {
			return s.groupChecks(ctx, in.GroupId, nil)
		}),
		wire.Op("UpdateSecurityGroupRuleDescriptionsIngress", "ec2:UpdateSecurityGroupRuleDescriptionsIngress", s.UpdateSecurityGroupRuleDescriptionsIngress, func(ctx context.Context, in *api.UpdateSecurityGroupRuleDescriptionsIngressInput) ([]aws.Check, error) {
			return s.groupChecks(ctx, in.GroupId, in.GroupName)
		}),
		wire.Op("UpdateSecurityGroupRuleDescriptionsEgress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress", s.UpdateSecurityGroupRuleDescriptionsEgress, func(ctx context.Context, in *api.UpdateSecurityGroupRuleDescriptionsEgressInput) ([]aws.Check, error) {
			return s.groupChecks(ctx, in.GroupId, in.GroupName)
		}),
	}
}

func (s *Service) otherOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateKeyPair", "ec2:CreateKeyPair", s.CreateKeyPair, func(ctx context.Context, in *api.CreateKeyPairInput) ([]aws.Check, error) {
			return newKeyChecks(ctx, "CreateKeyPair", aws.Val(in.KeyName), in.TagSpecifications), nil
		}),
		wire.Op("ImportKeyPair", "ec2:ImportKeyPair", s.ImportKeyPair, func(ctx context.Context, in *api.ImportKeyPairInput) ([]aws.Check, error) {
			return newKeyChecks(ctx, "ImportKeyPair", aws.Val(in.KeyName), in.TagSpecifications), nil
		}),
		wire.Op("DeleteKeyPair", "ec2:DeleteKeyPair", s.DeleteKeyPair, s.deleteKeyChecks),
		wire.Op("AllocateAddress", "ec2:AllocateAddress", s.AllocateAddress, func(ctx context.Context, in *api.AllocateAddressInput) ([]aws.Check, error) {
			c := aws.CallFrom(ctx)
			cond := requestTagContext(in.TagSpecifications, "elastic-ip")
			cond["ec2:Region"] = []string{c.Region}
			return append([]aws.Check{{Resource: ec2ARN(c, "elastic-ip/*"), Context: cond}}, createTagsChecks(c, "AllocateAddress", in.TagSpecifications)...), nil
		}),
		wire.Op("ReleaseAddress", "ec2:ReleaseAddress", s.ReleaseAddress, func(ctx context.Context, in *api.ReleaseAddressInput) ([]aws.Check, error) {
			return s.addressChecks(ctx, func(tx *store.Tx, c aws.Call) (*address, error) {
				return findAddress(tx, c, in.AllocationId, in.PublicIp)
			})
		}),
		wire.Op("AssociateAddress", "ec2:AssociateAddress", s.AssociateAddress, func(ctx context.Context, in *api.AssociateAddressInput) ([]aws.Check, error) {
			return s.addressChecks(ctx, func(tx *store.Tx, c aws.Call) (*address, error) {
				return findAddress(tx, c, in.AllocationId, in.PublicIp)
			}, aws.Val(in.InstanceId))
		}),
		wire.Op("DisassociateAddress", "ec2:DisassociateAddress", s.DisassociateAddress, func(ctx context.Context, in *api.DisassociateAddressInput) ([]aws.Check, error) {
			return s.addressChecks(ctx, func(tx *store.Tx, c aws.Call) (*address, error) { return findAssociation(tx, c, in) })
		}),
		wire.Op("CreateTags", "ec2:CreateTags", s.CreateTags, func(ctx context.Context, in *api.CreateTagsInput) ([]aws.Check, error) {
			return s.tagChecks(ctx, in.Resources, in.Tags)
		}),
		wire.Op("DeleteTags", "ec2:DeleteTags", s.DeleteTags, func(ctx context.Context, in *api.DeleteTagsInput) ([]aws.Check, error) {
			return s.tagChecks(ctx, in.Resources, in.Tags)
		}),
		wire.Op("CreateDefaultVpc", "ec2:CreateDefaultVpc", s.CreateDefaultVpc, nil),
	}
}

func (s *Service) describeOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("DescribeInstances", "ec2:DescribeInstances", s.DescribeInstances, nil),
		wire.Op("DescribeInstanceStatus", "ec2:DescribeInstanceStatus", s.DescribeInstanceStatus, nil),
		wire.Op("DescribeInstanceTypes", "ec2:DescribeInstanceTypes", s.DescribeInstanceTypes, nil),
		wire.Op("DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypeOfferings", s.DescribeInstanceTypeOfferings, nil),
		wire.Op("DescribeInstanceCreditSpecifications", "ec2:DescribeInstanceCreditSpecifications", s.DescribeInstanceCreditSpecifications, nil),
		wire.Op("DescribeIamInstanceProfileAssociations", "ec2:DescribeIamInstanceProfileAssociations", s.DescribeIamInstanceProfileAssociations, nil),
		wire.Op("DescribeImages", "ec2:DescribeImages", s.DescribeImages, nil),
		wire.Op("DescribeAvailabilityZones", "ec2:DescribeAvailabilityZones", s.DescribeAvailabilityZones, nil),
		wire.Op("DescribeRegions", "ec2:DescribeRegions", s.DescribeRegions, nil),
		wire.Op("DescribeAccountAttributes", "ec2:DescribeAccountAttributes", s.DescribeAccountAttributes, nil),
		wire.Op("DescribeVpcs", "ec2:DescribeVpcs", s.DescribeVpcs, nil),
		wire.Op("DescribeVpcAttribute", "ec2:DescribeVpcAttribute", s.DescribeVpcAttribute, nil),
		wire.Op("DescribeSubnets", "ec2:DescribeSubnets", s.DescribeSubnets, nil),
		wire.Op("DescribeInternetGateways", "ec2:DescribeInternetGateways", s.DescribeInternetGateways, nil),
		wire.Op("DescribeRouteTables", "ec2:DescribeRouteTables", s.DescribeRouteTables, nil),
		wire.Op("DescribeNetworkAcls", "ec2:DescribeNetworkAcls", s.DescribeNetworkAcls, nil),
		wire.Op("DescribeDhcpOptions", "ec2:DescribeDhcpOptions", s.DescribeDhcpOptions, nil),
		wire.Op("DescribeNetworkInterfaces", "ec2:DescribeNetworkInterfaces", s.DescribeNetworkInterfaces, nil),
		wire.Op("DescribeVolumes", "ec2:DescribeVolumes", s.DescribeVolumes, nil),
		wire.Op("DescribeSecurityGroups", "ec2:DescribeSecurityGroups", s.DescribeSecurityGroups, nil),
		wire.Op("DescribeSecurityGroupRules", "ec2:DescribeSecurityGroupRules", s.DescribeSecurityGroupRules, nil),
		wire.Op("DescribeKeyPairs", "ec2:DescribeKeyPairs", s.DescribeKeyPairs, nil),
		wire.Op("DescribeAddresses", "ec2:DescribeAddresses", s.DescribeAddresses, nil),
		wire.Op("DescribeTags", "ec2:DescribeTags", s.DescribeTags, nil),
	}
}
