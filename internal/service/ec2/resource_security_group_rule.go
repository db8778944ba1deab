package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceIngress is AWS::EC2::SecurityGroupIngress, resourceEgress its outbound
// twin. The physical id is the rule's id.
type (
	resourceIngress struct{ s *Service }
	resourceEgress  struct{ s *Service }
)

type ingressProperties struct {
	GroupId                    *string
	GroupName                  *string
	IpProtocol                 string `cfn:",required"`
	FromPort                   *int32
	ToPort                     *int32
	CidrIp                     *string
	CidrIpv6                   *string
	Description                *string
	SourceSecurityGroupId      *string
	SourceSecurityGroupName    *string
	SourceSecurityGroupOwnerId *string
	SourcePrefixListId         *string
}

type egressProperties struct {
	GroupId                    string `cfn:",required"`
	IpProtocol                 string `cfn:",required"`
	FromPort                   *int32
	ToPort                     *int32
	CidrIp                     *string
	CidrIpv6                   *string
	Description                *string
	DestinationSecurityGroupId *string
	DestinationPrefixListId    *string
}

func (resourceIngress) Schema() stack.Schema {
	sc := stack.SchemaOf(ingressProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func (resourceEgress) Schema() stack.Schema {
	sc := stack.SchemaOf(egressProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func (p ingressProperties) rule() ruleProperty {
	return ruleProperty{
		IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, CidrIp: p.CidrIp, CidrIpv6: p.CidrIpv6, Description: p.Description,
		SourceSecurityGroupId: p.SourceSecurityGroupId, SourceSecurityGroupName: p.SourceSecurityGroupName, SourcePrefixListId: p.SourcePrefixListId,
	}
}

func (p egressProperties) rule() ruleProperty {
	return ruleProperty{
		IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, CidrIp: p.CidrIp, CidrIpv6: p.CidrIpv6, Description: p.Description,
		DestinationSecurityGroupId: p.DestinationSecurityGroupId, DestinationPrefixListId: p.DestinationPrefixListId,
	}
}

func ruleResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"Id": id}}
}

func (t resourceIngress) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p ingressProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.AuthorizeSecurityGroupIngressOutput](ctx, t.s, "AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{
		GroupId: p.GroupId, GroupName: p.GroupName, IpPermissions: []api.IpPermission{p.rule().permission()},
	})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.SecurityGroupRules[0].SecurityGroupRuleId)
	started(id)
	return ruleResult(id), nil
}

func (t resourceEgress) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p egressProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.AuthorizeSecurityGroupEgressOutput](ctx, t.s, "AuthorizeSecurityGroupEgress", &api.AuthorizeSecurityGroupEgressInput{
		GroupId: &p.GroupId, IpPermissions: []api.IpPermission{p.rule().permission()},
	})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.SecurityGroupRules[0].SecurityGroupRuleId)
	started(id)
	return ruleResult(id), nil
}

// findRule returns the rule behind a physical id, or stack.ErrNotFound.
func (s *Service) findRule(ctx context.Context, id string) (*api.SecurityGroupRule, error) {
	out, err := call[api.DescribeSecurityGroupRulesOutput](ctx, s, "DescribeSecurityGroupRules", &api.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{id}})
	if awserr.Is(err, "InvalidSecurityGroupRuleId.NotFound") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.SecurityGroupRules[0], nil
}

func (t resourceIngress) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.s.findRule(ctx, r.PhysicalID)
	return ruleResult(r.PhysicalID), err
}

func (t resourceEgress) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.s.findRule(ctx, r.PhysicalID)
	return ruleResult(r.PhysicalID), err
}

func (t resourceIngress) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p ingressProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	g, err := t.s.findRule(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	_, err = call[api.UpdateSecurityGroupRuleDescriptionsIngressOutput](ctx, t.s, "UpdateSecurityGroupRuleDescriptionsIngress", &api.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: g.GroupId, SecurityGroupRuleDescriptions: []api.SecurityGroupRuleDescription{{SecurityGroupRuleId: &r.PhysicalID, Description: p.Description}},
	})
	return ruleResult(r.PhysicalID), err
}

func (t resourceEgress) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p egressProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	_, err := call[api.UpdateSecurityGroupRuleDescriptionsEgressOutput](ctx, t.s, "UpdateSecurityGroupRuleDescriptionsEgress", &api.UpdateSecurityGroupRuleDescriptionsEgressInput{
		GroupId: &p.GroupId, SecurityGroupRuleDescriptions: []api.SecurityGroupRuleDescription{{SecurityGroupRuleId: &r.PhysicalID, Description: p.Description}},
	})
	return ruleResult(r.PhysicalID), err
}

func (t resourceIngress) Delete(ctx context.Context, r stack.Request) error {
	g, err := t.s.findRule(ctx, r.PhysicalID)
	if err == nil {
		_, err = call[api.RevokeSecurityGroupIngressOutput](ctx, t.s, "RevokeSecurityGroupIngress", &api.RevokeSecurityGroupIngressInput{GroupId: g.GroupId, SecurityGroupRuleIds: []string{r.PhysicalID}})
	}
	return ignoreGone(err)
}

func (t resourceEgress) Delete(ctx context.Context, r stack.Request) error {
	g, err := t.s.findRule(ctx, r.PhysicalID)
	if err == nil {
		_, err = call[api.RevokeSecurityGroupEgressOutput](ctx, t.s, "RevokeSecurityGroupEgress", &api.RevokeSecurityGroupEgressInput{GroupId: g.GroupId, SecurityGroupRuleIds: []string{r.PhysicalID}})
	}
	return ignoreGone(err)
}

// ignoreGone makes the deletion of what is gone a success.
func ignoreGone(err error) error {
	if err == stack.ErrNotFound || awserr.Is(err, "InvalidGroup.NotFound", "InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound") {
		return nil
	}
	return err
}
