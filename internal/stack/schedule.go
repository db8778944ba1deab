package stack

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/hardstand/hardstand/internal/stack/template"
)

// maxParallel bounds how many resources of one stack are worked on at once.
const maxParallel = 32

var errSibling = errors.New("another resource of the stack failed")

// schedule runs work for every id of g, each when those it waits for are done,
// in parallel where the graph allows. It returns when all work that was begun
// has ended.
//
// With keepGoing a failure stops only what waits for it; without it, the first
// failure cancels the ctx of the others with errSibling. Nothing is begun once
// ctx has ended.
func schedule(ctx context.Context, g template.Graph, keepGoing bool, work func(ctx context.Context, id string) error) (failed map[string]error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type outcome struct {
		id  string
		err error
	}
	done := make(chan outcome)
	failed = map[string]error{}
	ready, waits, dependents := order(g)
	running := 0
	for {
		for len(ready) > 0 && running < maxParallel && ctx.Err() == nil {
			id := ready[0]
			ready = ready[1:]
			running++
			go func() { done <- outcome{id, guard(ctx, id, work)} }()
		}
		if running == 0 {
			return failed
		}
		o := <-done
		running--
		if o.err != nil {
			failed[o.id] = o.err
			if !keepGoing {
				cancel(errSibling)
			}
			continue
		}
		for _, d := range dependents[o.id] {
			if waits[d]--; waits[d] == 0 {
				ready = append(ready, d)
			}
		}
	}
}

// unrecorded is a change that has happened and could not be written.
type unrecorded struct{ err error }

func (u *unrecorded) Error() string { return "record a change: " + u.err.Error() }
func (u *unrecorded) Unwrap() error { return u.err }

// lost returns the first error of a phase whose outcome is not in the store: the
// phase must be done again from the rows.
func lost(failed map[string]error) error {
	for _, err := range failed {
		if u := (*unrecorded)(nil); errors.As(err, &u) {
			return u
		}
	}
	return nil
}

// order returns the ids that wait for nothing, how many each waits for, and who
// waits for whom.
func order(g template.Graph) (ready []string, waits map[string]int, dependents map[string][]string) {
	waits, dependents = map[string]int{}, map[string][]string{}
	for id, deps := range g {
		for _, d := range deps {
			if _, ok := g[d]; ok {
				waits[id]++
				dependents[d] = append(dependents[d], id)
			}
		}
		if waits[id] == 0 {
			ready = append(ready, id)
		}
	}
	slices.Sort(ready)
	for _, list := range dependents {
		slices.Sort(list)
	}
	return ready, waits, dependents
}

// guard turns a panic of a resource type into a failure of its resource: one bad
// type must not end the server.
func guard(ctx context.Context, id string, work func(context.Context, string) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal failure: %v\n%s", p, debug.Stack())
		}
	}()
	return work(ctx, id)
}

// reverse returns g with all edges turned round.
func reverse(g template.Graph) template.Graph {
	out := template.Graph{}
	for id := range g {
		out[id] = append(out[id], []string{}...)
	}
	for id, deps := range g {
		for _, d := range deps {
			if _, ok := g[d]; ok {
				out[d] = append(out[d], id)
			}
		}
	}
	return out
}
