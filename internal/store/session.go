package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// engine is what the two databases do differently. Statements are shared: both
// accept $1 parameters.
type engine interface {
	// reader and writer each open a connection of their own. There is one
	// writer at a time.
	reader(ctx context.Context) (*session, error)
	writer(ctx context.Context) (*session, error)
	// beginRead starts a transaction that sees one snapshot.
	beginRead() string
	beginWrite() string
	// schemaVersion is the number of migrations that have run; migration n is
	// applied and counted in one transaction.
	schemaVersion(s *session) (int, error)
	migrations() []string
	setSchemaVersion(n int) string
	close() error
}

// session is one connection with its prepared statements. It serves one
// goroutine at a time. Statements run without the caller's context: a
// cancelled caller must not break a commit that others share.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	// broken is set by the writer when the connection is of no more use.
	broken bool
	// farewell is run before the connection is closed.
	farewell string
}

func newSession(ctx context.Context, db *sql.DB) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

func (s *session) stmt(q string) (*sql.Stmt, error) {
	if st, ok := s.stmts[q]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(context.Background(), q)
	if err != nil {
		return nil, fmt.Errorf("prepare statement: %w", err)
	}
	s.stmts[q] = st
	return st, nil
}

// exec runs a prepared statement and returns how many rows it changed.
func (s *session) exec(q string, args ...any) (int64, error) {
	st, err := s.stmt(q)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// run executes statements that need no preparation: BEGIN, a migration.
func (s *session) run(q string) error {
	_, err := s.conn.ExecContext(context.Background(), q)
	return err
}

func (s *session) query(q string, args ...any) (*sql.Rows, error) {
	st, err := s.stmt(q)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(context.Background(), args...)
}

type scanner interface{ Scan(...any) error }

type failedRow struct{ err error }

func (f failedRow) Scan(...any) error { return f.err }

func (s *session) row(q string, args ...any) scanner {
	st, err := s.stmt(q)
	if err != nil {
		return failedRow{err}
	}
	return st.QueryRowContext(context.Background(), args...)
}

// alive tells whether the connection still answers.
func (s *session) alive() bool { return s.conn.PingContext(context.Background()) == nil }

func (s *session) close() error {
	var errs []error
	if s.farewell != "" && !s.broken {
		errs = append(errs, s.run(s.farewell))
	}
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// migrate runs the migrations that the database has not seen. Each is one
// transaction with its number, so that a crash leaves it done or not begun.
func migrate(e engine, s *session) error {
	have, err := e.schemaVersion(s)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	all := e.migrations()
	if have > len(all) {
		return fmt.Errorf("database has schema %d, this hardstand knows %d: it was written by a newer version", have, len(all))
	}
	for n := have; n < len(all); n++ {
		if err := s.run("BEGIN;" + all[n] + ";" + e.setSchemaVersion(n+1) + ";COMMIT"); err != nil {
			_ = s.run("ROLLBACK")
			return fmt.Errorf("migrate the schema to %d: %w", n+1, err)
		}
	}
	return nil
}
