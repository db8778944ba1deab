package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

func testSweepWhenDue(t *testing.T, cfg store.Config) {
	hand := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	cfg.Clock = hand
	db := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	next, swept, ended := make(chan time.Time), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- db.SweepWhenDue(ctx, store.Filter{Service: "ec2"}, func(context.Context) (time.Time, error) {
			swept <- struct{}{}
			return <-next, nil
		})
	}()
	<-swept // at once
	next <- time.Time{}
	emit(t, db, store.Event{Service: "ec2"})
	<-swept // for the event
	next <- hand.Now().Add(time.Hour)
	if err := hand.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	hand.Advance(time.Hour)
	<-swept // for the time
	cancel()
	next <- time.Time{}
	wantIs(t, "end of the sweeps", <-ended, context.Canceled)
}

func testWorkOff(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var done []string
	put(t, db, key("b"), thing{})
	put(t, db, key("a"), thing{})
	err := things.WorkOff(ctx, db, store.Filter{Service: "ec2"}, func(ctx context.Context, r store.Row[thing]) error {
		if done = append(done, r.Key.ID); r.Key.ID == "c" {
			cancel()
			return ctx.Err()
		}
		return db.Update(ctx, func(tx *store.Tx) error {
			if r.Key.ID == "b" {
				if err := things.Put(tx, key("c"), &thing{}); err != nil {
					return err
				}
				tx.Emit(store.Event{Service: "ec2"})
			}
			return things.Delete(tx, r.Key)
		})
	})
	if want := []string{"a", "b", "c"}; err != nil || !slices.Equal(done, want) {
		t.Errorf("worked off %v, %v, want %v and no error when stopped", done, err, want)
	}
	broken := errors.New("broken")
	err = things.WorkOff(t.Context(), db, store.Filter{}, func(context.Context, store.Row[thing]) error { return broken })
	wantIs(t, "work that fails", err, broken)
}

func testDue(t *testing.T, cfg store.Config) {
	hand := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	cfg.Clock = hand
	db := open(t, cfg)
	times := map[string]time.Time{"past": hand.Now().Add(-1), "now": hand.Now(), "later": hand.Now().Add(2), "soon": hand.Now().Add(1)}
	for name := range times {
		put(t, db, key(name), thing{Name: name})
	}
	put(t, db, key("never"), thing{Name: "never"})
	view(t, db, func(tx *store.Tx) error {
		due, next, err := things.Due(tx, func(th *thing) time.Time { return times[th.Name] })
		if want := []store.Key{key("now"), key("past")}; !slices.Equal(due, want) || !next.Equal(times["soon"]) {
			t.Errorf("due are %v, next at %v, want %v and %v", due, next, want, times["soon"])
		}
		return err
	})
}
