package template

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite golden files")

// everywhere answers for the account.
type everywhere struct{}

func (everywhere) Export(name string) (string, bool, error) {
	return "exported " + name, name != "missing", nil
}

func (everywhere) Zones(region string) ([]string, error) {
	return []string{region + "a", region + "b"}, nil
}

func (everywhere) StackOutput(ref StackOutput) (string, error) {
	return ref.StackName + "/" + ref.OutputName + "/" + ref.Region + "/" + ref.RoleARN, nil
}

func (everywhere) Secret(service, reference string) (string, error) {
	if service != "ssm" {
		return "", errors.New("unknown service " + service)
	}
	return "secret " + reference, nil
}

// Exists and Parameters make it an Account.
func (everywhere) Exists(_, value string) (bool, error) { return value != "absent", nil }

func (everywhere) Parameters(names []string) (map[string]string, error) {
	out := map[string]string{}
	for _, n := range names {
		if n != "/absent" {
			out[n] = "value of " + n
		}
	}
	return out, nil
}

func (everywhere) Attribute(_, value, attribute string) (string, error) {
	return attribute + " of " + value, nil
}

// made gives resources values: Ref "ref-A", attribute "A.Attr"; List is a list.
type made struct{}

func (made) Ref(id string) (any, error) { return "ref-" + id, nil }

func (made) GetAtt(id, attribute string) (any, error) {
	if attribute == "List" {
		return []any{id + "-0", id + "-1"}, nil
	}
	return id + "." + attribute, nil
}

// Each file of testdata/golden is a template, parameters as JSON where it has any,
// and what comes of it: the graph, the conditions, properties and outputs, or the
// error.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := evaluate(t, member(a, "template"), member(a, "parameters"))
			if *update {
				set(a, "want", got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(member(a, "want"), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func member(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func set(a *txtar.Archive, name, text string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
}

func evaluate(t *testing.T, body, parameters string) string {
	t.Helper()
	given := map[string]string{}
	if parameters != "" {
		if err := json.Unmarshal([]byte(parameters), &given); err != nil {
			t.Fatal(err)
		}
	}
	out, err := whole(body, given)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// transformed runs a template's transforms, where it has any. Every location holds
// the same snippet.
func transformed(body string, given map[string]string) (string, error) {
	head, has, err := ParseHead(body)
	if err != nil || !has {
		return body, err
	}
	var list []Given
	for _, k := range slices.Sorted(maps.Keys(given)) {
		list = append(list, Given{Key: k, Value: given[k]})
	}
	values, err := head.Resolve(list, nil, everywhere{})
	if err != nil {
		return "", err
	}
	s := &Scope{Template: head, Parameters: head.RefValues(values), Pseudo: map[string]any{"AWS::Region": "eu-west-1"}}
	return s.Transform(func(location string) (map[string]any, error) {
		return Read("Included: {Type: T, Properties: {From: '" + location + "'}}")
	})
}

// whole takes a template all the way.
func whole(body string, given map[string]string) (any, error) {
	body, err := transformed(body, given)
	if err != nil {
		return nil, err
	}
	tpl, err := Parse(body)
	if err != nil {
		return nil, err
	}
	var list []Given
	for _, k := range slices.Sorted(maps.Keys(given)) {
		list = append(list, Given{Key: k, Value: given[k]})
	}
	values, err := tpl.Resolve(list, nil, everywhere{})
	if err != nil {
		return nil, err
	}
	s := &Scope{Template: tpl, Parameters: tpl.RefValues(values), World: everywhere{}, Pseudo: map[string]any{
		"AWS::AccountId": "123456789012", "AWS::NotificationARNs": []any{}, "AWS::Partition": "aws", "AWS::Region": "eu-west-1",
		"AWS::StackId": "arn:stack", "AWS::StackName": "demo", "AWS::URLSuffix": "amazonaws.com"}}
	if err := errors.Join(s.EvaluateConditions()); err != nil {
		return nil, err
	}
	if err := s.CheckRules(everywhere{}); err != nil {
		return nil, err
	}
	graph, err := s.Plan()
	if err != nil {
		return nil, err
	}
	s.Resources = made{}
	resources, outputs := map[string]any{}, map[string]any{}
	for id := range graph {
		if resources[id], err = s.Eval(tpl.Resources[id].Properties, "/Resources/"+id+"/Properties"); err != nil {
			return nil, err
		}
	}
	for name, o := range tpl.Outputs {
		if !s.Active(o.Condition) {
			continue
		}
		if outputs[name], err = s.Eval(o.Value, "/Outputs/"+name+"/Value"); err != nil {
			return nil, err
		}
	}
	return map[string]any{"graph": graph, "conditions": s.Conditions, "resources": resources, "outputs": outputs}, nil
}
