package store

import (
	"context"
	"fmt"
)

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
