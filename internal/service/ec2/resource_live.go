package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
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
		"SecurityGroupIngress": liveRules(g.IpPermissions, "Source"), "SecurityGroupEgress": liveRules(g.IpPermissionsEgress, "Destination"),
	}, nil
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
			add(g.Description, map[string]any{peer + "SecurityGroupId": aws.Val(g.GroupId), peer + "SecurityGroupName": aws.Val(g.GroupName)})
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
