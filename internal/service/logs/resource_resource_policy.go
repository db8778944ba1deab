package logs

import (
	"context"
	"encoding/json"

	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceResourcePolicy is AWS::Logs::ResourcePolicy. Ref and the physical id are
// the name.
type resourceResourcePolicy struct{ inv Invoker }

type resourcePolicyProperties struct {
	PolicyName     string          `cfn:",required"`
	PolicyDocument json.RawMessage `cfn:",required"`
}

// Schema implements stack.Resource.
func (resourceResourcePolicy) Schema() stack.Schema {
	sc := stack.SchemaOf(resourcePolicyProperties{})
	sc.NameProperty = "PolicyName"
	return sc
}

func (t resourceResourcePolicy) put(ctx context.Context, r stack.Request) (string, error) {
	var p resourcePolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return "", err
	}
	text := string(p.PolicyDocument)
	_, err := invoke[api.PutResourcePolicyOutput](ctx, t.inv, "PutResourcePolicy", &api.PutResourcePolicyInput{PolicyName: &p.PolicyName, PolicyDocument: &text})
	return p.PolicyName, err
}

// Create implements stack.Resource.
func (t resourceResourcePolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	name, err := t.put(ctx, r)
	if err != nil {
		return stack.Result{}, err
	}
	started(name)
	return stack.Result{PhysicalID: name}, nil
}

// Read implements stack.Resource.
func (t resourceResourcePolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.document(ctx, r)
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// Live implements stack.Live.
func (t resourceResourcePolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	text, err := t.document(ctx, r)
	live := map[string]any{"PolicyName": r.PhysicalID, "PolicyDocument": text}
	if _, asText := r.Properties["PolicyDocument"].(string); !asText && err == nil {
		var document any
		err = json.Unmarshal([]byte(text), &document)
		live["PolicyDocument"] = document
	}
	return live, err
}

// document is the policy's text.
func (t resourceResourcePolicy) document(ctx context.Context, r stack.Request) (string, error) {
	in := &api.DescribeResourcePoliciesInput{}
	for {
		out, err := invoke[api.DescribeResourcePoliciesOutput](ctx, t.inv, "DescribeResourcePolicies", in)
		if err != nil {
			return "", err
		}
		for _, p := range out.ResourcePolicies {
			if *p.PolicyName == r.PhysicalID {
				return *p.PolicyDocument, nil
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return "", stack.ErrNotFound
		}
	}
}

// Update implements stack.Resource.
func (t resourceResourcePolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.put(ctx, r)
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// Delete implements stack.Resource.
func (t resourceResourcePolicy) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteResourcePolicyOutput](ctx, t.inv, "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{PolicyName: &r.PhysicalID})
	return orDeleted(err)
}
