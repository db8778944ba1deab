package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

var errStale = errors.New("table needs an upgrade")

// signature names the table's indexes, so that one that was added is built.
func (t *Table[T]) signature() string {
	var b strings.Builder
	for _, ix := range t.Indexes {
		b.WriteString(ix.Name)
		if ix.Unique {
			b.WriteByte('!')
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// prepareWrite is prepare for a transaction that will write.
func (t *Table[T]) prepareWrite(tx *Tx) error {
	if tx.s == nil || !tx.write {
		return errReadOnly
	}
	return t.prepare(tx)
}

// prepare makes sure that the rows have the table's version and indexes, which
// it finds out once per process. A View that finds them old has View upgrade
// them and start again.
func (t *Table[T]) prepare(tx *Tx) error {
	if tx.s == nil {
		return errors.New("store: transaction has ended")
	}
	if v, ok := tx.db.current.Load(t.Name); ok && v == t.Version {
		return nil
	}
	if v, ok := tx.current[t.Name]; ok && v == t.Version {
		return nil
	}
	var version int
	var indexes string
	err := tx.s.row(`SELECT version, indexes FROM tables WHERE name=$1`, t.Name).Scan(&version, &indexes)
	fresh := errors.Is(err, sql.ErrNoRows)
	switch {
	case err != nil && !fresh:
		return tx.fail(err)
	case fresh && !tx.write:
		return nil // no row has ever been written
	case !fresh && version == t.Version && indexes == t.signature():
		tx.know(t.Name, t.Version)
		return nil
	case !fresh && version > t.Version:
		return fmt.Errorf("table %s has version %d, this hardstand knows %d: it was written by a newer version", t.Name, version, t.Version)
	case !tx.write:
		tx.stale = t.prepare
		return fmt.Errorf("%s: %w", t.Name, errStale)
	}
	return t.upgrade(tx, version, fresh)
}

// upgrade rewrites all documents and index entries of the table.
func (t *Table[T]) upgrade(tx *Tx, from int, fresh bool) error {
	if !fresh {
		if err := t.rewrite(tx, from); err != nil {
			return fmt.Errorf("upgrade table %s from version %d: %w", t.Name, from, err)
		}
	}
	_, err := tx.s.exec(`INSERT INTO tables (name, version, indexes) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET version=excluded.version, indexes=excluded.indexes`, t.Name, t.Version, t.signature())
	if err != nil {
		return tx.fail(err)
	}
	tx.know(t.Name, t.Version)
	return nil
}

// know remembers that the table has the version: at once in a View, which saw
// committed rows; with the commit in an Update, which may see the rows of one
// that shares its transaction.
func (tx *Tx) know(table string, version int) {
	if !tx.write {
		tx.db.current.Store(table, version)
		return
	}
	if tx.current == nil {
		tx.current = map[string]int{}
	}
	tx.current[table] = version
}

func (t *Table[T]) rewrite(tx *Tx, from int) error {
	if _, err := tx.s.exec(`DELETE FROM entries WHERE tbl=$1`, t.Name); err != nil {
		return tx.fail(err)
	}
	docs, err := t.raw(tx)
	if err != nil {
		return err
	}
	for _, d := range docs {
		doc := *d.Value
		if t.Upgrade != nil && from != t.Version {
			if doc, err = t.Upgrade(from, doc); err != nil {
				return err
			}
			_, err := tx.s.exec(`UPDATE docs SET doc=$1 WHERE tbl=$2 AND id=$3 AND account=$4 AND region=$5`,
				doc, t.Name, []byte(d.Key.ID), d.Key.Account, d.Key.Region)
			if err != nil {
				return tx.fail(err)
			}
		}
		v, err := t.decode(d.Key, doc)
		if err != nil {
			return err
		}
		if err := t.reindex(tx, d.Key, nil, v); err != nil {
			return err
		}
	}
	return nil
}

// raw returns the documents as they are stored.
func (t *Table[T]) raw(tx *Tx) ([]Row[[]byte], error) {
	rows, err := tx.s.query(`SELECT account, region, id, doc FROM docs WHERE tbl=$1`, t.Name)
	if err != nil {
		return nil, tx.fail(err)
	}
	defer rows.Close()
	var out []Row[[]byte]
	for rows.Next() {
		var k Key
		var id, doc []byte
		if err := rows.Scan(&k.Account, &k.Region, &id, &doc); err != nil {
			return nil, tx.fail(err)
		}
		k.ID = string(id)
		out = append(out, Row[[]byte]{k, &doc})
	}
	return out, tx.fail(rows.Err())
}
