package stack

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// notice is a row of cfn.notice: an event that the stack's topics have not heard of
// yet. It is written with the event, so that none is lost; the key's ID orders them.
type notice struct {
	StackID string
	Topics  []string
	Text    string
	// Caller publishes; RequestID and Operation are those of the stack's operation.
	Caller               aws.Principal
	RequestID, Operation string
}

var notices = &store.Table[notice]{Name: "cfn.notice", Version: 1, Indexes: []store.Index[notice]{
	{Name: "order", Unique: true, Value: func(k store.Key, _ *notice) []string { return []string{k.ID} }},
}}

// noticeCount tells notices of one moment apart.
var noticeCount atomic.Uint64

// topics are those that hear of what happens to the stack now.
func (s *Stack) topics() []string {
	if s.Next != nil && (s.Status == UpdateInProgress || s.Status == ImportInProgress || s.Status == UpdateFailed) {
		return s.Next.NotificationARNs
	}
	return s.Spec.NotificationARNs
}

// notify keeps an event for the stack's topics.
func notify(tx *store.Tx, s *Stack, ev *Event) error {
	topics := s.topics()
	if len(topics) == 0 {
		return nil
	}
	id := fmt.Sprintf("%020d-%010d", tx.Now().UnixNano(), noticeCount.Add(1))
	return notices.Insert(tx, store.Key{Account: s.Account, Region: s.Region, ID: id},
		&notice{StackID: s.ID, Topics: topics, Text: noticeText(tx, s, ev), Caller: s.Caller, RequestID: s.RequestID, Operation: s.OperationName})
}

// noticeText is an event as AWS writes it to topics: a line each, name='value'.
func noticeText(tx *store.Tx, s *Stack, ev *Event) string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%s='%s'\n", name, value) }
	orNull := func(value string) string {
		if value == "" {
			return "null"
		}
		return value
	}
	line("StackId", s.ID)
	line("Timestamp", tx.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	line("EventId", ev.ID)
	line("LogicalResourceId", ev.LogicalID)
	line("Namespace", s.Account)
	line("PhysicalResourceId", ev.PhysicalID)
	line("PrincipalId", s.Caller.UniqueID)
	line("ResourceProperties", orNull(ev.Properties))
	line("ResourceStatus", ev.Status)
	line("ResourceStatusReason", ev.Reason)
	line("ResourceType", ev.Type)
	line("StackName", s.Name)
	line("ClientRequestToken", orNull(ev.Token))
	return b.String()
}

// Publisher sends a message to a topic. ctx carries the stack's caller.
type Publisher func(ctx context.Context, topic, text string) error

// Notify publishes the events of stacks with topics, in their order, until ctx ends.
// A message that a topic does not take is logged and gone: no stack waits for it.
func (e *Engine) Notify(ctx context.Context, publish Publisher) error {
	for {
		changed := e.cfg.DB.Changed(store.Filter{Service: eventService, Kind: stackEventKind})
		var rows []store.Row[notice]
		err := e.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
			rows, err = notices.Range(tx, "order", "", "", 100, false)
			return err
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find what topics are to hear: %w", err)
		}
		for _, row := range rows {
			if err := e.tell(ctx, row, publish); err != nil {
				return err
			}
		}
		if len(rows) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// tell publishes one notice and forgets it.
func (e *Engine) tell(ctx context.Context, row store.Row[notice], publish Publisher) error {
	n := row.Value
	call := callFor(&Stack{Caller: n.Caller, Account: row.Key.Account, Region: row.Key.Region, RequestID: n.RequestID, OperationName: n.Operation}, "")
	for _, topic := range n.Topics {
		if err := publish(aws.WithCall(ctx, call), topic, n.Text); err != nil && ctx.Err() == nil {
			e.cfg.Log.Warn("a topic was not told of a stack's event", "stack", n.StackID, "topic", topic, "error", err)
		}
	}
	if ctx.Err() != nil {
		return nil // the next server tells it again
	}
	return e.cfg.DB.Update(ctx, func(tx *store.Tx) error { return notices.Delete(tx, row.Key) })
}
