package elbv2

import (
	"context"
	"testing"

	"github.com/hardstand/hardstand/internal/store"
)

// However often a balancer fails, it rests once, and is tried once after that.
func TestFailuresRestOnce(t *testing.T) {
	j, k := newJobs(), store.Key{ID: "app/a/1"}
	for i, want := range []bool{true, false, false} {
		j.add(k)
		if got, ok := j.next(t.Context()); !ok || got != k {
			t.Fatalf("next is %v, %v", got, ok)
		}
		if got := j.rest(k); got != want {
			t.Errorf("failure %d: a pause begins: %v, want %v", i+1, got, want)
		}
		j.done(k)
	}
	j.wake(k)
	if got, ok := j.next(t.Context()); !ok || got != k {
		t.Fatalf("after the pause: %v, %v", got, ok)
	}
	if !j.rest(k) {
		t.Error("no pause begins after the next failure")
	}
	j.done(k)
	ended, end := context.WithCancel(t.Context())
	end()
	if got, ok := j.next(ended); ok {
		t.Errorf("%v is to be done once more", got)
	}
}
