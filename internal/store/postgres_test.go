package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
)

func TestPostgres(t *testing.T) {
	url := storetest.Postgres(t)
	fresh := func(t *testing.T) store.Config {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), `DROP SCHEMA IF EXISTS hardstand CASCADE`); err != nil {
			t.Fatal(err)
		}
		return store.Config{URL: url}
	}
	storetest.Suite(t, fresh)
	t.Run("second server is refused", func(t *testing.T) { testSecondServer(t, fresh(t)) })
	t.Run("writer reconnects", func(t *testing.T) { testReconnect(t, fresh(t)) })
}

func testSecondServer(t *testing.T, cfg store.Config) {
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "another hardstand server") {
		t.Errorf("second server: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("after the first has closed: %v", err)
	}
	_ = again.Close()
}

// testReconnect cuts the store's connections, as a restart of the database
// does: what was in flight fails, what follows works.
func testReconnect(t *testing.T, cfg store.Config) {
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	put := func() error {
		return db.Update(t.Context(), func(tx *store.Tx) error { return counts.Put(tx, store.Key{ID: "a"}, &counted{1}) })
	}
	get := func() error {
		return db.View(t.Context(), func(tx *store.Tx) error {
			_, err := counts.Get(tx, store.Key{ID: "a"})
			return err
		})
	}
	if err := errors.Join(put(), get()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name='hardstand'`); err != nil {
		t.Fatal(err)
	}
	if err := get(); err != nil {
		t.Errorf("view after the cut: %v", err)
	}
	if err := put(); err == nil {
		t.Error("update on a cut connection succeeded")
	}
	if err := put(); err != nil {
		t.Errorf("update after the cut: %v", err)
	}
}

func TestBadURL(t *testing.T) {
	for _, c := range []struct{ name, url string }{
		{"other database", "mysql://root:hunter2@localhost/x"},
		{"malformed", "postgres://user:hunter2@host:port/db"},
	} {
		_, err := store.Open(t.Context(), store.Config{URL: c.url})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
