package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/store"
)

func testReopen(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	update(t, db, func(tx *store.Tx) error {
		tx.Emit(store.Event{Kind: "made"})
		return things.Insert(tx, key("a"), &thing{Name: "kept"})
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, cfg)
	if db.LastSeq() != 1 {
		t.Errorf("LastSeq %d after reopening", db.LastSeq())
	}
	view(t, db, func(tx *store.Tx) error {
		_, err := things.Get(tx, key("a"))
		return err
	})
}

func testEmpty(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	want := func(when string, want bool) {
		t.Helper()
		if got, err := db.Empty(t.Context()); err != nil || got != want {
			t.Errorf("%s: empty is %v, %v, want %v", when, got, err, want)
		}
	}
	want("new", true)
	put(t, db, key("a"), thing{Name: "one"})
	want("with a row", false)
	if err := db.Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("erased", true)
}

func testClosed(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	changed := db.Changed(store.Filter{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	<-changed
	<-db.Changed(store.Filter{}) // nothing would wake who comes later
	nothing := func(*store.Tx) error { return nil }
	wantIs(t, "update", db.Update(t.Context(), nothing), store.ErrClosed)
	wantIs(t, "view", db.View(t.Context(), nothing), store.ErrClosed)
	if err := db.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func testReadOnly(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	put(t, db, key("a"), thing{Name: "seen"})
	cfg.ReadOnly = true
	beside := open(t, cfg)
	view(t, beside, func(tx *store.Tx) error {
		_, err := things.Get(tx, key("a"))
		return err
	})
	if err := beside.Update(t.Context(), func(*store.Tx) error { return nil }); err == nil {
		t.Error("update of a read-only store succeeded")
	}
}

func testUpgrade(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	put(t, db, key("a"), thing{Name: "a", Tags: []string{"x"}})
	put(t, db, key("b"), thing{Name: "b"})
	newer := store.Table[thing]{Name: things.Name, Version: 2, Indexes: things.Indexes}
	newer.Upgrade = func(from int, doc []byte) ([]byte, error) {
		return []byte(strings.ReplaceAll(string(doc), `"Name":"`, fmt.Sprintf(`"Name":"v%d-`, from))), nil
	}
	_ = db.Close()
	db = open(t, cfg)
	for range 2 { // the upgrade runs once, though it begins in a view
		view(t, db, func(tx *store.Tx) error {
			rows, err := newer.List(tx, store.Scope{}, "", 0)
			if err == nil && names(rows) != "v1-a v1-b" {
				t.Errorf("after the upgrade: %q", names(rows))
			}
			return err
		})
	}
	view(t, db, func(tx *store.Tx) error {
		rows, err := newer.Lookup(tx, "tag", "x")
		if names(rows) != "v1-a" {
			t.Errorf("index after the upgrade: %q", names(rows))
		}
		return err
	})
}

func testNewIndex(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	put(t, db, key("a"), thing{Name: "a"})
	_ = db.Close()
	db = open(t, cfg)
	more := store.Table[thing]{Name: things.Name, Version: things.Version, Indexes: things.Indexes}
	more.Indexes = append(slices.Clone(things.Indexes), store.Index[thing]{
		Name: "name", Value: func(_ store.Key, v *thing) []string { return []string{v.Name} },
	})
	update(t, db, func(tx *store.Tx) error {
		rows, err := more.Lookup(tx, "name", "a")
		if names(rows) != "a" {
			t.Errorf("new index holds %q", names(rows))
		}
		return err
	})
}

func testNewer(t *testing.T, cfg store.Config) {
	newer := store.Table[thing]{Name: things.Name, Version: things.Version, Indexes: things.Indexes}
	newer.Version = 9
	db := open(t, cfg)
	update(t, db, func(tx *store.Tx) error { return newer.Put(tx, key("a"), &thing{}) })
	_ = db.Close()
	db = open(t, cfg)
	err := db.View(t.Context(), func(tx *store.Tx) error {
		_, err := things.Get(tx, key("a"))
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("reading a newer table: %v", err)
	}
}
