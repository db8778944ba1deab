package stack_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
)

// operate begins an operation and returns the events that it adds.
func (l *lab) operate(start func(stack.Begin) error, body, status, reason string) []string {
	l.t.Helper()
	before := len(l.events())
	if err := start(l.begin(body)); err != nil {
		l.t.Fatal(err)
	}
	l.wait(status, reason)
	return l.events()[before:]
}

func (l *lab) want(got []string, want ...string) {
	l.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		l.t.Errorf("(-want +got)\n%s", diff)
	}
}

const three = `
Resources:
  A: {Type: 'Test::Fake::Thing', Properties: {Value: one}}
  B: {Type: 'Test::Fake::Thing', DependsOn: A, Properties: {Value: one}}
  C: {Type: 'Test::Fake::Thing', DependsOn: B}
`

// A stack that keeps what it has: created in part, mended by an update, failed
// again, and rolled back to nothing, since it never was complete.
func TestDisableRollback(t *testing.T) {
	l := newLab(t, clock.System{})
	l.fake.Before = refuse("Create", "B")
	l.create(three, func(b *stack.Begin) { b.OnFailure, b.DisableRollback = "DO_NOTHING", true })
	l.wait(stack.CreateFailed, "The following resource(s) failed to create: [B]. ")
	update := func(keep bool) func(stack.Begin) error {
		return func(b stack.Begin) error {
			b.DisableRollback = keep
			_, err := l.engine.Update(t.Context(), l.key, b)
			return err
		}
	}
	if err := update(false)(l.begin(three)); !errors.Is(err, stack.ErrBusy) {
		t.Errorf("an update that may roll back: %v", err)
	}
	l.fake.Before = refuse("Create", "C")
	l.want(l.operate(update(true), three, stack.UpdateFailed, "The following resource(s) failed to create: [C]. "),
		"demo UPDATE_IN_PROGRESS stack User Initiated",
		"B DELETE_COMPLETE -",
		"B CREATE_IN_PROGRESS -", "B CREATE_IN_PROGRESS fake-B-2 Resource creation Initiated", "B CREATE_COMPLETE fake-B-2",
		"C CREATE_IN_PROGRESS -", "C CREATE_FAILED - no",
		"demo UPDATE_FAILED stack The following resource(s) failed to create: [C].")
	rollback := func(b stack.Begin) error {
		_, err := l.engine.Rollback(t.Context(), l.key, b)
		return err
	}
	l.operate(rollback, three, stack.RollbackComplete, "")
	l.wantGone()
}

// An update that fails and is kept, upon it another, and the way back over both.
func TestRollbackOverTwoFailedUpdates(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create(three, nil)
	l.wait(stack.CreateComplete, "")
	l.fake.Before = refuse("Update", "B")
	update := func(b stack.Begin) error {
		b.DisableRollback = true
		_, err := l.engine.Update(t.Context(), l.key, b)
		return err
	}
	l.operate(update, strings.ReplaceAll(three, "one", "two"), stack.UpdateFailed, "The following resource(s) failed to update: [B]. ")
	third := strings.ReplaceAll(three, "one", "three") + "  D: {Type: 'Test::Fake::Thing', DependsOn: A}\n"
	l.operate(update, third, stack.UpdateFailed, "The following resource(s) failed to update: [B]. ")
	if got := l.fake.Items()["fake-A-1"].Value; got != "three" {
		t.Errorf("A has %q", got)
	}
	l.fake.Before = nil
	l.want(l.operate(func(b stack.Begin) error {
		_, err := l.engine.Rollback(t.Context(), l.key, b)
		return err
	}, three, stack.UpdateRollbackComplete, ""),
		"demo UPDATE_ROLLBACK_IN_PROGRESS stack User Initiated",
		"A UPDATE_IN_PROGRESS fake-A-1", "A UPDATE_COMPLETE fake-A-1",
		"B UPDATE_IN_PROGRESS fake-B-2", "B UPDATE_COMPLETE fake-B-2",
		"demo UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS stack",
		"D DELETE_IN_PROGRESS fake-D-4", "D DELETE_COMPLETE fake-D-4",
		"demo UPDATE_ROLLBACK_COMPLETE stack")
	for id, p := range l.fake.Items() {
		if p.Value != "one" && id != "fake-C-3" {
			t.Errorf("%s has %q", id, p.Value)
		}
	}
}

func TestReplacementNeedsRollback(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create(pair, nil)
	l.wait(stack.CreateComplete, "")
	events := l.operate(func(b stack.Begin) error {
		b.DisableRollback = true
		_, err := l.engine.Update(t.Context(), l.key, b)
		return err
	}, strings.Replace(pair, "old", "new", 1), stack.UpdateFailed, "The following resource(s) failed to update: [A]. ")
	if want := "A UPDATE_FAILED fake-A-1 Replacement type updates not supported on stack with disable-rollback."; events[2] != want {
		t.Errorf("got %q, want %q", events[2], want)
	}
}

func TestContinueUpdateRollback(t *testing.T) {
	for _, c := range []struct {
		name   string
		skip   []string
		events []string
		err    string
	}{
		{name: "tried again", events: []string{
			"demo UPDATE_ROLLBACK_IN_PROGRESS stack User Initiated",
			"B UPDATE_IN_PROGRESS fake-B-2", "B UPDATE_COMPLETE fake-B-2",
			"demo UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS stack", "demo UPDATE_ROLLBACK_COMPLETE stack"}},
		{name: "skipped", skip: []string{"B"}, events: []string{
			"demo UPDATE_ROLLBACK_IN_PROGRESS stack User Initiated", "B UPDATE_COMPLETE fake-B-2",
			"demo UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS stack", "demo UPDATE_ROLLBACK_COMPLETE stack"}},
		{name: "skip what has not failed", skip: []string{"A"}, err: "Resource [A] is not in the state UPDATE_FAILED and can not be skipped."},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, clock.System{})
			l.create(three, nil)
			l.wait(stack.CreateComplete, "")
			l.fake.Before = refuse("Update", "B")
			l.update(strings.ReplaceAll(three, "one", "two"), stack.UpdateRollbackFailed, "The following resource(s) failed to update: [B]. ")
			l.fake.Before = nil
			start := func(b stack.Begin) error {
				b.Skip = c.skip
				_, err := l.engine.ContinueRollback(t.Context(), l.key, b)
				return err
			}
			if c.err != "" {
				if err := start(l.begin(three)); err == nil || err.Error() != c.err {
					t.Errorf("%v", err)
				}
				return
			}
			l.want(l.operate(start, three, stack.UpdateRollbackComplete, ""), c.events...)
			if events := l.update(three+"  D: {Type: 'Test::Fake::Thing'}\n", stack.UpdateComplete, ""); len(events) != 6 {
				t.Errorf("the next update: %q", events)
			}
		})
	}
}

func TestForceDelete(t *testing.T) {
	l := newLab(t, clock.System{})
	l.create(three, nil)
	l.wait(stack.CreateComplete, "")
	l.fake.Before = refuse("Delete", "C")
	remove := func(force bool) func(stack.Begin) error {
		return func(b stack.Begin) error {
			b.Force = force
			_, err := l.engine.Delete(t.Context(), l.key, b)
			return err
		}
	}
	l.operate(remove(false), three, stack.DeleteFailed, "The following resource(s) failed to delete: [C]. ")
	l.want(l.operate(remove(true), three, stack.DeleteComplete, ""),
		"demo DELETE_IN_PROGRESS stack User Initiated",
		"C DELETE_IN_PROGRESS fake-C-3", "C DELETE_SKIPPED fake-C-3 no",
		"B DELETE_IN_PROGRESS fake-B-2", "B DELETE_COMPLETE fake-B-2",
		"A DELETE_IN_PROGRESS fake-A-1", "A DELETE_COMPLETE fake-A-1",
		"demo DELETE_COMPLETE stack")
}
