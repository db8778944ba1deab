package cloudformation

import (
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/wire"
)

// Attribute implements template.Account: what Fn::ValueOf may ask of VPCs, subnets
// and security groups.
func (a account) Attribute(awsType, value, attribute string) (string, error) {
	one := []string{value}
	switch awsType {
	case "AWS::EC2::VPC::Id":
		out, err := wire.Call[ec2.DescribeVpcsOutput](a.ctx, a.inv, "ec2", "DescribeVpcs", &ec2.DescribeVpcsInput{VpcIds: one})
		if err != nil || len(out.Vpcs) != 1 {
			return "", err
		}
		group, err := a.defaultGroup(value, attribute)
		if err != nil {
			return "", err
		}
		return attributeOf(attribute, map[string]*string{"DefaultSecurityGroup": group}, ec2Tags(out.Vpcs[0].Tags))
	case "AWS::EC2::Subnet::Id":
		out, err := wire.Call[ec2.DescribeSubnetsOutput](a.ctx, a.inv, "ec2", "DescribeSubnets", &ec2.DescribeSubnetsInput{SubnetIds: one})
		if err != nil || len(out.Subnets) != 1 {
			return "", err
		}
		s := out.Subnets[0]
		return attributeOf(attribute, map[string]*string{"AvailabilityZone": s.AvailabilityZone, "VpcId": s.VpcId}, ec2Tags(s.Tags))
	case "AWS::EC2::SecurityGroup::Id":
		out, err := wire.Call[ec2.DescribeSecurityGroupsOutput](a.ctx, a.inv, "ec2", "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupIds: one})
		if err != nil || len(out.SecurityGroups) != 1 {
			return "", err
		}
		return attributeOf(attribute, nil, ec2Tags(out.SecurityGroups[0].Tags))
	}
	return "", invalid("Template error: parameters of type %s have no attributes for Fn::ValueOf", awsType)
}

// defaultGroup is the id of a VPC's default security group, when it is asked for.
func (a account) defaultGroup(vpc, attribute string) (*string, error) {
	if attribute != "DefaultSecurityGroup" {
		return nil, nil
	}
	in := &ec2.DescribeSecurityGroupsInput{Filters: []ec2.Filter{{Name: aws.Ptr("vpc-id"), Values: []string{vpc}}, {Name: aws.Ptr("group-name"), Values: []string{"default"}}}}
	out, err := wire.Call[ec2.DescribeSecurityGroupsOutput](a.ctx, a.inv, "ec2", "DescribeSecurityGroups", in)
	if err != nil || len(out.SecurityGroups) != 1 {
		return nil, err
	}
	return out.SecurityGroups[0].GroupId, nil
}

func ec2Tags(tags []ec2.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[aws.Val(t.Key)] = aws.Val(t.Value)
	}
	return out
}

// joinSorted lists texts for a message, each once.
func joinSorted(list []string) string {
	list = slices.Clone(list)
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}
