package store

import (
	"context"
	"time"
)

// SweepWhenDue calls sweep at once, at each event that matches f and when the time
// has come that sweep returned, until ctx ends (its error is returned) or sweep
// fails. A zero time means that nothing will be due before an event.
func (db *DB) SweepWhenDue(ctx context.Context, f Filter, sweep func(context.Context) (next time.Time, err error)) error {
	for {
		changed := db.Changed(f)
		next, err := sweep(ctx)
		if err != nil {
			return err
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = db.clock.After(next.Sub(db.clock.Now()))
			if !db.clock.Now().Before(next) && ctx.Err() == nil {
				continue // the clock was moved while the timer was set
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-due:
		}
	}
}

// Due returns the keys of the rows whose time has come and the earliest time of the
// others, zero when none has any. at returns a row's time, zero for never.
func (t *Table[T]) Due(tx *Tx, at func(*T) time.Time) (due []Key, next time.Time, err error) {
	rows, err := t.List(tx, Scope{}, "", 0)
	for _, r := range rows {
		switch when := at(r.Value); {
		case when.IsZero():
		case !tx.Now().Before(when):
			due = append(due, r.Key)
		case next.IsZero() || when.Before(next):
			next = when
		}
	}
	return due, next, err
}

// queuePage is how many rows WorkOff reads at once.
const queuePage = 64

// WorkOff uses a table as a queue: it calls do for each row in the order of the keys,
// then for those that come with events that match f. do deletes its row, else it is
// called again. WorkOff returns when do or reading fails, and nil when ctx ends.
func (t *Table[T]) WorkOff(ctx context.Context, db *DB, f Filter, do func(context.Context, Row[T]) error) error {
	for ctx.Err() == nil {
		changed := db.Changed(f)
		var rows []Row[T]
		err := db.View(ctx, func(tx *Tx) (err error) {
			rows, err = t.List(tx, Scope{}, "", queuePage)
			return err
		})
		for i := 0; i < len(rows) && err == nil; i++ {
			err = do(ctx, rows[i])
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		if len(rows) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return nil
}
