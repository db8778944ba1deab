package store

import (
	"context"
	"errors"
	"fmt"
)

// maxBatch bounds how many updates share one commit.
const maxBatch = 256

// update is one Update on its way through the writer.
type update struct {
	ctx  context.Context
	fn   func(*Tx) error
	done chan error

	err error
	// current are the tables it knows to have a version, if it succeeded.
	current map[string]int
}

// panicked carries a panic of fn back to the goroutine that called Update.
type panicked struct{ value any }

func (p panicked) Error() string { return fmt.Sprint("panic: ", p.value) }

// Tx is a transaction in View or Update. It is valid until the function it was
// given to returns.
type Tx struct {
	db     *DB
	s      *session
	write  bool
	events []Event
	// current are the tables whose rows have the version given, as this
	// transaction found or made them.
	current map[string]int
	// failed is the first error of a statement.
	failed error
	// stale is set when a View met a table that an Update must first upgrade.
	stale func(*Tx) error
}

// Update runs fn in the one writing transaction and returns when its changes
// are on disk. An error of fn undoes its changes only. fn must be quick, must
// not do I/O and must not call Update; it may run more than once.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if db.cfg.ReadOnly {
		return errors.New("store is open for reading only")
	}
	u := &update{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case db.queue <- u:
	case <-db.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	err := <-u.done
	if p, ok := err.(panicked); ok {
		panic(p.value)
	}
	return err
}

// write is the writer: it takes what waits, commits it together, answers.
func (db *DB) write(s *session) {
	defer db.writing.Done()
	for {
		select {
		case <-db.closing:
			if s != nil {
				_ = s.close()
			}
			return
		case u := <-db.queue:
			batch := db.gather(u)
			s = db.reconnect(s)
			db.commit(s, batch)
			for _, u := range batch {
				u.done <- u.err
			}
		}
	}
}

// reconnect replaces a session that a lost connection has broken.
func (db *DB) reconnect(s *session) *session {
	if s != nil && !s.broken {
		return s
	}
	if s != nil {
		_ = s.close()
	}
	fresh, err := db.engine.writer(context.Background())
	if err != nil {
		db.log.Error("store: connect for writing", "error", err)
		return nil
	}
	return fresh
}

func (db *DB) gather(first *update) []*update {
	batch := []*update{first}
	for len(batch) < maxBatch {
		select {
		case u := <-db.queue:
			batch = append(batch, u)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the batch in one transaction and sets each update's err. When the
// transaction itself fails, so do all its updates.
func (db *DB) commit(s *session, batch []*update) {
	events, err := db.transact(s, batch)
	if err != nil {
		for _, u := range batch {
			if u.err == nil {
				u.err = err
			}
		}
		return
	}
	for _, u := range batch {
		for table, version := range u.current {
			db.current.Store(table, version)
		}
	}
	if len(events) > 0 {
		db.lastSeq.Store(events[len(events)-1].Seq)
		db.waiters.wake(events)
	}
}

func (db *DB) transact(s *session, batch []*update) ([]Event, error) {
	if s == nil {
		return nil, errors.New("store: no connection to the database")
	}
	if err := s.run(db.engine.beginWrite()); err != nil {
		s.broken = !s.alive()
		return nil, fmt.Errorf("begin a write: %w", err)
	}
	var events []Event
	succeeded := 0
	for _, u := range batch {
		made, err := db.apply(s, u, db.lastSeq.Load()+int64(len(events)), len(batch) > 1)
		if err != nil {
			s.broken = s.run("ROLLBACK") != nil
			return nil, err
		}
		if u.err == nil {
			succeeded++
			events = append(events, made...)
		}
	}
	if succeeded == 0 {
		s.broken = s.run("ROLLBACK") != nil
		return nil, nil
	}
	if err := s.run("COMMIT"); err != nil {
		s.broken = s.run("ROLLBACK") != nil
		return nil, fmt.Errorf("commit: %w", err)
	}
	return events, nil
}

// apply runs one update, numbering its events from seq+1. A failure of the
// update is its own (u.err) and its changes are undone; the error returned is
// one of the transaction.
func (db *DB) apply(s *session, u *update, seq int64, isolated bool) ([]Event, error) {
	if u.err = u.ctx.Err(); u.err != nil {
		return nil, nil
	}
	if isolated {
		if err := s.run("SAVEPOINT one"); err != nil {
			return nil, fmt.Errorf("isolate an update: %w", err)
		}
	}
	tx := &Tx{db: db, s: s, write: true}
	u.err = tx.perform(u.fn, seq)
	tx.s = nil
	if u.err == nil {
		u.current = tx.current
	}
	if !isolated {
		return tx.events, nil
	}
	end := "RELEASE SAVEPOINT one"
	if u.err != nil {
		end = "ROLLBACK TO SAVEPOINT one; " + end
	}
	if err := s.run(end); err != nil {
		return nil, fmt.Errorf("end an update: %w", err)
	}
	return tx.events, nil
}

// perform calls fn and writes the events it emitted. A statement that failed
// fails the update even if fn went on: PostgreSQL would not commit it.
func (tx *Tx) perform(fn func(*Tx) error, seq int64) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked{v}
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	return tx.writeEvents(seq)
}
