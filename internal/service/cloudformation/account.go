package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// account answers what templates ask of EC2 and SSM, as the caller in ctx. It is
// template.Account.
type account struct {
	ctx context.Context
	inv Invoker
}

// Exists implements template.Account.
func (a account) Exists(awsType, value string) (bool, error) {
	one := []string{value}
	var err error
	switch awsType {
	case "AWS::EC2::KeyPair::KeyName":
		_, err = a.ec2("DescribeKeyPairs", &ec2.DescribeKeyPairsInput{KeyNames: one})
	case "AWS::EC2::Image::Id":
		_, err = a.ec2("DescribeImages", &ec2.DescribeImagesInput{ImageIds: one})
	case "AWS::EC2::Instance::Id":
		_, err = a.ec2("DescribeInstances", &ec2.DescribeInstancesInput{InstanceIds: one})
	case "AWS::EC2::SecurityGroup::Id":
		_, err = a.ec2("DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupIds: one})
	case "AWS::EC2::SecurityGroup::GroupName":
		_, err = a.ec2("DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupNames: one})
	case "AWS::EC2::Subnet::Id":
		_, err = a.ec2("DescribeSubnets", &ec2.DescribeSubnetsInput{SubnetIds: one})
	case "AWS::EC2::VPC::Id":
		_, err = a.ec2("DescribeVpcs", &ec2.DescribeVpcsInput{VpcIds: one})
	case "AWS::EC2::AvailabilityZone::Name":
		zones, err := zones(a.ctx, a.inv)
		return slices.Contains(zones, value), err
	case "AWS::EC2::Volume::Id":
		_, err = a.ec2("DescribeVolumes", &ec2.DescribeVolumesInput{VolumeIds: one})
	case "AWS::Route53::HostedZone::Id":
		_, err = a.inv.Invoke(a.ctx, "route53", "GetHostedZone", &route53.GetHostedZoneInput{Id: &value})
	default:
		return false, nil
	}
	if absent(err) {
		return false, nil
	}
	return err == nil, err
}

// absent tells an error that says "there is no such thing", or "no thing could be
// called so", from others.
func absent(err error) bool {
	e := awserr.As(err)
	return e != nil && (strings.HasSuffix(e.Code, ".NotFound") || e.Code == "NoSuchHostedZone" || strings.HasSuffix(e.Code, ".Malformed") || e.Code == "InvalidParameterValue")
}

func (a account) ec2(operation string, in any) (any, error) {
	return a.inv.Invoke(a.ctx, "ec2", operation, in)
}

// maxNames is how many names ssm:GetParameters takes.
const maxNames = 10

// Parameters implements template.Account.
func (a account) Parameters(names []string) (map[string]string, error) {
	found := map[string]string{}
	for chunk := range slices.Chunk(names, maxNames) {
		out, err := wire.Call[ssm.GetParametersOutput](a.ctx, a.inv, "ssm", "GetParameters", &ssm.GetParametersInput{Names: chunk})
		if err != nil {
			return nil, err
		}
		for _, p := range out.Parameters {
			if p.Type == ssm.ParameterTypeSecureString {
				return nil, invalid("Parameters [%s] referenced by template have types not supported by CloudFormation.", aws.Val(p.Name))
			}
			found[aws.Val(p.Name)] = aws.Val(p.Value)
		}
	}
	return found, nil
}

func zones(ctx context.Context, inv Invoker) ([]string, error) {
	out, err := wire.Call[ec2.DescribeAvailabilityZonesOutput](ctx, inv, "ec2", "DescribeAvailabilityZones", &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, z := range out.AvailabilityZones {
		names = append(names, aws.Val(z.ZoneName))
	}
	slices.Sort(names)
	return names, nil
}

// Outside answers the engine's questions about an account. It is stack.Outside.
type Outside struct{ Invoker Invoker }

// Zones implements stack.Outside: the zones that have a default subnet, or all where
// none has.
func (o Outside) Zones(ctx context.Context, region string) ([]string, error) {
	c := aws.CallFrom(ctx)
	c.Region = region
	ctx = aws.WithCall(ctx, c)
	defaults, err := wire.Call[ec2.DescribeSubnetsOutput](ctx, o.Invoker, "ec2", "DescribeSubnets", &ec2.DescribeSubnetsInput{
		Filters: []ec2.Filter{{Name: aws.Ptr("default-for-az"), Values: []string{"true"}}},
	})
	switch {
	case awserr.Is(err, "UnauthorizedOperation"):
		// On AWS the function needs no more than ec2:DescribeAvailabilityZones.
		defaults = &ec2.DescribeSubnetsOutput{}
	case err != nil:
		return nil, err
	}
	all, err := zones(ctx, o.Invoker)
	if len(defaults.Subnets) == 0 || err != nil {
		return all, err
	}
	return slices.DeleteFunc(all, func(zone string) bool {
		return !slices.ContainsFunc(defaults.Subnets, func(s ec2.Subnet) bool { return aws.Val(s.AvailabilityZone) == zone })
	}), nil
}

// Secret implements stack.Outside: {{resolve:ssm:name}},
// {{resolve:ssm:name:version}} and {{resolve:secretsmanager:..}}.
func (o Outside) Secret(ctx context.Context, service, reference string) (string, error) {
	if service == "secretsmanager" {
		return o.secret(ctx, reference)
	}
	if service != "ssm" {
		return "", unbuilt("dynamic references to " + service)
	}
	out, err := wire.Call[ssm.GetParameterOutput](ctx, o.Invoker, "ssm", "GetParameter", &ssm.GetParameterInput{Name: &reference})
	if err != nil {
		return "", err
	}
	if out.Parameter.Type == ssm.ParameterTypeSecureString {
		return "", invalid("Non-secure ssm prefix was used for secure parameter: %s. Use prefix ssm-secure instead.", reference)
	}
	return aws.Val(out.Parameter.Value), nil
}
