package cloudwatch

import (
	"context"

	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceDashboard is AWS::CloudWatch::Dashboard. Ref and the physical id are the
// name.
type resourceDashboard struct{ inv Invoker }

type dashboardProperties struct {
	DashboardName *string
	DashboardBody string `cfn:",required"`
}

// Schema implements stack.Resource.
func (resourceDashboard) Schema() stack.Schema {
	sc := stack.SchemaOf(dashboardProperties{})
	sc.NameProperty = "DashboardName"
	return sc
}

func (t resourceDashboard) put(ctx context.Context, name, body string) error {
	_, err := invoke[api.PutDashboardOutput](ctx, t.inv, "PutDashboard", &api.PutDashboardInput{DashboardName: &name, DashboardBody: &body})
	return err
}

// Create implements stack.Resource.
func (t resourceDashboard) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p dashboardProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(maxName)
	if p.DashboardName != nil {
		name = *p.DashboardName
	}
	if err := t.put(ctx, name, p.DashboardBody); err != nil {
		return stack.Result{}, err
	}
	started(name)
	return stack.Result{PhysicalID: name}, nil
}

func (t resourceDashboard) get(ctx context.Context, name string) (*api.GetDashboardOutput, error) {
	out, err := invoke[api.GetDashboardOutput](ctx, t.inv, "GetDashboard", &api.GetDashboardInput{DashboardName: &name})
	if awserr.Is(err, "ResourceNotFound") {
		err = stack.ErrNotFound
	}
	return out, err
}

// Read implements stack.Resource.
func (t resourceDashboard) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.get(ctx, r.PhysicalID)
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// Live implements stack.Live.
func (t resourceDashboard) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	d, err := t.get(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"DashboardName": *d.DashboardName, "DashboardBody": *d.DashboardBody}, nil
}

// Update implements stack.Resource.
func (t resourceDashboard) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p dashboardProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	return stack.Result{PhysicalID: r.PhysicalID}, t.put(ctx, r.PhysicalID, p.DashboardBody)
}

// Delete implements stack.Resource.
func (t resourceDashboard) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteDashboardsOutput](ctx, t.inv, "DeleteDashboards", &api.DeleteDashboardsInput{DashboardNames: []string{r.PhysicalID}})
	if awserr.Is(err, "ResourceNotFound") {
		return nil
	}
	return err
}
