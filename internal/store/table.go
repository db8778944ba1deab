package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Key names a row. Account and Region are "" for what is global (IAM, bucket
// names).
type Key struct{ Account, Region, ID string }

// Scope narrows List; "" means any.
type Scope struct{ Account, Region string }

// Row is a row of a table.
type Row[T any] struct {
	Key   Key
	Value *T
}

// Index is an ordered index. Value returns the values under which a row is
// found, none to leave it out. Values sort by byte; they may hold any byte, so
// parts are best joined by \x00. A unique index spans all accounts and regions:
// put them in the value where uniqueness is narrower.
type Index[T any] struct {
	Name   string
	Unique bool
	Value  func(k Key, v *T) []string
}

// Table is a kind of row, declared once as a package variable of the service
// that owns it. Rows are stored as the JSON of T.
type Table[T any] struct {
	// Name is unique in the database: "ec2.instance".
	Name string
	// Version of T's JSON and of the index functions. A change of either that
	// older rows do not fit needs a new one.
	Version int
	Indexes []Index[T]
	// Upgrade turns a document of version from into one of Version; nil means
	// that older documents decode as they are. Indexes are rebuilt either way.
	Upgrade func(from int, doc []byte) ([]byte, error)
	// Clone copies a row, as deep as its users change it in place. A table that
	// has it keeps decoded rows in memory: for rows that are listed far more often
	// than they change.
	Clone func(*T) *T

	decoded cache[T]
}

var errReadOnly = errors.New("write in a View")

// Get returns the row or ErrNotFound.
func (t *Table[T]) Get(tx *Tx, k Key) (*T, error) {
	if err := t.prepare(tx); err != nil {
		return nil, err
	}
	return t.get(tx, k)
}

func (t *Table[T]) get(tx *Tx, k Key) (*T, error) {
	var doc []byte
	err := tx.s.row(`SELECT doc FROM docs WHERE tbl=$1 AND id=$2 AND account=$3 AND region=$4`,
		t.Name, []byte(k.ID), k.Account, k.Region).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%s %s: %w", t.Name, k.ID, ErrNotFound)
	}
	if err != nil {
		return nil, tx.fail(err)
	}
	return t.decode(k, doc)
}

// decode does not keep doc.
func (t *Table[T]) decode(k Key, doc []byte) (*T, error) {
	if t.Clone != nil {
		if v := t.decoded.get(k, doc); v != nil {
			return t.Clone(v), nil
		}
	}
	v := new(T)
	if err := json.Unmarshal(doc, v); err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", t.Name, k.ID, err)
	}
	if t.Clone != nil {
		t.decoded.put(k, doc, t.Clone(v))
	}
	return v, nil
}

// Insert adds a row; ErrExists when the key, or a value in a unique index, is
// taken.
func (t *Table[T]) Insert(tx *Tx, k Key, v *T) error {
	if err := t.prepareWrite(tx); err != nil {
		return err
	}
	var one int
	err := tx.s.row(`SELECT 1 FROM docs WHERE tbl=$1 AND id=$2 AND account=$3 AND region=$4`,
		t.Name, []byte(k.ID), k.Account, k.Region).Scan(&one)
	switch {
	case err == nil:
		return fmt.Errorf("%s %s: %w", t.Name, k.ID, ErrExists)
	case !errors.Is(err, sql.ErrNoRows):
		return tx.fail(err)
	}
	return t.store(tx, k, nil, v)
}

// Put adds the row or replaces it.
func (t *Table[T]) Put(tx *Tx, k Key, v *T) error {
	if err := t.prepareWrite(tx); err != nil {
		return err
	}
	old, err := t.get(tx, k)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return t.store(tx, k, old, v)
}

// store writes v over old, which is nil for a new row.
func (t *Table[T]) store(tx *Tx, k Key, old, v *T) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", t.Name, k.ID, err)
	}
	if err := t.reindex(tx, k, old, v); err != nil {
		return err
	}
	q := `INSERT INTO docs (doc, tbl, id, account, region) VALUES ($1, $2, $3, $4, $5)`
	if old != nil {
		q = `UPDATE docs SET doc=$1 WHERE tbl=$2 AND id=$3 AND account=$4 AND region=$5`
	}
	_, err = tx.s.exec(q, doc, t.Name, []byte(k.ID), k.Account, k.Region)
	return tx.fail(err)
}

// Delete removes the row or returns ErrNotFound.
func (t *Table[T]) Delete(tx *Tx, k Key) error {
	if err := t.prepareWrite(tx); err != nil {
		return err
	}
	old, err := t.get(tx, k)
	if err != nil {
		return err
	}
	if err := t.reindex(tx, k, old, nil); err != nil {
		return err
	}
	_, err = tx.s.exec(`DELETE FROM docs WHERE tbl=$1 AND id=$2 AND account=$3 AND region=$4`,
		t.Name, []byte(k.ID), k.Account, k.Region)
	return tx.fail(err)
}

// List returns rows in the order of their IDs, those behind after only, at
// most limit (0 means all).
func (t *Table[T]) List(tx *Tx, s Scope, after string, limit int) ([]Row[T], error) {
	if err := t.prepare(tx); err != nil {
		return nil, err
	}
	q := query{text: `SELECT account, region, id, doc FROM docs WHERE tbl=`}
	q.arg(t.Name)
	if after != "" {
		q.add(` AND id>`).arg([]byte(after))
	}
	if s.Account != "" {
		q.add(` AND account=`).arg(s.Account)
	}
	if s.Region != "" {
		q.add(` AND region=`).arg(s.Region)
	}
	q.add(` ORDER BY id, account, region`).limit(limit)
	return t.rows(tx, q)
}

func (t *Table[T]) rows(tx *Tx, q query) ([]Row[T], error) {
	rows, err := tx.s.query(q.text, q.args...)
	if err != nil {
		return nil, tx.fail(err)
	}
	defer rows.Close()
	var out []Row[T]
	var id, doc sql.RawBytes
	for rows.Next() {
		var k Key
		if err := rows.Scan(&k.Account, &k.Region, &id, &doc); err != nil {
			return nil, tx.fail(err)
		}
		k.ID = string(id)
		v, err := t.decode(k, doc)
		if err != nil {
			return nil, err
		}
		out = append(out, Row[T]{k, v})
	}
	return out, tx.fail(rows.Err())
}

// fail remembers the first error of a statement and returns err.
func (tx *Tx) fail(err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("store: %w", err)
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}
