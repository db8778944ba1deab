package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// expireBatch is how many rows Expire reads, or one of its transactions removes.
const expireBatch = 100

// none matches no event.
var none = Filter{Kind: "\x00"}

// TimeIndex is an index for Expire: at is the time that the age of a row counts from,
// zero for a row that stays.
func TimeIndex[T any](name string, at func(*T) time.Time) Index[T] {
	return Index[T]{Name: name, Value: func(_ Key, v *T) []string {
		if t := at(v); !t.IsZero() {
			return []string{timeValue(t)}
		}
		return nil
	}}
}

func timeValue(t time.Time) string { return fmt.Sprintf("%020d", max(0, t.UnixNano())) }

// Expire removes the rows that a TimeIndex says are of the age given, as soon as they
// are, until ctx ends. remove is for rows that others belong to: it removes a row, last,
// in transactions of its own; without it the rows are removed in batches.
func (t *Table[T]) Expire(ctx context.Context, db *DB, index string, age time.Duration, remove func(context.Context, Row[T]) error) error {
	batch := t.removeAged
	if remove != nil {
		batch = func(ctx context.Context, db *DB, index string, age time.Duration) (n int, next time.Time, err error) {
			var rows []Row[T]
			err = db.View(ctx, func(tx *Tx) (err error) {
				rows, next, err = t.aged(tx, index, age)
				return err
			})
			for i := 0; i < len(rows) && err == nil; i++ {
				err = remove(ctx, rows[i])
			}
			return len(rows), next, err
		}
	}
	return db.SweepWhenDue(ctx, none, func(ctx context.Context) (time.Time, error) {
		for {
			if n, next, err := batch(ctx, db, index, age); n == 0 || err != nil {
				return next, err
			}
		}
	})
}

func (t *Table[T]) removeAged(ctx context.Context, db *DB, index string, age time.Duration) (n int, next time.Time, err error) {
	err = db.Update(ctx, func(tx *Tx) (err error) {
		var rows []Row[T]
		rows, next, err = t.aged(tx, index, age)
		n = len(rows)
		for i := 0; i < n && err == nil; i++ {
			err = t.Delete(tx, rows[i].Key)
		}
		return err
	})
	return n, next, err
}

// aged returns rows that are due, or the time at which the first may be: no event needs to
// tell of what comes meanwhile, it is not due before its age has passed.
func (t *Table[T]) aged(tx *Tx, index string, age time.Duration) ([]Row[T], time.Time, error) {
	rows, err := t.Range(tx, index, "", timeValue(tx.Now().Add(-age)), expireBatch, false)
	if err != nil || len(rows) > 0 {
		return rows, time.Time{}, err
	}
	next := tx.Now().Add(age)
	var value []byte
	err = tx.s.row(`SELECT value FROM entries WHERE tbl=$1 AND idx=$2 ORDER BY value LIMIT 1`, t.Name, index).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, next, nil
	}
	if err != nil {
		return nil, next, tx.fail(err)
	}
	nanos, err := strconv.ParseInt(string(value), 10, 64)
	if first := time.Unix(0, nanos).Add(age + 1); first.Before(next) {
		next = first
	}
	return nil, next, err
}
