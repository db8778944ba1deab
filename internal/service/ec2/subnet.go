package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateSubnet makes a subnet of a VPC.
func (s *Service) CreateSubnet(ctx context.Context, in *api.CreateSubnetInput) (*api.CreateSubnetOutput, error) {
	c := aws.CallFrom(ctx)
	err := refuse(
		asked{"Ipv6CidrBlock", in.Ipv6CidrBlock != nil || aws.Val(in.Ipv6Native) || in.Ipv6IpamPoolId != nil || in.Ipv6NetmaskLength != nil},
		asked{"Ipv4IpamPoolId", in.Ipv4IpamPoolId != nil || in.Ipv4NetmaskLength != nil},
		asked{"OutpostArn", in.OutpostArn != nil},
	)
	if err != nil {
		return nil, err
	}
	if aws.Val(in.CidrBlock) == "" {
		return nil, awserr.New("MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
	}
	cidr, err := parseBlock(*in.CidrBlock, "cidrBlock")
	if err != nil {
		return nil, err
	}
	z, err := subnetZone(c.Region, aws.Val(in.AvailabilityZone), aws.Val(in.AvailabilityZoneId))
	if err != nil {
		return nil, err
	}
	tags, err := newTags(c, in.TagSpecifications, "subnet")
	if err != nil {
		return nil, err
	}
	sub := subnet{ID: ids.Resource("subnet"), Zone: z.Name, ZoneID: z.ID, CIDR: cidr, NACLAssociation: ids.Resource("aclassoc"), Token: c.Token}
	var v *vpc
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if v, err = vpcByToken(tx, c, c.Token); v != nil || err != nil {
			return err
		}
		if v, err = getVPC(tx, c, aws.Val(in.VpcId)); err != nil {
			return err
		}
		return addSubnet(tx, c, v, sub, tags)
	})
	if err != nil {
		return nil, err
	}
	out := apiSubnet(c, v, v.Subnets[slices.IndexFunc(v.Subnets, func(o subnet) bool { return o.ID == sub.ID || sub.Token != "" && o.Token == sub.Token })])
	return &api.CreateSubnetOutput{Subnet: &out}, nil
}

func addSubnet(tx *store.Tx, c aws.Call, v *vpc, sub subnet, tags map[string]string) error {
	if !blockSize(sub.CIDR) || !v.within(sub.CIDR) {
		return awserr.New("InvalidSubnet.Range", "The CIDR '%s' is invalid.", sub.CIDR)
	}
	if slices.ContainsFunc(v.Subnets, func(o subnet) bool { return o.CIDR.Overlaps(sub.CIDR) }) {
		return awserr.New("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", sub.CIDR)
	}
	if len(v.Subnets) >= maxSubnets {
		return awserr.New("SubnetLimitExceeded", "The maximum number of subnets has been reached.")
	}
	v.Subnets = append(v.Subnets, sub)
	v.setTags(sub.ID, tags)
	emitPart(tx, c, sub.ID, "subnet-created")
	return vpcs.Put(tx, key(c, v.ID), v)
}

// subnetZone finds a zone by name or by id; without either it is the first.
func subnetZone(region, name, id string) (zone, error) {
	all := zones(region)
	if name == "" && id == "" {
		return all[0], nil
	}
	var names []string
	for _, z := range all {
		if z.Name == name || name == "" && z.ID == id {
			return z, nil
		}
		names = append(names, z.Name)
	}
	param, value := "availabilityZone", name
	if name == "" {
		param, value = "availabilityZoneId", id
	}
	return zone{}, awserr.New("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Subnets can currently only be created in the following availability zones: %s.", value, param, strings.Join(names, ", "))
}

// DeleteSubnet removes a subnet in which no interface is.
func (s *Service) DeleteSubnet(ctx context.Context, in *api.DeleteSubnetInput) (*api.DeleteSubnetOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.SubnetId)
	var v *vpc
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		var err error
		if v, _, err = vpcOfSubnet(tx, c, id); err != nil {
			return err
		}
		used, err := interfacesIn(tx, "subnet", id)
		if err != nil {
			return err
		}
		if used > 0 {
			return inUse("subnet", id)
		}
		v.Subnets = slices.DeleteFunc(v.Subnets, func(o subnet) bool { return o.ID == id })
		delete(v.Tags, id)
		emitPart(tx, c, id, "subnet-deleted")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteSubnetOutput{}, s.pushVPC(ctx, key(c, v.ID))
}

// ModifySubnetAttribute changes whether instances get public addresses.
func (s *Service) ModifySubnetAttribute(ctx context.Context, in *api.ModifySubnetAttributeInput) (*api.ModifySubnetAttributeOutput, error) {
	c := aws.CallFrom(ctx)
	on := func(a *api.AttributeBooleanValue) bool { return a != nil && aws.Val(a.Value) }
	err := refuse(
		asked{"AssignIpv6AddressOnCreation", on(in.AssignIpv6AddressOnCreation)},
		asked{"MapCustomerOwnedIpOnLaunch", on(in.MapCustomerOwnedIpOnLaunch) || in.CustomerOwnedIpv4Pool != nil},
		asked{"EnableDns64", on(in.EnableDns64)},
		asked{"PrivateDnsHostnameTypeOnLaunch=resource-name", in.PrivateDnsHostnameTypeOnLaunch == "resource-name"},
		asked{"EnableResourceNameDnsARecordOnLaunch", on(in.EnableResourceNameDnsARecordOnLaunch)},
		asked{"EnableResourceNameDnsAAAARecordOnLaunch", on(in.EnableResourceNameDnsAAAARecordOnLaunch)},
		asked{"EnableLniAtDeviceIndex", in.EnableLniAtDeviceIndex != nil || on(in.DisableLniAtDeviceIndex)},
	)
	if err != nil {
		return nil, err
	}
	if *in == (api.ModifySubnetAttributeInput{SubnetId: in.SubnetId}) {
		return nil, awserr.New("InvalidParameterCombination", "Exactly one attribute must be specified.")
	}
	id := aws.Val(in.SubnetId)
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		v, sub, err := vpcOfSubnet(tx, c, id)
		if err != nil {
			return err
		}
		if in.MapPublicIpOnLaunch != nil {
			sub.MapPublic = aws.Val(in.MapPublicIpOnLaunch.Value)
		}
		emitPart(tx, c, id, "subnet-modified")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifySubnetAttributeOutput{}, nil
}

// CreateDefaultSubnet makes the default subnet of a zone again.
func (s *Service) CreateDefaultSubnet(ctx context.Context, in *api.CreateDefaultSubnetInput) (*api.CreateDefaultSubnetOutput, error) {
	c := aws.CallFrom(ctx)
	if aws.Val(in.Ipv6Native) {
		return nil, unsupported("Ipv6Native")
	}
	if in.AvailabilityZone == nil && in.AvailabilityZoneId == nil {
		return nil, missing("availabilityZone")
	}
	z, err := subnetZone(c.Region, aws.Val(in.AvailabilityZone), aws.Val(in.AvailabilityZoneId))
	if err != nil {
		return nil, err
	}
	var v *vpc
	var sub subnet
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if v, err = ensureDefaultVPC(tx, c); err != nil {
			return awserr.New("DefaultVpcDoesNotExist", "No default VPC exists for this account in this region.")
		}
		if slices.ContainsFunc(v.Subnets, func(o subnet) bool { return o.Default && o.Zone == z.Name }) {
			return awserr.New("DefaultSubnetAlreadyExistsInAvailabilityZone", "'%s' already exists as default subnet in %s", defaultSubnetIn(v, z.Name), z.Name)
		}
		sub, err = freeDefaultSubnet(v, z)
		if err != nil {
			return err
		}
		return addSubnet(tx, c, v, sub, nil)
	})
	if err != nil {
		return nil, err
	}
	out := apiSubnet(c, v, sub)
	return &api.CreateDefaultSubnetOutput{Subnet: &out}, nil
}

func defaultSubnetIn(v *vpc, zone string) string {
	for _, o := range v.Subnets {
		if o.Default && o.Zone == zone {
			return o.ID
		}
	}
	return ""
}

// freeDefaultSubnet is the subnet that a default VPC has in the zone by itself, or
// one in the first range that is free when others took that.
func freeDefaultSubnet(v *vpc, z zone) (subnet, error) {
	own := slices.Index(zones(z.Name[:len(z.Name)-1]), z)
	for i := range 17 {
		try := newDefaultSubnet(z, (own+i)%16)
		if !slices.ContainsFunc(v.Subnets, func(o subnet) bool { return o.CIDR.Overlaps(try.CIDR) }) {
			return try, nil
		}
	}
	return subnet{}, awserr.New("InsufficientCidrBlocks", "There are not enough free CIDR blocks in the default VPC.")
}

// free is the number of addresses of a subnet that nobody reserves.
func free(p netip.Prefix) int32 { return int32(1)<<(32-p.Bits()) - 5 }
