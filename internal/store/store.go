// Package store keeps all state of hardstand: rows that services declare as
// Table[T], ordered and unique indexes over them, and the events that explain
// every change. SQLite in the data dir is the default, PostgreSQL is used by
// URL; both pass storetest.Suite.
//
// It owns all SQL: none leaves the package and none enters it. It imports clock
// and the two drivers. Flow enters by View (a snapshot, concurrent) and Update
// (one writer; functions that wait at the same time share one commit and so one
// sync of the disk), and leaves by Watch and Changed, which wake waiters at the
// commit that carries an event they asked for. Nothing here polls.
//
//	docs     (table, id, account, region) -> JSON document
//	entries  (table, index, value, id, account, region)   ordered index entries
//	events   (seq) -> time, account, region, service, resource, kind, cause, request id, body
//	tables   (name) -> version and index names of the documents stored
//
// Events are for those who wait and explain; Prune removes old ones, so no reader may
// rely on finding all: where one comes back to, it begins with the rows.
//
// A process that writes holds the data dir's lock (LockDir) or, on PostgreSQL,
// the database's advisory lock: there is one writer, so sequence numbers are in
// commit order and unique indexes need no more than a look before the write.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hardstand/hardstand/internal/clock"
)

// Errors that callers branch on; they arrive wrapped.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrClosed   = errors.New("store is closed")
)

// Config tells Open where the state is.
type Config struct {
	// URL is a postgres:// URL; "" means SQLite in Dir.
	URL string
	// Dir is the data dir, which must exist; SQLite's file is Dir/state.db.
	Dir string
	// ReadOnly opens beside a running server: Update is refused, and events of
	// the server's commits do not wake Watch.
	ReadOnly bool
	// NoSync leaves out the disk syncs of SQLite. Tests that do not test
	// durability use it.
	NoSync bool
	Clock  clock.Clock  // nil means the system's
	Log    *slog.Logger // nil means slog.Default
}

// DB is an open store. Its methods may be called from any goroutine.
type DB struct {
	cfg     Config
	clock   clock.Clock
	log     *slog.Logger
	engine  engine
	readers *readerPool
	queue   chan *update
	closing chan struct{}
	writing sync.WaitGroup
	close   sync.Once

	lastSeq atomic.Int64
	// pruned is the last event that Prune has looked at.
	pruned atomic.Int64
	// current maps a table's name to the version its documents are known to
	// have; only committed knowledge enters.
	current sync.Map
	waiters waiters
}

// Open opens the store, makes or migrates its schema and starts the writer.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	db := &DB{
		cfg: cfg, clock: cfg.Clock, log: cfg.Log,
		queue: make(chan *update), closing: make(chan struct{}),
	}
	if db.clock == nil {
		db.clock = clock.System{}
	}
	if db.log == nil {
		db.log = slog.Default()
	}
	var err error
	if db.engine, err = openEngine(cfg); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db.readers = newReaderPool(db.engine)
	if err := db.begin(ctx); err != nil {
		_ = db.readers.close()
		_ = db.engine.close()
		return nil, fmt.Errorf("open store: %w", err)
	}
	return db, nil
}

// begin brings the schema up to date, learns the last sequence number and
// starts the writer.
func (db *DB) begin(ctx context.Context) error {
	var writer *session
	if !db.cfg.ReadOnly {
		var err error
		if writer, err = db.engine.writer(ctx); err != nil {
			return err
		}
	}
	if err := db.ready(ctx, writer); err != nil {
		if writer != nil {
			_ = writer.close()
		}
		return err
	}
	if writer != nil {
		db.writing.Add(1)
		go db.write(writer)
	}
	return nil
}

func (db *DB) ready(ctx context.Context, writer *session) error {
	s := writer
	if s == nil {
		var err error
		if s, err = db.readers.get(ctx); err != nil {
			return err
		}
		defer db.readers.put(s)
	} else if err := migrate(db.engine, s); err != nil {
		return err
	}
	var last int64
	if err := s.row(`SELECT COALESCE(MAX(seq), 0) FROM events`).Scan(&last); err != nil {
		return fmt.Errorf("read the last event: %w", err)
	}
	db.lastSeq.Store(last)
	return db.readPruned(s)
}

func openEngine(cfg Config) (engine, error) {
	switch {
	case cfg.URL == "":
		return openSQLite(cfg)
	case strings.HasPrefix(cfg.URL, "postgres://"), strings.HasPrefix(cfg.URL, "postgresql://"):
		return openPostgres(cfg)
	}
	return nil, errors.New("database URL must begin with postgres:// (or be empty for SQLite)")
}

// Close waits for the update in flight, wakes all watchers and releases the
// database.
func (db *DB) Close() error {
	var err error
	db.close.Do(func() {
		close(db.closing)
		db.writing.Wait()
		db.waiters.wakeAll()
		err = errors.Join(db.readers.close(), db.engine.close())
	})
	return err
}
