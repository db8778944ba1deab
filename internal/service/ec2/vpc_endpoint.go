package ec2

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// vpcEndpoint is a gateway endpoint, kept with its VPC. The services answer in every
// VPC, also without one; requests from subnets whose route table has the endpoint pass
// its policy, and are known to come from it.
type vpcEndpoint struct {
	ID, Service string
	RouteTables []string
	Policy      string
	Created     time.Time
	Token       string
}

// openPolicy is the policy of an endpoint that is given none.
const openPolicy = `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`

const maxEndpoints = 20 // of a VPC

func (v *vpc) endpoint(id string) *vpcEndpoint {
	i := slices.IndexFunc(v.Endpoints, func(e vpcEndpoint) bool { return e.ID == id })
	if i < 0 {
		return nil
	}
	return &v.Endpoints[i]
}

// forgetRouteTable takes a route table that goes away out of the endpoints.
func (v *vpc) forgetRouteTable(id string) {
	for i := range v.Endpoints {
		v.Endpoints[i].RouteTables = slices.DeleteFunc(v.Endpoints[i].RouteTables, func(t string) bool { return t == id })
	}
}

// endpointRoutes are the routes of a table that lead to endpoints.
func (v *vpc) endpointRoutes(table string) []api.Route {
	var out []api.Route
	for _, e := range v.Endpoints {
		if slices.Contains(e.RouteTables, table) {
			out = append(out, api.Route{DestinationPrefixListId: aws.Ptr(prefixListOf(e.Service)), GatewayId: aws.Ptr(e.ID), Origin: "CreateRoute", State: "active"})
		}
	}
	return out
}

// addRoutes has route tables lead to e. A table has one route to a service.
func (v *vpc) addRoutes(e *vpcEndpoint, tables []string) error {
	for _, id := range tables {
		if v.routeTable(id) == nil {
			return notFound("InvalidRouteTableId", "routeTable ID", id)
		}
		if slices.ContainsFunc(v.Endpoints, func(o vpcEndpoint) bool {
			return o.ID != e.ID && o.Service == e.Service && slices.Contains(o.RouteTables, id)
		}) {
			return awserr.New("RouteAlreadyExists", "route table %s already has a route with destination-prefix-list-id %s", id, prefixListOf(e.Service))
		}
		if !slices.Contains(e.RouteTables, id) {
			e.RouteTables = append(e.RouteTables, id)
		}
	}
	return nil
}

// CreateVpcEndpoint makes a gateway endpoint. Interface endpoints are refused: services
// are reached by their names without one, and there would be nothing behind its
// addresses.
func (s *Service) CreateVpcEndpoint(ctx context.Context, in *api.CreateVpcEndpointInput) (*api.CreateVpcEndpointOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkEndpoint(c, in); err != nil {
		return nil, err
	}
	tags, err := newTags(c, in.TagSpecifications, "vpc-endpoint")
	if err != nil {
		return nil, err
	}
	e := vpcEndpoint{ID: ids.Resource("vpce"), Service: *in.ServiceName, Policy: openPolicy, Created: s.clock.Now().UTC().Truncate(time.Second), Token: partToken(c, "vpc-endpoint", in.ClientToken)}
	if aws.Val(in.PolicyDocument) != "" {
		e.Policy = *in.PolicyDocument
	}
	if err := checkEndpointPolicy(e.Policy); err != nil {
		return nil, err
	}
	var v *vpc
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if v, err = partMade(tx, c, e.Token, in.VpcId); v != nil || err != nil {
			return err
		}
		if v, err = getVPC(tx, c, aws.Val(in.VpcId)); err != nil {
			return err
		}
		if len(v.Endpoints) >= maxEndpoints {
			return awserr.New("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
		}
		if err := v.addRoutes(&e, in.RouteTableIds); err != nil {
			return err
		}
		v.Endpoints = append(v.Endpoints, e)
		v.setTags(e.ID, tags)
		emitPart(tx, c, e.ID, "vpc-endpoint-created")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	made := v.Endpoints[slices.IndexFunc(v.Endpoints, func(o vpcEndpoint) bool { return o.ID == e.ID || e.Token != "" && o.Token == e.Token })]
	if made.Service != e.Service {
		return nil, idempotentMismatch()
	}
	return &api.CreateVpcEndpointOutput{VpcEndpoint: apiEndpoint(c, v, made), ClientToken: in.ClientToken}, nil
}

// checkEndpoint takes gateway endpoints only, and for them only what they have.
func checkEndpoint(c aws.Call, in *api.CreateVpcEndpointInput) error {
	if kind := in.VpcEndpointType; kind != "" && kind != "Gateway" {
		return unsupported("VpcEndpointType=" + string(kind))
	}
	if err := refuse(
		asked{"DnsOptions", in.DnsOptions != nil}, asked{"IpAddressType=" + string(in.IpAddressType), in.IpAddressType != "" && in.IpAddressType != "ipv4"},
		asked{"ServiceNetworkArn", in.ServiceNetworkArn != nil}, asked{"ResourceConfigurationArn", in.ResourceConfigurationArn != nil},
		asked{"ServiceRegion beyond the own", in.ServiceRegion != nil && *in.ServiceRegion != c.Region},
	); err != nil {
		return err
	}
	switch {
	case aws.Val(in.ServiceName) == "":
		return missing("ServiceName")
	case !isGatewayService(c.Region, *in.ServiceName):
		return awserr.New("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", *in.ServiceName)
	case len(in.SubnetIds)+len(in.SubnetConfigurations) > 0:
		return awserr.New("InvalidParameter", "Subnet IDs are only supported for Interface type VPC Endpoints.")
	case len(in.SecurityGroupIds) > 0:
		return awserr.New("InvalidParameter", "Security Groups are only supported for Interface type VPC Endpoints.")
	case aws.Val(in.PrivateDnsEnabled):
		return awserr.New("InvalidParameter", "Private DNS is only supported for Interface type VPC Endpoints.")
	}
	return nil
}

func checkEndpointPolicy(text string) error {
	if _, err := policy.Parse(text, policy.Resource); err != nil {
		return awserr.New("InvalidPolicyDocument", "The policy document is invalid: %s", err)
	}
	return nil
}

// ModifyVpcEndpoint changes an endpoint's policy and route tables.
func (s *Service) ModifyVpcEndpoint(ctx context.Context, in *api.ModifyVpcEndpointInput) (*api.ModifyVpcEndpointOutput, error) {
	c := aws.CallFrom(ctx)
	if err := refuse(
		asked{"AddSubnetIds", len(in.AddSubnetIds)+len(in.SubnetConfigurations) > 0}, asked{"RemoveSubnetIds", len(in.RemoveSubnetIds) > 0},
		asked{"AddSecurityGroupIds", len(in.AddSecurityGroupIds) > 0}, asked{"RemoveSecurityGroupIds", len(in.RemoveSecurityGroupIds) > 0},
		asked{"IpAddressType", in.IpAddressType != "" && in.IpAddressType != "ipv4"}, asked{"DnsOptions", in.DnsOptions != nil}, asked{"PrivateDnsEnabled", aws.Val(in.PrivateDnsEnabled)},
	); err != nil {
		return nil, err
	}
	if in.PolicyDocument != nil {
		if aws.Val(in.ResetPolicy) {
			return nil, awserr.New("InvalidParameterCombination", "A policy document cannot be specified when the policy is to be reset.")
		}
		if err := checkEndpointPolicy(*in.PolicyDocument); err != nil {
			return nil, err
		}
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		v, e, err := vpcOfEndpoint(tx, c, aws.Val(in.VpcEndpointId))
		if err != nil {
			return err
		}
		for _, id := range in.RemoveRouteTableIds {
			if v.routeTable(id) == nil {
				return notFound("InvalidRouteTableId", "routeTable ID", id)
			}
			e.RouteTables = slices.DeleteFunc(e.RouteTables, func(t string) bool { return t == id })
		}
		if err := v.addRoutes(e, in.AddRouteTableIds); err != nil {
			return err
		}
		if aws.Val(in.ResetPolicy) {
			e.Policy = openPolicy
		} else if in.PolicyDocument != nil {
			e.Policy = *in.PolicyDocument
		}
		emitPart(tx, c, e.ID, "vpc-endpoint-modified")
		return vpcs.Put(tx, key(c, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifyVpcEndpointOutput{Return: aws.Ptr(true)}, nil
}

func vpcOfEndpoint(tx *store.Tx, c aws.Call, id string) (*vpc, *vpcEndpoint, error) {
	v, err := vpcOfPart(tx, c, id)
	if err == nil && v.endpoint(id) != nil {
		return v, v.endpoint(id), nil
	}
	if err == nil || isNotFound(err) {
		err = notFound("InvalidVpcEndpointId", "Vpc Endpoint Id", id)
	}
	return nil, nil, err
}

// DeleteVpcEndpoints removes endpoints, each for itself.
func (s *Service) DeleteVpcEndpoints(ctx context.Context, in *api.DeleteVpcEndpointsInput) (*api.DeleteVpcEndpointsOutput, error) {
	c := aws.CallFrom(ctx)
	var out *api.DeleteVpcEndpointsOutput
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		out = &api.DeleteVpcEndpointsOutput{Unsuccessful: []api.UnsuccessfulItem{}}
		for _, id := range in.VpcEndpointIds {
			v, _, err := vpcOfEndpoint(tx, c, id)
			if e := awserr.As(err); e != nil {
				out.Unsuccessful = append(out.Unsuccessful, api.UnsuccessfulItem{ResourceId: aws.Ptr(id), Error: &api.UnsuccessfulItemError{Code: aws.Ptr(e.Code), Message: aws.Ptr(e.Message)}})
				continue
			}
			if err != nil {
				return err
			}
			v.Endpoints = slices.DeleteFunc(v.Endpoints, func(e vpcEndpoint) bool { return e.ID == id })
			delete(v.Tags, id)
			emitPart(tx, c, id, "vpc-endpoint-deleted")
			if err := vpcs.Put(tx, key(c, v.ID), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// VPCEndpoints returns what requests of an instance pass on their way to services, by
// the service's name.
func (s *Service) VPCEndpoints(ctx context.Context, instanceID string) (map[string]aws.VPCEndpoint, error) {
	var out map[string]aws.VPCEndpoint
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := instances.Lookup(tx, "id", instanceID)
		if err != nil || len(rows) == 0 {
			return err
		}
		k, r := rows[0].Key, rows[0].Value
		v, err := vpcs.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: r.NIC.VPC})
		if err != nil || len(v.Endpoints) == 0 {
			return err
		}
		sub := v.subnet(r.NIC.Subnet)
		if sub == nil {
			return nil
		}
		table := v.routesOf(sub).ID
		out = map[string]aws.VPCEndpoint{}
		for _, e := range v.Endpoints {
			if slices.Contains(e.RouteTables, table) {
				service := e.Service[strings.LastIndexByte(e.Service, '.')+1:]
				out[service] = aws.VPCEndpoint{ID: e.ID, VPC: v.ID, Source: r.NIC.Private, Policy: e.Policy}
			}
		}
		return nil
	})
	return out, err
}
