package ec2

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// groupFilters are what groups are found by. A rule that names a group is found by
// the group's id, never by its name.
var groupFilters = func() []string {
	names := []string{"group-id", "group-name", "description", "vpc-id", "owner-id"}
	for _, f := range []string{"cidr", "ipv6-cidr", "from-port", "to-port", "protocol", "group-id", "group-name", "prefix-list-id", "user-id"} {
		names = append(names, "ip-permission."+f, "egress.ip-permission."+f)
	}
	return names
}()

// DescribeSecurityGroups lists groups with their rules.
func (s *Service) DescribeSecurityGroups(ctx context.Context, in *api.DescribeSecurityGroupsInput) (*api.DescribeSecurityGroupsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, groupFilters...); err != nil {
		return nil, err
	}
	var list []api.SecurityGroup
	err := s.viewGroups(ctx, c, func(tx *store.Tx, all []*securityGroup) error {
		list = []api.SecurityGroup{}
		picked, err := pickGroups(tx, c, all, in.GroupIds, in.GroupNames)
		if err != nil {
			return err
		}
		for _, g := range picked {
			if groupFields(c, g).matches(in.Filters) {
				list = append(list, apiGroup(c, g))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list, next, err := paginate(list, func(i api.SecurityGroup) string { return *i.GroupId }, in.NextToken, in.MaxResults)
	return &api.DescribeSecurityGroupsOutput{SecurityGroups: list, NextToken: next}, err
}

// viewGroups hands all groups of the caller to f. The default group exists from
// the first look on, so the view may have to make it.
func (s *Service) viewGroups(ctx context.Context, c aws.Call, f func(*store.Tx, []*securityGroup) error) error {
	if err := s.prepareVPC(ctx, c); err != nil {
		return err
	}
	return s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := securityGroups.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return fmt.Errorf("list security groups: %w", err)
		}
		all := make([]*securityGroup, 0, len(rows))
		for _, r := range rows {
			all = append(all, r.Value)
		}
		return f(tx, all)
	})
}

func pickGroups(tx *store.Tx, c aws.Call, all []*securityGroup, byID, byName []string) ([]*securityGroup, error) {
	if len(byID)+len(byName) == 0 {
		return all, nil
	}
	var out []*securityGroup
	for _, id := range byID {
		g, err := groupByID(tx, c, id)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	for _, name := range byName {
		i := slices.IndexFunc(all, func(g *securityGroup) bool { return g.Name == name })
		if i < 0 {
			return nil, awserr.New("InvalidGroup.NotFound", "The security group '%s' does not exist", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

func groupFields(c aws.Call, g *securityGroup) fields {
	f := fields{"group-id": {g.ID}, "group-name": {g.Name}, "description": {g.Description}, "vpc-id": {g.VPC}, "owner-id": {c.Account}}
	for _, r := range g.Rules {
		at := "ip-permission."
		if r.Egress {
			at = "egress.ip-permission."
		}
		f.add(at+"from-port", itoa(r.From))
		f.add(at+"to-port", itoa(r.To))
		f.add(at+"protocol", r.Protocol)
		switch {
		case r.Group != "":
			f.add(at+"group-id", r.Group)
			f.add(at+"user-id", c.Account)
		case strings.Contains(r.CIDR, ":"):
			f.add(at+"ipv6-cidr", r.CIDR)
		default:
			f.add(at+"cidr", r.CIDR)
		}
	}
	return f.withTags(g.Tags)
}

func apiGroup(c aws.Call, g *securityGroup) api.SecurityGroup {
	return api.SecurityGroup{
		GroupId: aws.Ptr(g.ID), GroupName: aws.Ptr(g.Name), Description: aws.Ptr(g.Description), VpcId: aws.Ptr(g.VPC),
		OwnerId: aws.Ptr(c.Account), Tags: apiTags(g.Tags), SecurityGroupArn: aws.Ptr(groupARN(c, g.ID)),
		IpPermissions: permissions(c, g, false), IpPermissionsEgress: permissions(c, g, true),
	}
}

// permissions gathers rules of one protocol and range into one IpPermission, as
// EC2 shows them.
func permissions(c aws.Call, g *securityGroup, egress bool) []api.IpPermission {
	out := []api.IpPermission{}
	at := map[string]int{}
	for _, r := range g.Rules {
		if r.Egress != egress {
			continue
		}
		k := r.Protocol + ":" + itoa(r.From) + "-" + itoa(r.To)
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			p := api.IpPermission{IpProtocol: aws.Ptr(r.Protocol), IpRanges: []api.IpRange{}, Ipv6Ranges: []api.Ipv6Range{}, UserIdGroupPairs: []api.UserIdGroupPair{}, PrefixListIds: []api.PrefixListId{}}
			if r.Protocol == "tcp" || r.Protocol == "udp" || r.Protocol == "icmp" || r.Protocol == "icmpv6" {
				p.FromPort, p.ToPort = aws.Ptr(r.From), aws.Ptr(r.To)
			}
			out = append(out, p)
		}
		addPeer(c, &out[i], r)
	}
	return out
}

func addPeer(c aws.Call, p *api.IpPermission, r groupRule) {
	var desc *string
	if r.Description != "" {
		desc = aws.Ptr(r.Description)
	}
	switch {
	case r.Group != "":
		p.UserIdGroupPairs = append(p.UserIdGroupPairs, api.UserIdGroupPair{GroupId: aws.Ptr(r.Group), UserId: aws.Ptr(c.Account), Description: desc})
	case netip.MustParsePrefix(r.CIDR).Addr().Is4():
		p.IpRanges = append(p.IpRanges, api.IpRange{CidrIp: aws.Ptr(r.CIDR), Description: desc})
	default:
		p.Ipv6Ranges = append(p.Ipv6Ranges, api.Ipv6Range{CidrIpv6: aws.Ptr(r.CIDR), Description: desc})
	}
}

// DescribeSecurityGroupRules lists rules one by one.
func (s *Service) DescribeSecurityGroupRules(ctx context.Context, in *api.DescribeSecurityGroupRulesInput) (*api.DescribeSecurityGroupRulesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkRuleFilters(in.Filters); err != nil {
		return nil, err
	}
	var list []api.SecurityGroupRule
	found := map[string]bool{}
	err := s.viewGroups(ctx, c, func(_ *store.Tx, all []*securityGroup) error {
		list = []api.SecurityGroupRule{}
		for _, g := range all {
			for _, r := range g.Rules {
				f := fields{"group-id": {g.ID}, "security-group-rule-id": {r.ID}}.withTags(r.Tags)
				if f.matches(in.Filters) && (len(in.SecurityGroupRuleIds) == 0 || slices.Contains(in.SecurityGroupRuleIds, r.ID)) {
					list = append(list, apiRule(c, g, r))
					found[r.ID] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range in.SecurityGroupRuleIds {
		if !found[id] {
			return nil, awserr.New("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
		}
	}
	list, next, err := paginate(list, func(i api.SecurityGroupRule) string { return *i.SecurityGroupRuleId }, in.NextToken, in.MaxResults)
	return &api.DescribeSecurityGroupRulesOutput{SecurityGroupRules: list, NextToken: next}, err
}

func checkRuleFilters(filters []api.Filter) error {
	for _, f := range filters {
		for _, v := range f.Values {
			if aws.Val(f.Name) == "group-id" && !strings.HasPrefix(v, "sg-") && !strings.ContainsAny(v, "*?") {
				return awserr.New("InvalidGroupId.Malformed", "The security group ID '%s' is malformed", v)
			}
		}
	}
	return checkFilters(filters, "group-id", "security-group-rule-id")
}

// GetSecurityGroupsForVpc lists the groups that instances in a VPC can have.
func (s *Service) GetSecurityGroupsForVpc(ctx context.Context, in *api.GetSecurityGroupsForVpcInput) (*api.GetSecurityGroupsForVpcOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "group-id", "description", "group-name", "owner-id", "primary-vpc-id"); err != nil {
		return nil, err
	}
	list := []api.SecurityGroupForVpc{}
	err := s.viewGroups(ctx, c, func(tx *store.Tx, all []*securityGroup) error {
		if _, err := getVPC(tx, c, aws.Val(in.VpcId)); err != nil {
			return err
		}
		for _, g := range all {
			f := groupFields(c, g)
			f.set(g.VPC, "primary-vpc-id")
			if g.VPC == aws.Val(in.VpcId) && f.matches(in.Filters) {
				list = append(list, api.SecurityGroupForVpc{GroupId: aws.Ptr(g.ID), GroupName: aws.Ptr(g.Name), Description: aws.Ptr(g.Description),
					OwnerId: aws.Ptr(c.Account), PrimaryVpcId: aws.Ptr(g.VPC), Tags: apiTags(g.Tags)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list, next, err := paginate(list, func(i api.SecurityGroupForVpc) string { return *i.GroupId }, in.NextToken, in.MaxResults)
	return &api.GetSecurityGroupsForVpcOutput{SecurityGroupForVpcs: list, NextToken: next}, err
}

func apiRule(c aws.Call, g *securityGroup, r groupRule) api.SecurityGroupRule {
	out := api.SecurityGroupRule{
		SecurityGroupRuleId: aws.Ptr(r.ID), GroupId: aws.Ptr(g.ID), GroupOwnerId: aws.Ptr(c.Account), IsEgress: aws.Ptr(r.Egress),
		IpProtocol: aws.Ptr(r.Protocol), FromPort: aws.Ptr(r.From), ToPort: aws.Ptr(r.To), Tags: apiTags(r.Tags),
		SecurityGroupRuleArn: aws.Ptr(ec2ARN(c, "security-group-rule/"+r.ID)),
	}
	if r.Description != "" {
		out.Description = aws.Ptr(r.Description)
	}
	switch {
	case r.Group != "":
		out.ReferencedGroupInfo = &api.ReferencedSecurityGroup{GroupId: aws.Ptr(r.Group), UserId: aws.Ptr(c.Account)}
	case netip.MustParsePrefix(r.CIDR).Addr().Is4():
		out.CidrIpv4 = aws.Ptr(r.CIDR)
	default:
		out.CidrIpv6 = aws.Ptr(r.CIDR)
	}
	return out
}

func revokedRule(g *securityGroup, r groupRule) api.RevokedSecurityGroupRule {
	out := api.RevokedSecurityGroupRule{
		SecurityGroupRuleId: aws.Ptr(r.ID), GroupId: aws.Ptr(g.ID), IsEgress: aws.Ptr(r.Egress),
		IpProtocol: aws.Ptr(r.Protocol), FromPort: aws.Ptr(r.From), ToPort: aws.Ptr(r.To),
	}
	switch {
	case r.Group != "":
		out.ReferencedGroupId = aws.Ptr(r.Group)
	case netip.MustParsePrefix(r.CIDR).Addr().Is4():
		out.CidrIpv4 = aws.Ptr(r.CIDR)
	default:
		out.CidrIpv6 = aws.Ptr(r.CIDR)
	}
	return out
}
