package autoscaling

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// splitSubnets reads VPCZoneIdentifier.
func splitSubnets(list string) []string {
	var out []string
	for id := range strings.SplitSeq(list, ",") {
		if id = strings.TrimSpace(id); id != "" {
			out = append(out, id)
		}
	}
	return out
}

// settle finds where the group launches: the subnets, in the zones that were given
// besides, or the zones with their default subnets. ctx acts with the group's role.
func (g *group) settle(ctx context.Context, inv Invoker, subnets string, zones []string) error {
	wanted := splitSubnets(subnets)
	if len(wanted) == 0 && len(zones) == 0 {
		return invalid("At least one Availability Zone or VPC Subnet is required.")
	}
	g.Subnets, g.Places, g.Zones, g.ZonesGiven = strings.Join(wanted, ","), nil, nil, len(zones) > 0
	if len(wanted) == 0 {
		return g.settleZones(ctx, inv, zones)
	}
	out, err := wire.Call[ec2.DescribeSubnetsOutput](ctx, inv, "ec2", "DescribeSubnets", &ec2.DescribeSubnetsInput{SubnetIds: wanted})
	if awserr.Is(err, "InvalidSubnetID.NotFound", "InvalidSubnetId.Malformed", "InvalidSubnetID.Malformed") {
		return invalid("%s", messageOf(err))
	}
	if err != nil {
		return err
	}
	vpc := ""
	for _, id := range wanted {
		i := slices.IndexFunc(out.Subnets, func(s ec2.Subnet) bool { return *s.SubnetId == id })
		if i < 0 {
			return invalid("The subnet ID '%s' does not exist", id)
		}
		if vpc != "" && vpc != *out.Subnets[i].VpcId {
			return invalid("The subnets %v are not in the same VPC", wanted)
		}
		vpc = *out.Subnets[i].VpcId
		g.Places = append(g.Places, place{Zone: *out.Subnets[i].AvailabilityZone, Subnet: id})
	}
	for _, p := range g.Places {
		if !slices.Contains(g.Zones, p.Zone) {
			g.Zones = append(g.Zones, p.Zone)
		}
	}
	for _, z := range zones {
		if !slices.Contains(g.Zones, z) {
			return invalid("The availability zones of the specified subnets and the AutoScalingGroup do not match")
		}
	}
	return nil
}

func (g *group) settleZones(ctx context.Context, inv Invoker, zones []string) error {
	out, err := wire.Call[ec2.DescribeAvailabilityZonesOutput](ctx, inv, "ec2", "DescribeAvailabilityZones", &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		return err
	}
	var unknown []string
	for _, z := range zones {
		if !slices.ContainsFunc(out.AvailabilityZones, func(a ec2.AvailabilityZone) bool { return val(a.ZoneName) == z }) {
			unknown = append(unknown, z)
			continue
		}
		if !slices.Contains(g.Zones, z) {
			g.Zones, g.Places = append(g.Zones, z), append(g.Places, place{Zone: z})
		}
	}
	if len(unknown) > 0 {
		return invalid("Invalid availability zones: [%s]", strings.Join(unknown, ", "))
	}
	return nil
}
