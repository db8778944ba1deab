package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// testPrune lets a server run for days: what is old goes in whole batches, but for the
// newest, what is excepted, and what is young.
func testPrune(t *testing.T, cfg store.Config) {
	hand := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	cfg.Clock = hand
	db := open(t, cfg)
	keep := store.Retention{Age: 24 * time.Hour, Count: 600, Except: []store.Filter{{Service: "cloudformation", Kind: "stack-event"}}}
	emitMany(t, db, 1000)
	emit(t, db, store.Event{Service: "cloudformation", Resource: "stack", Kind: "stack-event"}) // 1001
	emitMany(t, db, 899)
	stop := prune(t, db, hand, keep)
	oldest(t, "all young", db, 1)
	hand.Advance(25 * time.Hour)
	if err := hand.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	oldest(t, "1300 of 1900 are not among the newest 600", db, 1001)
	if got, err := db.Events(t.Context(), 0, keep.Except[0], 0); err != nil || len(got) != 1 {
		t.Errorf("excepted events: %v, %v", got, err)
	}
	if _, err := db.Events(t.Context(), 1300, store.Filter{Service: "ec2"}, 1); err != nil {
		t.Errorf("a reader who has missed nothing: %v", err)
	}
	_, err := db.Events(t.Context(), 1299, store.Filter{Service: "ec2"}, 1)
	wantIs(t, "a reader who has missed events", err, store.ErrPruned)
	for _, err := range db.Watch(t.Context(), 1, store.Filter{}) {
		wantIs(t, "a watcher who has missed events", err, store.ErrPruned)
	}
	emitMany(t, db, 600)
	stop()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	hand = clock.NewManual(hand.Now())
	cfg.Clock = hand
	db = open(t, cfg)
	_, err = db.Events(t.Context(), 1299, store.Filter{}, 1)
	wantIs(t, "a reader of the next server", err, store.ErrPruned)
	defer prune(t, db, hand, keep)()
	oldest(t, "the next 600", db, 1001)
	view(t, db, func(tx *store.Tx) error {
		events, err := tx.Events(0, store.Filter{Service: "ec2"}, 1)
		if err != nil || events[0].Seq != 1901 {
			return fmt.Errorf("oldest of the others: %+v, %w", events, err)
		}
		return nil
	})
	update(t, db, func(tx *store.Tx) error {
		more, err := tx.DeleteEvents(store.Filter{Service: "cloudformation", Resource: "stack"}, 5)
		if more {
			t.Error("there is more of one")
		}
		return err
	})
	oldest(t, "the owner has removed its own", db, 1901)
}

// testWatchPruned has watchers that wait while what they have seen is removed: those of
// rare events have missed nothing.
func testWatchPruned(t *testing.T, cfg store.Config) {
	hand := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	cfg.Clock = hand
	db := open(t, cfg)
	emit(t, db, store.Event{Kind: "rare", Resource: "1"})
	got, ended := make(chan string), make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range db.Watch(t.Context(), 0, store.Filter{Kind: "rare"}) {
			if err != nil {
				return
			}
			got <- e.Resource
		}
	}()
	if r := <-got; r != "1" {
		t.Errorf("watched %s", r)
	}
	emitMany(t, db, 2000)
	hand.Advance(time.Hour)
	defer prune(t, db, hand, store.Retention{Age: time.Minute, Count: 10})()
	oldest(t, "19 batches", db, 1901)
	emit(t, db, store.Event{Kind: "rare", Resource: "2"})
	select {
	case r := <-got:
		if r != "2" {
			t.Errorf("watched %s", r)
		}
	case <-ended:
		t.Error("the watch has ended though it has missed nothing")
	}
}

// emitMany emits n events in one transaction.
func emitMany(t *testing.T, db *store.DB, n int) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		for range n {
			tx.Emit(store.Event{Service: "ec2", Resource: "i-1", Kind: "state"})
		}
		return nil
	})
}

// prune runs Prune and returns when it pauses.
func prune(t *testing.T, db *store.DB, hand *clock.Manual, keep store.Retention) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- db.Prune(ctx, keep) }()
	if err := hand.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return func() {
		cancel()
		wantIs(t, "end of pruning", <-ended, context.Canceled)
	}
}

func oldest(t *testing.T, when string, db *store.DB, want int64) {
	t.Helper()
	got, err := db.Events(t.Context(), 0, store.Filter{}, 1)
	if err != nil || len(got) != 1 || got[0].Seq != want {
		t.Errorf("%s: oldest event is %+v, %v, want %d", when, got, err, want)
	}
}
