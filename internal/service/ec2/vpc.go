package ec2

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// What one account has at most per region, and one VPC.
const (
	maxVPCs        = 100
	maxGateways    = 100
	maxSubnets     = 200
	maxRouteTables = 200
	maxRoutes      = 500
)

// CreateVpc makes a VPC with its main route table, its default security group and
// its default network ACL.
func (s *Service) CreateVpc(ctx context.Context, in *api.CreateVpcInput) (*api.CreateVpcOutput, error) {
	c := aws.CallFrom(ctx)
	err := refuse(
		asked{"Ipv4IpamPoolId", in.Ipv4IpamPoolId != nil || in.Ipv4NetmaskLength != nil},
		asked{"AmazonProvidedIpv6CidrBlock", aws.Val(in.AmazonProvidedIpv6CidrBlock)},
		asked{"Ipv6CidrBlock", in.Ipv6CidrBlock != nil || in.Ipv6Pool != nil || in.Ipv6IpamPoolId != nil || in.Ipv6NetmaskLength != nil || in.Ipv6CidrBlockNetworkBorderGroup != nil},
		asked{"InstanceTenancy=" + string(in.InstanceTenancy), in.InstanceTenancy != "" && in.InstanceTenancy != "default" && in.InstanceTenancy != "dedicated"},
		asked{"VpcEncryptionControl", in.VpcEncryptionControl != nil},
	)
	if err != nil {
		return nil, err
	}
	cidr, err := s.vpcCIDR(aws.Val(in.CidrBlock))
	if err != nil {
		return nil, err
	}
	tags, err := newTags(c, in.TagSpecifications, "vpc")
	if err != nil {
		return nil, err
	}
	v := newVPC(cidr)
	v.Dedicated = in.InstanceTenancy == "dedicated"
	v.Token, v.Tags = c.Token, map[string]map[string]string{v.ID: tags}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		made, err := vpcByToken(tx, c, c.Token)
		if made != nil || err != nil {
			v = made
			return err
		}
		all, err := vpcs.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return err
		}
		if len(all) >= maxVPCs {
			return awserr.New("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
		}
		emitPart(tx, c, v.ID, "vpc-created")
		return insertVPC(tx, c, v)
	})
	if err != nil {
		return nil, err
	}
	out := apiVPC(c, v)
	out.State, out.BlockPublicAccessStates = "pending", nil // whoever waits for it describes it
	if len(out.Tags) == 0 {
		out.Tags = nil
	}
	return &api.CreateVpcOutput{Vpc: &out}, nil
}

// vpcCIDR reads the range of a new VPC, in its canonical form.
func (s *Service) vpcCIDR(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, awserr.New("MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
	}
	p, err := parseBlock(text, "cidrBlock")
	if err != nil {
		return p, err
	}
	if !blockSize(p) || !p.Addr().IsGlobalUnicast() || p.Addr().As4()[0] == 0 {
		return p, awserr.New("InvalidVpc.Range", "The CIDR '%s' is invalid.", text)
	}
	if p.Overlaps(s.publicCIDR) {
		return p, awserr.New("InvalidVpc.Range", "The CIDR '%s' is invalid. It overlaps %s, from which hardstand gives public addresses.", text, s.publicCIDR)
	}
	return p, nil
}

func parseBlock(text, param string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return p, awserr.New("InvalidParameterValue", "Value (%s) for parameter %s is invalid. This is not a valid CIDR block.", text, param)
	}
	return p.Masked(), nil
}

// blockSize holds for VPCs and for subnets.
func blockSize(p netip.Prefix) bool { return p.Bits() >= 16 && p.Bits() <= 28 }

// newTags returns the tags that a new resource of a kind is to have.
func newTags(c aws.Call, specs []api.TagSpecification, kind string) (map[string]string, error) {
	if err := reservedSpecs(c, specs); err != nil {
		return nil, err
	}
	return tagSpec(specs, kind)
}

func (v *vpc) setTags(id string, tags map[string]string) {
	if v.Tags == nil {
		v.Tags = map[string]map[string]string{}
	}
	v.Tags[id] = tags
}

// vpcByToken returns the VPC that was made with the token, or whose part was.
func vpcByToken(tx *store.Tx, c aws.Call, t string) (*vpc, error) {
	if t == "" {
		return nil, nil
	}
	rows, err := vpcs.Lookup(tx, "token", scoped(key(c, ""), t))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].Value, nil
}

// partToken is what a part of a VPC is stored under, so that the repetition of its
// creation finds it. A client may give parts of different kinds the same token.
func partToken(c aws.Call, kind string, client *string) string {
	if c.Token == "" && aws.Val(client) != "" {
		return clientToken + kind + ":" + *client
	}
	return c.Token
}

// partMade returns the VPC in which an earlier call with the same token made a part, or
// nil.
func partMade(tx *store.Tx, c aws.Call, t string, vpcID *string) (*vpc, error) {
	v, err := vpcByToken(tx, c, t)
	if v != nil && v.ID != aws.Val(vpcID) {
		return nil, idempotentMismatch()
	}
	return v, err
}

func getVPC(tx *store.Tx, c aws.Call, id string) (*vpc, error) {
	v, err := vpcs.Get(tx, key(c, id))
	if isNotFound(err) {
		return nil, notFound("InvalidVpcID", "vpc ID", id)
	}
	return v, err
}

// vpcOfPart returns the VPC of the caller that a part belongs to, or
// store.ErrNotFound.
func vpcOfPart(tx *store.Tx, c aws.Call, id string) (*vpc, error) {
	rows, err := vpcs.Lookup(tx, "part", id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[0].Key.Account != c.Account || rows[0].Key.Region != c.Region {
		return nil, fmt.Errorf("part %s: %w", id, store.ErrNotFound)
	}
	return rows[0].Value, nil
}

func vpcOfSubnet(tx *store.Tx, c aws.Call, id string) (*vpc, *subnet, error) {
	v, err := vpcOfPart(tx, c, id)
	if err == nil && v.subnet(id) != nil {
		return v, v.subnet(id), nil
	}
	if err == nil || isNotFound(err) {
		err = notFound("InvalidSubnetID", "subnet ID", id)
	}
	return nil, nil, err
}

func vpcOfRouteTable(tx *store.Tx, c aws.Call, id string) (*vpc, *routeTable, error) {
	v, err := vpcOfPart(tx, c, id)
	if err == nil && v.routeTable(id) != nil {
		return v, v.routeTable(id), nil
	}
	if err == nil || isNotFound(err) {
		err = notFound("InvalidRouteTableID", "routeTable ID", id)
	}
	return nil, nil, err
}

// emitPart tells of a change to a part of the network. Stacks wait for these.
func emitPart(tx *store.Tx, c aws.Call, id, kind string) {
	tx.Emit(store.Event{Account: c.Account, Region: c.Region, Service: "ec2", Resource: id, Kind: kind, RequestID: c.RequestID})
}

// inUse is the answer to a deletion that something stands in the way of.
func inUse(word, id string) error {
	return awserr.New("DependencyViolation", "The %s '%s' has dependencies and cannot be deleted.", word, id)
}

// DeleteVpc removes a VPC in which nothing is left but what it began with. Its network
// goes first: a row without one is brought to its network by the next interface, a
// network without a row by nobody.
func (s *Service) DeleteVpc(ctx context.Context, in *api.DeleteVpcInput) (*api.DeleteVpcOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.VpcId)
	s.pushing.Lock()
	defer s.pushing.Unlock()
	err := s.db.View(ctx, func(tx *store.Tx) error {
		_, err := emptyVPC(tx, c, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.net.DeleteVPC(ctx, id); err != nil {
		return nil, fmt.Errorf("remove the network of %s: %w", id, err)
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		v, err := emptyVPC(tx, c, id)
		if err != nil {
			return err
		}
		if err := securityGroups.Delete(tx, key(c, v.DefaultGroup)); err != nil {
			return err
		}
		if v.Default {
			if err := defaultsGone.Put(tx, key(c, "default"), &defaultGone{}); err != nil {
				return err
			}
		}
		emitPart(tx, c, id, "vpc-deleted")
		return vpcs.Delete(tx, key(c, id))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteVpcOutput{}, nil
}

// emptyVPC returns a VPC in which nothing is left but what it began with.
func emptyVPC(tx *store.Tx, c aws.Call, id string) (*vpc, error) {
	v, err := getVPC(tx, c, id)
	if err != nil {
		return nil, err
	}
	groups, err := securityGroups.Lookup(tx, "vpc", id)
	if err != nil {
		return nil, err
	}
	if len(v.Subnets) > 0 || v.InternetGateway != "" || len(v.Endpoints) > 0 || v.ownACLs() || len(v.RouteTables) > 1 || len(groups) > 1 {
		return nil, inUse("vpc", id)
	}
	return v, nil
}

// CreateDefaultVpc makes the default VPC unless it is there.
func (s *Service) CreateDefaultVpc(ctx context.Context, _ *api.CreateDefaultVpcInput) (*api.CreateDefaultVpcOutput, error) {
	c := aws.CallFrom(ctx)
	var v *vpc
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if v, err = findDefaultVPC(tx, c); err != nil {
			return err
		}
		if v != nil {
			return awserr.New("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
		}
		if err := defaultsGone.Delete(tx, key(c, "default")); err != nil && !isNotFound(err) {
			return err
		}
		v, err = makeDefaultVPC(tx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := apiVPC(c, v)
	return &api.CreateDefaultVpcOutput{Vpc: &out}, nil
}
