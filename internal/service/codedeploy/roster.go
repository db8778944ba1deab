package codedeploy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/store"
)

// roster is the worker's memory of its deployment's targets: reading all of a
// large fleet at each change of one of its targets would make a deployment
// cost the square of its hosts. It follows the events of the deployment, which
// every change of a target emits.
type roster struct {
	seq   int64 // of the last event that it knows
	known bool
	open  bool      // a transaction is at work with it
	list  []*target // in the order they are deployed to
	// stale are the targets whose events have gone on since they were read: their
	// status is right, the rest may be older than the row.
	stale map[string]bool
}

// begin is called when a transaction begins, end when it has ended. What one that
// failed, or runs again, has changed in memory is not what the rows say.
func (r *roster) begin() {
	if r.open {
		*r = roster{}
	}
	r.open = true
}

func (r *roster) end(err error) {
	if r.open = false; err != nil {
		*r = roster{}
	}
}

// read brings the roster to what tx sees.
func (r *roster) read(tx *store.Tx, k store.Key) ([]*target, error) {
	events, err := tx.Events(r.seq, store.Filter{Account: k.Account, Region: k.Region, Service: "codedeploy", Resource: k.ID}, 0)
	if err != nil {
		return nil, err
	}
	if !r.known {
		r.stale = map[string]bool{}
		if r.list, err = targetsOf(tx, k.ID); err != nil {
			return nil, err
		}
		// A deployment has targets from its beginning on, all of them.
		r.known = len(r.list) > 0
	} else if err := r.follow(tx, k, events); err != nil {
		return nil, err
	}
	if len(events) > 0 {
		r.seq = events[len(events)-1].Seq
	}
	return r.list, nil
}

// follow reads again what changed its status, and notes what else has changed.
func (r *roster) follow(tx *store.Tx, k store.Key, events []store.Event) error {
	changed := map[string]bool{}
	for _, e := range events {
		id, _, _ := strings.Cut(e.Cause, " ")
		switch e.Kind {
		case "target":
			changed[id] = true
		case "event", "log":
			r.stale[id] = true
		}
	}
	return r.reread(tx, k, changed)
}

// refresh reads again what is stale, for those who look at more than statuses.
func (r *roster) refresh(tx *store.Tx, k store.Key) error { return r.reread(tx, k, r.stale) }

func (r *roster) reread(tx *store.Tx, k store.Key, ids map[string]bool) error {
	if len(ids) == 0 {
		return nil
	}
	for i, t := range r.list {
		if !ids[t.InstanceID] {
			continue
		}
		fresh, err := targets.Get(tx, targetKey(k, k.ID, t.InstanceID))
		if err != nil {
			return err
		}
		r.list[i] = fresh
		delete(r.stale, t.InstanceID)
	}
	return nil
}

// sortTargets puts targets in the order they are deployed to.
func sortTargets(list []*target) {
	slices.SortFunc(list, func(a, b *target) int {
		return cmp.Or(a.Rank-b.Rank, strings.Compare(a.InstanceID, b.InstanceID))
	})
}
