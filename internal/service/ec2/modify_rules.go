package ec2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// ModifySecurityGroupRules replaces rules by id; their direction stays.
func (s *Service) ModifySecurityGroupRules(ctx context.Context, in *api.ModifySecurityGroupRulesInput) (*api.ModifySecurityGroupRulesOutput, error) {
	c := aws.CallFrom(ctx)
	g, err := s.editRules(ctx, c, ruleEdit{groupID: in.GroupId}, func(tx *store.Tx, g *securityGroup) error {
		for _, u := range in.SecurityGroupRules {
			i := slices.IndexFunc(g.Rules, func(r groupRule) bool { return r.ID == aws.Val(u.SecurityGroupRuleId) })
			if i < 0 {
				return awserr.New("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", aws.Val(u.SecurityGroupRuleId))
			}
			if u.SecurityGroupRule == nil {
				return missing("SecurityGroupRule")
			}
			rules, err := parseRules(tx, c, g, ruleEdit{egress: g.Rules[i].Egress, permissions: []api.IpPermission{permissionOf(*u.SecurityGroupRule)}})
			if err != nil {
				return err
			}
			rules[0].ID, rules[0].Tags, rules[0].Token = g.Rules[i].ID, g.Rules[i].Tags, g.Rules[i].Token
			g.Rules[i] = rules[0]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifySecurityGroupRulesOutput{Return: aws.Ptr(true)}, s.pushGroup(ctx, key(c, g.ID), g.ID)
}

func permissionOf(r api.SecurityGroupRuleRequest) api.IpPermission {
	p := api.IpPermission{IpProtocol: r.IpProtocol, FromPort: r.FromPort, ToPort: r.ToPort}
	switch {
	case r.CidrIpv4 != nil:
		p.IpRanges = []api.IpRange{{CidrIp: r.CidrIpv4, Description: r.Description}}
	case r.CidrIpv6 != nil:
		p.Ipv6Ranges = []api.Ipv6Range{{CidrIpv6: r.CidrIpv6, Description: r.Description}}
	case r.ReferencedGroupId != nil:
		p.UserIdGroupPairs = []api.UserIdGroupPair{{GroupId: r.ReferencedGroupId, Description: r.Description}}
	case r.PrefixListId != nil:
		p.PrefixListIds = []api.PrefixListId{{PrefixListId: r.PrefixListId}}
	}
	return p
}

// UpdateSecurityGroupRuleDescriptionsIngress sets the descriptions of inbound rules.
func (s *Service) UpdateSecurityGroupRuleDescriptionsIngress(ctx context.Context, in *api.UpdateSecurityGroupRuleDescriptionsIngressInput) (*api.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	err := s.describeRules(ctx, ruleEdit{groupID: in.GroupId, name: in.GroupName, permissions: in.IpPermissions}, in.SecurityGroupRuleDescriptions)
	return &api.UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: aws.Ptr(err == nil)}, err
}

// UpdateSecurityGroupRuleDescriptionsEgress sets the descriptions of outbound rules.
func (s *Service) UpdateSecurityGroupRuleDescriptionsEgress(ctx context.Context, in *api.UpdateSecurityGroupRuleDescriptionsEgressInput) (*api.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	err := s.describeRules(ctx, ruleEdit{egress: true, groupID: in.GroupId, name: in.GroupName, permissions: in.IpPermissions}, in.SecurityGroupRuleDescriptions)
	return &api.UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: aws.Ptr(err == nil)}, err
}

func (s *Service) describeRules(ctx context.Context, e ruleEdit, byID []api.SecurityGroupRuleDescription) error {
	c := aws.CallFrom(ctx)
	_, err := s.editRules(ctx, c, e, func(tx *store.Tx, g *securityGroup) error {
		for _, d := range byID {
			i := slices.IndexFunc(g.Rules, func(r groupRule) bool { return r.ID == aws.Val(d.SecurityGroupRuleId) })
			if i < 0 {
				return awserr.New("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", aws.Val(d.SecurityGroupRuleId))
			}
			g.Rules[i].Description = aws.Val(d.Description)
		}
		if len(e.permissions) == 0 && len(byID) > 0 {
			return nil
		}
		rules, err := parseRules(tx, c, g, e)
		if err != nil {
			return err
		}
		for _, r := range rules {
			i := slices.IndexFunc(g.Rules, r.same)
			if i < 0 {
				return awserr.New("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
			}
			g.Rules[i].Description = r.Description
		}
		return nil
	})
	return err
}
