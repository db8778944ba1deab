package logs

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/store"
)

// DeleteLogGroup removes a group with its streams, events and filters. The group
// goes in one transaction; its events, which nobody finds any more, follow.
func (s *Service) DeleteLogGroup(ctx context.Context, in *api.DeleteLogGroupInput) (*api.DeleteLogGroupOutput, error) {
	c := aws.CallFrom(ctx)
	var d drop
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k := key(c, *in.LogGroupName)
		g, err := groups.Get(tx, k)
		if err != nil {
			return or(err, errNoGroup)
		}
		d = drop{Index: byGroup, UID: g.UID, Group: g.Name}
		if err := deleteBelow(tx, streams, c, g.Name); err != nil {
			return err
		}
		if err := deleteBelow(tx, filters, c, g.Name); err != nil {
			return err
		}
		emit(tx, k, g.Name, "deleted", "DeleteLogGroup")
		if err := drops.Put(tx, key(c, g.UID), &d); err != nil {
			return err
		}
		return groups.Delete(tx, k)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteLogGroupOutput{}, s.remove(ctx, key(c, d.UID), d)
}

// deleteBelow deletes a group's rows of a table that is keyed by group and name.
func deleteBelow[T any](tx *store.Tx, t *store.Table[T], c aws.Call, group string) error {
	rows, err := below(tx, t, c, group)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := t.Delete(tx, r.Key); err != nil {
			return err
		}
	}
	return nil
}

// below lists a group's rows of a table that is keyed by group and name.
func below[T any](tx *store.Tx, t *store.Table[T], c aws.Call, group string) ([]store.Row[T], error) {
	const page = 512
	prefix := streamID(group, "")
	var out []store.Row[T]
	for after := prefix; ; {
		rows, err := t.List(tx, scope(c), after, page)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if len(r.Key.ID) < len(prefix) || r.Key.ID[:len(prefix)] != prefix {
				return out, nil
			}
			out = append(out, r)
		}
		if len(rows) < page {
			return out, nil
		}
		after = rows[len(rows)-1].Key.ID
	}
}

// DeleteLogStream removes a stream with its events.
func (s *Service) DeleteLogStream(ctx context.Context, in *api.DeleteLogStreamInput) (*api.DeleteLogStreamOutput, error) {
	c := aws.CallFrom(ctx)
	var d drop
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if _, err := groups.Get(tx, key(c, *in.LogGroupName)); err != nil {
			return or(err, errNoGroup)
		}
		k := key(c, streamID(*in.LogGroupName, *in.LogStreamName))
		st, err := streams.Get(tx, k)
		if err != nil {
			return or(err, errNoStream)
		}
		d = drop{Index: byFirst, UID: st.UID, Group: *in.LogGroupName}
		emit(tx, k, *in.LogGroupName, "stream", "DeleteLogStream")
		if err := drops.Put(tx, key(c, st.UID), &d); err != nil {
			return err
		}
		return streams.Delete(tx, k)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteLogStreamOutput{}, s.remove(ctx, key(c, d.UID), d)
}

// drop is a group or stream that has gone and whose batches have still to go.
type drop struct{ Index, UID, Group string }

// remove deletes the batches of a drop, some at a time, and at the end the drop.
func (s *Service) remove(ctx context.Context, k store.Key, d drop) error {
	for more := true; more; {
		err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			rows, err := batches.Range(tx, d.Index, d.UID+"\x00", d.UID+"\x01", scanPage, false)
			if err != nil {
				return err
			}
			more = len(rows) == scanPage
			if err := deleteBatches(tx, d.Group, rows); err != nil || more {
				return err
			}
			return orGone(drops.Delete(tx, k))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteBatches deletes batches and takes their size from the group, if it still is.
func deleteBatches(tx *store.Tx, name string, rows []store.Row[batch]) error {
	if len(rows) == 0 {
		return nil
	}
	bytes := int64(0)
	for _, r := range rows {
		bytes += r.Value.Bytes
		if err := batches.Delete(tx, r.Key); err != nil {
			return err
		}
	}
	first := rows[0]
	k := store.Key{Account: first.Key.Account, Region: first.Key.Region, ID: name}
	g, err := groups.Get(tx, k)
	if err != nil || g.UID != first.Value.GroupUID {
		return orGone(err)
	}
	g.Bytes = max(g.Bytes-bytes, 0)
	return groups.Put(tx, k, g)
}

// finishDrops removes what an earlier server, or a request that was given up, had
// begun to.
func (s *Service) finishDrops(ctx context.Context) error {
	var rows []store.Row[drop]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = drops.List(tx, store.Scope{}, "", 0)
		return err
	})
	for _, r := range rows {
		err = errors.Join(err, s.remove(ctx, r.Key, *r.Value))
	}
	return err
}
