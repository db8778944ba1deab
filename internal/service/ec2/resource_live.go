package ec2

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// Live implements stack.Live.
func (t resourceInstance) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	if _, err := t.Read(ctx, r); err != nil {
		return nil, err
	}
	out, err := call[api.DescribeInstancesOutput](ctx, t.s, "DescribeInstances", &api.DescribeInstancesInput{InstanceIds: []string{r.PhysicalID}})
	if err != nil {
		return nil, err
	}
	i := out.Reservations[0].Instances[0]
	live := map[string]any{
		"ImageId": aws.Val(i.ImageId), "InstanceType": string(i.InstanceType), "KeyName": liveText(i.KeyName), "SubnetId": liveText(i.SubnetId),
		"PrivateIpAddress": liveText(i.PrivateIpAddress), "EbsOptimized": aws.Val(i.EbsOptimized), "Tags": liveTags(i.Tags),
		"SourceDestCheck": aws.Val(i.SourceDestCheck),
	}
	if t := r.Properties["LaunchTemplate"]; t != nil { // it shaped the launch, and cannot change
		live["LaunchTemplate"] = t
	}
	if i.Placement != nil {
		live["AvailabilityZone"] = liveText(i.Placement.AvailabilityZone)
	}
	ids, names := []any{}, []any{}
	for _, g := range i.SecurityGroups {
		ids, names = append(ids, aws.Val(g.GroupId)), append(names, aws.Val(g.GroupName))
	}
	live["SecurityGroupIds"], live["SecurityGroups"] = ids, names
	if m := i.MetadataOptions; m != nil {
		live["MetadataOptions"] = stack.Plain(m)
	}
	return live, t.liveAttributes(ctx, r.PhysicalID, live)
}

// liveAttributes adds what DescribeInstances does not show.
func (t resourceInstance) liveAttributes(ctx context.Context, id string, live map[string]any) error {
	for _, name := range []api.InstanceAttributeName{"userData", "disableApiTermination", "instanceInitiatedShutdownBehavior"} {
		out, err := call[api.DescribeInstanceAttributeOutput](ctx, t.s, "DescribeInstanceAttribute", &api.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: name})
		if err != nil {
			return err
		}
		switch {
		case out.UserData != nil && name == "userData":
			live["UserData"] = liveText(out.UserData.Value)
		case out.DisableApiTermination != nil:
			live["DisableApiTermination"] = aws.Val(out.DisableApiTermination.Value)
		case out.InstanceInitiatedShutdownBehavior != nil:
			live["InstanceInitiatedShutdownBehavior"] = aws.Val(out.InstanceInitiatedShutdownBehavior.Value)
		}
	}
	return nil
}

// Live implements stack.Live.
func (t resourceSecurityGroup) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"GroupDescription": aws.Val(g.Description), "GroupName": aws.Val(g.GroupName), "VpcId": aws.Val(g.VpcId), "Tags": liveTags(g.Tags),
		"SecurityGroupIngress": t.s.namedPeers(ctx, r.Properties["SecurityGroupIngress"], liveRules(g.IpPermissions, "Source")),
		"SecurityGroupEgress":  liveRules(g.IpPermissionsEgress, "Destination"),
	}, nil
}

// namedPeers gives the peers of ingress rules their names where the template has a
// name in one of them: a rule is kept by the id of its peer.
func (s *Service) namedPeers(ctx context.Context, template any, rules []any) []any {
	written, _ := template.([]any)
	named := slices.ContainsFunc(written, func(rule any) bool {
		m, _ := rule.(map[string]any)
		return m["SourceSecurityGroupName"] != nil
	})
	for _, rule := range rules {
		m := rule.(map[string]any)
		if id, _ := m["SourceSecurityGroupId"].(string); named && id != "" {
			out, err := call[api.DescribeSecurityGroupsOutput](ctx, s, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{GroupIds: []string{id}})
			if err == nil && len(out.SecurityGroups) == 1 {
				m["SourceSecurityGroupName"] = aws.Val(out.SecurityGroups[0].GroupName)
			}
		}
	}
	return rules
}

// Live implements stack.Live.
func (t resourceKeyPair) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := call[api.DescribeKeyPairsOutput](ctx, t.s, "DescribeKeyPairs", &api.DescribeKeyPairsInput{KeyNames: []string{r.PhysicalID}, IncludePublicKey: aws.Ptr(true)})
	if awserr.Is(err, "InvalidKeyPair.NotFound") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	k := out.KeyPairs[0]
	live := map[string]any{"KeyName": aws.Val(k.KeyName), "KeyType": string(k.KeyType), "Tags": liveTags(k.Tags), "PublicKeyMaterial": liveText(k.PublicKey)}
	// The comment behind a key is not part of it.
	want, have := strings.Fields(aws.Val(textOf(r.Properties["PublicKeyMaterial"]))), strings.Fields(aws.Val(k.PublicKey))
	if len(want) > 1 && len(have) > 1 && slices.Equal(want[:2], have[:2]) {
		live["PublicKeyMaterial"] = r.Properties["PublicKeyMaterial"]
	}
	return live, nil
}

// Live implements stack.Live.
func (t resourceEIP) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	a, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"Domain": string(a.Domain), "InstanceId": liveText(a.InstanceId), "NetworkBorderGroup": liveText(a.NetworkBorderGroup),
		"PublicIpv4Pool": liveText(a.PublicIpv4Pool), "Tags": liveTags(a.Tags),
	}, nil
}

// Live implements stack.Live.
func (t resourceIngress) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	return t.s.liveRule(ctx, r, "Source")
}

// Live implements stack.Live.
func (t resourceEgress) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	return t.s.liveRule(ctx, r, "Destination")
}

// liveRule shows a rule; the peer is named as the template names it, by id.
func (s *Service) liveRule(ctx context.Context, r stack.Request, peer string) (map[string]any, error) {
	rule, err := s.findRule(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{
		"GroupId": aws.Val(rule.GroupId), "IpProtocol": aws.Val(rule.IpProtocol), "Description": liveText(rule.Description),
		"CidrIp": liveText(rule.CidrIpv4), "CidrIpv6": liveText(rule.CidrIpv6), peer + "SecurityGroupId": nil,
	}
	if g := rule.ReferencedGroupInfo; g != nil {
		live[peer+"SecurityGroupId"] = aws.Val(g.GroupId)
	}
	if protocolName(fmt.Sprint(r.Properties["IpProtocol"])) == *rule.IpProtocol {
		live["IpProtocol"] = r.Properties["IpProtocol"] // a template may write tcp as 6
	}
	if *rule.IpProtocol != "-1" { // which has all ports, whatever a template says
		live["FromPort"], live["ToPort"] = int64(aws.Val(rule.FromPort)), int64(aws.Val(rule.ToPort))
	}
	return live, nil
}

// liveRules gives each range and peer of the permissions a rule of its own, as
// templates have it.
func liveRules(permissions []api.IpPermission, peer string) []any {
	out := []any{}
	for _, p := range permissions {
		add := func(description *string, more map[string]any) {
			more["IpProtocol"] = aws.Val(p.IpProtocol)
			if p.FromPort != nil {
				more["FromPort"], more["ToPort"] = int64(*p.FromPort), int64(aws.Val(p.ToPort))
			}
			if description != nil {
				more["Description"] = *description
			}
			out = append(out, more)
		}
		for _, r := range p.IpRanges {
			add(r.Description, map[string]any{"CidrIp": aws.Val(r.CidrIp)})
		}
		for _, r := range p.Ipv6Ranges {
			add(r.Description, map[string]any{"CidrIpv6": aws.Val(r.CidrIpv6)})
		}
		for _, g := range p.UserIdGroupPairs {
			more := map[string]any{peer + "SecurityGroupId": aws.Val(g.GroupId)}
			if peer == "Source" {
				more["SourceSecurityGroupOwnerId"] = aws.Val(g.UserId)
			}
			add(g.Description, more)
		}
	}
	return out
}

func liveTags(tags []api.Tag) []any {
	out := []any{}
	for _, t := range tags {
		out = append(out, map[string]any{"Key": aws.Val(t.Key), "Value": aws.Val(t.Value)})
	}
	return out
}

func liveText(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}
