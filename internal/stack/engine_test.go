package stack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

// outside answers for the services that templates ask.
type outside struct{}

func (outside) Zones(context.Context, string) ([]string, error) {
	return []string{"us-east-1a", "us-east-1b"}, nil
}

func (outside) StackOutput(_ context.Context, ref template.StackOutput) (string, error) {
	return ref.StackName + "." + ref.OutputName, nil
}

func (outside) Secret(_ context.Context, service, reference string) (string, error) {
	return service + "=" + reference, nil
}

// lab is a store, a fake resource type and the engine of the moment.
type lab struct {
	t      *testing.T
	dir    string
	db     *store.DB
	clock  clock.Clock
	fake   *stacktest.Fake
	config stack.Config
	engine *stack.Engine
	key    store.Key
	died   bool
}

func newLab(t *testing.T, c clock.Clock) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), clock: c, fake: stacktest.NewFake()}
	l.config = stack.Config{
		Sealer: storetest.NewSealer(t), Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Types: stack.Registry{"Test::Fake::Thing": l.fake}, Outside: outside{}, Endpoint: "http://127.0.0.1:4566",
	}
	l.openStore()
	t.Cleanup(func() { _ = l.db.Close() })
	l.open(0)
	return l
}

func (l *lab) openStore() {
	l.t.Helper()
	db, err := store.Open(l.t.Context(), store.Config{Dir: l.dir, NoSync: true, Clock: l.clock})
	if err != nil {
		l.t.Fatal(err)
	}
	l.db, l.config.DB = db, db
}

// open starts an engine in place of the last; after n transactions it dies.
func (l *lab) open(n int) <-chan struct{} {
	l.t.Helper()
	e, died, err := stack.OpenDying(l.t.Context(), l.config, n)
	if err != nil {
		l.t.Fatal(err)
	}
	l.engine = e
	l.t.Cleanup(func() { _ = e.Close() })
	return died
}

func (l *lab) begin(body string, given ...template.Given) stack.Begin {
	l.t.Helper()
	tpl, err := template.Parse(body)
	if err != nil {
		l.t.Fatal(err)
	}
	values, err := tpl.Resolve(given, nil, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	id := l.key.ID
	if id == "" {
		id = stack.NewStackID(region, account, "demo")
	}
	spec, err := l.engine.NewSpec(id, body, tpl, values)
	if err != nil {
		l.t.Fatal(err)
	}
	return stack.Begin{
		Caller: aws.Principal{Type: aws.PrincipalUser, ARN: "arn:aws:iam::123456789012:user/deploy"}, Operation: "CreateStack",
		RequestID: "r-1", Spec: &spec, StackID: id, StackName: "demo", Account: account, Region: region,
	}
}

func (l *lab) create(body string, change func(*stack.Begin)) {
	l.t.Helper()
	b := l.begin(body)
	if change != nil {
		change(&b)
	}
	s, err := l.engine.Create(l.t.Context(), b)
	if err != nil {
		l.t.Fatal(err)
	}
	l.key = s.Key()
}

// wait returns the stack at rest and checks its status and reason.
func (l *lab) wait(status, reason string) *stack.Stack {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	s, err := l.engine.Wait(ctx, l.key)
	if err != nil {
		l.t.Fatalf("wait: %v\n%s", err, strings.Join(l.events(), "\n"))
	}
	if s.Status != status || s.Reason != reason {
		l.t.Fatalf("stack is %s %q, want %s %q\n%s", s.Status, s.Reason, status, reason, strings.Join(l.events(), "\n"))
	}
	return s
}

// events are lines "logical id, status, physical id or -, reason".
func (l *lab) events() []string {
	l.t.Helper()
	var out []string
	err := l.db.View(context.Background(), func(tx *store.Tx) error {
		list, err := stack.EventsOf(tx, &stack.Stack{ID: l.key.ID, Account: account, Region: region})
		for _, ev := range list {
			physical := ev.PhysicalID
			switch {
			case physical == l.key.ID:
				physical = "stack"
			case physical == "":
				physical = "-"
			}
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", ev.LogicalID, ev.Status, physical, ev.Reason)))
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func (l *lab) wantEvents(want ...string) {
	l.t.Helper()
	if diff := cmp.Diff(want, l.events()); diff != "" {
		l.t.Errorf("events (-want +got):\n%s", diff)
	}
}

func (l *lab) wantGone() {
	l.t.Helper()
	if items := l.fake.Items(); len(items) > 0 {
		l.t.Errorf("left behind: %v", slices.Sorted(maps.Keys(items)))
	}
}

const chain = `
Resources:
  A: {Type: 'Test::Fake::Thing', Properties: {Value: one}}
  B: {Type: 'Test::Fake::Thing', Properties: {Value: !Sub '${A.Value} and two', Any: !Ref A}}
Outputs:
  Of: {Value: !GetAtt B.Value, Export: {Name: demo-of}}
`

func TestCreateAndDelete(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create(chain, func(b *stack.Begin) { b.Spec.Tags = map[string]string{"team": "x"} })
	s := l.wait(stack.CreateComplete, "")
	l.wantEvents(
		"demo CREATE_IN_PROGRESS stack User Initiated",
		"A CREATE_IN_PROGRESS -",
		"A CREATE_IN_PROGRESS fake-A-1 Resource creation Initiated",
		"A CREATE_COMPLETE fake-A-1",
		"B CREATE_IN_PROGRESS -",
		"B CREATE_IN_PROGRESS fake-B-2 Resource creation Initiated",
		"B CREATE_COMPLETE fake-B-2",
		"demo CREATE_COMPLETE stack",
	)
	if want := []stack.Output{{Name: "Of", Value: "one and two", Export: "demo-of"}}; !cmp.Equal(s.Outputs, want) {
		t.Errorf("outputs %v, want %v", s.Outputs, want)
	}
	call := l.fake.Callers()["fake-A-1"]
	if call.Principal.ARN != "arn:aws:iam::123456789012:user/deploy" || !slices.Equal(call.Via, []string{"cloudformation.amazonaws.com"}) || call.Token == "" {
		t.Errorf("A was made by %+v", call)
	}
	if _, err := l.engine.Delete(t.Context(), l.key, stack.Begin{Operation: "DeleteStack"}); err != nil {
		t.Fatal(err)
	}
	l.wait(stack.DeleteComplete, "")
	if got := l.events()[8:]; !cmp.Equal(got, []string{
		"demo DELETE_IN_PROGRESS stack User Initiated",
		"B DELETE_IN_PROGRESS fake-B-2", "B DELETE_COMPLETE fake-B-2",
		"A DELETE_IN_PROGRESS fake-A-1", "A DELETE_COMPLETE fake-A-1",
		"demo DELETE_COMPLETE stack"}) {
		t.Errorf("deletion events: %q", got)
	}
	l.wantGone()
}

func TestFailedCreation(t *testing.T) {
	for _, c := range []struct {
		name, onFailure, status, reason string
		left                            int
	}{
		{"rolls back", "", stack.RollbackComplete, "", 0},
		{"is left alone", "DO_NOTHING", stack.CreateFailed, "The following resource(s) failed to create: [B]. ", 1},
		{"is deleted", "DELETE", stack.DeleteComplete, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, clock.System{})
			l.fake.Before = func(_ context.Context, method string, r stack.Request) error {
				if method == "Create" && r.LogicalID == "B" {
					return errors.New("no room")
				}
				return nil
			}
			l.create(chain, func(b *stack.Begin) { b.OnFailure = c.onFailure })
			l.wait(c.status, c.reason)
			if n := len(l.fake.Items()); n != c.left {
				t.Errorf("%d resources left, want %d", n, c.left)
			}
			if !slices.Contains(l.events(), "B CREATE_FAILED - no room") {
				t.Errorf("events: %q", l.events())
			}
		})
	}
}

func TestSiblingsAreCancelled(t *testing.T) {
	l := newLab(t, clock.System{})
	begun := make(chan struct{})
	again := false // the engine asks once more for what a cancelled creation may have made
	l.fake.Before = func(ctx context.Context, method string, r stack.Request) error {
		switch {
		case method == "Create" && r.LogicalID == "A" && again:
			return errors.New("no room")
		case method == "Create" && r.LogicalID == "A":
			again = true
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		case method == "Create" && r.LogicalID == "B":
			<-begun
			return errors.New("no room")
		}
		return nil
	}
	l.create("Resources: {A: {Type: 'Test::Fake::Thing'}, B: {Type: 'Test::Fake::Thing'}}", nil)
	l.wait(stack.RollbackComplete, "")
	events := l.events()
	for _, want := range []string{
		"A CREATE_FAILED - Resource creation cancelled",
		"demo ROLLBACK_IN_PROGRESS stack The following resource(s) failed to create: [B, A]. Rollback requested by user.",
	} {
		if !slices.Contains(events, want) {
			t.Errorf("no event %q in %q", want, events)
		}
	}
}

func TestBadProperties(t *testing.T) {
	for _, c := range []struct{ name, properties, reason string }{
		{"unknown", "{Foo: 1}", "Encountered unsupported property Foo"},
		{"wrong kind", "{Size: big}", "Value of property Size must be of type Integer"},
		{"index out of range", "{Value: !Select [3, !GetAZs '']}", "Template error: Fn::Select cannot select nonexistent value at index 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, clock.System{})
			l.create("Resources: {A: {Type: 'Test::Fake::Thing', Properties: "+c.properties+"}}", nil)
			l.wait(stack.RollbackComplete, "")
			if text := strings.Join(l.events(), "\n"); !strings.Contains(text, c.reason) {
				t.Errorf("events do not say %q:\n%s", c.reason, text)
			}
		})
	}
}

func TestUnknownAttributeInOutput(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create("Resources: {A: {Type: 'Test::Fake::Thing'}}\nOutputs: {InvalidOutput: {Value: !GetAtt A.Invalid}}", nil)
	l.wait(stack.RollbackComplete, "")
	if want := "demo ROLLBACK_IN_PROGRESS stack [Error] /Outputs/InvalidOutput/Value/Fn::GetAtt: Resource type Test::Fake::Thing does not support attribute {Invalid}. Rollback requested by user."; !slices.Contains(l.events(), want) {
		t.Errorf("events: %q", l.events())
	}
}

func TestFailedDeletionCanBeRepeated(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create(chain, nil)
	l.wait(stack.CreateComplete, "")
	refuse := true
	l.fake.Before = func(_ context.Context, method string, r stack.Request) error {
		if method == "Delete" && r.LogicalID == "B" && refuse {
			return errors.New("in use")
		}
		return nil
	}
	for _, want := range []struct{ status, reason string }{
		{stack.DeleteFailed, "The following resource(s) failed to delete: [B]. "}, {stack.DeleteComplete, ""},
	} {
		if _, err := l.engine.Delete(t.Context(), l.key, stack.Begin{}); err != nil {
			t.Fatal(err)
		}
		l.wait(want.status, want.reason)
		refuse = false
	}
	l.wantGone()
}

func TestRetained(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create("Resources: {A: {Type: 'Test::Fake::Thing', DeletionPolicy: Retain}}", nil)
	l.wait(stack.CreateComplete, "")
	if _, err := l.engine.Delete(t.Context(), l.key, stack.Begin{}); err != nil {
		t.Fatal(err)
	}
	l.wait(stack.DeleteComplete, "")
	if !slices.Contains(l.events(), "A DELETE_SKIPPED fake-A-1") || len(l.fake.Items()) != 1 {
		t.Errorf("events %q, items %v", l.events(), l.fake.Items())
	}
}

func TestDeleteWhileCreating(t *testing.T) {
	l := newLab(t, clock.System{})
	begun := make(chan struct{})
	l.fake.Started = func(ctx context.Context, _ stack.Request) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}
	l.create("Resources: {A: {Type: 'Test::Fake::Thing'}}", nil)
	<-begun
	if _, err := l.engine.Delete(t.Context(), l.key, stack.Begin{}); err != nil {
		t.Fatal(err)
	}
	l.wait(stack.DeleteComplete, "")
	l.wantGone()
}

func TestTimeoutInMinutes(t *testing.T) {
	c := clock.NewManual(time.Date(2016, 1, 2, 3, 4, 5, 0, time.UTC))
	l := newLab(t, c)
	l.fake.Started = func(ctx context.Context, _ stack.Request) error {
		<-ctx.Done()
		return ctx.Err()
	}
	l.create("Resources: {A: {Type: 'Test::Fake::Thing'}}", func(b *stack.Begin) { b.TimeoutInMinutes = 5 })
	if err := c.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	c.Advance(5 * time.Minute)
	l.wait(stack.RollbackComplete, "")
	l.wantGone()
}

func TestNoEchoIsNotOnDiskNorInEvents(t *testing.T) {
	l := newLab(t, clock.System{})
	b := l.begin("Parameters: {P: {Type: String, NoEcho: true}}\nResources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref P}}}",
		template.Given{Key: "P", Value: "hunter2"})
	s, err := l.engine.Create(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	l.key = s.Key()
	s = l.wait(stack.CreateComplete, "")
	if got := l.fake.Items()["fake-A-1"].Value; got != "hunter2" {
		t.Errorf("the resource got %q", got)
	}
	events, err := l.db.Events(t.Context(), 0, store.Filter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := template.JSON(s)
	for _, ev := range events {
		text += string(ev.Body)
	}
	if strings.Contains(text, "hunter2") || !strings.Contains(text, `{\"Value\":\"****\"}`) {
		t.Errorf("stored: %s", text)
	}
}

// A creation that is cancelled when the service has made the resource and has not
// said so yet leaves nothing behind: the rollback finds the resource by its token.
func TestCancelledBeforeItWasAnnounced(t *testing.T) {
	l := newLab(t, clock.System{})
	made := make(chan struct{})
	l.fake.Before = func(_ context.Context, method string, r stack.Request) error {
		if method == "Create" && r.LogicalID == "A" {
			<-made
			return errors.New("no")
		}
		return nil
	}
	first := true
	l.fake.Committed = func(ctx context.Context, r stack.Request) error {
		if !first {
			return nil
		}
		first = false
		close(made)
		<-ctx.Done()
		return ctx.Err()
	}
	l.create("Resources: {A: {Type: 'Test::Fake::Thing'}, B: {Type: 'Test::Fake::Thing'}}", nil)
	l.wait(stack.RollbackComplete, "")
	if l.fake.Made() != 1 {
		t.Errorf("%d made, want 1", l.fake.Made())
	}
	l.wantGone()
}
