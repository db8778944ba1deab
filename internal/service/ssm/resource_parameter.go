package ssm

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{"AWS::SSM::Parameter": resourceParameter{s}}
}

type resourceParameter struct{ s *Service }

type parameterProperties struct {
	Name           *string
	Type           string `cfn:",required"`
	Value          string `cfn:",required"`
	Description    *string
	AllowedPattern *string
	DataType       *string
	Tier           *string
	Policies       *string
	// Tags is a map here, unlike in other types.
	Tags map[string]string
}

// Schema implements stack.Resource.
func (resourceParameter) Schema() stack.Schema {
	sc := stack.SchemaOf(parameterProperties{})
	sc.Attributes, sc.Taggable, sc.NameProperty = []string{"Type", "Value"}, true, "Name"
	return sc
}

// Create implements stack.Resource.
func (t resourceParameter) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	p, in, err := decode(r)
	if err != nil {
		return stack.Result{}, err
	}
	if p.Type == string(api.ParameterTypeSecureString) {
		return stack.Result{}, &stack.PropertyError{Message: "Value of property Type must be one of String, StringList; CloudFormation cannot create parameters of type SecureString"}
	}
	tags := tagList(merged(r.Tags, p.Tags))
	in.Name, in.Tags = aws.Ptr(r.MixedName()), tags
	if p.Name != nil {
		in.Name = p.Name
	}
	if _, err := wire.Call[api.PutParameterOutput](ctx, t.s.cfg.Invoker, "ssm", "PutParameter", in); err != nil {
		return stack.Result{}, err
	}
	started(*in.Name)
	return result(*in.Name, p), nil
}

func decode(r stack.Request) (*parameterProperties, *api.PutParameterInput, error) {
	p := &parameterProperties{}
	if err := stack.Decode(r.Properties, p); err != nil {
		return nil, nil, err
	}
	return p, &api.PutParameterInput{Type: api.ParameterType(p.Type), Value: &p.Value, Description: p.Description, AllowedPattern: p.AllowedPattern,
		DataType: p.DataType, Tier: api.ParameterTier(aws.Val(p.Tier)), Policies: p.Policies}, nil
}

func result(name string, p *parameterProperties) stack.Result {
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"Type": p.Type, "Value": p.Value}}
}

func merged(stackTags, own map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, stackTags)
	maps.Copy(out, own)
	return out
}

// Read implements stack.Resource.
func (t resourceParameter) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := wire.Call[api.GetParameterOutput](ctx, t.s.cfg.Invoker, "ssm", "GetParameter", &api.GetParameterInput{Name: &r.PhysicalID})
	if awserr.Is(err, "ParameterNotFound") {
		return stack.Result{}, stack.ErrNotFound
	}
	if err != nil {
		return stack.Result{}, err
	}
	return result(r.PhysicalID, &parameterProperties{Type: string(out.Parameter.Type), Value: aws.Val(out.Parameter.Value)}), nil
}

// Update implements stack.Resource.
func (t resourceParameter) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, in, err := decode(r)
	if err != nil {
		return stack.Result{}, err
	}
	in.Name, in.Overwrite = &r.PhysicalID, aws.Ptr(true)
	if p.Description == nil {
		in.Description = aws.Ptr("")
	}
	if _, err := wire.Call[api.PutParameterOutput](ctx, t.s.cfg.Invoker, "ssm", "PutParameter", in); err != nil {
		return stack.Result{}, err
	}
	var old parameterProperties
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	return result(r.PhysicalID, p), t.retag(ctx, r.PhysicalID, merged(r.OldTags, old.Tags), merged(r.Tags, p.Tags))
}

func (t resourceParameter) retag(ctx context.Context, name string, old, want map[string]string) error {
	var gone []string
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if _, stays := want[k]; !stays {
			gone = append(gone, k)
		}
	}
	if len(gone) > 0 {
		in := &api.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: &name, TagKeys: gone}
		if _, err := wire.Call[api.RemoveTagsFromResourceOutput](ctx, t.s.cfg.Invoker, "ssm", "RemoveTagsFromResource", in); err != nil {
			return fmt.Errorf("remove tags: %w", err)
		}
	}
	if maps.Equal(old, want) || len(want) == 0 {
		return nil
	}
	in := &api.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: &name, Tags: tagList(want)}
	_, err := wire.Call[api.AddTagsToResourceOutput](ctx, t.s.cfg.Invoker, "ssm", "AddTagsToResource", in)
	return err
}

// Delete implements stack.Resource.
func (t resourceParameter) Delete(ctx context.Context, r stack.Request) error {
	_, err := wire.Call[api.DeleteParameterOutput](ctx, t.s.cfg.Invoker, "ssm", "DeleteParameter", &api.DeleteParameterInput{Name: &r.PhysicalID})
	if awserr.Is(err, "ParameterNotFound") {
		return nil
	}
	return err
}
