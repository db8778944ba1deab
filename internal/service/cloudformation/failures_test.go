package cloudformation_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// failure is a pair of testdata/failures.txt.
type failure struct{ name, operation, input, fails, ends string }

func readFailures(t *testing.T, fill *strings.Replacer) []failure {
	t.Helper()
	raw, err := os.ReadFile("testdata/failures.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(raw), "\n\n") // the comment
	var out []failure
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		lines := strings.SplitN(block, "\n", 3)
		operation, input, _ := strings.Cut(lines[1], " ")
		f := failure{name: lines[0], operation: operation, input: fill.Replace(input)}
		kind, want, _ := strings.Cut(lines[2], " ")
		switch kind {
		case "fails":
			f.fails = fill.Replace(want)
		case "ends":
			f.ends = want
		default:
			t.Fatalf("%s: %q", f.name, lines[2])
		}
		out = append(out, f)
	}
	return out
}

// TestCommonFailures holds the service to AWS's words for what users do wrong.
func TestCommonFailures(t *testing.T) {
	l := newLab(t)
	thing := "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: one}}}"
	l.create("there", thing, nil)
	l.create("rolled", "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Nope: 1}}}", nil)
	l.create("exporter", thing+"\nOutputs: {O: {Value: x, Export: {Name: shared}}}", nil)
	l.create("user", "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: !ImportValue shared}}}", nil)
	l.create("protected", thing, func(in *api.CreateStackInput) { in.EnableTerminationProtection = aws.Ptr(true) })
	l.objects["b/long"] = thing + strings.Repeat("#", 1_000_000)
	many := map[string]any{}
	for i := range 501 {
		many[fmt.Sprintf("A%d", i)] = map[string]string{"Type": "Test::Fake::Thing"}
	}
	body, _ := json.Marshal(map[string]any{"Resources": many})
	l.objects["b/many"] = string(body)
	fill := strings.NewReplacer("${THING}", thing, "${LONG}", strings.Repeat("x", 51201), "${ARN:rolled}", l.find("rolled"))
	for _, f := range readFailures(t, fill) {
		t.Run(f.name, func(t *testing.T) { l.judgeFailure(t, f) })
	}
	if list := must[api.ListStacksOutput](l, "ListStacks", &api.ListStacksInput{}); len(list.StackSummaries) != 6 {
		t.Errorf("%d stacks: a refused request made one", len(list.StackSummaries))
	}
}

func (l *lab) judgeFailure(t *testing.T, f failure) {
	in := l.input(t, f.operation)
	if err := json.Unmarshal([]byte(f.input), in); err != nil {
		t.Fatal(err)
	}
	_, err := l.server.Invoke(l.ctx, "cloudformation", f.operation, in)
	if f.fails != "" {
		if e := awserr.As(err); e == nil || e.Code+": "+e.Message != f.fails {
			t.Errorf("got  %v\nwant %s", err, f.fails)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var named struct{ StackName string }
	if err := json.Unmarshal([]byte(f.input), &named); err != nil {
		t.Fatal(err)
	}
	status, reason, _ := strings.Cut(f.ends, ": ")
	if s := l.rest(l.find(named.StackName)); string(s.StackStatus) != status || !strings.Contains(aws.Val(s.StackStatusReason)+l.reasons(named.StackName), reason) {
		t.Errorf("%s %s\n%s", s.StackStatus, aws.Val(s.StackStatusReason), l.reasons(named.StackName))
	}
}

// input is an empty input of an operation.
func (l *lab) input(t *testing.T, operation string) any {
	t.Helper()
	for _, op := range l.operations {
		if op.Name == operation {
			return op.New()
		}
	}
	t.Fatalf("no operation %s", operation)
	return nil
}
