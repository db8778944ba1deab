package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

func testEvents(t *testing.T, cfg store.Config) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	cfg.Clock = clock.NewManual(at)
	db := open(t, cfg)
	want := store.Event{
		Seq: 2, Time: at, Account: "1", Region: "r", Service: "ec2", Resource: "i-1", Kind: "state",
		Cause: "asked", RequestID: "req", Body: []byte(`{"a":1}`),
	}
	update(t, db, func(tx *store.Tx) error {
		tx.Emit(store.Event{Service: "s3", Kind: "made"})
		e := want
		e.Seq, e.Time = 0, time.Time{}
		tx.Emit(e)
		return nil
	})
	for _, f := range []store.Filter{
		{Account: "1"}, {Region: "r"}, {Service: "ec2"}, {Resource: "i-1"}, {Kind: "state"},
		{Account: "1", Region: "r", Service: "ec2", Resource: "i-1", Kind: "state"},
	} {
		got, err := db.Events(t.Context(), 0, f, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]store.Event{want}, got); diff != "" {
			t.Errorf("%+v: %s", f, diff)
		}
	}
	if got, _ := db.Events(t.Context(), 0, store.Filter{}, 1); len(got) != 1 || got[0].Seq != 1 {
		t.Errorf("first event: %+v", got)
	}
	var newest []store.Event
	err := db.View(t.Context(), func(tx *store.Tx) (err error) {
		if newest, err = tx.EventsBefore(0, store.Filter{}, 1); err != nil || len(newest) != 1 || newest[0].Seq != 2 {
			return fmt.Errorf("newest %+v: %w", newest, err)
		}
		newest, err = tx.EventsBefore(newest[0].Seq, store.Filter{}, 5)
		return err
	})
	if err != nil || len(newest) != 1 || newest[0].Seq != 1 {
		t.Errorf("before the newest: %+v, %v", newest, err)
	}
	if got, _ := db.Events(t.Context(), 2, store.Filter{}, 0); len(got) != 0 {
		t.Errorf("events behind the last: %+v", got)
	}
}

func emit(t *testing.T, db *store.DB, e store.Event) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { tx.Emit(e); return nil })
}

func testWatch(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	emit(t, db, store.Event{Service: "ec2", Resource: "1"})
	emit(t, db, store.Event{Service: "s3", Resource: "2"})
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string)
	ended := make(chan error, 1)
	go func() {
		for e, err := range db.Watch(ctx, 0, store.Filter{Service: "ec2"}) {
			if err != nil {
				ended <- err
				return
			}
			got <- e.Resource
		}
	}()
	expect := func(want string) {
		t.Helper()
		if r := <-got; r != want {
			t.Errorf("watched %q, want %q", r, want)
		}
	}
	expect("1")
	emit(t, db, store.Event{Service: "ec2", Resource: "3"})
	expect("3")
	emit(t, db, store.Event{Service: "s3", Resource: "4"})
	emit(t, db, store.Event{Service: "ec2", Resource: "5"})
	expect("5")
	cancel()
	wantIs(t, "end of the watch", <-ended, context.Canceled)
}

func testChanged(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	changed := db.Changed(store.Filter{Resource: "mine"})
	emit(t, db, store.Event{Resource: "other"})
	select {
	case <-changed:
		t.Error("woken by another resource's event")
	default:
	}
	emit(t, db, store.Event{Resource: "mine"})
	<-changed
}
