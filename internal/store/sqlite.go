package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // driver "sqlite", without cgo
)

// sqliteFile is the database's name in the data dir.
const sqliteFile = "state.db"

// sqliteMigrations are applied in order; a released one never changes. Ids and
// index values are BLOBs: any bytes are legal in them and they sort by byte.
var sqliteMigrations = []string{`
CREATE TABLE docs (
	tbl TEXT NOT NULL, id BLOB NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL,
	doc BLOB NOT NULL,
	PRIMARY KEY (tbl, id, account, region)) WITHOUT ROWID;
CREATE TABLE entries (
	tbl TEXT NOT NULL, idx TEXT NOT NULL, value BLOB NOT NULL,
	id BLOB NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL,
	PRIMARY KEY (tbl, idx, value, id, account, region)) WITHOUT ROWID;
CREATE TABLE events (
	seq INTEGER PRIMARY KEY, time INTEGER NOT NULL,
	account TEXT NOT NULL, region TEXT NOT NULL, service TEXT NOT NULL, resource TEXT NOT NULL,
	kind TEXT NOT NULL, cause TEXT NOT NULL, request_id TEXT NOT NULL, body BLOB);
CREATE INDEX events_resource ON events (service, resource, seq);
CREATE TABLE tables (name TEXT PRIMARY KEY, version INTEGER NOT NULL, indexes TEXT NOT NULL) WITHOUT ROWID`}

type sqlite struct{ db *sql.DB }

func openSQLite(cfg Config) (engine, error) {
	// In a URL, a relative path would begin with the name of a host.
	path, err := filepath.Abs(filepath.Join(cfg.Dir, sqliteFile))
	if err != nil {
		return nil, err
	}
	if !cfg.ReadOnly {
		// SQLite would make the file with the umask's mode.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	synchronous := "FULL"
	if cfg.NoSync {
		synchronous = "OFF"
	}
	q := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(" + synchronous + ")", "temp_store(MEMORY)",
	}}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	return &sqlite{db: db}, nil
}

func (e *sqlite) reader(ctx context.Context) (*session, error) { return newSession(ctx, e.db) }
func (e *sqlite) writer(ctx context.Context) (*session, error) { return newSession(ctx, e.db) }
func (e *sqlite) beginRead() string                            { return "BEGIN" }
func (e *sqlite) beginWrite() string                           { return "BEGIN IMMEDIATE" }
func (e *sqlite) migrations() []string                         { return sqliteMigrations }
func (e *sqlite) close() error                                 { return e.db.Close() }

func (e *sqlite) schemaVersion(s *session) (n int, err error) {
	err = s.row("PRAGMA user_version").Scan(&n)
	return n, err
}

func (e *sqlite) setSchemaVersion(n int) string { return fmt.Sprintf("PRAGMA user_version = %d", n) }
