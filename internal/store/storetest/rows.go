package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/store"
)

func testRows(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	view(t, db, func(tx *store.Tx) error {
		_, err := things.Get(tx, key("a"))
		wantIs(t, "get from an empty store", err, store.ErrNotFound)
		return nil
	})
	update(t, db, func(tx *store.Tx) error {
		if err := things.Insert(tx, key("a"), &thing{Name: "one", Tags: []string{"x"}}); err != nil {
			return err
		}
		wantIs(t, "second insert", things.Insert(tx, key("a"), &thing{}), store.ErrExists)
		wantIs(t, "delete of none", things.Delete(tx, key("b")), store.ErrNotFound)
		other := key("a")
		other.Region = "eu-west-1"
		return things.Insert(tx, other, &thing{Name: "elsewhere"})
	})
	put(t, db, key("a"), thing{Name: "two", Size: 7})
	view(t, db, func(tx *store.Tx) error {
		v, err := things.Get(tx, key("a"))
		if diff := cmp.Diff(&thing{Name: "two", Size: 7}, v); diff != "" {
			t.Error(diff)
		}
		return err
	})
	update(t, db, func(tx *store.Tx) error { return things.Delete(tx, key("a")) })
	view(t, db, func(tx *store.Tx) error {
		_, err := things.Get(tx, key("a"))
		wantIs(t, "get after delete", err, store.ErrNotFound)
		rows, err := things.Lookup(tx, "tag", "x")
		if len(rows) != 0 {
			t.Error("deleted row is still indexed")
		}
		return err
	})
}

func testBytes(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	ids := []string{"", "\x00", "a\x00b", "a'b", "\xff\xfe", "ü/日本", strings.Repeat("k", 1024)}
	for _, id := range ids {
		put(t, db, key(id), thing{Name: "x", Tags: []string{id}})
	}
	view(t, db, func(tx *store.Tx) error {
		for _, id := range ids {
			if _, err := things.Get(tx, key(id)); err != nil {
				t.Errorf("get %q: %v", id, err)
			}
			rows, err := things.Lookup(tx, "tag", id)
			if err != nil || len(rows) != 1 || rows[0].Key != key(id) {
				t.Errorf("lookup %q: %v, %v", id, rows, err)
			}
		}
		return nil
	})
}

func testList(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	for _, k := range []store.Key{
		{Account: "1", Region: "r1", ID: "b"}, {Account: "1", Region: "r2", ID: "a"},
		{Account: "2", Region: "r1", ID: "c"}, {Account: "1", Region: "r1", ID: "B"}, {ID: "d"},
	} {
		put(t, db, k, thing{Name: k.ID})
	}
	view(t, db, func(tx *store.Tx) error {
		for _, c := range []struct {
			scope store.Scope
			after string
			limit int
			want  string
		}{
			{want: "B a b c d"},
			{scope: store.Scope{Account: "1"}, want: "B a b"},
			{scope: store.Scope{Account: "1", Region: "r1"}, want: "B b"},
			{scope: store.Scope{Region: "r1"}, want: "B b c"},
			{after: "a", want: "b c d"},
			{after: "a", limit: 2, want: "b c"},
			{limit: 1, want: "B"},
			{after: "z", want: ""},
		} {
			rows, err := things.List(tx, c.scope, c.after, c.limit)
			if got := names(rows); err != nil || got != c.want {
				t.Errorf("List(%+v, %q, %d) = %q, %v; want %q", c.scope, c.after, c.limit, got, err, c.want)
			}
		}
		return nil
	})
}

func testUnique(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	put(t, db, key("a"), thing{Name: "a", Token: "T"})
	put(t, db, key("a"), thing{Name: "a2", Token: "T"}) // its own value is no conflict
	err := db.Update(t.Context(), func(tx *store.Tx) error { return things.Insert(tx, key("b"), &thing{Token: "T"}) })
	wantIs(t, "insert with a taken value", err, store.ErrExists)
	err = db.Update(t.Context(), func(tx *store.Tx) error { return things.Put(tx, key("b"), &thing{Token: "T"}) })
	wantIs(t, "put with a taken value", err, store.ErrExists)
	put(t, db, key("a"), thing{Name: "a"})
	put(t, db, key("b"), thing{Name: "b", Token: "T"})
	view(t, db, func(tx *store.Tx) error {
		rows, err := things.Lookup(tx, "token", "T")
		if names(rows) != "b" {
			t.Errorf("token is held by %q", names(rows))
		}
		return err
	})
}

func testIndexes(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	for i := range 10 {
		put(t, db, key(fmt.Sprint("id", 9-i)), thing{Name: fmt.Sprint(i), Size: i, Tags: []string{fmt.Sprint("even=", i%2 == 0), "all", "all"}})
	}
	at := func(n int) string { return fmt.Sprintf("us-east-1\x00%08d", n) }
	view(t, db, func(tx *store.Tx) error {
		rows, err := things.Lookup(tx, "tag", "even=true")
		if got := names(rows); err != nil || got != "8 6 4 2 0" {
			t.Errorf("lookup: %q, %v", got, err)
		}
		if _, err := things.Lookup(tx, "nosuch", "x"); err == nil {
			t.Error("lookup in an index that is none succeeded")
		}
		for _, c := range []struct {
			from, to string
			limit    int
			desc     bool
			want     string
		}{
			{want: "0 1 2 3 4 5 6 7 8 9"},
			{from: at(3), to: at(6), want: "3 4 5"},
			{from: at(3), limit: 2, want: "3 4"},
			{to: at(2), want: "0 1"},
			{desc: true, limit: 3, want: "9 8 7"},
			{from: at(3), to: at(6), desc: true, want: "5 4 3"},
			{from: at(20), want: ""},
		} {
			rows, err := things.Range(tx, "size", c.from, c.to, c.limit, c.desc)
			if got := names(rows); err != nil || got != c.want {
				t.Errorf("Range(%q, %q, %d, %v) = %q, %v; want %q", c.from, c.to, c.limit, c.desc, got, err, c.want)
			}
			if c.limit > 0 {
				continue
			}
			if n, err := things.Count(tx, "size", c.from, c.to); err != nil || n != len(rows) {
				t.Errorf("Count(%q, %q) = %d, %v; want %d", c.from, c.to, n, err, len(rows))
			}
		}
		return nil
	})
}
