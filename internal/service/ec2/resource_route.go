package ec2

import (
	"context"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// resourceRoute is AWS::EC2::Route. Its physical id is the route table and the
// destination.
type resourceRoute struct{ s *Service }

type routeProperties struct {
	RouteTableId         string `cfn:",required"`
	DestinationCidrBlock *string
	GatewayId            *string
	InstanceId           *string
	NatGatewayId         *string
	NetworkInterfaceId   *string
}

func (resourceRoute) Schema() stack.Schema {
	sc := stack.SchemaOf(routeProperties{})
	sc.Attributes = []string{"CidrBlock"}
	return sc
}

func routeResult(table, destination string) stack.Result {
	return stack.Result{PhysicalID: table + "|" + destination, Attributes: map[string]any{"CidrBlock": destination}}
}

// Create waits while the gateway is yet to be attached to the VPC: templates are
// used to say no word about that.
func (t resourceRoute) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p routeProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	to, err := routeDestination(p.DestinationCidrBlock, nil, nil)
	if err != nil {
		return stack.Result{}, err
	}
	err = t.s.patiently(ctx, notAttachedYet, func() error {
		_, err := call[api.CreateRouteOutput](ctx, t.s, "CreateRoute", &api.CreateRouteInput{RouteTableId: &p.RouteTableId, DestinationCidrBlock: p.DestinationCidrBlock, GatewayId: p.GatewayId,
			InstanceId: p.InstanceId, NatGatewayId: p.NatGatewayId, NetworkInterfaceId: p.NetworkInterfaceId})
		return err
	})
	if err != nil {
		return stack.Result{}, err
	}
	made := routeResult(p.RouteTableId, to.String())
	started(made.PhysicalID)
	return made, nil
}

// notAttachedYet recognises what EC2 says to a route, or to a public address, that
// comes before the gateway.
func notAttachedYet(err error) bool {
	if awserr.Is(err, "Gateway.NotAttached") {
		return true
	}
	return awserr.Is(err, "InvalidParameterValue") && strings.HasSuffix(awserr.As(err).Message, "belong to different networks")
}

// patience is how long a resource waits for another one of its stack that it needs
// and does not name.
const patience = time.Minute

// patiently repeats f after each change of the network or of an instance, while
// wait says that this may help.
func (s *Service) patiently(ctx context.Context, wait func(error) bool, f func() error) error {
	c := aws.CallFrom(ctx)
	late := s.clock.After(patience)
	for {
		changed := s.db.Changed(store.Filter{Account: c.Account, Region: c.Region, Service: "ec2"})
		err := f()
		if err == nil || !wait(err) {
			return err
		}
		select {
		case <-changed:
		case <-late:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leaving makes f, a deletion, one to repeat while instances that pass the filter
// are shutting down: they were told to, and nothing in a template says in which
// order.
func (s *Service) leaving(ctx context.Context, filter, id string, f func() error) error {
	left := false
	return s.patiently(ctx, func(err error) bool { return left && awserr.Is(err, "DependencyViolation") }, func() error {
		err := f()
		if !awserr.Is(err, "DependencyViolation") {
			return err
		}
		out, look := call[api.DescribeInstancesOutput](ctx, s, "DescribeInstances", &api.DescribeInstancesInput{Filters: []api.Filter{
			{Name: &filter, Values: []string{id}}, {Name: aws.Ptr("instance-state-name"), Values: []string{stateShuttingDown}},
		}})
		if left = look == nil && len(out.Reservations) > 0; !left {
			return f() // they may have gone while we looked
		}
		return err
	})
}

func (t resourceRoute) find(ctx context.Context, physicalID string) (*api.Route, error) {
	id, to, _ := strings.Cut(physicalID, "|")
	table, err := t.s.findRouteTable(ctx, "route-table-id", id)
	if err != nil {
		return nil, err
	}
	for _, r := range table.Routes {
		if aws.Val(r.DestinationCidrBlock) == to {
			return &r, nil
		}
	}
	return nil, stack.ErrNotFound
}

func (t resourceRoute) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	id, to, _ := strings.Cut(r.PhysicalID, "|")
	_, err := t.find(ctx, r.PhysicalID)
	return routeResult(id, to), err
}

func (t resourceRoute) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p routeProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	err := t.s.patiently(ctx, notAttachedYet, func() error {
		_, err := call[api.ReplaceRouteOutput](ctx, t.s, "ReplaceRoute", &api.ReplaceRouteInput{RouteTableId: &p.RouteTableId, DestinationCidrBlock: p.DestinationCidrBlock, GatewayId: p.GatewayId,
			InstanceId: p.InstanceId, NatGatewayId: p.NatGatewayId, NetworkInterfaceId: p.NetworkInterfaceId})
		return err
	})
	if err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceRoute) Delete(ctx context.Context, r stack.Request) error {
	id, to, _ := strings.Cut(r.PhysicalID, "|")
	_, err := call[api.DeleteRouteOutput](ctx, t.s, "DeleteRoute", &api.DeleteRouteInput{RouteTableId: &id, DestinationCidrBlock: &to})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceRoute) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	found, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	id, to, _ := strings.Cut(r.PhysicalID, "|")
	live := map[string]any{"RouteTableId": id, "DestinationCidrBlock": to, "GatewayId": liveText(found.GatewayId),
		"InstanceId": liveText(found.InstanceId), "NatGatewayId": liveText(found.NatGatewayId), "NetworkInterfaceId": liveText(found.NetworkInterfaceId)}
	if same, err := routeDestination(textOf(r.Properties["DestinationCidrBlock"]), nil, nil); err == nil && same.String() == to {
		live["DestinationCidrBlock"] = r.Properties["DestinationCidrBlock"] // as the template writes it
	}
	return live, nil
}

func textOf(v any) *string {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	return &s
}
