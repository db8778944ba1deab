package stack

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// Event is one line of DescribeStackEvents. It is the body of a store event of
// kind stack-event whose resource is the stack's ARN.
type Event struct {
	Seq          int64     `json:"-"`
	Time         time.Time `json:"-"`
	ID           string
	LogicalID    string
	PhysicalID   string `json:",omitempty"`
	Type, Status string
	Reason       string `json:",omitempty"`
	Properties   string `json:",omitempty"`
	Token        string `json:",omitempty"`
	Operation    string `json:",omitempty"` // the stack's OperationID
	Call         string `json:",omitempty"` // the stack's Call
}

// KeptEvents are the store's events that the engine keeps, and removes with their stack.
var KeptEvents = store.Filter{Service: eventService, Kind: stackEventKind}

// EventFilter selects the events of a stack.
func EventFilter(s *Stack) store.Filter {
	return store.Filter{Account: s.Account, Region: s.Region, Service: eventService, Resource: s.ID, Kind: stackEventKind}
}

// EventsOf returns the events of a stack, oldest first.
func EventsOf(tx *store.Tx, s *Stack) ([]Event, error) {
	rows, err := tx.Events(0, EventFilter(s), 0)
	if err != nil {
		return nil, err
	}
	return decodeEvents(rows)
}

// EventsBefore returns at most limit events of a stack, newest first, that are older
// than the one with Seq before; 0 begins with the newest.
func EventsBefore(tx *store.Tx, s *Stack, before int64, limit int) ([]Event, error) {
	rows, err := tx.EventsBefore(before, EventFilter(s), limit)
	if err != nil {
		return nil, err
	}
	return decodeEvents(rows)
}

func decodeEvents(rows []store.Event) ([]Event, error) {
	out := make([]Event, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal(row.Body, &out[i]); err != nil {
			return nil, fmt.Errorf("decode event %d: %w", row.Seq, err)
		}
		out[i].Seq, out[i].Time = row.Seq, row.Time
	}
	return out, nil
}

// Call is what the operation in progress, or the last, would be called by itself: a
// change set creates a stack or updates it.
func (s *Stack) Call() string {
	switch {
	case s.OperationName != "ExecuteChangeSet":
		return s.OperationName
	case s.Base == 0:
		return "CreateStack"
	}
	return "UpdateStack"
}

// emit adds a stack event to the transaction.
func emit(tx *store.Tx, s *Stack, ev Event) error {
	ev.Token, ev.Operation, ev.Call = s.RequestToken, s.OperationID, s.Call()
	if err := notify(tx, s, &ev); err != nil {
		return err
	}
	body, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	tx.Emit(store.Event{Account: s.Account, Region: s.Region, Service: eventService, Resource: s.ID,
		Kind: stackEventKind, Cause: ev.Reason, RequestID: s.RequestID, Body: body})
	return nil
}

// setStatus moves a stack to a status, writes its row and the event.
func setStatus(tx *store.Tx, s *Stack, status, reason string) error {
	s.Status, s.Reason = status, reason
	if err := Stacks.Put(tx, s.Key(), s); err != nil {
		return err
	}
	if err := pulses.Put(tx, s.Key(), &pulse{Status: status, Operation: s.Operation}); err != nil {
		return err
	}
	return emit(tx, s, Event{ID: ids.UUID(), LogicalID: s.Name, PhysicalID: s.ID, Type: stackType, Status: status, Reason: reason})
}

// setMember moves a member to a status, writes its row and the event.
func setMember(tx *store.Tx, s *Stack, m *Member, status, reason string) error {
	m.Status, m.Reason, m.Changed = status, reason, tx.Now()
	if err := Members.Put(tx, s.memberKey(m.LogicalID), m); err != nil {
		return err
	}
	shape := m.Shape
	shape.PhysicalID = m.Shown()
	return emitMember(tx, s, m, &shape, status, reason)
}

// emitMember adds the event of one of a member's resources. Those of the clean-up
// after an update have other ids at AWS, and say nothing of the properties.
func emitMember(tx *store.Tx, s *Stack, m *Member, shape *Shape, status, reason string) error {
	ev := Event{LogicalID: m.LogicalID, PhysicalID: shape.PhysicalID, Type: m.Type, Status: status, Reason: reason}
	if s.Status == UpdateCleanup || s.Status == UpdateRollbackCleanup {
		ev.ID = m.LogicalID + "-" + ids.UUID()
	} else {
		ev.ID = fmt.Sprintf("%s-%s-%s", m.LogicalID, status, tx.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
		ev.Properties = shape.Public
	}
	return emit(tx, s, ev)
}
