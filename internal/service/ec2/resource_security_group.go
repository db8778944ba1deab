package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// maxGroupName is the longest name of a security group.
const maxGroupName = 255

// resourceSecurityGroup is AWS::EC2::SecurityGroup. Its physical id is the group's
// id when the template names a VPC and the group's name when it does not.
type resourceSecurityGroup struct{ s *Service }

type securityGroupProperties struct {
	GroupDescription     string `cfn:",required"`
	GroupName            *string
	VpcId                *string
	SecurityGroupIngress []ruleProperty
	SecurityGroupEgress  []ruleProperty
	Tags                 []stack.Tag
}

// ruleProperty is a rule inside a group's properties.
type ruleProperty struct {
	IpProtocol                 string `cfn:",required"`
	FromPort, ToPort           *int32
	CidrIp, CidrIpv6           *string
	Description                *string
	SourceSecurityGroupId      *string
	SourceSecurityGroupName    *string
	SourceSecurityGroupOwnerId *string
	SourcePrefixListId         *string
	DestinationSecurityGroupId *string
	DestinationPrefixListId    *string
}

func (p ruleProperty) permission() api.IpPermission {
	out := api.IpPermission{IpProtocol: aws.Ptr(p.IpProtocol), FromPort: p.FromPort, ToPort: p.ToPort}
	if p.CidrIp != nil {
		out.IpRanges = []api.IpRange{{CidrIp: p.CidrIp, Description: p.Description}}
	}
	if p.CidrIpv6 != nil {
		out.Ipv6Ranges = []api.Ipv6Range{{CidrIpv6: p.CidrIpv6, Description: p.Description}}
	}
	for _, peer := range []*string{p.SourceSecurityGroupId, p.DestinationSecurityGroupId} {
		if peer != nil {
			out.UserIdGroupPairs = append(out.UserIdGroupPairs, api.UserIdGroupPair{GroupId: peer, Description: p.Description})
		}
	}
	if p.SourceSecurityGroupName != nil {
		out.UserIdGroupPairs = append(out.UserIdGroupPairs, api.UserIdGroupPair{GroupName: p.SourceSecurityGroupName, Description: p.Description})
	}
	for _, list := range []*string{p.SourcePrefixListId, p.DestinationPrefixListId} {
		if list != nil {
			out.PrefixListIds = append(out.PrefixListIds, api.PrefixListId{PrefixListId: list})
		}
	}
	return out
}

func permissionList(rules []ruleProperty) []api.IpPermission {
	out := make([]api.IpPermission, 0, len(rules))
	for _, r := range rules {
		out = append(out, r.permission())
	}
	return out
}

func (resourceSecurityGroup) Schema() stack.Schema {
	sc := stack.SchemaOf(securityGroupProperties{})
	sc.Attributes = []string{"GroupId", "VpcId", "Id"}
	sc.Taggable, sc.NameProperty = true, "GroupName"
	return sc
}

func (t resourceSecurityGroup) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p securityGroupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(maxGroupName)
	if p.GroupName != nil {
		name = *p.GroupName
	}
	out, err := call[api.CreateSecurityGroupOutput](ctx, t.s, "CreateSecurityGroup", &api.CreateSecurityGroupInput{
		GroupName: &name, Description: &p.GroupDescription, VpcId: p.VpcId,
		TagSpecifications: []api.TagSpecification{{ResourceType: "security-group", Tags: toAPITags(r.TagsWith(p.Tags))}},
	})
	if err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = name
	if p.VpcId != nil {
		r.PhysicalID = aws.Val(out.GroupId)
	}
	started(r.PhysicalID)
	if err := t.s.replaceRules(ctx, aws.Val(out.GroupId), &securityGroupProperties{}, &p); err != nil {
		return stack.Result{PhysicalID: r.PhysicalID}, err
	}
	return t.Read(ctx, r)
}

// replaceRules brings a group's rules from old to want. A group without egress
// rules of its own keeps the rule that lets everything out.
func (s *Service) replaceRules(ctx context.Context, id string, old, want *securityGroupProperties) error {
	if err := s.revokeRules(ctx, id, false, missingRules(old.SecurityGroupIngress, want.SecurityGroupIngress)); err != nil {
		return err
	}
	if err := s.revokeRules(ctx, id, true, missingRules(egressOf(old), egressOf(want))); err != nil {
		return err
	}
	if in := missingRules(want.SecurityGroupIngress, old.SecurityGroupIngress); len(in) > 0 {
		_, err := call[api.AuthorizeSecurityGroupIngressOutput](ctx, s, "AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: permissionList(in)})
		if err != nil && !awserr.Is(err, "InvalidPermission.Duplicate") {
			return err
		}
	}
	if out := missingRules(egressOf(want), egressOf(old)); len(out) > 0 {
		_, err := call[api.AuthorizeSecurityGroupEgressOutput](ctx, s, "AuthorizeSecurityGroupEgress", &api.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: permissionList(out)})
		if err != nil && !awserr.Is(err, "InvalidPermission.Duplicate") {
			return err
		}
	}
	return nil
}

func egressOf(p *securityGroupProperties) []ruleProperty {
	if len(p.SecurityGroupEgress) > 0 {
		return p.SecurityGroupEgress
	}
	return []ruleProperty{{IpProtocol: "-1", CidrIp: aws.Ptr("0.0.0.0/0")}}
}

// missingRules returns the rules of a that b lacks.
func missingRules(a, b []ruleProperty) []ruleProperty {
	var out []ruleProperty
	for _, r := range a {
		if !slices.ContainsFunc(b, func(o ruleProperty) bool { return sameRule(r, o) }) {
			out = append(out, r)
		}
	}
	return out
}

func sameRule(a, b ruleProperty) bool {
	return a.IpProtocol == b.IpProtocol && eq(a.FromPort, b.FromPort) && eq(a.ToPort, b.ToPort) && eq(a.CidrIp, b.CidrIp) && eq(a.CidrIpv6, b.CidrIpv6) &&
		eq(a.Description, b.Description) && eq(a.SourceSecurityGroupId, b.SourceSecurityGroupId) && eq(a.SourceSecurityGroupName, b.SourceSecurityGroupName) &&
		eq(a.DestinationSecurityGroupId, b.DestinationSecurityGroupId) && eq(a.SourcePrefixListId, b.SourcePrefixListId) && eq(a.DestinationPrefixListId, b.DestinationPrefixListId)
}

func eq[T comparable](a, b *T) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func (s *Service) revokeRules(ctx context.Context, id string, egress bool, rules []ruleProperty) error {
	for _, r := range rules {
		perms := []api.IpPermission{r.permission()}
		var err error
		if egress {
			_, err = call[api.RevokeSecurityGroupEgressOutput](ctx, s, "RevokeSecurityGroupEgress", &api.RevokeSecurityGroupEgressInput{GroupId: &id, IpPermissions: perms})
		} else {
			_, err = call[api.RevokeSecurityGroupIngressOutput](ctx, s, "RevokeSecurityGroupIngress", &api.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: perms})
		}
		if err != nil && !awserr.Is(err, "InvalidPermission.NotFound") {
			return err
		}
	}
	return nil
}

// find returns the group behind a physical id, which is an id or a name.
func (t resourceSecurityGroup) find(ctx context.Context, physicalID string) (*api.SecurityGroup, error) {
	in := &api.DescribeSecurityGroupsInput{GroupNames: []string{physicalID}}
	if strings.HasPrefix(physicalID, "sg-") {
		in = &api.DescribeSecurityGroupsInput{GroupIds: []string{physicalID}}
	}
	out, err := call[api.DescribeSecurityGroupsOutput](ctx, t.s, "DescribeSecurityGroups", in)
	if awserr.Is(err, "InvalidGroup.NotFound") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.SecurityGroups[0], nil
}

func (t resourceSecurityGroup) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{"GroupId": *g.GroupId, "VpcId": *g.VpcId, "Id": r.PhysicalID}}, nil
}

func (t resourceSecurityGroup) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old securityGroupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	if err := t.s.replaceRules(ctx, *g.GroupId, &old, &p); err != nil {
		return stack.Result{}, err
	}
	if err := t.s.syncTags(ctx, *g.GroupId, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceSecurityGroup) Delete(ctx context.Context, r stack.Request) error {
	g, err := t.find(ctx, r.PhysicalID)
	if err == stack.ErrNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	err = t.s.leaving(ctx, "instance.group-id", aws.Val(g.GroupId), func() error {
		_, err := call[api.DeleteSecurityGroupOutput](ctx, t.s, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: g.GroupId})
		return err
	})
	if awserr.Is(err, "InvalidGroup.NotFound") {
		return nil
	}
	return err
}
