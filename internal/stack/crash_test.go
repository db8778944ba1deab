package stack_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

// D, which some stories let fail, waits for all others: what is in flight beside a
// failure is cancelled or not by chance.
const wide = `
Resources:
  A: {Type: 'Test::Fake::Thing', Properties: {Value: one}}
  B: {Type: 'Test::Fake::Thing', Properties: {Value: !GetAtt A.Value}}
  C: {Type: 'Test::Fake::Thing', DependsOn: A}
  D: {Type: 'Test::Fake::Thing', DependsOn: H, Properties: {Any: [!Ref B, !Ref C]}}
  H: {Type: 'AWS::CloudFormation::WaitConditionHandle'}
Outputs: {O: {Value: !Ref D}}
`

// wideReplaced replaces A, and with it B, whose Kind is A's name.
const wideReplaced = `
Resources:
  A: {Type: 'Test::Fake::Thing', Properties: {Kind: new, Value: one}}
  B: {Type: 'Test::Fake::Thing', Properties: {Kind: !Ref A, Value: !GetAtt A.Value}}
  C: {Type: 'Test::Fake::Thing', DependsOn: A}
  D: {Type: 'Test::Fake::Thing', DependsOn: H, Properties: {Any: [!Ref B, !Ref C]}}
  H: {Type: 'AWS::CloudFormation::WaitConditionHandle'}
Outputs: {O: {Value: !Ref D}}
`

const wideChanged = `
Resources:
  A: {Type: 'Test::Fake::Thing', Properties: {Value: changed}}
  B: {Type: 'Test::Fake::Thing', Properties: {Value: !GetAtt A.Value}}
  D: {Type: 'Test::Fake::Thing', Properties: {Any: [!Ref B]}}
  E: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref D}}
Outputs: {O: {Value: !Ref E}}
`

// wideImported takes over what is called old and, where it exists, older.
var wideImported = strings.Replace(wide, "Outputs:", `  Q: {Type: 'Test::Fake::Thing', DeletionPolicy: Retain, Properties: {Name: old}}
  R: {Type: 'Test::Fake::Thing', DeletionPolicy: Retain, DependsOn: Q, Properties: {Name: older}}
Outputs:`, 1)

// A crash test plays a story to its end without a crash, and then once for each
// transaction of the engine, which dies there and is opened again. Each time the
// end must be the same: the stack's status, the events of each resource in their
// order, what exists, and nothing made twice.
func TestCrashAtEveryTransaction(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(context.Context, string, stack.Request) error
		update string
		there  []string // what is there to be imported
		keep   bool     // with DisableRollback, and then RollbackStack
		delete bool
		status string
	}{
		{name: "create", status: stack.CreateComplete},
		{name: "create and delete", delete: true, status: stack.DeleteComplete},
		{name: "failed create", before: refuse("Create", "D"), status: stack.RollbackComplete},
		{name: "update", update: wideChanged, status: stack.UpdateComplete},
		{name: "replacement", update: wideReplaced, status: stack.UpdateComplete},
		{name: "replacement and delete", update: wideReplaced, delete: true, status: stack.DeleteComplete},
		{name: "failed replacement", update: wideReplaced, before: failReplaced, status: stack.UpdateRollbackComplete},
		{name: "kept failure", update: wideChanged, before: refuse("Create", "E"), keep: true, status: stack.UpdateRollbackComplete},
		{name: "import", update: wideImported, there: []string{"old", "older"}, status: stack.ImportComplete},
		{name: "failed import", update: wideImported, there: []string{"old"}, status: stack.ImportRollbackComplete},
		{name: "failed update", update: wideChanged, before: refuse("Create", "E"), status: stack.UpdateRollbackComplete},
	} {
		t.Run(c.name, func(t *testing.T) {
			play := func(n int) (result story, died bool) {
				l := newLab(t, clock.System{})
				l.fake.Before = c.before
				for _, name := range c.there {
					l.fake.Change(name, func(p *stacktest.FakeProperties) { p.Name = &name })
				}
				l.play(wide, nil, n)
				if c.there != nil {
					l.play(c.update, func(b stack.Begin) error {
						b.Imports = map[string]string{"Q": "old", "R": "older"}
						_, err := l.engine.Import(t.Context(), l.key, b)
						return err
					}, n)
				} else if c.update != "" {
					l.play(c.update, func(b stack.Begin) error {
						b.DisableRollback = c.keep
						_, err := l.engine.Update(t.Context(), l.key, b)
						return err
					}, n)
				}
				if c.keep {
					l.play(wide, func(b stack.Begin) error {
						_, err := l.engine.Rollback(t.Context(), l.key, b)
						return err
					}, n)
				}
				if c.delete {
					l.play(wide, func(b stack.Begin) error {
						_, err := l.engine.Delete(t.Context(), l.key, b)
						return err
					}, n)
				}
				return l.story(), l.died
			}
			want, _ := play(0)
			if want.Status != c.status {
				t.Fatalf("ends in %s, want %s: %q", want.Status, c.status, want.Events)
			}
			for n := 1; ; n++ {
				got, died := play(n)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("crash at transaction %d (-whole +crashed):\n%s", n, diff)
				}
				if !died {
					t.Logf("%d transactions", n-1)
					return
				}
			}
		})
	}
}

// failReplaced fails the update of D to a B that was made later than the first four.
func failReplaced(_ context.Context, method string, r stack.Request) error {
	if method != "Update" || r.LogicalID != "D" {
		return nil
	}
	refs := r.Properties["Any"].([]any)
	if n, err := strconv.Atoi(strings.TrimPrefix(refs[0].(string), "fake-B-")); err != nil || n > 4 {
		return errors.New("no")
	}
	return nil
}

// play runs one operation under an engine that dies at its n-th transaction and,
// if it did, under another.
func (l *lab) play(body string, start func(stack.Begin) error, n int) {
	l.t.Helper()
	_ = l.engine.Close()
	died := l.open(n)
	if start == nil {
		l.create(body, nil)
	} else if err := start(l.begin(body)); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	rested, dying := make(chan struct{}), l.engine
	go func() {
		defer close(rested)
		_, _ = dying.Wait(waiting, l.key)
	}()
	select {
	case <-rested:
		return
	case <-died:
		l.died = true
	}
	stop()
	<-rested
	l.reopen()
	if _, err := l.engine.Wait(ctx, l.key); err != nil {
		l.t.Fatalf("does not go on: %v\n%s", err, strings.Join(l.events(), "\n"))
	}
}

// reopen opens the store and an engine as the next process does.
func (l *lab) reopen() {
	l.t.Helper()
	_ = l.engine.Close()
	l.db.Close()
	l.openStore()
	l.open(0)
}

// story is how a play ended. Physical ids are numbered by the order of creation,
// which parallel work leaves open, so they are left out.
type story struct {
	Status, Reason string
	Events         map[string][]string
	Made           int
	Items          []string
	Outputs        int
}

func (l *lab) story() story {
	l.t.Helper()
	s, err := l.engine.Wait(l.t.Context(), l.key)
	if err != nil {
		l.t.Fatal(err)
	}
	out := story{Status: s.Status, Reason: s.Reason, Events: map[string][]string{}, Made: l.fake.Made(), Outputs: len(s.Outputs)}
	for _, line := range l.events() {
		f := strings.SplitN(line, " ", 4)
		text := f[1]
		if len(f) == 4 {
			text += " " + f[3]
		}
		out.Events[f[0]] = append(out.Events[f[0]], text)
	}
	for _, p := range l.fake.Items() {
		out.Items = append(out.Items, fmt.Sprint(p.Value, p.Any != nil))
	}
	slices.Sort(out.Items)
	return out
}

var _ stack.Resource = (*stacktest.Fake)(nil)
