package access

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/access"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// allow records calls of alice's that passed.
func allow(r *Recorder, action, resource string, services ...string) {
	r.Allowed(aws.Call{Principal: user(alice), Account: account, Service: "iam"},
		aws.Check{Action: action, Resource: resource, Context: map[string][]string{"iam:PassedToService": services}})
}

func calls(t *testing.T, ctx context.Context, r *Recorder) int32 {
	t.Helper()
	out, err := New(Config{Recorder: r}).SuggestPolicy(ctx, &api.SuggestPolicyInput{PrincipalArn: aws.Ptr(alice)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Calls
}

func TestCallsAreCountedToTheLast(t *testing.T) {
	r, ctx := newRecorder(t)
	for n := range int32(3) {
		allow(r, "iam:GetUser", alice)
		if got := calls(t, ctx, r); got != n+1 {
			t.Errorf("after %d calls: %d", n+1, got)
		}
	}
	allow(r, "iam:GetUser", alice)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := r.Run(ended); err != nil {
		t.Fatal(err)
	}
	if got := calls(t, ctx, NewRecorder(r.db, clock.System{})); got != 4 {
		t.Errorf("after a restart: %d calls of 4", got)
	}
}

// What comes before an earlier run's uses are read adds to them.
func TestUsesGoOnAfterARestart(t *testing.T) {
	first, ctx := newRecorder(t)
	allow(first, "iam:PassRole", deploy, "ec2.amazonaws.com")
	if err := first.write(ctx); err != nil {
		t.Fatal(err)
	}
	r := NewRecorder(first.db, clock.System{})
	allow(r, "iam:PassRole", deploy, "ecs.amazonaws.com")
	seen, err := r.usesOf(ctx, account, alice)
	if err != nil || len(seen) != 1 {
		t.Fatalf("%+v, %v", seen, err)
	}
	slices.Sort(seen[0].PassedTo)
	if seen[0].Count != 2 || !slices.Equal(seen[0].PassedTo, []string{"ec2.amazonaws.com", "ecs.amazonaws.com"}) {
		t.Errorf("%+v", seen[0])
	}
}

// Names come and go: what was seen longest ago makes room, in memory and in the table.
func TestUsesAreBounded(t *testing.T) {
	r, ctx := newRecorder(t)
	c := clock.NewManual(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	const kept = 100
	r.clock, r.kept = c, kept
	const last = "arn:aws:iam::" + account + ":user/last"
	call := func(principal string) {
		r.Allowed(aws.Call{Principal: user(principal), Account: account, Service: "iam"}, aws.Check{Action: "iam:GetUser", Resource: principal})
	}
	call(alice)
	if err := r.write(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		c.Advance(time.Millisecond)
		call(fmt.Sprintf("arn:aws:iam::%s:user/%d", account, i))
	}
	call(last)
	for _, step := range []string{"running", "after a restart"} {
		if err := r.write(ctx); err != nil {
			t.Fatal(err)
		}
		if len(r.uses) != kept*9/10 || len(r.counts) != len(r.uses) || len(r.gone) != 0 {
			t.Errorf("%s: %d uses of %d actions, %d to delete", step, len(r.uses), len(r.counts), len(r.gone))
		}
		for principal, want := range map[string]int{alice: 0, last: 1} {
			if seen, err := r.usesOf(ctx, account, principal); err != nil || len(seen) != want {
				t.Errorf("%s: uses of %s: %+v, %v; want %d", step, principal, seen, err, want)
			}
		}
		r = NewRecorder(r.db, c)
		r.kept = kept
	}
}

// Who asks while another writes waits for what that one has taken.
func TestFindWaitsForWriter(t *testing.T) {
	r, ctx := newRecorder(t)
	refuse(r, user(alice), "one")
	written, found := make(chan error, 2), make(chan int, 1)
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		written <- r.db.Update(ctx, func(*store.Tx) error { close(held); <-release; return nil })
	}()
	<-held
	go func() { written <- r.write(ctx) }()
	for waiting := 1; waiting > 0; runtime.Gosched() {
		r.mu.Lock()
		waiting = len(r.refusals)
		r.mu.Unlock()
	}
	go func() {
		rows, err := r.find(ctx, account, "one")
		if err != nil {
			t.Error(err)
		}
		found <- len(rows)
	}()
	if r.writing.TryLock() { // find may not have begun; the writer holds it in any case
		r.writing.Unlock()
		t.Error("the writer lets others ask before its records are there")
	}
	close(release)
	if n := <-found; n != 1 {
		t.Errorf("%d refusals found, want 1", n)
	}
	for range 2 {
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
}
