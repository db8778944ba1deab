package stack_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
)

const pair = `
Resources:
  A: {Type: 'Test::Fake::Thing', Properties: {Kind: old, Value: v}}
  B: {Type: 'Test::Fake::Thing', Properties: {Any: !Ref A}}
`

// refuse lets one method of one resource fail.
func refuse(method, id string) func(context.Context, string, stack.Request) error {
	return func(_ context.Context, m string, r stack.Request) error {
		if m == method && (r.LogicalID == id || r.PhysicalID == id) {
			return errors.New("no")
		}
		return nil
	}
}

func TestReplacement(t *testing.T) {
	toNew := strings.NewReplacer("Kind: old", "Kind: new")
	for _, c := range []struct {
		name, before, after string
		fake                func(context.Context, string, stack.Request) error
		status, reason      string
		events              []string
		left                []string // physical ids
	}{
		{
			name: "dependents follow, the old one goes", before: pair, after: toNew.Replace(pair), status: stack.UpdateComplete,
			events: []string{
				"A UPDATE_IN_PROGRESS fake-A-1 Requested update requires the creation of a new physical resource; hence creating one.",
				"A UPDATE_IN_PROGRESS fake-A-3 Resource creation Initiated", "A UPDATE_COMPLETE fake-A-3",
				"B UPDATE_IN_PROGRESS fake-B-2", "B UPDATE_COMPLETE fake-B-2",
				"demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS stack",
				"A DELETE_IN_PROGRESS fake-A-1", "A DELETE_COMPLETE fake-A-1",
			},
			left: []string{"fake-A-3", "fake-B-2"},
		},
		{
			name: "UpdateReplacePolicy", before: pair, status: stack.UpdateComplete,
			after: strings.Replace(toNew.Replace(pair), "A: {", "A: {UpdateReplacePolicy: Retain, ", 1),
			events: []string{
				"A UPDATE_IN_PROGRESS fake-A-1 Requested update requires the creation of a new physical resource; hence creating one.",
				"A UPDATE_IN_PROGRESS fake-A-3 Resource creation Initiated", "A UPDATE_COMPLETE fake-A-3",
				"B UPDATE_IN_PROGRESS fake-B-2", "B UPDATE_COMPLETE fake-B-2",
				"demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS stack", "A DELETE_SKIPPED fake-A-1",
			},
			left: []string{"fake-A-1", "fake-A-3", "fake-B-2"},
		},
		{
			name: "custom name", before: strings.Replace(pair, "Kind: old", "Kind: old, Name: mine", 1),
			after:  strings.Replace(pair, "Kind: old", "Kind: new, Name: mine", 1),
			status: stack.UpdateRollbackComplete,
			events: []string{
				"A UPDATE_IN_PROGRESS mine",
				"A UPDATE_FAILED mine CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename mine and update the stack again.",
				"demo UPDATE_ROLLBACK_IN_PROGRESS stack The following resource(s) failed to update: [A].",
				"A UPDATE_IN_PROGRESS mine", "A UPDATE_COMPLETE mine",
				"demo UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS stack",
			},
			left: []string{"fake-B-2", "mine"},
		},
		{
			name: "rolled back", before: pair, after: toNew.Replace(pair), fake: refuse("Update", "B"), status: stack.UpdateRollbackFailed,
			reason: "The following resource(s) failed to update: [B]. ",
			events: []string{
				"A UPDATE_IN_PROGRESS fake-A-1 Requested update requires the creation of a new physical resource; hence creating one.",
				"A UPDATE_IN_PROGRESS fake-A-3 Resource creation Initiated", "A UPDATE_COMPLETE fake-A-3",
				"B UPDATE_IN_PROGRESS fake-B-2", "B UPDATE_FAILED fake-B-2 no",
				"demo UPDATE_ROLLBACK_IN_PROGRESS stack The following resource(s) failed to update: [B].",
				"A UPDATE_IN_PROGRESS fake-A-1", "A UPDATE_COMPLETE fake-A-1",
				"B UPDATE_IN_PROGRESS fake-B-2", "B UPDATE_FAILED fake-B-2 no",
			},
			left: []string{"fake-A-1", "fake-A-3", "fake-B-2"},
		},
		{
			name: "the new one fails", before: pair, after: toNew.Replace(pair), fake: failNew, status: stack.UpdateRollbackComplete,
			events: []string{
				"A UPDATE_IN_PROGRESS fake-A-1 Requested update requires the creation of a new physical resource; hence creating one.",
				"A UPDATE_IN_PROGRESS fake-A-3 Resource creation Initiated", "A UPDATE_FAILED fake-A-3 no",
				"demo UPDATE_ROLLBACK_IN_PROGRESS stack The following resource(s) failed to update: [A].",
				"A UPDATE_IN_PROGRESS fake-A-1", "A UPDATE_COMPLETE fake-A-1",
				"demo UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS stack",
				"A DELETE_IN_PROGRESS fake-A-3", "A DELETE_COMPLETE fake-A-3",
			},
			left: []string{"fake-A-1", "fake-B-2"},
		},
		{
			name: "the old one stays three times", before: pair, after: toNew.Replace(pair), fake: refuse("Delete", "fake-A-1"), status: stack.UpdateComplete,
			reason: "Update successful. One or more resources could not be deleted.",
			events: []string{
				"A UPDATE_IN_PROGRESS fake-A-1 Requested update requires the creation of a new physical resource; hence creating one.",
				"A UPDATE_IN_PROGRESS fake-A-3 Resource creation Initiated", "A UPDATE_COMPLETE fake-A-3",
				"B UPDATE_IN_PROGRESS fake-B-2", "B UPDATE_COMPLETE fake-B-2",
				"demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS stack",
				"A DELETE_IN_PROGRESS fake-A-1", "A DELETE_FAILED fake-A-1 no", "A DELETE_IN_PROGRESS fake-A-1", "A DELETE_FAILED fake-A-1 no",
				"A DELETE_IN_PROGRESS fake-A-1", "A DELETE_FAILED fake-A-1 no",
			},
			left: []string{"fake-A-1", "fake-A-3", "fake-B-2"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, clock.System{})
			l.create(c.before, nil)
			l.wait(stack.CreateComplete, "")
			if l.fake.Before = c.fake; c.name == "the new one fails" {
				l.fake.Before, l.fake.Started = nil, func(ctx context.Context, r stack.Request) error { return failNew(ctx, "", r) }
			}
			events := l.update(c.after, c.status, c.reason)
			if diff := cmp.Diff(c.events, events[1:len(events)-1]); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			var left []string
			for id := range l.fake.Items() {
				left = append(left, id)
			}
			slices.Sort(left)
			if diff := cmp.Diff(c.left, left); diff != "" {
				t.Errorf("left (-want +got)\n%s", diff)
			}
			if got := l.fake.Items()["fake-B-2"].Any; c.status == stack.UpdateComplete && got != "fake-A-3" {
				t.Errorf("B refers to %v", got)
			}
		})
	}
}

// failNew fails a creation after it has been announced.
func failNew(_ context.Context, _ string, r stack.Request) error {
	if r.Properties["Kind"] == "new" {
		return errors.New("no")
	}
	return nil
}

func TestConditionThatTurnsFalseRemoves(t *testing.T) {
	l := newLab(t, clock.System{})
	body := `
Conditions: {C: !Equals [a, a]}
Resources: {A: {Type: 'Test::Fake::Thing'}, B: {Type: 'Test::Fake::Thing', Condition: C, DeletionPolicy: RetainExceptOnCreate}}`
	l.create(body, nil)
	l.wait(stack.CreateComplete, "")
	events := l.update(strings.Replace(body, "[a, a]", "[a, b]", 1), stack.UpdateComplete, "")
	if diff := cmp.Diff("B DELETE_SKIPPED fake-B-2", strings.Replace(events[2], "-1", "-2", 1)); diff != "" {
		t.Error(diff)
	}
}

// An update that is cancelled while a replacement is being made deletes what was
// begun and keeps the old one.
func TestCancelDuringReplacement(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create(pair, nil)
	l.wait(stack.CreateComplete, "")
	begun := make(chan struct{})
	l.fake.Started = func(ctx context.Context, _ stack.Request) error {
		close(begun)
		<-ctx.Done()
		return errors.New("broken off")
	}
	if _, err := l.engine.Update(t.Context(), l.key, l.begin(strings.Replace(pair, "old", "new", 1))); err != nil {
		t.Fatal(err)
	}
	<-begun
	if _, err := l.engine.CancelUpdate(t.Context(), l.key, ""); err != nil {
		t.Fatal(err)
	}
	l.wait(stack.UpdateRollbackComplete, "")
	if events := l.events(); !slices.Contains(events, "A UPDATE_FAILED fake-A-3 Resource update cancelled") || !slices.Contains(events, "A DELETE_COMPLETE fake-A-3") {
		t.Errorf("events: %q", events)
	}
	if items := l.fake.Items(); len(items) != 2 || items["fake-B-2"].Any != "fake-A-1" {
		t.Errorf("left: %v", items)
	}
}
