package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// aging is the suite's row that grows old.
type aging struct {
	Name string
	At   time.Time
}

var agings = store.Table[aging]{Name: "test.aging", Version: 1, Indexes: []store.Index[aging]{
	store.TimeIndex("at", func(v *aging) time.Time { return v.At }),
}}

// testExpire moves the clock over rows, in one batch and in several, with and without
// what belongs to them.
func testExpire(t *testing.T, cfg store.Config) {
	for _, own := range []bool{false, true} {
		hand := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		cfg.Clock = hand
		db := open(t, cfg)
		add := func(n int, at time.Time) {
			update(t, db, func(tx *store.Tx) error {
				for i := range n {
					if err := agings.Put(tx, key(fmt.Sprint(at.UnixNano(), i)), &aging{At: at}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		left := func(when string, want int) {
			t.Helper()
			if err := hand.BlockUntil(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			view(t, db, func(tx *store.Tx) error {
				rows, err := agings.List(tx, store.Scope{}, "", 0)
				if len(rows) != want {
					t.Errorf("own %v, %s: %d rows, want %d", own, when, len(rows), want)
				}
				return err
			})
		}
		removed := 0
		var remove func(context.Context, store.Row[aging]) error
		if own {
			remove = func(ctx context.Context, r store.Row[aging]) error {
				removed++
				return db.Update(ctx, func(tx *store.Tx) error { return agings.Delete(tx, r.Key) })
			}
		}
		add(1, time.Time{}) // stays
		add(250, hand.Now().Add(-time.Hour))
		add(2, hand.Now().Add(-time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- agings.Expire(ctx, db, "at", time.Hour, remove) }()
		left("not before the hour is over", 253)
		hand.Advance(time.Second)
		left("an hour", 3)
		add(1, hand.Now())
		hand.Advance(time.Hour - time.Minute)
		left("the next two", 2)
		hand.Advance(time.Minute)
		hand.Advance(time.Second)
		left("what came meanwhile", 1)
		cancel()
		wantIs(t, "end of expiring", <-ended, context.Canceled)
		if own && removed != 253 {
			t.Errorf("removed %d", removed)
		}
		update(t, db, func(tx *store.Tx) error {
			rows, err := agings.List(tx, store.Scope{}, "", 0)
			for _, r := range rows {
				err = agings.Delete(tx, r.Key)
			}
			return err
		})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
