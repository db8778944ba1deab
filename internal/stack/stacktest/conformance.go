// Package stacktest checks that a resource type keeps the contract of
// stack.Resource, and holds a small type kept in memory for tests of the engine.
//
// It owns nothing and imports stack and aws. The flow enters in Conform, called
// by the tests of service/<svc>/resource_<type>.go.
package stacktest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack"
)

// Case is a resource type and the properties to try it with.
type Case struct {
	Resource stack.Resource
	Type     string
	// Context carries the Call (principal, account, region) to act with.
	Context context.Context
	// Properties make a resource. Changed, when set, are the properties of an
	// update in place.
	Properties, Changed map[string]any
}

// Conform runs the contract against c: the schema is sound; an unknown property
// and a missing required one are refused before anything is made; a creation is
// announced, repeatable by its token and readable; an update keeps the physical
// id; what was made or updated has not drifted, where the type can tell; a deletion
// leaves nothing and may be repeated.
func Conform(t *testing.T, c Case) {
	t.Helper()
	checkSchema(t, c.Resource.Schema())
	call := aws.CallFrom(c.Context)
	call.Token = "arn:aws:cloudformation:::stack/conform/1/Conform/1"
	ctx := aws.WithCall(c.Context, call)
	r := stack.Request{
		StackID: "arn:aws:cloudformation:" + call.Region + ":" + call.Account + ":stack/conform/1", StackName: "conform",
		LogicalID: "Conform", Type: c.Type, Token: call.Token, Properties: c.Properties,
		Region: call.Region, Account: call.Account,
		Tags: map[string]string{"aws:cloudformation:stack-name": "conform"},
	}
	checkRefusals(t, ctx, c, r)
	made := checkCreate(t, ctx, c, r)
	r.PhysicalID = made.PhysicalID
	checkLive(t, ctx, c, r)
	if c.Changed != nil {
		u := r
		u.OldProperties, u.Properties, u.OldTags = c.Properties, c.Changed, r.Tags
		res, err := c.Resource.Update(ctx, u)
		if err != nil {
			t.Fatalf("Update: %v", err)
		}
		if res.PhysicalID != made.PhysicalID {
			t.Errorf("Update changed the physical id from %q to %q", made.PhysicalID, res.PhysicalID)
		}
		r.Properties = c.Changed
		checkLive(t, ctx, c, r)
	}
	checkDelete(t, ctx, c, r)
}

// checkLive holds that a resource which nobody has touched has not drifted.
func checkLive(t *testing.T, ctx context.Context, c Case, r stack.Request) {
	t.Helper()
	res, ok := c.Resource.(stack.Live)
	if !ok {
		return
	}
	live, err := res.Live(ctx, r)
	if err != nil {
		t.Errorf("Live: %v", err)
		return
	}
	for _, d := range stack.CompareLive(r.Properties, live, r.Tags).Differences {
		t.Errorf("Live: %s %s: %q in the template, %q there", d.Kind, d.Path, d.Expected, d.Actual)
	}
}

func checkSchema(t *testing.T, s stack.Schema) {
	t.Helper()
	for _, name := range slices.Concat(s.Required, s.CreateOnly) {
		if !slices.Contains(s.Properties, name) {
			t.Errorf("schema: %q is required or create-only but no property", name)
		}
	}
	if s.NameProperty != "" && !slices.Contains(s.Properties, s.NameProperty) {
		t.Errorf("schema: NameProperty %q must be a property", s.NameProperty)
	}
}

func checkRefusals(t *testing.T, ctx context.Context, c Case, r stack.Request) {
	t.Helper()
	refuse := func(what string, props map[string]any) {
		t.Helper()
		bad := r
		bad.Properties = props
		_, err := c.Resource.Create(ctx, bad, func(id string) { t.Errorf("%s: %q was made", what, id) })
		var property *stack.PropertyError
		if !errors.As(err, &property) {
			t.Errorf("%s: Create returned %v, want a *stack.PropertyError", what, err)
		}
	}
	refuse("unknown property", without(c.Properties, "", "NoSuchProperty"))
	for _, name := range c.Resource.Schema().Required {
		refuse("without "+name, without(c.Properties, name, ""))
	}
}

// without copies props, leaving one name out and putting another in.
func without(props map[string]any, omit, add string) map[string]any {
	out := map[string]any{}
	for k, v := range props {
		if k != omit {
			out[k] = v
		}
	}
	if add != "" {
		out[add] = "x"
	}
	return out
}

func checkCreate(t *testing.T, ctx context.Context, c Case, r stack.Request) stack.Result {
	t.Helper()
	var announced string
	made, err := c.Resource.Create(ctx, r, func(id string) { announced = id })
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if made.PhysicalID == "" || announced != "" && announced != made.PhysicalID {
		t.Errorf("Create announced %q and returned %q", announced, made.PhysicalID)
	}
	again, err := c.Resource.Create(ctx, r, func(string) {})
	if err != nil || again.PhysicalID != made.PhysicalID {
		t.Errorf("Create with the same token: %q, %v, want %q", again.PhysicalID, err, made.PhysicalID)
	}
	r.PhysicalID = made.PhysicalID
	read, err := c.Resource.Read(ctx, r)
	if err != nil || read.PhysicalID != made.PhysicalID {
		t.Errorf("Read: %q, %v, want %q", read.PhysicalID, err, made.PhysicalID)
	}
	for name := range made.Attributes {
		if !c.Resource.Schema().HasAttribute(name) {
			t.Errorf("Create returned attribute %q, which the schema does not name", name)
		}
	}
	return made
}

func checkDelete(t *testing.T, ctx context.Context, c Case, r stack.Request) {
	t.Helper()
	for _, what := range []string{"Delete", "Delete again"} {
		if err := c.Resource.Delete(ctx, r); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.Resource.Read(ctx, r); !errors.Is(err, stack.ErrNotFound) {
		t.Errorf("Read after Delete: %v, want ErrNotFound", err)
	}
}
