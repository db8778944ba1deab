package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/hardstand/hardstand/internal/store"
)

func testRollback(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	boom := errors.New("boom")
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		tx.Emit(store.Event{Kind: "lost"})
		if err := things.Put(tx, key("a"), &thing{Name: "lost"}); err != nil {
			return err
		}
		return boom
	})
	wantIs(t, "update", err, boom)
	put(t, db, key("b"), thing{Name: "kept"})
	view(t, db, func(tx *store.Tx) error {
		rows, err := things.List(tx, store.Scope{}, "", 0)
		if names(rows) != "kept" {
			t.Errorf("rows after a failed update: %q", names(rows))
		}
		return err
	})
	if n := db.LastSeq(); n != 0 {
		t.Errorf("event of a failed update was numbered: LastSeq %d", n)
	}
}

// testGroup has updates wait for one that holds the writer, so that they share
// a commit; every third fails.
func testGroup(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	put(t, db, key("0"), thing{Name: "first"})
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Update(t.Context(), func(tx *store.Tx) error { close(held); <-hold; return nil })
	})
	<-held
	boom := errors.New("boom")
	const n = 30
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			errs[i] = db.Update(t.Context(), func(tx *store.Tx) error {
				tx.Emit(store.Event{Kind: "made", Resource: fmt.Sprint(i)})
				if err := things.Insert(tx, key(fmt.Sprintf("g%02d", i)), &thing{Name: fmt.Sprint(i)}); err != nil {
					return err
				}
				if i%3 == 0 {
					return boom
				}
				return nil
			})
		})
	}
	close(hold)
	wg.Wait()
	view(t, db, func(tx *store.Tx) error {
		for i := range n {
			_, err := things.Get(tx, key(fmt.Sprintf("g%02d", i)))
			if failed := i%3 == 0; errors.Is(err, store.ErrNotFound) != failed || (errs[i] != nil) != failed {
				t.Errorf("update %d: error %v, row %v", i, errs[i], err)
			}
		}
		return nil
	})
	events, err := db.Events(t.Context(), 0, store.Filter{}, 0)
	if err != nil || len(events) != 20 || db.LastSeq() != 20 {
		t.Fatalf("%d events, LastSeq %d, %v; want 20", len(events), db.LastSeq(), err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has Seq %d", i, e.Seq)
		}
	}
}

func testPanic(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	func() {
		defer func() {
			if v := recover(); v != "ouch" {
				t.Errorf("recovered %v", v)
			}
		}()
		_ = db.Update(t.Context(), func(tx *store.Tx) error {
			_ = things.Put(tx, key("a"), &thing{})
			panic("ouch")
		})
	}()
	update(t, db, func(tx *store.Tx) error { return things.Insert(tx, key("a"), &thing{}) })
}

func testSnapshot(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	put(t, db, key("a"), thing{Name: "old"})
	view(t, db, func(tx *store.Tx) error {
		if _, err := things.Get(tx, key("a")); err != nil {
			return err
		}
		put(t, db, key("a"), thing{Name: "new"}) // commits beside the open view
		v, err := things.Get(tx, key("a"))
		if err == nil && v.Name != "old" {
			t.Errorf("view saw %q, committed after it began", v.Name)
		}
		return err
	})
}

func testViewWrites(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	err := db.View(t.Context(), func(tx *store.Tx) error { return things.Put(tx, key("a"), &thing{}) })
	if err == nil {
		t.Error("put in a view succeeded")
	}
}
