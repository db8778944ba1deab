package stack_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// update starts an update and returns the events that it adds.
func (l *lab) update(body, status, reason string) []string {
	l.t.Helper()
	before := len(l.events())
	if _, err := l.engine.Update(l.t.Context(), l.key, l.begin(body)); err != nil {
		l.t.Fatal(err)
	}
	l.wait(status, reason)
	return l.events()[before:]
}

func TestUpdateInPlace(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create(chain+"", nil)
	l.wait(stack.CreateComplete, "")
	got := l.update(strings.Replace(chain, "Value: one", "Value: uno", 1), stack.UpdateComplete, "")
	want := []string{
		"demo UPDATE_IN_PROGRESS stack User Initiated",
		"A UPDATE_IN_PROGRESS fake-A-1", "A UPDATE_COMPLETE fake-A-1",
		"B UPDATE_IN_PROGRESS fake-B-2", "B UPDATE_COMPLETE fake-B-2",
		"demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS stack",
		"demo UPDATE_COMPLETE stack",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s := l.wait(stack.UpdateComplete, "")
	if s.Outputs[0].Value != "uno and two" {
		t.Errorf("outputs %v", s.Outputs)
	}
}

func TestUpdateAddsAndRemoves(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create("Resources: {A: {Type: 'Test::Fake::Thing'}, B: {Type: 'Test::Fake::Thing', DependsOn: A}}", nil)
	l.wait(stack.CreateComplete, "")
	got := l.update("Resources: {A: {Type: 'Test::Fake::Thing'}, C: {Type: 'Test::Fake::Thing'}}", stack.UpdateComplete, "")
	want := []string{
		"demo UPDATE_IN_PROGRESS stack User Initiated",
		"C CREATE_IN_PROGRESS -", "C CREATE_IN_PROGRESS fake-C-3 Resource creation Initiated", "C CREATE_COMPLETE fake-C-3",
		"demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS stack",
		"B DELETE_IN_PROGRESS fake-B-2", "B DELETE_COMPLETE fake-B-2",
		"demo UPDATE_COMPLETE stack",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTagsAloneAreAnUpdate(t *testing.T) {
	l := newLab(t, clock.System{})
	body := "Resources: {A: {Type: 'Test::Fake::Thing'}}"
	l.create(body, nil)
	l.wait(stack.CreateComplete, "")
	b := l.begin(body)
	b.Spec.Tags = map[string]string{"k": "v"}
	var tags map[string]string
	l.fake.Before = func(_ context.Context, _ string, r stack.Request) error {
		tags = r.Tags
		return nil
	}
	if _, err := l.engine.Update(t.Context(), l.key, b); err != nil {
		t.Fatal(err)
	}
	l.wait(stack.UpdateComplete, "")
	if tags["k"] != "v" || tags["aws:cloudformation:logical-id"] != "A" {
		t.Errorf("tags %v", tags)
	}
}

func TestCreationPolicy(t *testing.T) {
	const body = `
Resources:
  A:
    Type: Test::Fake::Thing
    CreationPolicy: {ResourceSignal: {Count: "2", Timeout: PT15M}}`
	for _, c := range []struct {
		name    string
		signals [][2]string
		advance time.Duration
		status  string
		event   string
	}{
		{"all succeed", [][2]string{{"i-1", "SUCCESS"}, {"i-1", "SUCCESS"}, {"i-2", "SUCCESS"}}, 0, stack.CreateComplete, "A CREATE_IN_PROGRESS fake-A-1 Received SUCCESS signal with UniqueId i-2"},
		{"one fails", [][2]string{{"i-1", "FAILURE"}}, 0, stack.RollbackComplete, "A CREATE_FAILED fake-A-1 Received FAILURE signal with UniqueId i-1"},
		{"none comes", nil, 15 * time.Minute, stack.RollbackComplete, "A CREATE_FAILED fake-A-1 Failed to receive 2 resource signal(s) within the specified duration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			manual := clock.NewManual(time.Date(2016, 1, 2, 3, 4, 5, 0, time.UTC))
			l := newLab(t, manual)
			l.create(body, nil)
			if err := manual.BlockUntil(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			for _, sig := range c.signals {
				s := &stack.Stack{ID: l.key.ID, Name: "demo", Account: account, Region: region}
				if err := l.engine.SignalResource(t.Context(), s, "A", sig[0], sig[1]); err != nil {
					t.Fatal(err)
				}
			}
			manual.Advance(c.advance)
			l.wait(c.status, "")
			if events := l.events(); !slices.Contains(events, c.event) {
				t.Errorf("no %q in %q", c.event, events)
			}
		})
	}
}

func TestWaitCondition(t *testing.T) {
	const body = `
Resources:
  H: {Type: 'AWS::CloudFormation::WaitConditionHandle'}
  W: {Type: 'AWS::CloudFormation::WaitCondition', Properties: {Handle: !Ref H, Timeout: '60'}}
Outputs: {Data: {Value: !GetAtt W.Data}}`
	for _, c := range []struct {
		name, signal, status, event, output string
		code                                int
	}{
		{"success", `{"Status":"SUCCESS","Reason":"r","UniqueId":"u","Data":"d"}`, stack.CreateComplete, "W CREATE_COMPLETE", `{"u":"d"}`, 200},
		{"failure", `{"Status":"FAILURE","Reason":"broken","UniqueId":"u"}`, stack.RollbackComplete, "WaitCondition received failed message: 'broken' for uniqueId: u", "", 200},
		{"not a signal", `{"Status":"MAYBE"}`, stack.RollbackComplete, "WaitCondition timed out. Received 0 conditions when expecting 1", "", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			manual := clock.NewManual(time.Date(2016, 1, 2, 3, 4, 5, 0, time.UTC))
			l := newLab(t, manual)
			l.create(body, nil)
			if err := manual.BlockUntil(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			l.engine.HandleHandler().ServeHTTP(w, httptest.NewRequest(http.MethodPut, l.handleURL(), strings.NewReader(c.signal)))
			if w.Code != c.code {
				t.Errorf("answer %d %s, want %d", w.Code, w.Body, c.code)
			}
			if c.code != 200 {
				manual.Advance(time.Minute)
			}
			s := l.wait(c.status, "")
			if text := strings.Join(l.events(), "\n"); !strings.Contains(text, c.event) {
				t.Errorf("no %q in\n%s", c.event, text)
			}
			if c.output != "" && s.Outputs[0].Value != c.output {
				t.Errorf("Data %s, want %s", s.Outputs[0].Value, c.output)
			}
		})
	}
}

func (l *lab) handleURL() (url string) {
	l.t.Helper()
	err := l.db.View(context.Background(), func(tx *store.Tx) error {
		list, err := stack.MembersOf(tx, l.key.ID)
		for _, m := range list {
			if m.LogicalID == "H" {
				url = m.PhysicalID
			}
		}
		return err
	})
	if err != nil || !strings.HasPrefix(url, "http://127.0.0.1:4566"+stack.HandlePrefix) {
		l.t.Fatalf("handle URL %q, %v", url, err)
	}
	return url
}

func TestUnknownHandleIsRefused(t *testing.T) {
	l := newLab(t, clock.System{})
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPut, stack.HandlePrefix+"guess", strings.NewReader(`{"Status":"SUCCESS"}`))
	l.engine.HandleHandler().ServeHTTP(w, req)
	if w.Code != http.StatusForbidden {
		t.Errorf("answer %d", w.Code)
	}
}

func TestExports(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create(chain, nil)
	l.wait(stack.CreateComplete, "")
	first := l.key
	b := l.begin("Resources: {I: {Type: 'Test::Fake::Thing', Properties: {Value: !ImportValue demo-of}}}")
	b.StackID, b.StackName = stack.NewStackID(region, account, "user"), "user"
	s, err := l.engine.Create(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	l.key = s.Key()
	l.wait(stack.CreateComplete, "")
	user := l.key
	l.key = first
	if _, err := l.engine.Delete(t.Context(), first, stack.Begin{}); err != nil {
		t.Fatal(err)
	}
	l.wait(stack.DeleteFailed, "Export demo-of cannot be deleted as it is in use by user")
	for _, k := range []store.Key{user, first} {
		l.key = k
		if _, err := l.engine.Delete(t.Context(), k, stack.Begin{}); err != nil {
			t.Fatal(err)
		}
		l.wait(stack.DeleteComplete, "")
	}
}

func TestCancelUpdate(t *testing.T) {
	l := newLab(t, clock.System{})
	body := "Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: one}}}"
	l.create(body, nil)
	l.wait(stack.CreateComplete, "")
	begun := make(chan struct{})
	hold := true
	l.fake.Before = func(ctx context.Context, method string, _ stack.Request) error {
		if method != "Update" || !hold {
			return nil
		}
		hold = false
		close(begun)
		<-ctx.Done()
		return errors.New("broken off")
	}
	if _, err := l.engine.Update(t.Context(), l.key, l.begin(strings.Replace(body, "one", "two", 1))); err != nil {
		t.Fatal(err)
	}
	<-begun
	if _, err := l.engine.CancelUpdate(t.Context(), l.key, ""); err != nil {
		t.Fatal(err)
	}
	l.wait(stack.UpdateRollbackComplete, "")
	if events := l.events(); !slices.Contains(events, "A UPDATE_FAILED fake-A-1 Resource update cancelled") {
		t.Errorf("events: %q", events)
	}
	if got := l.fake.Items()["fake-A-1"].Value; got != "one" {
		t.Errorf("value %q after the rollback", got)
	}
}
