package stack_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/store"
)

// grouped is a type of groups: it may have an UpdatePolicy, which may replace it.
type grouped struct{ *stacktest.Fake }

func (g grouped) Schema() stack.Schema {
	s := g.Fake.Schema()
	s.UpdatePolicy = true
	return s
}

func (grouped) Replaces(policy, old, properties map[string]any) bool {
	return policy["Replace"] == "yes" && !reflect.DeepEqual(old["Value"], properties["Value"])
}

// newGroupLab is a lab with the type Test::Fake::Group.
func newGroupLab(t *testing.T, c clock.Clock) *lab {
	l := newLab(t, c)
	l.config.Types["Test::Fake::Group"] = grouped{l.fake}
	l.open(0)
	return l
}

// A share of a group's instances may fail.
func TestSuccessfulInstances(t *testing.T) {
	const body = `
Resources:
  A:
    Type: Test::Fake::Group
    CreationPolicy: {ResourceSignal: {Count: 4, Timeout: PT15M}, AutoScalingCreationPolicy: {MinSuccessfulInstancesPercent: 75}}`
	for _, c := range []struct {
		name    string
		signals map[string]string
		advance time.Duration
		status  string
		reason  string
	}{
		{"all", map[string]string{"1": "SUCCESS", "2": "SUCCESS", "3": "SUCCESS", "4": "SUCCESS"}, 0, stack.CreateComplete, ""},
		{"enough", map[string]string{"1": "SUCCESS", "2": "FAILURE", "3": "SUCCESS", "4": "SUCCESS"}, 0, stack.CreateComplete, ""},
		{"enough in time", map[string]string{"1": "SUCCESS", "3": "SUCCESS", "4": "SUCCESS"}, 15 * time.Minute, stack.CreateComplete, ""},
		{"too many fail", map[string]string{"1": "FAILURE", "2": "FAILURE"}, 0, stack.RollbackComplete, "Received 2 FAILURE signal(s) out of 4. Unable to satisfy 75% MinSuccessfulInstancesPercent requirement"},
		{"too few come", map[string]string{"1": "SUCCESS"}, 15 * time.Minute, stack.RollbackComplete, "Received 1 SUCCESS signal(s) out of 4. Unable to satisfy 75% MinSuccessfulInstancesPercent requirement"},
	} {
		t.Run(c.name, func(t *testing.T) {
			manual := clock.NewManual(time.Date(2016, 1, 2, 3, 4, 5, 0, time.UTC))
			l := newGroupLab(t, manual)
			l.create(body, nil)
			if err := manual.BlockUntil(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			for id, status := range c.signals {
				l.signal("A", id, status)
			}
			manual.Advance(c.advance)
			l.wait(c.status, "")
			if want := "A CREATE_FAILED fake-A-1 " + c.reason; c.reason != "" && !slices.Contains(l.events(), want) {
				t.Errorf("no %q in %q", want, l.events())
			}
		})
	}
}

func (l *lab) signal(logicalID, uniqueID, status string) {
	l.t.Helper()
	s := &stack.Stack{ID: l.key.ID, Name: "demo", Account: account, Region: region}
	if err := l.engine.SignalResource(l.t.Context(), s, logicalID, uniqueID, status); err != nil {
		l.t.Error(err) // called beside the test, too
	}
}

// A type that updates in steps gets its policy, says how far it is and hears signals.
func TestUpdateInSteps(t *testing.T) {
	const body = "Resources: {A: {Type: 'Test::Fake::Group', UpdatePolicy: {Pause: !Ref 'AWS::Region'}, Properties: {Value: one}}}"
	l := newGroupLab(t, clock.System{})
	l.create(body, nil)
	l.wait(stack.CreateComplete, "")
	l.fake.Before = func(ctx context.Context, method string, r stack.Request) error {
		if method != "Update" {
			return nil
		}
		if r.UpdatePolicy["Pause"] != region {
			t.Errorf("policy %v", r.UpdatePolicy)
		}
		if err := r.Door.Say(ctx, "one of two"); err != nil {
			return err
		}
		go l.signal("A", "i-1", "FAILURE")
		heard, err := r.Door.Await(ctx, []string{"i-1"}, time.Now().Add(time.Minute))
		if heard["i-1"] != "FAILURE" {
			t.Errorf("heard %v", heard)
		}
		return err
	}
	got := l.update("Resources: {A: {Type: 'Test::Fake::Group', UpdatePolicy: {Pause: !Ref 'AWS::Region'}, Properties: {Value: two}}}", stack.UpdateComplete, "")
	l.want(got, "demo UPDATE_IN_PROGRESS stack User Initiated", "A UPDATE_IN_PROGRESS fake-A-1", "A UPDATE_IN_PROGRESS fake-A-1 one of two",
		"A UPDATE_IN_PROGRESS fake-A-1 Received FAILURE signal with UniqueId i-1", "A UPDATE_COMPLETE fake-A-1",
		"demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS stack", "demo UPDATE_COMPLETE stack")
}

// What has been signalled is forgotten when the resource is done, however it ends, and is
// heard again in its next update.
func TestSignalsEndWithTheUpdate(t *testing.T) {
	const body = "Resources: {A: {Type: 'Test::Fake::Group', %sUpdatePolicy: {Pause: 1}, Properties: {Value: %s}}}"
	l := newGroupLab(t, clock.System{})
	none := func(when string) {
		t.Helper()
		err := l.db.View(t.Context(), func(tx *store.Tx) error {
			rows, err := stack.Signals.List(tx, store.Scope{}, "", 0)
			if len(rows) != 0 {
				t.Errorf("%d signals %s", len(rows), when)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	created := make(chan struct{})
	l.fake.Before = func(ctx context.Context, method string, r stack.Request) error {
		switch {
		case method == "Create":
			close(created)
			return nil
		case method != "Update":
			return nil
		}
		go l.signal("A", "i-1", "SUCCESS")
		heard, err := r.Door.Await(ctx, []string{"i-1"}, time.Now().Add(time.Minute))
		if heard["i-1"] != "SUCCESS" {
			t.Errorf("heard %v", heard)
		}
		if r.Properties["Value"] == "bad" {
			return errors.New("bad value")
		}
		return err
	}
	l.create(fmt.Sprintf(body, "CreationPolicy: {ResourceSignal: {Count: 1}}, ", "one"), nil)
	<-created
	l.signal("A", "i-1", "SUCCESS")
	l.wait(stack.CreateComplete, "")
	none("after the creation")
	said := "A UPDATE_IN_PROGRESS fake-A-1 Received SUCCESS signal with UniqueId i-1"
	if got := l.update(fmt.Sprintf(body, "", "two"), stack.UpdateComplete, ""); !slices.Contains(got, said) {
		t.Errorf("no signal in %q", got)
	}
	none("after an update")
	got := l.update(fmt.Sprintf(body, "", "bad"), stack.UpdateRollbackComplete, "")
	if n := len(slices.DeleteFunc(got, func(s string) bool { return s != said })); n != 2 {
		t.Errorf("%d signals heard by an update and its rollback", n)
	}
	none("after an update that was rolled back")
}

// An UpdatePolicy may ask for another resource.
func TestPolicyReplaces(t *testing.T) {
	l := newGroupLab(t, clock.System{})
	l.create("Resources: {A: {Type: 'Test::Fake::Group', UpdatePolicy: {Replace: 'yes'}, Properties: {Value: one}}}", nil)
	l.wait(stack.CreateComplete, "")
	got := l.update("Resources: {A: {Type: 'Test::Fake::Group', UpdatePolicy: {Replace: 'yes'}, Properties: {Value: two}}}", stack.UpdateComplete, "")
	if !slices.Contains(got, "A DELETE_COMPLETE fake-A-1") || !slices.Contains(got, "A UPDATE_COMPLETE fake-A-2") {
		t.Errorf("%q", got)
	}
}
