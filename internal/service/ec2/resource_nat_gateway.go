package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// resourceNatGateway is AWS::EC2::NatGateway.
type resourceNatGateway struct{ s *Service }

type natGatewayProperties struct {
	AllocationId     *string
	AvailabilityMode *string
	ConnectivityType *string
	PrivateIpAddress *string
	SubnetId         string `cfn:",required"`
	Tags             []stack.Tag
}

func (resourceNatGateway) Schema() stack.Schema {
	sc := stack.SchemaOf(natGatewayProperties{})
	sc.Attributes = []string{"NatGatewayId", "EniId"}
	sc.Taggable = true
	return sc
}

func (t resourceNatGateway) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p natGatewayProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if aws.Val(p.ConnectivityType) != "private" {
		if err := t.awaitGateway(ctx, p.SubnetId); err != nil {
			return stack.Result{}, err
		}
	}
	out, err := call[api.CreateNatGatewayOutput](ctx, t.s, "CreateNatGateway", &api.CreateNatGatewayInput{
		SubnetId: &p.SubnetId, AllocationId: p.AllocationId, ConnectivityType: api.ConnectivityType(aws.Val(p.ConnectivityType)),
		AvailabilityMode: api.AvailabilityMode(aws.Val(p.AvailabilityMode)), PrivateIpAddress: p.PrivateIpAddress, TagSpecifications: newResourceTags("natgateway", r, p.Tags),
	})
	if err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = aws.Val(out.NatGateway.NatGatewayId)
	started(r.PhysicalID)
	made, err := t.find(ctx, r.PhysicalID)
	if err == nil && made.State == natFailed {
		err = awserr.New("NotStabilized", "NatGateway %s is in state failed and hence failed to stabilize. Detailed failure message: %s", r.PhysicalID, aws.Val(made.FailureMessage))
	}
	if err != nil {
		return stack.Result{PhysicalID: r.PhysicalID}, err
	}
	return t.Read(ctx, r)
}

// awaitGateway waits while the VPC is yet to get its internet gateway: templates are used
// to say no word about that. Whether it has one is then the operation's to judge.
func (t resourceNatGateway) awaitGateway(ctx context.Context, subnetID string) error {
	c := aws.CallFrom(ctx)
	err := t.s.patiently(ctx, notAttachedYet, func() error {
		return t.s.db.View(ctx, func(tx *store.Tx) error {
			v, _, err := vpcOfSubnet(tx, c, subnetID)
			if err == nil && v.InternetGateway == "" {
				err = awserr.New("Gateway.NotAttached", "Network %s is not attached to any internet gateway", v.ID)
			}
			return err
		})
	})
	if awserr.As(err) != nil {
		return nil
	}
	return err
}

func (t resourceNatGateway) find(ctx context.Context, id string) (*api.NatGateway, error) {
	out, err := call[api.DescribeNatGatewaysOutput](ctx, t.s, "DescribeNatGateways", &api.DescribeNatGatewaysInput{NatGatewayIds: []string{id}})
	if err != nil {
		return nil, absent(err)
	}
	if out.NatGateways[0].State == natDeleted {
		return nil, stack.ErrNotFound
	}
	return &out.NatGateways[0], nil
}

func (t resourceNatGateway) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{
		"NatGatewayId": r.PhysicalID, "EniId": aws.Val(g.NatGatewayAddresses[0].NetworkInterfaceId),
	}}, nil
}

// Update changes tags: everything else makes another gateway.
func (t resourceNatGateway) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old natGatewayProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if err := t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceNatGateway) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DeleteNatGatewayOutput](ctx, t.s, "DeleteNatGateway", &api.DeleteNatGatewayInput{NatGatewayId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceNatGateway) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	a := g.NatGatewayAddresses[0]
	return map[string]any{
		"AllocationId": liveText(a.AllocationId), "AvailabilityMode": string(g.AvailabilityMode), "ConnectivityType": string(g.ConnectivityType),
		"PrivateIpAddress": liveText(a.PrivateIp), "SubnetId": aws.Val(g.SubnetId), "Tags": liveTags(g.Tags),
	}, nil
}
