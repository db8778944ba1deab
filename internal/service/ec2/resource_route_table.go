package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/stack"
)

type (
	// resourceRouteTable is AWS::EC2::RouteTable.
	resourceRouteTable struct{ s *Service }
	// resourceRouteAssociation is AWS::EC2::SubnetRouteTableAssociation.
	resourceRouteAssociation struct{ s *Service }
)

type routeTableProperties struct {
	VpcId string `cfn:",required"`
	Tags  []stack.Tag
}

type routeAssociationProperties struct {
	RouteTableId string `cfn:",required"`
	SubnetId     string `cfn:",required"`
}

func (resourceRouteTable) Schema() stack.Schema {
	sc := stack.SchemaOf(routeTableProperties{})
	sc.Attributes, sc.Taggable = []string{"RouteTableId"}, true
	return sc
}

func routeTableResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"RouteTableId": id}}
}

func (t resourceRouteTable) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p routeTableProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateRouteTableOutput](ctx, t.s, "CreateRouteTable", &api.CreateRouteTableInput{VpcId: &p.VpcId, TagSpecifications: newResourceTags("route-table", r, p.Tags)})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.RouteTable.RouteTableId)
	started(id)
	return routeTableResult(id), nil
}

// findRouteTable returns the first route table that passes a filter.
func (s *Service) findRouteTable(ctx context.Context, filter, value string) (*api.RouteTable, error) {
	out, err := call[api.DescribeRouteTablesOutput](ctx, s, "DescribeRouteTables", &api.DescribeRouteTablesInput{Filters: []api.Filter{{Name: &filter, Values: []string{value}}}})
	if err != nil {
		return nil, err
	}
	if len(out.RouteTables) == 0 {
		return nil, stack.ErrNotFound
	}
	return &out.RouteTables[0], nil
}

func (t resourceRouteTable) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.s.findRouteTable(ctx, "route-table-id", r.PhysicalID)
	return routeTableResult(r.PhysicalID), err
}

func (t resourceRouteTable) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old routeTableProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	return routeTableResult(r.PhysicalID), t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags))
}

func (t resourceRouteTable) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DeleteRouteTableOutput](ctx, t.s, "DeleteRouteTable", &api.DeleteRouteTableInput{RouteTableId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceRouteTable) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	table, err := t.s.findRouteTable(ctx, "route-table-id", r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"VpcId": aws.Val(table.VpcId), "Tags": liveTags(table.Tags)}, nil
}

func (resourceRouteAssociation) Schema() stack.Schema {
	sc := stack.SchemaOf(routeAssociationProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func associationResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"Id": id}}
}

func (t resourceRouteAssociation) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p routeAssociationProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.AssociateRouteTableOutput](ctx, t.s, "AssociateRouteTable", &api.AssociateRouteTableInput{RouteTableId: &p.RouteTableId, SubnetId: &p.SubnetId})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.AssociationId)
	started(id)
	return associationResult(id), nil
}

func (t resourceRouteAssociation) find(ctx context.Context, id string) (*api.RouteTableAssociation, error) {
	table, err := t.s.findRouteTable(ctx, "association.route-table-association-id", id)
	if err != nil {
		return nil, err
	}
	for _, a := range table.Associations {
		if aws.Val(a.RouteTableAssociationId) == id {
			return &a, nil
		}
	}
	return nil, stack.ErrNotFound
}

func (t resourceRouteAssociation) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r.PhysicalID)
	return associationResult(r.PhysicalID), err
}

// Update is never called with a difference: each property makes another association.
func (t resourceRouteAssociation) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.Read(ctx, r)
}

func (t resourceRouteAssociation) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DisassociateRouteTableOutput](ctx, t.s, "DisassociateRouteTable", &api.DisassociateRouteTableInput{AssociationId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceRouteAssociation) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	a, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"RouteTableId": aws.Val(a.RouteTableId), "SubnetId": aws.Val(a.SubnetId)}, nil
}
