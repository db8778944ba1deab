package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Empty reports whether no table has a row: the database is new, or erased.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	empty := false
	err := db.View(ctx, func(tx *Tx) error {
		var one int
		err := tx.s.row("SELECT 1 FROM docs LIMIT 1").Scan(&one)
		if empty = errors.Is(err, sql.ErrNoRows); empty {
			return nil
		}
		return err
	})
	return empty, err
}

// Erase removes every row and every event in one transaction; a server that is
// reset calls it when nobody works with the store any more.
func (db *DB) Erase(ctx context.Context) error {
	return db.Update(ctx, func(tx *Tx) error {
		for _, table := range []string{"docs", "entries", "events"} {
			if err := tx.s.run("DELETE FROM " + table); err != nil {
				return fmt.Errorf("erase %s: %w", table, err)
			}
		}
		return nil
	})
}
