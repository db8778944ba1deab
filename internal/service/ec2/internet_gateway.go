package ec2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateInternetGateway makes a gateway that is attached to nothing.
func (s *Service) CreateInternetGateway(ctx context.Context, in *api.CreateInternetGatewayInput) (*api.CreateInternetGatewayOutput, error) {
	c := aws.CallFrom(ctx)
	tags, err := newTags(c, in.TagSpecifications, "internet-gateway")
	if err != nil {
		return nil, err
	}
	g := &gateway{ID: ids.Resource("igw"), Tags: tags, Token: c.Token}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if c.Token != "" {
			rows, err := gateways.Lookup(tx, "token", scoped(key(c, ""), c.Token))
			if err != nil || len(rows) > 0 {
				if len(rows) > 0 {
					g = rows[0].Value
				}
				return err
			}
		}
		all, err := gateways.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return err
		}
		if len(all) >= maxGateways {
			return awserr.New("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.")
		}
		emitPart(tx, c, g.ID, "internet-gateway-created")
		return gateways.Insert(tx, key(c, g.ID), g)
	})
	if err != nil {
		return nil, err
	}
	out := apiGateway(c, g, "")
	return &api.CreateInternetGatewayOutput{InternetGateway: &out}, nil
}

func getGateway(tx *store.Tx, c aws.Call, id string) (*gateway, error) {
	g, err := gateways.Get(tx, key(c, id))
	if isNotFound(err) {
		return nil, notFound("InvalidInternetGatewayID", "internetGateway ID", id)
	}
	return g, err
}

// attachedTo returns the VPC that the gateway is attached to, or nil.
func attachedTo(tx *store.Tx, c aws.Call, id string) (*vpc, error) {
	v, err := vpcOfPart(tx, c, id)
	if isNotFound(err) {
		return nil, nil
	}
	return v, err
}

// DeleteInternetGateway removes a gateway that is not attached. Routes to it stay,
// and lead nowhere.
func (s *Service) DeleteInternetGateway(ctx context.Context, in *api.DeleteInternetGatewayInput) (*api.DeleteInternetGatewayOutput, error) {
	c := aws.CallFrom(ctx)
	id := aws.Val(in.InternetGatewayId)
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := getGateway(tx, c, id); err != nil {
			return err
		}
		v, err := attachedTo(tx, c, id)
		if err != nil {
			return err
		}
		if v != nil {
			return inUse("internetGateway", id)
		}
		emitPart(tx, c, id, "internet-gateway-deleted")
		return gateways.Delete(tx, key(c, id))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteInternetGatewayOutput{}, nil
}

// gatewayAndVPC returns the VPC if there are both.
func gatewayAndVPC(tx *store.Tx, c aws.Call, id, vpcID string) (*vpc, error) {
	if _, err := getGateway(tx, c, id); err != nil {
		return nil, err
	}
	return getVPC(tx, c, vpcID)
}

// AttachInternetGateway gives a VPC its gateway. A VPC has one, a gateway one VPC.
func (s *Service) AttachInternetGateway(ctx context.Context, in *api.AttachInternetGatewayInput) (*api.AttachInternetGatewayOutput, error) {
	c := aws.CallFrom(ctx)
	id, vpcID := aws.Val(in.InternetGatewayId), aws.Val(in.VpcId)
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		v, err := gatewayAndVPC(tx, c, id, vpcID)
		if err != nil {
			return err
		}
		at, err := attachedTo(tx, c, id)
		switch {
		case err != nil:
			return err
		case at != nil && at.ID == vpcID && c.Token != "" && c.Token == at.GatewayToken:
			return nil
		case at != nil:
			return awserr.New("Resource.AlreadyAssociated", "resource %s is already attached to network %s", id, at.ID)
		case v.InternetGateway != "":
			return awserr.New("InvalidParameterValue", "Network %s already has an internet gateway attached", vpcID)
		}
		v.InternetGateway, v.GatewayToken = id, c.Token
		emitPart(tx, c, id, "internet-gateway-attached")
		return vpcs.Put(tx, key(c, vpcID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.AttachInternetGatewayOutput{}, s.pushVPC(ctx, key(c, vpcID))
}

// DetachInternetGateway takes its gateway from a VPC in which no interface has a
// public address.
func (s *Service) DetachInternetGateway(ctx context.Context, in *api.DetachInternetGatewayInput) (*api.DetachInternetGatewayOutput, error) {
	c := aws.CallFrom(ctx)
	id, vpcID := aws.Val(in.InternetGatewayId), aws.Val(in.VpcId)
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		v, err := gatewayAndVPC(tx, c, id, vpcID)
		if err != nil {
			return err
		}
		if v.InternetGateway != id {
			return awserr.New("Gateway.NotAttached", "resource %s is not attached to network %s", id, vpcID)
		}
		mapped, err := hasPublicAddresses(tx, v)
		if err != nil {
			return err
		}
		if mapped {
			return awserr.New("DependencyViolation", "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", vpcID)
		}
		v.InternetGateway, v.GatewayToken = "", ""
		emitPart(tx, c, id, "internet-gateway-detached")
		return vpcs.Put(tx, key(c, vpcID), v)
	})
	if err != nil {
		return nil, err
	}
	return &api.DetachInternetGatewayOutput{}, s.pushVPC(ctx, key(c, vpcID))
}

func hasPublicAddresses(tx *store.Tx, v *vpc) (bool, error) {
	for _, sub := range v.Subnets {
		machines, err := instances.Lookup(tx, "subnet", sub.ID)
		if err != nil {
			return false, err
		}
		others, err := interfaces.Lookup(tx, "subnet", sub.ID)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(machines, func(r store.Row[instance]) bool { return r.Value.NIC.Public.IsValid() }) ||
			slices.ContainsFunc(others, func(r store.Row[networkInterface]) bool { return r.Value.NIC.Public.IsValid() }) {
			return true, nil
		}
	}
	return false, nil
}

var gatewayParts = networkParts[api.InternetGateway]{
	absentAs("InvalidInternetGatewayID", "internetGateway ID"), []string{"internet-gateway-id", "attachment.vpc-id", "attachment.state", "owner-id"},
	func(tx *store.Tx, c aws.Call) ([]networkPart[api.InternetGateway], error) {
		rows, err := gateways.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return nil, err
		}
		out := make([]networkPart[api.InternetGateway], 0, len(rows))
		for _, r := range rows {
			f := fields{"internet-gateway-id": {r.Value.ID}, "owner-id": {c.Account}}
			at := ""
			v, err := attachedTo(tx, c, r.Value.ID)
			if err != nil {
				return nil, err
			}
			if v != nil {
				at = v.ID
				f["attachment.vpc-id"], f["attachment.state"] = []string{at}, []string{"available"}
			}
			out = append(out, networkPart[api.InternetGateway]{r.Value.ID, apiGateway(c, r.Value, at), f.withTags(r.Value.Tags)})
		}
		return out, nil
	},
}

func apiGateway(c aws.Call, g *gateway, vpcID string) api.InternetGateway {
	out := api.InternetGateway{InternetGatewayId: aws.Ptr(g.ID), OwnerId: aws.Ptr(c.Account), Tags: apiTags(g.Tags), Attachments: []api.InternetGatewayAttachment{}}
	if vpcID != "" {
		out.Attachments = append(out.Attachments, api.InternetGatewayAttachment{VpcId: aws.Ptr(vpcID), State: "available"})
	}
	return out
}

// DescribeInternetGateways lists internet gateways.
func (s *Service) DescribeInternetGateways(ctx context.Context, in *api.DescribeInternetGatewaysInput) (*api.DescribeInternetGatewaysOutput, error) {
	list, next, err := describeParts(ctx, s, gatewayParts, in.InternetGatewayIds, in.Filters, in.NextToken, in.MaxResults)
	return &api.DescribeInternetGatewaysOutput{InternetGateways: list, NextToken: next}, err
}
