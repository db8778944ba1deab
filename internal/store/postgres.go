package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresLock is the advisory lock that the one writing server holds.
const postgresLock = 0x6861726473746e64 // "hardstnd"

// postgresMigrations mirror sqliteMigrations. Everything lives in the schema
// hardstand, so that the database may hold other things. Column types that
// compare text use the C collation, as SQLite compares.
var postgresMigrations = []string{`
CREATE TABLE docs (
	tbl TEXT COLLATE "C" NOT NULL, id BYTEA NOT NULL, account TEXT COLLATE "C" NOT NULL, region TEXT COLLATE "C" NOT NULL,
	doc BYTEA NOT NULL,
	PRIMARY KEY (tbl, id, account, region));
CREATE TABLE entries (
	tbl TEXT COLLATE "C" NOT NULL, idx TEXT COLLATE "C" NOT NULL, value BYTEA NOT NULL,
	id BYTEA NOT NULL, account TEXT COLLATE "C" NOT NULL, region TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (tbl, idx, value, id, account, region));
CREATE TABLE events (
	seq BIGINT PRIMARY KEY, time BIGINT NOT NULL,
	account TEXT NOT NULL, region TEXT NOT NULL, service TEXT NOT NULL, resource TEXT NOT NULL,
	kind TEXT NOT NULL, cause TEXT NOT NULL, request_id TEXT NOT NULL, body BYTEA);
CREATE INDEX events_resource ON events (service, resource, seq);
CREATE TABLE tables (name TEXT PRIMARY KEY, version INTEGER NOT NULL, indexes TEXT NOT NULL)`}

type postgres struct{ db *sql.DB }

func openPostgres(cfg Config) (engine, error) {
	pc, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		// pgx's error may repeat the URL, which may hold a password.
		return nil, errors.New("database URL is not a valid postgres:// URL")
	}
	pc.RuntimeParams["search_path"] = "hardstand"
	pc.RuntimeParams["application_name"] = "hardstand"
	return &postgres{db: stdlib.OpenDB(*pc)}, nil
}

func (e *postgres) reader(ctx context.Context) (*session, error) { return newSession(ctx, e.db) }

// lockWait is how long a start waits for the lock: a server that was killed holds
// it until PostgreSQL has noticed.
const lockWait = "2s"

// writer takes the advisory lock on the very connection that writes: who loses
// the connection loses the lock with it.
func (e *postgres) writer(ctx context.Context) (*session, error) {
	s, err := newSession(ctx, e.db)
	if err != nil {
		return nil, err
	}
	err = s.run(fmt.Sprintf(`SET lock_timeout = '%s'; SELECT pg_advisory_lock(%d); SET lock_timeout = 0`, lockWait, int64(postgresLock)))
	if err == nil {
		// Closing the connection releases the lock too, but not before Close returns.
		s.farewell = `SELECT pg_advisory_unlock_all()`
		return s, nil
	}
	_ = s.close()
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55P03" { // lock_not_available
		return nil, errors.New("another hardstand server writes to this database")
	}
	return nil, fmt.Errorf("lock the database: %w", err)
}

func (e *postgres) beginRead() string {
	return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
}
func (e *postgres) beginWrite() string   { return "BEGIN" }
func (e *postgres) migrations() []string { return postgresMigrations }
func (e *postgres) close() error         { return e.db.Close() }

func (e *postgres) schemaVersion(s *session) (n int, err error) {
	var exists bool
	if err := s.row(`SELECT to_regclass('hardstand.migrations') IS NOT NULL`).Scan(&exists); err != nil {
		return 0, err
	}
	if !exists {
		err := s.run(`CREATE SCHEMA IF NOT EXISTS hardstand; CREATE TABLE IF NOT EXISTS hardstand.migrations (version INTEGER NOT NULL)`)
		return 0, err
	}
	err = s.row(`SELECT COALESCE(MAX(version), 0) FROM migrations`).Scan(&n)
	return n, err
}

func (e *postgres) setSchemaVersion(n int) string {
	return fmt.Sprintf("INSERT INTO migrations VALUES (%d)", n)
}
