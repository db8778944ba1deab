package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	accessapi "github.com/hardstand/hardstand/internal/aws/api/access"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	iamapi "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// conforming is one type's way through the suite, on a server with the others.
type conforming struct {
	*server
	t    *testing.T
	ctx  context.Context
	kind string
	role string // that the stacks act as
	name string // of the stack
	form conformanceCase
}

// TestConformance takes every registered type through a stack's life: creation as a
// role, drift, updates, replacement, deletion of what is gone already, and creation
// with each of its actions denied in turn. A type without a case fails.
func TestConformance(t *testing.T) {
	types := resourceTypes()
	for name := range types {
		_, has := conformanceCases[name]
		if _, elsewhere := conformsElsewhere[name]; has == elsewhere {
			t.Errorf("%s has no case in conformanceCases", name)
		}
	}
	s := start(t, testConfig(t))
	ctx := aws.WithCall(t.Context(), aws.Call{Account: s.Access().Account, Region: "us-east-1", Secure: true, RequestID: "conformance",
		Principal: aws.Principal{Type: aws.PrincipalRoot, Account: s.Access().Account, ARN: "arn:aws:iam::" + s.Access().Account + ":root", UniqueID: s.Access().Account}})
	for i, name := range slices.Sorted(maps.Keys(conformanceCases)) {
		t.Run(name, func(t *testing.T) {
			c := &conforming{server: s, t: t, ctx: ctx, kind: name, name: fmt.Sprintf("c%d", i), form: conformanceCases[name]}
			c.prepare()
			c.life()
			c.denied()
		})
	}
}

func ask[O any](c *conforming, service, operation string, in any) *O {
	c.t.Helper()
	out, err := wire.Call[O](c.ctx, c.world.wire, service, operation, in)
	if err != nil {
		c.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9.]+)\}`)

// prepare makes the role, and the prelude's stack whose values go into the case.
func (c *conforming) prepare() {
	c.t.Helper()
	c.role = *ask[iamapi.CreateRoleOutput](c, "iam", "CreateRole", &iamapi.CreateRoleInput{RoleName: aws.Ptr("conform-" + c.name), AssumeRolePolicyDocument: aws.Ptr(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudformation.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)}).Role.Arn
	c.allow("")
	if c.form.prelude == "" {
		return
	}
	all := c.form.properties + c.form.changed + c.form.replaced
	body, outputs := "Resources: {"+c.form.prelude+"}\nOutputs: {", map[string]string{}
	for _, m := range placeholder.FindAllStringSubmatch(all, -1) {
		if outputs[m[1]] != "" {
			continue
		}
		key := fmt.Sprintf("O%d", len(outputs))
		outputs[m[1]] = key
		function := "!Ref " + m[1]
		if strings.Contains(m[1], ".") {
			function = "!GetAtt " + m[1]
		}
		body += key + ": {Value: " + function + "}, "
	}
	values := map[string]string{}
	for _, o := range c.make("pre-"+c.name, body+"}", "", "CREATE_COMPLETE").Outputs {
		values[*o.OutputKey] = *o.OutputValue
	}
	fill := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(m string) string { return values[outputs[m[2:len(m)-1]]] })
	}
	c.form.properties, c.form.changed, c.form.replaced = fill(c.form.properties), fill(c.form.changed), fill(c.form.replaced)
}

// allow gives the role all permissions but one.
func (c *conforming) allow(denied string) {
	c.t.Helper()
	deny := ""
	if denied != "" {
		deny = `,{"Effect":"Deny","Action":"` + denied + `","Resource":"*"}`
	}
	ask[iamapi.PutRolePolicyOutput](c, "iam", "PutRolePolicy", &iamapi.PutRolePolicyInput{RoleName: aws.Ptr("conform-" + c.name), PolicyName: aws.Ptr("p"), PolicyDocument: aws.Ptr(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}` + deny + `]}`)})
}

func (c *conforming) template(properties string) string {
	return "Resources: {Sut: {Type: '" + c.kind + "', Properties: {" + properties + "}}}"
}

func (c *conforming) make(name, body, role string, want ...api.StackStatus) *api.Stack {
	c.t.Helper()
	in := &api.CreateStackInput{StackName: &name, TemplateBody: &body, Capabilities: []api.Capability{api.CapabilityCapabilityNamedIam}}
	if role != "" {
		in.RoleARN = &role
	}
	return c.rest(*ask[api.CreateStackOutput](c, "cloudformation", "CreateStack", in).StackId, want...)
}

// rest waits for a stack and holds its status against those wanted.
func (c *conforming) rest(id string, want ...api.StackStatus) *api.Stack {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 30*time.Second)
	defer cancel()
	if _, err := c.world.engine.Wait(ctx, store.Key{Account: c.Access().Account, Region: "us-east-1", ID: id}); err != nil {
		c.t.Fatal(err)
	}
	s := ask[api.DescribeStacksOutput](c, "cloudformation", "DescribeStacks", &api.DescribeStacksInput{StackName: &id}).Stacks[0]
	if !slices.Contains(want, s.StackStatus) {
		for _, ev := range slices.Backward(ask[api.DescribeStackEventsOutput](c, "cloudformation", "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: &id}).StackEvents) {
			c.t.Logf("%s %s %s", *ev.LogicalResourceId, ev.ResourceStatus, aws.Val(ev.ResourceStatusReason))
		}
		c.t.Fatalf("the stack is %s, want %s", s.StackStatus, want)
	}
	return &s
}

// sut is the resource as its stack shows it.
func (c *conforming) sut(id string) api.StackResourceDetail {
	c.t.Helper()
	return *ask[api.DescribeStackResourceOutput](c, "cloudformation", "DescribeStackResource", &api.DescribeStackResourceInput{StackName: &id, LogicalResourceId: aws.Ptr("Sut")}).StackResourceDetail
}

// drift holds the status of a new detection.
func (c *conforming) drift(id string, want api.StackResourceDriftStatus) {
	c.t.Helper()
	d := ask[api.DetectStackResourceDriftOutput](c, "cloudformation", "DetectStackResourceDrift", &api.DetectStackResourceDriftInput{StackName: &id, LogicalResourceId: aws.Ptr("Sut")}).StackResourceDrift
	if d.StackResourceDriftStatus != want || want == api.StackResourceDriftStatusModified && len(d.PropertyDifferences) == 0 {
		c.t.Errorf("drift is %s, want %s; expected %s, actual %s", d.StackResourceDriftStatus, want, aws.Val(d.ExpectedProperties), aws.Val(d.ActualProperties))
	}
}

func (c *conforming) update(id, properties string) api.StackResourceDetail {
	c.t.Helper()
	ask[api.UpdateStackOutput](c, "cloudformation", "UpdateStack", &api.UpdateStackInput{StackName: &id, TemplateBody: aws.Ptr(c.template(properties)), Capabilities: []api.Capability{api.CapabilityCapabilityNamedIam}})
	c.rest(id, "UPDATE_COMPLETE")
	return c.sut(id)
}

func (c *conforming) life() {
	c.t.Helper()
	id := *c.make(c.name, c.template(c.form.properties), c.role, "CREATE_COMPLETE").StackId
	made := *c.sut(id).PhysicalResourceId
	inSync, modified, gone := api.StackResourceDriftStatusInSync, api.StackResourceDriftStatusModified, api.StackResourceDriftStatusDeleted
	if c.form.unseen {
		modified = inSync
	}
	c.drift(id, inSync)
	c.tags(id)
	if c.form.changed != "" {
		if now := *c.update(id, c.form.changed).PhysicalResourceId; now != made {
			c.t.Errorf("an update in place made %s of %s", now, made)
		}
		c.drift(id, inSync)
	}
	if c.form.replaced != "" {
		if now := *c.update(id, c.form.replaced).PhysicalResourceId; now == made && !c.form.sameID {
			c.t.Errorf("a replacement is %s again", now)
		}
		c.drift(id, inSync)
		c.update(id, c.form.properties)
	} else if c.form.changed != "" {
		c.update(id, c.form.properties)
	}
	c.outside(id, modified, gone)
	ask[api.DeleteStackOutput](c, "cloudformation", "DeleteStack", &api.DeleteStackInput{StackName: &id})
	c.rest(id, "DELETE_COMPLETE")
}

// tags holds that a taggable resource has its stack's tags, new ones too, and that they
// are no drift.
func (c *conforming) tags(id string) {
	c.t.Helper()
	res, _ := c.request(id)
	live, ok := res.(stack.Live)
	if !res.Schema().Taggable || !ok || c.kind == "AWS::Route53::HostedZone" { // whose Live tells the template's own tags alone
		return
	}
	ask[api.UpdateStackOutput](c, "cloudformation", "UpdateStack", &api.UpdateStackInput{StackName: &id, UsePreviousTemplate: aws.Ptr(true),
		Capabilities: []api.Capability{api.CapabilityCapabilityNamedIam}, Tags: []api.Tag{{Key: aws.Ptr("team"), Value: aws.Ptr("blue")}}})
	c.rest(id, "UPDATE_COMPLETE")
	_, r := c.request(id)
	now, err := live.Live(c.ctx, r)
	text, _ := json.Marshal(now)
	for _, want := range []string{"team", "blue", "aws:cloudformation:stack-name", "aws:cloudformation:stack-id", "aws:cloudformation:logical-id"} {
		if err != nil || !strings.Contains(string(text), want) {
			c.t.Errorf("the tag %s is missing (%v): %s", want, err, text)
		}
	}
	c.drift(id, api.StackResourceDriftStatusInSync)
}

// outside changes and deletes the resource behind its stack's back, by the type's own
// hands.
func (c *conforming) outside(id string, modified, gone api.StackResourceDriftStatus) {
	c.t.Helper()
	res, r := c.request(id)
	ctx := aws.WithCall(c.ctx, aws.CallFrom(c.ctx).WithVia("cloudformation.amazonaws.com"))
	if c.form.changed != "" {
		u := r
		u.OldProperties, u.Properties = r.Properties, c.evaluated(c.form.changed)
		if _, err := res.Update(ctx, u); err != nil {
			c.t.Fatalf("change behind the stack's back: %v", err)
		}
		c.drift(id, modified)
		r.Properties = u.Properties
	}
	if err := res.Delete(ctx, r); err != nil {
		c.t.Fatalf("delete behind the stack's back: %v", err)
	}
	c.drift(id, gone)
}

// evaluated are the properties of the case as the type gets them.
func (c *conforming) evaluated(properties string) map[string]any {
	c.t.Helper()
	return parsed(c.t, c.template(properties)).Resources["Sut"].Properties
}

func (c *conforming) request(id string) (stack.Resource, stack.Request) {
	c.t.Helper()
	var s *stack.Stack
	var m *stack.Member
	k := store.Key{Account: c.Access().Account, Region: "us-east-1", ID: id}
	err := c.world.db.View(c.ctx, func(tx *store.Tx) (err error) {
		if s, err = stack.Stacks.Get(tx, k); err != nil {
			return err
		}
		k.ID += "/Sut"
		m, err = stack.Members.Get(tx, k)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.world.engine.Types()[c.kind], stack.Request{StackID: id, StackName: s.Name, LogicalID: "Sut", Type: c.kind, PhysicalID: m.PhysicalID,
		Properties: c.evaluated(c.form.properties), Tags: m.Tags, OldTags: m.Tags, Region: "us-east-1", Account: k.Account, Operation: s.Operation + 1}
}

// denied makes the resource once for each action of its creation, without it: the
// stack rolls back and nothing stays.
func (c *conforming) denied() {
	c.t.Helper()
	for _, action := range c.creating() {
		c.allow(action)
		s := c.make(c.name+"-denied", c.template(c.form.properties), c.role, "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_COMPLETE")
		c.allow("")
		if s.StackStatus == "ROLLBACK_FAILED" { // the deletion needs the same action, and has it now
			ask[api.DeleteStackOutput](c, "cloudformation", "DeleteStack", &api.DeleteStackInput{StackName: s.StackId})
			c.rest(*s.StackId, "DELETE_COMPLETE")
			c.absent(*s.StackId, action)
			continue
		}
		if s.StackStatus == "ROLLBACK_COMPLETE" {
			if m := c.sut(*s.StackId); aws.Val(m.PhysicalResourceId) != "" && m.ResourceStatus != "DELETE_COMPLETE" {
				c.t.Errorf("without %s %s is %s", action, *m.PhysicalResourceId, m.ResourceStatus)
			} else if id := aws.Val(m.PhysicalResourceId); id != "" {
				c.absent(*s.StackId, action)
			}
		}
		ask[api.DeleteStackOutput](c, "cloudformation", "DeleteStack", &api.DeleteStackInput{StackName: s.StackId})
		c.rest(*s.StackId, "DELETE_COMPLETE")
	}
}

func (c *conforming) absent(id, action string) {
	c.t.Helper()
	res, r := c.request(id)
	if _, err := res.Read(c.ctx, r); !errors.Is(err, stack.ErrNotFound) {
		c.t.Errorf("without %s there is %s still: %v", action, r.PhysicalID, err)
	}
}

// creating are the actions of a creation: those that a role of its own was seen to use.
func (c *conforming) creating() []string {
	c.t.Helper()
	probe := *c
	probe.name = c.name + "-probe"
	probe.form.prelude = ""
	probe.prepare()
	s := probe.make(probe.name, c.template(c.form.properties), probe.role, "CREATE_COMPLETE")
	var document struct{ Statement []struct{ Action any } }
	text := *ask[accessapi.SuggestPolicyOutput](c, "access", "SuggestPolicy", &accessapi.SuggestPolicyInput{PrincipalArn: &probe.role, Exact: aws.Ptr(true)}).PolicyDocument
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		c.t.Fatal(err)
	}
	ask[api.DeleteStackOutput](c, "cloudformation", "DeleteStack", &api.DeleteStackInput{StackName: s.StackId})
	c.rest(*s.StackId, "DELETE_COMPLETE")
	var out []string
	for _, st := range document.Statement {
		switch a := st.Action.(type) {
		case string:
			out = append(out, a)
		case []any:
			for _, one := range a {
				out = append(out, fmt.Sprint(one))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func parsed(t *testing.T, body string) *template.Template {
	t.Helper()
	parsed, err := template.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
