package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// maxReaders bounds the connections that View uses at once.
const maxReaders = 16

// readerPool lends reading sessions and keeps those that are idle.
type readerPool struct {
	engine engine
	slots  chan struct{}
	mu     sync.Mutex
	idle   []*session
	closed bool
}

func newReaderPool(e engine) *readerPool {
	return &readerPool{engine: e, slots: make(chan struct{}, maxReaders)}
}

func (p *readerPool) get(ctx context.Context) (*session, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.slots
		return nil, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return s, nil
	}
	p.mu.Unlock()
	s, err := p.engine.reader(ctx)
	if err != nil {
		<-p.slots
		return nil, fmt.Errorf("connect: %w", err)
	}
	return s, nil
}

func (p *readerPool) put(s *session) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	<-p.slots
	if closed {
		_ = s.close()
	}
}

func (p *readerPool) drop(s *session) {
	<-p.slots
	_ = s.close()
}

func (p *readerPool) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	return p.flush()
}

// flush closes the idle sessions.
func (p *readerPool) flush() error {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	var errs []error
	for _, s := range idle {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// View runs fn on a snapshot of what is committed. fn must not keep tx. It
// runs again from the start when a table it reads has first to be upgraded.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	for {
		stale, err := db.view(ctx, fn)
		if stale == nil {
			return err
		}
		if err := db.Update(ctx, stale); err != nil {
			return fmt.Errorf("upgrade a table: %w", err)
		}
	}
}

func (db *DB) view(ctx context.Context, fn func(*Tx) error) (stale func(*Tx) error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := db.beginView(ctx)
	if err != nil {
		return nil, err
	}
	tx := &Tx{db: db, s: s}
	defer func() {
		tx.s = nil
		if s.run("ROLLBACK") != nil {
			db.readers.drop(s)
			return
		}
		db.readers.put(s)
	}()
	err = fn(tx)
	return tx.stale, err
}

// beginView begins a reading transaction. When the session it got is broken,
// the others that idled beside it are too, and it connects anew.
func (db *DB) beginView(ctx context.Context) (*session, error) {
	for retried := false; ; retried = true {
		s, err := db.readers.get(ctx)
		if err != nil {
			return nil, err
		}
		err = s.run(db.engine.beginRead())
		if err == nil {
			return s, nil
		}
		db.readers.drop(s)
		if retried {
			return nil, fmt.Errorf("begin a read: %w", err)
		}
		_ = db.readers.flush()
	}
}
