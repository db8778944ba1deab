package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// change is a new state of an alarm.
type change struct {
	state        api.StateValue
	reason, data string
}

// transition puts an alarm, as it was seen, into another state: the row, the
// history, what is to be done and the event, or nothing when somebody else has
// changed the alarm since.
func (s *Service) transition(ctx context.Context, k store.Key, seen *alarm, to change) error {
	now := s.cfg.Clock.Now().UTC()
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		a, err := unchanged(tx, k, seen)
		if err != nil || a == nil {
			return err
		}
		return a.enter(tx, k, to, now)
	})
}

// unchanged is the row of an alarm if it is still the one that was evaluated, else nil.
func unchanged(tx *store.Tx, k store.Key, seen *alarm) (*alarm, error) {
	a, err := alarms.Get(tx, k)
	if isNotFound(err) || err == nil && (!a.Updated.Equal(seen.Updated) || !a.Configured.Equal(seen.Configured)) {
		return nil, nil
	}
	return a, err
}

// enter changes the state of the alarm's row.
func (a *alarm) enter(tx *store.Tx, k store.Key, to change, now time.Time) error {
	old := *a
	a.State, a.Reason, a.ReasonData, a.Updated = to.state, to.reason, to.data, now
	if old.State == to.state {
		return alarms.Put(tx, k, a)
	}
	a.Transitioned = now
	if err := a.recordTransition(tx, k, &old, now); err != nil {
		return err
	}
	if a.ActionsEnabled {
		if err := a.queueActions(tx, k, &old); err != nil {
			return err
		}
	}
	emit(tx, k, "state", a.Reason)
	return alarms.Put(tx, k, a)
}

func (a *alarm) recordTransition(tx *store.Tx, k store.Key, old *alarm, now time.Time) error {
	type half struct {
		Value  api.StateValue  `json:"stateValue"`
		Reason string          `json:"stateReason"`
		Data   json.RawMessage `json:"stateReasonData,omitempty"`
	}
	halfOf := func(a *alarm) half {
		h := half{Value: a.State, Reason: a.Reason}
		if json.Valid([]byte(a.ReasonData)) {
			h.Data = json.RawMessage(a.ReasonData)
		}
		return h
	}
	data, err := json.Marshal(struct {
		Version string `json:"version"`
		Old     half   `json:"oldState"`
		New     half   `json:"newState"`
	}{"1.0", halfOf(old), halfOf(a)})
	if err != nil {
		return err
	}
	return record(tx, k, item{Alarm: a.Name, Kind: a.kind(), Type: api.HistoryItemTypeStateUpdate, Time: now,
		Summary: fmt.Sprintf("Alarm updated from %s to %s", old.State, a.State), Data: string(data)})
}

// ranks order what happens in the same instant.
var ranks = map[api.HistoryItemType]int{api.HistoryItemTypeConfigurationUpdate: 0, api.HistoryItemTypeStateUpdate: 1, api.HistoryItemTypeAction: 2}

// record adds to the history.
func record(tx *store.Tx, k store.Key, i item) error {
	return history.Put(tx, store.Key{Account: k.Account, Region: k.Region, ID: fmt.Sprintf("%020d/%d/%s", i.Time.UnixNano(), ranks[i.Type], ids.UUID())}, &i)
}
