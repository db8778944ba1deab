package codedeploy

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::CodeDeploy::Application":      resourceApplication{s.invoker},
		"AWS::CodeDeploy::DeploymentConfig": resourceDeploymentConfig{s.invoker},
		"AWS::CodeDeploy::DeploymentGroup":  resourceDeploymentGroup{s.invoker, s.db},
	}
}

func invoke[O any](ctx context.Context, inv Invoker, operation string, in any) (*O, error) {
	out, err := inv.Invoke(ctx, "codedeploy", operation, in)
	if err != nil {
		return nil, err
	}
	o, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("codedeploy %s answered %T", operation, out)
	}
	return o, nil
}

// resourceApplication is AWS::CodeDeploy::Application. Ref and the physical id
// are the name.
type resourceApplication struct{ inv Invoker }

type applicationProperties struct {
	ApplicationName *string
	ComputePlatform *string
	Tags            []stack.Tag
}

func (resourceApplication) Schema() stack.Schema {
	sc := stack.SchemaOf(applicationProperties{})
	sc.Taggable, sc.NameProperty = true, "ApplicationName"
	return sc
}

func (t resourceApplication) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p applicationProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(100)
	if p.ApplicationName != nil {
		name = *p.ApplicationName
	}
	_, err := invoke[api.CreateApplicationOutput](ctx, t.inv, "CreateApplication", &api.CreateApplicationInput{
		ApplicationName: &name, ComputePlatform: api.ComputePlatform(aws.Val(p.ComputePlatform)), Tags: apiTags(r.TagsWith(p.Tags)),
	})
	if err != nil {
		return stack.Result{}, err
	}
	started(name)
	return stack.Result{PhysicalID: name}, nil
}

func apiTags(tags []stack.Tag) []api.Tag {
	out := make([]api.Tag, len(tags))
	for i := range tags {
		out[i] = api.Tag{Key: &tags[i].Key, Value: &tags[i].Value}
	}
	return out
}

func (t resourceApplication) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := invoke[api.GetApplicationOutput](ctx, t.inv, "GetApplication", &api.GetApplicationInput{ApplicationName: &r.PhysicalID})
	if awserr.Is(err, "ApplicationDoesNotExistException") {
		return stack.Result{}, stack.ErrNotFound
	}
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

func (t resourceApplication) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old applicationProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	call := aws.CallFrom(ctx)
	return stack.Result{PhysicalID: r.PhysicalID}, retag(ctx, t.inv, applicationARN(call, r.PhysicalID), r, p.Tags, old.Tags)
}

// retag brings a resource's tags from old to own.
func retag(ctx context.Context, inv Invoker, resource string, r stack.Request, own, old []stack.Tag) error {
	now := r.TagsWith(own)
	if gone := stack.TagsGone(r.TagsBefore(old), now); len(gone) > 0 {
		if _, err := invoke[api.UntagResourceOutput](ctx, inv, "UntagResource", &api.UntagResourceInput{ResourceArn: &resource, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err := invoke[api.TagResourceOutput](ctx, inv, "TagResource", &api.TagResourceInput{ResourceArn: &resource, Tags: apiTags(now)})
	return err
}

func (t resourceApplication) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteApplicationOutput](ctx, t.inv, "DeleteApplication", &api.DeleteApplicationInput{ApplicationName: &r.PhysicalID})
	return err
}
