package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/clock"
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
		{"state survives closing", testReopen},
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
		}
		return nil
	})
}

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

func testClosed(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	changed := db.Changed(store.Filter{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	<-changed
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
	newer := things
	newer.Version = 2
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
	more := things
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
	newer := things
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

func testEvents(t *testing.T, cfg store.Config) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	cfg.Clock = clock.NewManual(at)
	db := open(t, cfg)
	want := store.Event{
		Seq: 2, Time: at, Account: "1", Region: "r", Service: "ec2", Resource: "i-1", Kind: "state",
		Cause: "asked", RequestID: "req", Body: []byte(`{"a":1}`),
	}
	update(t, db, func(tx *store.Tx) error {
		tx.Emit(store.Event{Service: "s3", Kind: "made"})
		e := want
		e.Seq, e.Time = 0, time.Time{}
		tx.Emit(e)
		return nil
	})
	for _, f := range []store.Filter{
		{Account: "1"}, {Region: "r"}, {Service: "ec2"}, {Resource: "i-1"}, {Kind: "state"},
		{Account: "1", Region: "r", Service: "ec2", Resource: "i-1", Kind: "state"},
	} {
		got, err := db.Events(t.Context(), 0, f, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]store.Event{want}, got); diff != "" {
			t.Errorf("%+v: %s", f, diff)
		}
	}
	if got, _ := db.Events(t.Context(), 0, store.Filter{}, 1); len(got) != 1 || got[0].Seq != 1 {
		t.Errorf("first event: %+v", got)
	}
	if got, _ := db.Events(t.Context(), 2, store.Filter{}, 0); len(got) != 0 {
		t.Errorf("events behind the last: %+v", got)
	}
}

func emit(t *testing.T, db *store.DB, e store.Event) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { tx.Emit(e); return nil })
}

func testWatch(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	emit(t, db, store.Event{Service: "ec2", Resource: "1"})
	emit(t, db, store.Event{Service: "s3", Resource: "2"})
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string)
	ended := make(chan error, 1)
	go func() {
		for e, err := range db.Watch(ctx, 0, store.Filter{Service: "ec2"}) {
			if err != nil {
				ended <- err
				return
			}
			got <- e.Resource
		}
	}()
	expect := func(want string) {
		t.Helper()
		if r := <-got; r != want {
			t.Errorf("watched %q, want %q", r, want)
		}
	}
	expect("1")
	emit(t, db, store.Event{Service: "ec2", Resource: "3"})
	expect("3")
	emit(t, db, store.Event{Service: "s3", Resource: "4"})
	emit(t, db, store.Event{Service: "ec2", Resource: "5"})
	expect("5")
	cancel()
	wantIs(t, "end of the watch", <-ended, context.Canceled)
}

func testChanged(t *testing.T, cfg store.Config) {
	db := open(t, cfg)
	changed := db.Changed(store.Filter{Resource: "mine"})
	emit(t, db, store.Event{Resource: "other"})
	select {
	case <-changed:
		t.Error("woken by another resource's event")
	default:
	}
	emit(t, db, store.Event{Resource: "mine"})
	<-changed
}
