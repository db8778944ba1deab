package stack

import (
	"context"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// awaitShare waits for the signals of a group's instances: a share of them may fail.
func (r *run) awaitShare(ctx context.Context, w waiting, percent *int) error {
	share := 100
	if percent != nil {
		share = *percent
	}
	if share < 0 || share > 100 {
		return propertyErrorf("MinSuccessfulInstancesPercent must be between 0 and 100")
	}
	var good, bad int
	err := r.e.untilSignals(ctx, w, func(signals map[string]string) bool {
		good, bad = count(signals)
		return good+bad >= w.count || bad*100 > w.count*(100-share)
	})
	if err != nil {
		return err
	}
	if good*100 >= w.count*share {
		return nil
	}
	if bad > 0 {
		return propertyErrorf("Received %d FAILURE signal(s) out of %d. Unable to satisfy %d%% MinSuccessfulInstancesPercent requirement", bad, w.count, share)
	}
	return propertyErrorf("Received %d SUCCESS signal(s) out of %d. Unable to satisfy %d%% MinSuccessfulInstancesPercent requirement", good, w.count, share)
}

func count(signals map[string]string) (good, bad int) {
	for _, status := range signals {
		if status == Success {
			good++
		} else {
			bad++
		}
	}
	return good, bad
}

// untilSignals returns when the signals that have come suffice, or at the deadline.
func (e *Engine) untilSignals(ctx context.Context, w waiting, enough func(map[string]string) bool) error {
	timer := e.cfg.Clock.After(w.deadline.Sub(e.cfg.Clock.Now()))
	for {
		changed := e.cfg.DB.Changed(store.Filter{Service: eventService, Resource: w.stackID, Kind: signalKind})
		signals, err := e.statuses(ctx, w)
		if err != nil || enough(signals) {
			return err
		}
		select {
		case <-changed:
		case <-timer:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// statuses are those of the signals so far, by UniqueId.
func (e *Engine) statuses(ctx context.Context, w waiting) (map[string]string, error) {
	out := map[string]string{}
	return out, e.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := Signals.Lookup(tx, "target", signalTarget(w.stackID, w.logicalID))
		for _, row := range rows {
			if w.created == 0 || row.Value.Created == w.created {
				out[row.Value.UniqueID] = row.Value.Status
			}
		}
		return err
	})
}

// door implements Door for a member that is being updated.
type door struct {
	r *run
	m *Member
}

// Say implements Door.
func (d door) Say(_ context.Context, reason string) error {
	return d.r.record(d.m, func() {}, d.m.Status, reason)
}

// Await implements Door.
func (d door) Await(ctx context.Context, uniqueIDs []string, deadline time.Time) (map[string]string, error) {
	w := waiting{stackID: d.m.StackID, logicalID: d.m.LogicalID, deadline: deadline}
	var all map[string]string
	err := d.r.e.untilSignals(ctx, w, func(signals map[string]string) bool {
		all = signals
		for _, id := range uniqueIDs {
			if signals[id] == "" {
				return false
			}
		}
		return true
	})
	return all, err
}
