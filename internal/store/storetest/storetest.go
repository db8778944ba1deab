// Package storetest helps to test what uses the store, and holds the
// conformance suite that every database passes. Tests import it; nothing else
// does.
package storetest

import (
	"testing"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// New returns an empty SQLite store that does not wait for the disk. It is
// closed at the end of the test.
func New(t testing.TB) *store.DB { return NewWithClock(t, clock.System{}) }

// NewWithClock is New with a clock.
func NewWithClock(t testing.TB, c clock.Clock) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Dir: t.TempDir(), NoSync: true, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// NewSealer returns a sealer with a key of its own.
func NewSealer(t testing.TB) *store.Sealer {
	t.Helper()
	s, err := store.OpenSealer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Count returns how many rows a table has.
func Count[T any](t testing.TB, db *store.DB, table *store.Table[T]) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := table.List(tx, store.Scope{}, "", 0)
		n = len(rows)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
