package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Event explains one change. It is committed with the change, or not at all.
type Event struct {
	// Seq numbers events in the order of their commits, without gaps.
	Seq  int64
	Time time.Time
	// Account and Region are where the resource lives.
	Account, Region string
	// Service is the signing name ("cloudformation"), Resource what changed in
	// the service's own form (an id or an ARN), Kind the change ("state").
	Service, Resource, Kind string
	// Cause says why, in words; RequestID is the call that led to it.
	Cause, RequestID string
	Body             json.RawMessage
}

// Filter selects events; "" means any.
type Filter struct{ Account, Region, Service, Resource, Kind string }

func (f Filter) matches(e *Event) bool {
	return (f.Account == "" || f.Account == e.Account) &&
		(f.Region == "" || f.Region == e.Region) &&
		(f.Service == "" || f.Service == e.Service) &&
		(f.Resource == "" || f.Resource == e.Resource) &&
		(f.Kind == "" || f.Kind == e.Kind)
}

// Emit adds an event to the transaction; the store fills Seq and Time. In a
// View it does nothing.
func (tx *Tx) Emit(e Event) {
	if tx.write {
		tx.events = append(tx.events, e)
	}
}

// Now is the store's time, for rows written in the transaction.
func (tx *Tx) Now() time.Time { return tx.db.clock.Now() }

// writeEvents numbers the transaction's events from seq+1 and stores them.
func (tx *Tx) writeEvents(seq int64) error {
	now := tx.db.clock.Now().UTC()
	for i := range tx.events {
		e := &tx.events[i]
		e.Seq, e.Time = seq+int64(i)+1, now
		_, err := tx.s.exec(`INSERT INTO events (seq, time, account, region, service, resource, kind, cause, request_id, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			e.Seq, e.Time.UnixNano(), e.Account, e.Region, e.Service, e.Resource, e.Kind, e.Cause, e.RequestID, []byte(e.Body))
		if err != nil {
			return tx.fail(fmt.Errorf("write an event: %w", err))
		}
	}
	return nil
}

// LastSeq is the number of the last committed event, 0 before the first.
func (db *DB) LastSeq() int64 { return db.lastSeq.Load() }

// Events returns committed events with Seq > from, in order, at most limit (0
// means all). It is ErrPruned when there were others behind from, unless that is 0.
func (db *DB) Events(ctx context.Context, from int64, f Filter, limit int) ([]Event, error) {
	var out []Event
	err := db.View(ctx, func(tx *Tx) (err error) {
		out, err = tx.Events(from, f, limit)
		return err
	})
	return out, err
}

// Events is DB.Events on the transaction's snapshot.
func (tx *Tx) Events(from int64, f Filter, limit int) ([]Event, error) {
	events, err := tx.eventsAfter(from, f, limit)
	if err == nil && 0 < from && from < tx.db.pruned.Load() {
		return nil, ErrPruned
	}
	return events, err
}

func (tx *Tx) eventsAfter(from int64, f Filter, limit int) ([]Event, error) {
	return tx.findEvents(f, limit, " AND seq>", from, " ORDER BY seq")
}

// EventsBefore returns matching events with a smaller Seq than before, or all of
// them when before is 0: the newest first, at most limit.
func (tx *Tx) EventsBefore(before int64, f Filter, limit int) ([]Event, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return tx.findEvents(f, limit, " AND seq<", before, " ORDER BY seq DESC")
}

func (tx *Tx) findEvents(f Filter, limit int, bound string, seq int64, order string) ([]Event, error) {
	q := query{text: `SELECT seq, time, account, region, service, resource, kind, cause, request_id, body FROM events WHERE 1=1`}
	q.add(bound).arg(seq).events(f).add(order).limit(limit)
	rows, err := tx.s.query(q.text, q.args...)
	if err != nil {
		return nil, tx.fail(err)
	}
	defer rows.Close()
	var out []Event
	for rows.Next() {
		var e Event
		var nanos int64
		var body []byte
		if err := rows.Scan(&e.Seq, &nanos, &e.Account, &e.Region, &e.Service, &e.Resource, &e.Kind, &e.Cause, &e.RequestID, &body); err != nil {
			return nil, tx.fail(err)
		}
		e.Time = time.Unix(0, nanos).UTC()
		if len(body) > 0 {
			e.Body = body
		}
		out = append(out, e)
	}
	return out, tx.fail(rows.Err())
}
