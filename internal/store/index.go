package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// entry is one place where a row is found.
type entry struct {
	index, value string
	unique       bool
}

func (t *Table[T]) entries(k Key, v *T) []entry {
	if v == nil {
		return nil
	}
	var out []entry
	for _, ix := range t.Indexes {
		for _, value := range ix.Value(k, v) {
			e := entry{ix.Name, value, ix.Unique}
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out
}

// reindex moves the row's index entries from those of old to those of v.
func (t *Table[T]) reindex(tx *Tx, k Key, old, v *T) error {
	before, after := t.entries(k, old), t.entries(k, v)
	for _, e := range after {
		if e.unique && !slices.Contains(before, e) {
			if err := t.vacant(tx, e); err != nil {
				return err
			}
		}
	}
	for _, e := range before {
		if slices.Contains(after, e) {
			continue
		}
		_, err := tx.s.exec(`DELETE FROM entries WHERE tbl=$1 AND idx=$2 AND value=$3 AND id=$4 AND account=$5 AND region=$6`,
			t.Name, e.index, []byte(e.value), []byte(k.ID), k.Account, k.Region)
		if err != nil {
			return tx.fail(err)
		}
	}
	for _, e := range after {
		if slices.Contains(before, e) {
			continue
		}
		if err := t.enter(tx, k, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table[T]) enter(tx *Tx, k Key, e entry) error {
	_, err := tx.s.exec(`INSERT INTO entries (tbl, idx, value, id, account, region) VALUES ($1, $2, $3, $4, $5, $6)`,
		t.Name, e.index, []byte(e.value), []byte(k.ID), k.Account, k.Region)
	return tx.fail(err)
}

// vacant returns ErrExists when the value is taken. There is one writer, so
// what is vacant stays so until it writes.
func (t *Table[T]) vacant(tx *Tx, e entry) error {
	var id []byte
	err := tx.s.row(`SELECT id FROM entries WHERE tbl=$1 AND idx=$2 AND value=$3 LIMIT 1`,
		t.Name, e.index, []byte(e.value)).Scan(&id)
	switch {
	case err == nil:
		return fmt.Errorf("%s %s: %s taken: %w", t.Name, id, e.index, ErrExists)
	case errors.Is(err, sql.ErrNoRows):
		return nil
	}
	return tx.fail(err)
}

// Lookup returns the rows that index holds under value, by ID.
func (t *Table[T]) Lookup(tx *Tx, index, value string) ([]Row[T], error) {
	q, err := t.search(tx, index)
	if err != nil {
		return nil, err
	}
	q.add(` AND e.value=`).arg([]byte(value)).add(` ORDER BY e.id, e.account, e.region`)
	return t.rows(tx, q)
}

// Range returns rows in the order of their values in index, from <= value < to
// ("" leaves an end open), or backwards from the end when desc; at most limit
// (0 means all).
func (t *Table[T]) Range(tx *Tx, index, from, to string, limit int, desc bool) ([]Row[T], error) {
	q, err := t.search(tx, index)
	if err != nil {
		return nil, err
	}
	if from != "" {
		q.add(` AND e.value>=`).arg([]byte(from))
	}
	if to != "" {
		q.add(` AND e.value<`).arg([]byte(to))
	}
	if desc {
		q.add(` ORDER BY e.value DESC, e.id DESC, e.account DESC, e.region DESC`)
	} else {
		q.add(` ORDER BY e.value, e.id, e.account, e.region`)
	}
	q.limit(limit)
	return t.rows(tx, q)
}

func (t *Table[T]) search(tx *Tx, index string) (query, error) {
	if !slices.ContainsFunc(t.Indexes, func(ix Index[T]) bool { return ix.Name == index }) {
		return query{}, fmt.Errorf("table %s has no index %q", t.Name, index)
	}
	if err := t.prepare(tx); err != nil {
		return query{}, err
	}
	q := query{text: `SELECT d.account, d.region, d.id, d.doc FROM entries e
		JOIN docs d ON d.tbl=e.tbl AND d.id=e.id AND d.account=e.account AND d.region=e.region WHERE e.tbl=`}
	q.arg(t.Name).add(` AND e.idx=`).arg(index)
	return q, nil
}

// Count returns how many rows index holds under from <= value < to ("" leaves an end
// open), without reading them.
func (t *Table[T]) Count(tx *Tx, index, from, to string) (int, error) {
	if _, err := t.search(tx, index); err != nil {
		return 0, err
	}
	q := query{text: `SELECT COUNT(*) FROM entries e WHERE e.tbl=`}
	q.arg(t.Name).add(` AND e.idx=`).arg(index)
	if from != "" {
		q.add(` AND e.value>=`).arg([]byte(from))
	}
	if to != "" {
		q.add(` AND e.value<`).arg([]byte(to))
	}
	var n int
	err := tx.s.row(q.text, q.args...).Scan(&n)
	return n, tx.fail(err)
}
