package ec2

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// maxRules are of one direction in a group, for IPv4 and IPv6 each; a rule that names a group
// counts for both.
const maxRules = 60

// crowded reports whether a group has more rules than AWS allows.
func (g *securityGroup) crowded() bool {
	count := map[string]int{}
	for _, r := range g.Rules {
		direction := boolText(r.Egress)
		if !strings.Contains(r.CIDR, ":") {
			count[direction+"4"]++
		}
		if !strings.Contains(r.CIDR, ".") {
			count[direction+"6"]++
		}
	}
	return slices.ContainsFunc(slices.Collect(maps.Values(count)), func(n int) bool { return n > maxRules })
}

// ruleEdit is what the four authorize and revoke operations share.
type ruleEdit struct {
	egress        bool
	groupID, name *string
	permissions   []api.IpPermission
	ruleIDs       []string
	tags          []api.TagSpecification
	// sourceGroup is a group as the old form names it, or its owner.
	sourceGroup *string
}

// flatPermission turns the parameters of the old form (one rule, in the request
// itself) into an IpPermission.
func flatPermission(protocol *string, from, to *int32, cidr *string) []api.IpPermission {
	if protocol == nil && cidr == nil && from == nil {
		return nil
	}
	p := api.IpPermission{IpProtocol: protocol, FromPort: from, ToPort: to}
	if cidr != nil {
		p.IpRanges = []api.IpRange{{CidrIp: cidr}}
	}
	return []api.IpPermission{p}
}

// AuthorizeSecurityGroupIngress adds inbound rules.
func (s *Service) AuthorizeSecurityGroupIngress(ctx context.Context, in *api.AuthorizeSecurityGroupIngressInput) (*api.AuthorizeSecurityGroupIngressOutput, error) {
	rules, err := s.authorize(ctx, ruleEdit{
		groupID: in.GroupId, name: in.GroupName, tags: in.TagSpecifications,
		permissions: slices.Concat(in.IpPermissions, flatPermission(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp)), sourceGroup: cmp.Or(in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId),
	})
	if err != nil {
		return nil, err
	}
	return &api.AuthorizeSecurityGroupIngressOutput{Return: aws.Ptr(true), SecurityGroupRules: rules}, nil
}

// AuthorizeSecurityGroupEgress adds outbound rules.
func (s *Service) AuthorizeSecurityGroupEgress(ctx context.Context, in *api.AuthorizeSecurityGroupEgressInput) (*api.AuthorizeSecurityGroupEgressOutput, error) {
	rules, err := s.authorize(ctx, ruleEdit{
		egress: true, groupID: in.GroupId, tags: in.TagSpecifications,
		permissions: slices.Concat(in.IpPermissions, flatPermission(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp)), sourceGroup: cmp.Or(in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId),
	})
	if err != nil {
		return nil, err
	}
	return &api.AuthorizeSecurityGroupEgressOutput{Return: aws.Ptr(true), SecurityGroupRules: rules}, nil
}

func (s *Service) authorize(ctx context.Context, e ruleEdit) ([]api.SecurityGroupRule, error) {
	c := aws.CallFrom(ctx)
	if err := reservedSpecs(c, e.tags); err != nil {
		return nil, err
	}
	tags, err := tagSpec(e.tags, "security-group-rule")
	if err != nil {
		return nil, err
	}
	var added []api.SecurityGroupRule
	g, err := s.editRules(ctx, c, e, func(tx *store.Tx, g *securityGroup) error {
		added = nil
		rules, err := parseRules(tx, c, g, e)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if i := slices.IndexFunc(g.Rules, r.same); i >= 0 {
				if c.Token != "" && g.Rules[i].Token == c.Token {
					added = append(added, apiRule(c, g, g.Rules[i]))
					continue
				}
				return awserr.New("InvalidPermission.Duplicate", "the specified rule \"%s\" already exists", r.words())
			}
			r.ID, r.Tags, r.Token = ids.Resource("sgr"), tags, c.Token
			g.Rules = append(g.Rules, r)
			added = append(added, apiRule(c, g, r))
		}
		if g.crowded() {
			return awserr.New("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return added, s.pushGroup(ctx, key(c, g.ID), g.ID)
}

// editRules changes a group's rules in one transaction and returns it.
func (s *Service) editRules(ctx context.Context, c aws.Call, e ruleEdit, f func(*store.Tx, *securityGroup) error) (*securityGroup, error) {
	if e.sourceGroup != nil {
		return nil, unsupported("SourceSecurityGroupName")
	}
	var g *securityGroup
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if g, err = findGroup(tx, c, e.groupID, e.name); err != nil {
			return err
		}
		if err = f(tx, g); err != nil {
			return err
		}
		tx.Emit(store.Event{Account: c.Account, Region: c.Region, Service: "ec2", Resource: g.ID, Kind: "rules", RequestID: c.RequestID})
		return securityGroups.Put(tx, key(c, g.ID), g)
	})
	return g, err
}

// RevokeSecurityGroupIngress removes inbound rules.
func (s *Service) RevokeSecurityGroupIngress(ctx context.Context, in *api.RevokeSecurityGroupIngressInput) (*api.RevokeSecurityGroupIngressOutput, error) {
	gone, err := s.revoke(ctx, ruleEdit{
		groupID: in.GroupId, name: in.GroupName, ruleIDs: in.SecurityGroupRuleIds,
		permissions: slices.Concat(in.IpPermissions, flatPermission(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp)), sourceGroup: cmp.Or(in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId),
	})
	if err != nil {
		return nil, err
	}
	return &api.RevokeSecurityGroupIngressOutput{Return: aws.Ptr(true), RevokedSecurityGroupRules: gone}, nil
}

// RevokeSecurityGroupEgress removes outbound rules.
func (s *Service) RevokeSecurityGroupEgress(ctx context.Context, in *api.RevokeSecurityGroupEgressInput) (*api.RevokeSecurityGroupEgressOutput, error) {
	gone, err := s.revoke(ctx, ruleEdit{
		egress: true, groupID: in.GroupId, ruleIDs: in.SecurityGroupRuleIds,
		permissions: slices.Concat(in.IpPermissions, flatPermission(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp)), sourceGroup: cmp.Or(in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId),
	})
	if err != nil {
		return nil, err
	}
	return &api.RevokeSecurityGroupEgressOutput{Return: aws.Ptr(true), RevokedSecurityGroupRules: gone}, nil
}

func (s *Service) revoke(ctx context.Context, e ruleEdit) ([]api.RevokedSecurityGroupRule, error) {
	c := aws.CallFrom(ctx)
	var gone []api.RevokedSecurityGroupRule
	g, err := s.editRules(ctx, c, e, func(tx *store.Tx, g *securityGroup) error {
		gone = []api.RevokedSecurityGroupRule{}
		doomed, err := e.doomed(tx, c, g)
		if err != nil {
			return err
		}
		for _, i := range doomed {
			gone = append(gone, revokedRule(g, g.Rules[i]))
		}
		kept := g.Rules[:0:0]
		for i, r := range g.Rules {
			if !slices.Contains(doomed, i) {
				kept = append(kept, r)
			}
		}
		g.Rules = kept
		return nil
	})
	if err != nil {
		return nil, err
	}
	return gone, s.pushGroup(ctx, key(c, g.ID), g.ID)
}

// doomed returns the indexes of the rules that a revoke names.
func (e ruleEdit) doomed(tx *store.Tx, c aws.Call, g *securityGroup) ([]int, error) {
	var out []int
	for _, id := range e.ruleIDs {
		i := slices.IndexFunc(g.Rules, func(r groupRule) bool { return r.ID == id && r.Egress == e.egress })
		if i < 0 {
			return nil, awserr.New("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
		}
		out = append(out, i)
	}
	if len(e.permissions) == 0 && len(e.ruleIDs) > 0 {
		return out, nil
	}
	rules, err := parseRules(tx, c, g, e)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		i := slices.IndexFunc(g.Rules, r.same)
		if i < 0 {
			return nil, awserr.New("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		out = append(out, i)
	}
	return out, nil
}

// same reports whether r and o allow the same traffic; description and tags do
// not count.
func (r groupRule) same(o groupRule) bool {
	return r.Egress == o.Egress && r.Protocol == o.Protocol && r.From == o.From && r.To == o.To && r.CIDR == o.CIDR && r.Group == o.Group
}

// words is how EC2 names a rule in its errors.
func (r groupRule) words() string {
	p := strings.ToUpper(r.Protocol)
	if r.Protocol == "-1" {
		p = "ALL"
	}
	s := "peer: " + cmp.Or(r.CIDR, r.Group) + ", " + p
	if r.Protocol != "-1" {
		s += ", from port: " + itoa(r.From) + ", to port: " + itoa(r.To)
	}
	return s + ", ALLOW"
}

// parseRules expands IpPermissions to one rule per peer.
func parseRules(tx *store.Tx, c aws.Call, g *securityGroup, e ruleEdit) ([]groupRule, error) {
	if len(e.permissions) == 0 {
		return nil, missing("ipPermissions")
	}
	var out []groupRule
	for _, p := range e.permissions {
		base, err := parsePorts(p)
		if err != nil {
			return nil, err
		}
		base.Egress = e.egress
		peers, err := parsePeers(tx, c, g, p, base)
		if err != nil {
			return nil, err
		}
		if len(peers) == 0 {
			return nil, missing("cidrIp, ipRanges or groups")
		}
		for _, r := range peers {
			if slices.ContainsFunc(out, r.same) {
				return nil, awserr.New("InvalidParameterValue", "The same permission must not appear multiple times")
			}
			if r.Description != "" && !groupText.MatchString(r.Description) {
				return nil, awserr.New("InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
			}
			out = append(out, r)
		}
	}
	return out, nil
}

func parsePeers(tx *store.Tx, c aws.Call, g *securityGroup, p api.IpPermission, base groupRule) ([]groupRule, error) {
	if len(p.PrefixListIds) > 0 {
		return nil, unsupported("PrefixListIds")
	}
	var out []groupRule
	add := func(cidr, group string, description *string) {
		n := base
		n.CIDR, n.Group, n.Description = cidr, group, aws.Val(description)
		out = append(out, n)
	}
	for _, r := range p.IpRanges {
		cidr, err := canonicalCIDR(aws.Val(r.CidrIp), true)
		if err != nil {
			return nil, err
		}
		add(cidr, "", r.Description)
	}
	for _, r := range p.Ipv6Ranges {
		cidr, err := canonicalCIDR(aws.Val(r.CidrIpv6), false)
		if err != nil {
			return nil, err
		}
		add(cidr, "", r.Description)
	}
	for _, u := range p.UserIdGroupPairs {
		err := refuse(
			asked{"UserId of another account", u.UserId != nil && *u.UserId != c.Account},
			asked{"VpcPeeringConnectionId", u.VpcPeeringConnectionId != nil},
		)
		if err != nil {
			return nil, err
		}
		peer, err := findGroup(tx, c, u.GroupId, u.GroupName)
		if err != nil {
			return nil, err
		}
		if peer.VPC != g.VPC || u.VpcId != nil && *u.VpcId != peer.VPC {
			return nil, awserr.New("InvalidParameter", "You have specified two resources that belong to different networks.")
		}
		add("", peer.ID, u.Description)
	}
	return out, nil
}

// canonicalCIDR drops the host bits, as EC2 does.
func canonicalCIDR(s string, four bool) (string, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4() != four {
		return "", awserr.New("InvalidParameterValue", "CIDR block %s is malformed", s)
	}
	return p.Masked().String(), nil
}

// protocols by number, as EC2 shows them by name.
var protocols = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}

// protocolName is how EC2 shows a protocol that is given by name or by number.
func protocolName(text string) string {
	text = strings.ToLower(text)
	if n, ok := protocols[text]; ok {
		return n
	}
	return text
}

func parsePorts(p api.IpPermission) (groupRule, error) {
	proto := protocolName(aws.Val(p.IpProtocol))
	r := groupRule{Protocol: proto, From: -1, To: -1}
	switch proto {
	case "":
		return r, missing("IpProtocol")
	case "-1":
		return r, nil
	case "tcp", "udp":
		if p.FromPort == nil || p.ToPort == nil {
			return r, awserr.New("InvalidParameterValue", "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
		}
		r.From, r.To = *p.FromPort, *p.ToPort
		if r.From < 0 || r.To > 65535 || r.From > r.To {
			return r, awserr.New("InvalidParameterValue", "Invalid TCP/UDP port range (%d:%d)", r.From, r.To)
		}
		return r, nil
	case "icmp", "icmpv6":
		return parseICMP(r, p)
	}
	if n, err := strconv.Atoi(proto); err != nil || n < 0 || n > 255 {
		return r, awserr.New("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", proto)
	}
	return r, nil
}

// parseICMP reads type and code, which travel as ports.
func parseICMP(r groupRule, p api.IpPermission) (groupRule, error) {
	if p.FromPort != nil {
		r.From = *p.FromPort
	}
	if p.ToPort != nil {
		r.To = *p.ToPort
	}
	if r.From < -1 || r.From > 255 || r.To < -1 || r.To > 255 || (r.From == -1 && r.To != -1) {
		return r, awserr.New("InvalidParameterValue", "ICMP code (%d) or type (%d) out of range", r.To, r.From)
	}
	return r, nil
}
