package logs

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/store"
)

// retentions are the numbers of days that AWS knows.
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// PutRetentionPolicy says how long a group's events are kept.
func (s *Service) PutRetentionPolicy(ctx context.Context, in *api.PutRetentionPolicyInput) (*api.PutRetentionPolicyOutput, error) {
	days := *in.RetentionInDays
	if !slices.Contains(retentions, days) {
		texts := make([]string, len(retentions))
		for i, r := range retentions {
			texts[i] = strconv.Itoa(int(r))
		}
		return nil, invalid("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
			days, strings.Join(texts, ", "))
	}
	return &api.PutRetentionPolicyOutput{}, s.retain(ctx, *in.LogGroupName, days)
}

// DeleteRetentionPolicy lets a group's events stay for ever.
func (s *Service) DeleteRetentionPolicy(ctx context.Context, in *api.DeleteRetentionPolicyInput) (*api.DeleteRetentionPolicyOutput, error) {
	return &api.DeleteRetentionPolicyOutput{}, s.retain(ctx, *in.LogGroupName, 0)
}

func (s *Service) retain(ctx context.Context, name string, days int32) error {
	return s.change(ctx, name, "retention", errNoGroup, func(g *group) error { g.Retention = days; return nil })
}

// change changes a group's row, and with it what further functions change.
func (s *Service) change(ctx context.Context, name, kind string, notFound error, f func(*group) error, further ...func(*store.Tx, *group) error) error {
	k := key(aws.CallFrom(ctx), name)
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, k)
		if err != nil {
			return or(err, notFound)
		}
		if err := f(g); err != nil {
			return err
		}
		for _, f := range further {
			if err := f(tx, g); err != nil {
				return err
			}
		}
		emit(tx, k, name, kind, "")
		return groups.Put(tx, k, g)
	})
}

// sweepEvery is how often events that have expired are removed. Readers do not see
// them from the moment on that they expire.
const sweepEvery = time.Hour

// applyRetention removes expired events until ctx ends.
func (s *Service) applyRetention(ctx context.Context) error {
	for {
		changed := s.cfg.DB.Changed(store.Filter{Service: "logs", Kind: "retention"})
		if err := s.finishDrops(ctx); err != nil {
			return ended(ctx, err)
		}
		if err := s.sweep(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-s.cfg.Clock.After(sweepEvery):
		}
	}
}

// sweep removes the batches whose last event has expired.
func (s *Service) sweep(ctx context.Context) error {
	var limited []store.Row[group]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		limited, err = groups.Lookup(tx, "retention", "limited")
		return err
	})
	if err != nil {
		return ended(ctx, err)
	}
	for _, r := range limited {
		for more := true; more; {
			err := s.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
				more, err = s.expire(tx, r.Key)
				return err
			})
			if err != nil {
				return ended(ctx, err)
			}
		}
	}
	return nil
}

// expire removes some batches of a group and reports whether there may be more.
func (s *Service) expire(tx *store.Tx, k store.Key) (bool, error) {
	g, err := groups.Get(tx, k)
	if err != nil {
		return false, orGone(err)
	}
	cutoff := g.cutoff(s.nowMillis())
	// No batch spans more than a day, so those that begin a day earlier are over.
	rows, err := batches.Range(tx, byGroup, g.UID+"\x00", timed(g.UID, max(cutoff-maxSpan, 0)), scanPage, false)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return len(rows) == scanPage, deleteBatches(tx, g.Name, rows)
}

// ended is nil when the work was stopped.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
