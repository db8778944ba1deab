package cloudformation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/store"
)

// Run works on the operations on stack sets until ctx ends: those that a server
// which was stopped has left, and then new ones. One of a set is worked on at once.
func (s *Service) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	var mu sync.Mutex
	working := map[string]bool{}
	for {
		changed := s.db.Changed(store.Filter{Service: "cloudformation", Kind: setEventKind})
		due, err := s.dueOperations(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, w := range due {
			mu.Lock()
			busy := working[w.set.ID]
			working[w.set.ID] = true
			mu.Unlock()
			if busy {
				continue
			}
			running.Go(func() {
				if err := w.work(ctx); err != nil && ctx.Err() == nil {
					s.log.Error("stack set operation", "set", w.set.ID, "operation", w.op.ID, "error", err)
				}
				mu.Lock()
				delete(working, w.set.ID)
				mu.Unlock()
				_ = w.next(ctx) // an error is the server's end
			})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// dueOperations are the oldest operations of the sets that have any.
func (s *Service) dueOperations(ctx context.Context) (out []*setWorker, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := setOperations.Range(tx, "working", "", "", 0, false)
		if err != nil {
			return err
		}
		slices.SortStableFunc(rows, func(a, b store.Row[setOperation]) int { return a.Value.Number - b.Value.Number })
		for _, row := range rows {
			if slices.ContainsFunc(out, func(w *setWorker) bool { return w.set.ID == row.Value.SetID }) {
				continue
			}
			set, err := stackSets.Get(tx, store.Key{Account: row.Key.Account, Region: row.Key.Region, ID: row.Value.SetID})
			if err != nil {
				return fmt.Errorf("find the stack set of an operation: %w", err)
			}
			out = append(out, &setWorker{s: s, set: set, op: row.Value})
		}
		return nil
	})
	return out, err
}

// setWorker works on one operation. op is the row as it was when the work began: it
// does not change while targets are worked on side by side.
type setWorker struct {
	s   *Service
	set *stackSet
	op  *setOperation
}

// update changes the operation's row, and what else belongs to the change.
func (w *setWorker) update(ctx context.Context, change func(*store.Tx, *setOperation) error) error {
	return w.s.db.Update(ctx, func(tx *store.Tx) error {
		op, err := setOperations.Get(tx, w.set.operationKey(w.op.ID))
		if err != nil {
			return err
		}
		if err := change(tx, op); err != nil {
			return err
		}
		return putOperation(tx, w.set, op)
	})
}

func (w *setWorker) stopping(ctx context.Context) bool {
	_, op, err := w.s.setOperation(w.as(ctx, w.op.Caller, w.set.Account, w.set.Region), &w.set.ID, &w.op.ID)
	return err != nil || op.Status == string(api.StackSetOperationStatusStopping)
}

// as is ctx for calls of a principal.
func (w *setWorker) as(ctx context.Context, p aws.Principal, account, region string) context.Context {
	return aws.WithCall(ctx, aws.Call{Principal: p, Account: account, Region: region, Service: "cloudformation", Secure: true}.
		WithVia("cloudformation.amazonaws.com"))
}

// over reads the operation anew: one that was due when Run looked may have been
// worked to its end before this worker had its turn.
func (w *setWorker) over(ctx context.Context) (bool, error) {
	err := w.s.db.View(ctx, func(tx *store.Tx) (err error) {
		w.op, err = setOperations.Get(tx, w.set.operationKey(w.op.ID))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return err != nil || w.op.ended(), err
}

// work goes through the regions, in the order that the preferences give, and stops
// where more targets fail than they tolerate.
func (w *setWorker) work(ctx context.Context) error {
	if over, err := w.over(ctx); over || err != nil {
		return err
	}
	if w.op.Status == string(api.StackSetOperationStatusQueued) {
		if err := w.update(ctx, func(_ *store.Tx, o *setOperation) error {
			o.Status = string(api.StackSetOperationStatusRunning)
			return nil
		}); err != nil {
			return err
		}
	}
	regions := w.regions()
	tolerated := true
	if p := w.op.Preferences; p != nil && p.RegionConcurrencyType == api.RegionConcurrencyTypeParallel {
		results := make([]bool, len(regions))
		var all sync.WaitGroup
		for i, region := range regions {
			all.Go(func() { results[i] = w.region(ctx, region) })
		}
		all.Wait()
		tolerated = !slices.Contains(results, false)
	} else {
		for _, region := range regions {
			if tolerated = w.region(ctx, region); !tolerated || w.stopping(ctx) {
				break
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.finish(ctx, tolerated)
}

// regions are those of the targets: first those that the preferences name, then the
// others as the request had them.
func (w *setWorker) regions() []string {
	var out []string
	for _, r := range w.op.Results {
		if !slices.Contains(out, r.Region) {
			out = append(out, r.Region)
		}
	}
	if w.op.Preferences == nil {
		return out
	}
	place := func(region string) int {
		if i := slices.Index(w.op.Preferences.RegionOrder, region); i >= 0 {
			return i
		}
		return len(w.op.Preferences.RegionOrder)
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return out
}

// limits are how many targets of a region may fail, and be worked on at once.
func (w *setWorker) limits(targets int) (tolerance, parallel int) {
	p := w.op.Preferences
	if p == nil {
		return 0, 1
	}
	tolerance, parallel = int(aws.Val(p.FailureToleranceCount)), 1
	if p.FailureTolerancePercentage != nil {
		tolerance = targets * int(*p.FailureTolerancePercentage) / 100
	}
	if p.MaxConcurrentCount != nil {
		parallel = int(*p.MaxConcurrentCount)
	}
	if p.MaxConcurrentPercentage != nil {
		parallel = targets * int(*p.MaxConcurrentPercentage) / 100
	}
	if p.ConcurrencyMode != api.ConcurrencyModeSoftFailureTolerance {
		parallel = min(parallel, tolerance+1)
	}
	return tolerance, max(parallel, 1)
}

// region works on the targets of a region and tells whether the operation may go on.
func (w *setWorker) region(ctx context.Context, region string) bool {
	var targets []target
	failed := 0
	for _, r := range w.op.Results {
		if r.Region != region {
			continue
		}
		switch api.StackSetOperationResultStatus(r.Status) {
		case api.StackSetOperationResultStatusFailed:
			failed++
		case api.StackSetOperationResultStatusPending, api.StackSetOperationResultStatusRunning:
			targets = append(targets, r.target)
		}
	}
	tolerance, parallel := w.limits(len(targets) + failed)
	for batch := range slices.Chunk(targets, parallel) {
		if failed > tolerance || w.stopping(ctx) {
			break
		}
		outcome := make([]bool, len(batch))
		var all sync.WaitGroup
		for i, t := range batch {
			all.Go(func() { outcome[i] = w.target(ctx, t) })
		}
		all.Wait()
		for _, good := range outcome {
			if !good {
				failed++
			}
		}
	}
	return failed <= tolerance
}

// finish ends the operation. Targets that were not begun are cancelled.
func (w *setWorker) finish(ctx context.Context, tolerated bool) error {
	return w.update(ctx, func(tx *store.Tx, o *setOperation) error {
		stopped := o.Status == string(api.StackSetOperationStatusStopping)
		for i := range o.Results {
			r := &o.Results[i]
			if r.Status != string(api.StackSetOperationResultStatusPending) {
				continue
			}
			r.Status, r.Reason = string(api.StackSetOperationResultStatusCancelled), "Cancelled since failure tolerance has exceeded"
			if stopped {
				r.Reason = "Cancelled since the operation was stopped"
			}
			if err := w.cancelled(tx, o, r); err != nil {
				return err
			}
		}
		o.Ended = tx.Now()
		switch {
		case stopped:
			o.Status = string(api.StackSetOperationStatusStopped)
		case tolerated:
			o.Status = string(api.StackSetOperationStatusSucceeded)
		default:
			o.Status = string(api.StackSetOperationStatusFailed)
		}
		if o.Action == string(api.StackSetOperationActionDetectDrift) {
			return w.summarise(tx, o)
		}
		return nil
	})
}

// cancelled marks the instance of a target that the operation did not come to.
func (w *setWorker) cancelled(tx *store.Tx, o *setOperation, r *setResult) error {
	i, err := stackInstances.Get(tx, w.set.instanceKey(r.target))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || o.Action == string(api.StackSetOperationActionDetectDrift) {
		return err
	}
	if awaited, err := o.awaited(tx, r.target); awaited || err != nil {
		return err
	}
	i.Detail, i.Reason = string(api.StackInstanceDetailedStatusCancelled), r.Reason
	return stackInstances.Put(tx, w.set.instanceKey(r.target), i)
}

// next wakes Run for the operation that may be queued behind this one.
func (w *setWorker) next(ctx context.Context) error {
	return w.s.db.Update(ctx, func(tx *store.Tx) error {
		list, err := operationsOf(tx, w.set.ID)
		if err != nil {
			return err
		}
		for _, o := range slices.Backward(list) {
			if !o.ended() && strings.Compare(o.ID, w.op.ID) != 0 {
				return putOperation(tx, w.set, o)
			}
		}
		return nil
	})
}
