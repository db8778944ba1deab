package stack_test

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
)

// planner is an engine that plans and makes nothing.
func planner(f *testing.F) *stack.Engine {
	f.Helper()
	db, err := store.Open(f.Context(), store.Config{Dir: f.TempDir(), NoSync: true, Clock: clock.System{}})
	if err != nil {
		f.Fatal(err)
	}
	e := stack.New(stack.Config{DB: db, Sealer: storetest.NewSealer(f), Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Types: stack.Registry{"Test::Fake::Thing": stacktest.NewFake()}, Outside: outside{}, Endpoint: "http://127.0.0.1:4566"})
	f.Cleanup(func() { _ = e.Close(); _ = db.Close() })
	return e
}

// scopeOf is the scope of a template whose parameters have their defaults, or "x".
func scopeOf(body string) *template.Scope {
	t, err := template.Parse(body)
	if err != nil {
		return nil
	}
	values := map[string]template.Value{}
	for name, p := range t.Parameters {
		values[name] = template.Value{Text: "x"}
		if p.Default != nil {
			values[name] = template.Value{Text: *p.Default}
		}
	}
	scope, err := stack.NewScope(t, &stack.Stack{Name: "s", Region: "us-east-1", Account: "123456789012"}, values, nil)
	if err != nil {
		return nil
	}
	return scope
}

// goldenTemplates are the templates that package template is tested with.
func goldenTemplates(f *testing.F) (out []string) {
	f.Helper()
	files, err := filepath.Glob("template/testdata/golden/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden templates", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "template" {
				out = append(out, string(part.Data))
			}
		}
	}
	return out
}

// FuzzPlan compares any two templates as a change set does. Whatever they are, it
// ends with changes or an error, and without a panic.
func FuzzPlan(f *testing.F) {
	for _, bodies := range [][2]string{{wide, wideChanged}, {wide, wideReplaced}, {wideChanged, wide}, {wide, wideImported}} {
		f.Add(bodies[0], bodies[1])
	}
	f.Add(fmt.Sprintf("Parameters: {P: {Type: String}}\nConditions: {C: !Equals [!Ref P, x]}\n%s", wide), "Resources: {A: {Type: 'Test::Fake::Thing', Metadata: {a: !Sub '${AWS::Region}'}, Properties: {List: !GetAZs ''}}}")
	f.Add("Resources: {A: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: x, Parameters: {P: !GetAtt B.Arn}}}, B: {Type: 'Test::Fake::Thing'}}", "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Tags: {}}}}")
	for _, body := range goldenTemplates(f) {
		f.Add(body, wide)
		f.Add(wide, body)
	}
	e := planner(f)
	f.Fuzz(func(t *testing.T, before, after string) {
		next := scopeOf(after)
		if next == nil {
			return
		}
		_ = e.CheckOutputs(next)
		_ = e.CheckPolicies(next.Template)
		s := &stack.Stack{ID: "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", Name: "s", Account: "123456789012", Region: "us-east-1"}
		for _, old := range []*template.Scope{nil, scopeOf(before)} {
			changes, err := e.Diff(t.Context(), s, old, next, true)
			if err != nil {
				continue
			}
			for _, c := range changes {
				if c.LogicalID == "" || c.Action == "" {
					t.Errorf("change %+v", c)
				}
			}
		}
	})
}
