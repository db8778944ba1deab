package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// ErrPruned is what a reader of events gets who is behind what is kept: it starts over
// from the rows. Beginning at 0 is no error; it yields what there is.
var ErrPruned = errors.New("events that were not read yet have been removed")

// Retention says which events are kept: those younger than Age, the newest Count, and
// those that match one of Except, which their owner removes (Tx.DeleteEvents).
type Retention struct {
	Age    time.Duration
	Count  int64
	Except []Filter
}

const (
	// pruneBatch is how many events one transaction looks at. It shares its commit with
	// the writers that wait at the same time, and delays them by a few milliseconds;
	// prunePause is the machine's time that it then leaves to them.
	pruneBatch = 100
	prunePause = 20 * time.Millisecond
	// pruneEvery is the pause between rounds.
	pruneEvery = time.Hour
)

// pruned is how far events have been pruned.
type pruned struct{ Seq int64 }

var prunedRows = Table[pruned]{Name: "store.pruned", Version: 1}

var prunedKey = Key{ID: "events"}

// Prune removes the events that nobody needs any more, until ctx ends.
func (db *DB) Prune(ctx context.Context, keep Retention) error {
	for {
		if err := db.pruneRound(ctx, keep); err != nil {
			return err
		}
		if err := clock.Sleep(ctx, db.clock, pruneEvery); err != nil {
			return err
		}
	}
}

// pruneRound works in batches, each an update like others that wait for their turn.
func (db *DB) pruneRound(ctx context.Context, keep Retention) error {
	for more := true; more; {
		err := db.Update(ctx, func(tx *Tx) (err error) {
			more, err = tx.prune(keep)
			return err
		})
		if err != nil || !more {
			return err
		}
		if err := clock.Sleep(ctx, clock.System{}, prunePause); err != nil {
			return err
		}
	}
	return nil
}

// prune removes the next batch, if all of it is old enough.
func (tx *Tx) prune(keep Retention) (more bool, err error) {
	done, err := prunedRows.Get(tx, prunedKey)
	switch {
	case errors.Is(err, ErrNotFound):
		done = &pruned{}
	case err != nil:
		return false, err
	}
	from, to := done.Seq, done.Seq+pruneBatch
	if to > tx.db.lastSeq.Load()-keep.Count {
		return false, nil
	}
	var youngest int64
	if err := tx.s.row(`SELECT COALESCE(MAX(time), 0) FROM events WHERE seq>$1 AND seq<=$2`, from, to).Scan(&youngest); err != nil {
		return false, tx.fail(err)
	}
	if !time.Unix(0, youngest).Before(tx.Now().Add(-keep.Age)) {
		return false, nil
	}
	q := query{text: `DELETE FROM events WHERE seq>`}
	q.arg(from).add(` AND seq<=`).arg(to)
	for _, f := range keep.Except {
		q.add(` AND NOT (1=1`).events(f).add(`)`)
	}
	// Readers look at it behind their query: who misses something learns of it.
	tx.db.pruned.Store(to)
	if _, err := tx.s.exec(q.text, q.args...); err != nil {
		return false, tx.fail(err)
	}
	return true, prunedRows.Put(tx, prunedKey, &pruned{Seq: to})
}

// DeleteEvents removes at most limit of the events that match f, for services whose
// events are kept (Retention.Except), and tells whether there were as many.
func (tx *Tx) DeleteEvents(f Filter, limit int) (more bool, err error) {
	if !tx.write {
		return false, errReadOnly
	}
	q := query{text: `DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE 1=1`}
	q.events(f).add(` ORDER BY seq`).limit(limit).add(`)`)
	n, err := tx.s.exec(q.text, q.args...)
	return n == int64(limit), tx.fail(err)
}

// readPruned learns how far the servers before this one have pruned.
func (db *DB) readPruned(s *session) error {
	tx := &Tx{db: db, s: s}
	p, err := prunedRows.Get(tx, prunedKey)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read how far events are pruned: %w", err)
	}
	db.pruned.Store(p.Seq)
	return nil
}
