package stack_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
)

// chained is a template of n resources in chains of ten; the first changed of them
// have another value.
func chained(n, changed int) string {
	var b strings.Builder
	b.WriteString("Resources:\n")
	for i := range n {
		value := "one"
		if i < changed {
			value = "two"
		}
		fmt.Fprintf(&b, "  R%d: {Type: 'Test::Fake::Thing', Properties: {Value: %s", i, value)
		if i%10 > 0 {
			fmt.Fprintf(&b, ", Any: !Ref R%d", i-1)
		}
		b.WriteString("}}\n")
	}
	return b.String()
}

// bench is an engine on a store that syncs, as a server's does.
type bench struct {
	b      *testing.B
	db     *store.DB
	engine *stack.Engine
}

func newBench(b *testing.B) *bench {
	b.Helper()
	db, err := store.Open(b.Context(), store.Config{Dir: b.TempDir(), Clock: clock.System{}})
	if err != nil {
		b.Fatal(err)
	}
	e := stack.New(stack.Config{DB: db, Sealer: storetest.NewSealer(b), Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Types: stack.Registry{"Test::Fake::Thing": stacktest.NewFake()}, Outside: outside{}, Endpoint: "http://127.0.0.1:4566"})
	b.Cleanup(func() { _ = e.Close(); _ = db.Close() })
	return &bench{b, db, e}
}

func (x *bench) begin(id, body string) stack.Begin {
	x.b.Helper()
	tpl, err := template.Parse(body)
	if err != nil {
		x.b.Fatal(err)
	}
	spec, err := x.engine.NewSpec(id, body, tpl, nil)
	if err != nil {
		x.b.Fatal(err)
	}
	return stack.Begin{Caller: aws.Principal{Type: aws.PrincipalUser}, Operation: "CreateStack", Spec: &spec, StackID: id, StackName: id, Account: account, Region: region}
}

func (x *bench) create(name, body string) *stack.Stack {
	x.b.Helper()
	s, err := x.engine.Create(x.b.Context(), x.begin(name, body))
	if err != nil {
		x.b.Fatal(err)
	}
	return x.rest(s, stack.CreateComplete)
}

func (x *bench) rest(s *stack.Stack, status string) *stack.Stack {
	x.b.Helper()
	s, err := x.engine.Wait(x.b.Context(), s.Key())
	if err != nil || s.Status != status {
		x.b.Fatalf("%s: %s, %v", s.Status, s.Reason, err)
	}
	return s
}

func BenchmarkCreate(b *testing.B) {
	for _, n := range []int{50, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x, body := newBench(b), chained(n, 0)
			for i := 0; b.Loop(); i++ {
				x.create(fmt.Sprintf("s%d", i), body)
			}
		})
	}
}

func BenchmarkUpdateOf50In500(b *testing.B) {
	x := newBench(b)
	s := x.create("s", chained(500, 0))
	for i := 0; b.Loop(); i++ {
		up := x.begin("s", chained(500, 50*(1-i%2)))
		if _, err := x.engine.Update(b.Context(), s.Key(), up); err != nil {
			b.Fatal(err)
		}
		x.rest(s, stack.UpdateComplete)
	}
}

func BenchmarkDiffOf500(b *testing.B) {
	x := newBench(b)
	s := x.create("s", chained(500, 0))
	for b.Loop() {
		spec := x.begin("s", chained(500, 50)).Spec
		old, err := x.engine.ScopeOf(s, &s.Spec)
		if err != nil {
			b.Fatal(err)
		}
		next, err := x.engine.ScopeOf(s, spec)
		if err != nil {
			b.Fatal(err)
		}
		changes, err := x.engine.Diff(b.Context(), s, old, next, false)
		if err != nil || len(changes) != 50 {
			b.Fatal(len(changes), err)
		}
	}
}

func BenchmarkDelete500(b *testing.B) {
	x := newBench(b)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		s := x.create(fmt.Sprintf("s%d", i), chained(500, 0))
		b.StartTimer()
		if _, err := x.engine.Delete(b.Context(), s.Key(), stack.Begin{}); err != nil {
			b.Fatal(err)
		}
		x.rest(s, stack.DeleteComplete)
	}
}

// BenchmarkPageOf2000Events reads a page from the middle.
func BenchmarkPageOf2000Events(b *testing.B) {
	x := newBench(b)
	s := x.create("s", chained(500, 0))
	if _, err := x.engine.Delete(b.Context(), s.Key(), stack.Begin{}); err != nil {
		b.Fatal(err)
	}
	x.rest(s, stack.DeleteComplete)
	middle := x.db.LastSeq() / 2
	for b.Loop() {
		err := x.db.View(context.Background(), func(tx *store.Tx) error {
			list, err := stack.EventsBefore(tx, s, middle, 100)
			if len(list) != 100 {
				b.Fatal(len(list))
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// Fifty stacks of twenty resources at once.
func BenchmarkFiftyStacks(b *testing.B) {
	x, body := newBench(b), chained(20, 0)
	for i := 0; b.Loop(); i++ {
		var all []*stack.Stack
		for j := range 50 {
			s, err := x.engine.Create(b.Context(), x.begin(fmt.Sprintf("s%d-%d", i, j), body))
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, s)
		}
		for _, s := range all {
			x.rest(s, stack.CreateComplete)
		}
	}
}
