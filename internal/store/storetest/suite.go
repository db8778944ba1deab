package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/store"
)

// thing is the suite's row.
type thing struct {
	Name  string
	Size  int
	Tags  []string
	Token string `json:",omitempty"`
}

var things = store.Table[thing]{
	Name: "test.thing", Version: 1,
	Indexes: []store.Index[thing]{
		{Name: "token", Unique: true, Value: func(_ store.Key, v *thing) []string {
			if v.Token == "" {
				return nil
			}
			return []string{v.Token}
		}},
		{Name: "tag", Value: func(_ store.Key, v *thing) []string { return v.Tags }},
		{Name: "size", Value: func(k store.Key, v *thing) []string { return []string{fmt.Sprintf("%s\x00%08d", k.Region, v.Size)} }},
	},
}

// Suite checks what every database must do. config returns the configuration
// of a new empty database; opening it again opens the same one.
func Suite(t *testing.T, config func(*testing.T) store.Config) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, store.Config)
	}{
		{"rows", testRows},
		{"any byte in ids and values", testBytes},
		{"list in order of id", testList},
		{"unique index", testUnique},
		{"lookup and range", testIndexes},
		{"failed update changes nothing", testRollback},
		{"updates that share a commit are isolated", testGroup},
		{"panic comes back to the caller", testPanic},
		{"view sees one snapshot", testSnapshot},
		{"view refuses to write", testViewWrites},
		{"events", testEvents},
		{"watch", testWatch},
		{"changed", testChanged},
		{"prune", testPrune},
		{"watch while pruning", testWatchPruned},
		{"sweep when due", testSweepWhenDue},
		{"due", testDue},
		{"work off", testWorkOff},
		{"expire", testExpire},
		{"state survives closing", testReopen},
		{"empty", testEmpty},
		{"upgrade", testUpgrade},
		{"index added later", testNewIndex},
		{"newer version is refused", testNewer},
		{"closed", testClosed},
		{"read only", testReadOnly},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, config(t)) })
	}
}

func open(t *testing.T, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func update(t *testing.T, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.View(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func key(id string) store.Key {
	return store.Key{Account: "123456789012", Region: "us-east-1", ID: id}
}

func put(t *testing.T, db *store.DB, k store.Key, v thing) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { return things.Put(tx, k, &v) })
}

func names(rows []store.Row[thing]) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.Value.Name)
	}
	return strings.Join(out, " ")
}

func wantIs(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got %v, want %v", what, err, target)
	}
}
