package store_test

import (
	"maps"
	"strconv"
	"testing"

	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
)

type labelled struct {
	N      int
	Labels map[string]string
}

func labelledTable() *store.Table[labelled] {
	return &store.Table[labelled]{Name: "cache_test", Version: 1, Clone: func(v *labelled) *labelled {
		c := *v
		c.Labels = maps.Clone(v.Labels)
		return &c
	}}
}

// TestDecodedRowsAreCopies: what a caller does to a row stays with it until it is
// written, and then every reader sees it.
func TestDecodedRowsAreCopies(t *testing.T) {
	db, table := storetest.New(t), labelledTable()
	k := store.Key{ID: "a"}
	read := func(db *store.DB) *labelled {
		t.Helper()
		var v *labelled
		if err := db.View(t.Context(), func(tx *store.Tx) (err error) { v, err = table.Get(tx, k); return err }); err != nil {
			t.Fatal(err)
		}
		return v
	}
	write := func(db *store.DB, v *labelled) {
		t.Helper()
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return table.Put(tx, k, v) }); err != nil {
			t.Fatal(err)
		}
	}
	write(db, &labelled{1, map[string]string{"x": "y"}})
	for range 2 { // decoded, and from memory
		v := read(db)
		if v.N != 1 || v.Labels["x"] != "y" || len(v.Labels) != 1 {
			t.Fatalf("read %+v", v)
		}
		v.N, v.Labels["z"] = 2, "spoilt"
	}
	write(db, &labelled{3, nil})
	if v := read(db); v.N != 3 || v.Labels != nil {
		t.Errorf("after the change: %+v", v)
	}
	other := storetest.New(t)
	write(other, &labelled{4, nil})
	if a, b := read(db), read(other); a.N != 3 || b.N != 4 {
		t.Errorf("two databases give %+v and %+v", a, b)
	}
}

// TestManyDecodedRows: a full memory forgets, and answers all the same.
func TestManyDecodedRows(t *testing.T) {
	db, table := storetest.New(t), labelledTable()
	const n = 5000
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			if err := table.Insert(tx, store.Key{ID: strconv.Itoa(i)}, &labelled{N: i}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := db.View(t.Context(), func(tx *store.Tx) error {
			rows, err := table.List(tx, store.Scope{}, "", 0)
			for _, r := range rows {
				if strconv.Itoa(r.Value.N) != r.Key.ID {
					t.Errorf("row %s holds %d", r.Key.ID, r.Value.N)
				}
			}
			if len(rows) != n {
				t.Errorf("%d rows", len(rows))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
