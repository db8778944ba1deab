package s3

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/store"
)

// lifecycleBatch is how many versions or uploads one step looks at, and so the
// most that one transaction removes.
const lifecycleBatch = 500

// RunLifecycle applies the lifecycle rules until ctx ends: at its start, at each
// midnight UTC, when actions fall due, and when a configuration was put.
func (s *Service) RunLifecycle(ctx context.Context) error {
	for {
		if err := s.applyLifecycles(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			s.log.Error("s3: apply lifecycle rules", slog.Any("error", err))
		}
		now := s.clock.Now().UTC()
		next := now.Truncate(24*time.Hour).AddDate(0, 0, 1)
		select {
		case <-ctx.Done():
			return nil
		case <-s.clock.After(next.Sub(now)):
		case <-s.lifecycles:
		}
	}
}

func (s *Service) wakeLifecycle() {
	select {
	case s.lifecycles <- struct{}{}:
	default: // woken already
	}
}

func (s *Service) applyLifecycles(ctx context.Context) error {
	var rows []store.Row[bucket]
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = buckets.List(tx, store.Scope{}, "", 0)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Value.Lifecycle == nil {
			continue
		}
		if err := s.applyLifecycle(ctx, r.Value); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) applyLifecycle(ctx context.Context, b *bucket) error {
	now := s.clock.Now().UTC()
	w := lifecycleWalk{inclusive: true}
	for more := true; more; {
		var due []dueVersion
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			due, more, err = w.step(tx, b, now)
			return err
		})
		if err != nil {
			return err
		}
		if len(due) > 0 {
			if err := s.expire(ctx, b.Name, due, now); err != nil {
				return err
			}
		}
	}
	return s.abortStale(ctx, b, now)
}

// lifecycleWalk goes over a bucket's versions, newest first within a key.
type lifecycleWalk struct {
	from      string
	inclusive bool
	key       string
	newer     int
}

// dueVersion is a version that something is due for.
type dueVersion struct {
	keyed
	among place
	act   act
}

// step looks at the next versions and returns those that have something due.
func (w *lifecycleWalk) step(tx *store.Tx, b *bucket, now time.Time) (found []dueVersion, more bool, err error) {
	rows, err := versionsFrom(tx, b.Name, w.from, w.inclusive, lifecycleBatch)
	if err != nil {
		return nil, false, err
	}
	for _, r := range rows {
		if r.key != w.key {
			w.key, w.newer = r.key, 0
		}
		at := place{newer: w.newer}
		if r.object.Marker && r.object.Noncurrent.IsZero() {
			if at.only, err = alone(tx, b.Name, r.key, r.object); err != nil {
				return nil, false, err
			}
		}
		if !r.object.Noncurrent.IsZero() {
			w.newer++
		}
		if a := b.Lifecycle.judge(r.key, r.object, at, now); a != (act{}) {
			found = append(found, dueVersion{r, at, a})
		}
		w.from, w.inclusive = r.at(), false
	}
	return found, len(rows) == lifecycleBatch, nil
}

// alone reports whether a delete marker covers nothing.
func alone(tx *store.Tx, bucketName, key string, marker *object) (bool, error) {
	rows, err := versions.List(tx, store.Scope{}, versionKey(bucketName, key, marker.Seq).ID, 1)
	return err == nil && (len(rows) == 0 || !strings.HasPrefix(rows[0].Key.ID, objectKey(bucketName, key).ID+"\x00")), err
}

// expire does what is due, unless the versions have changed meanwhile.
func (s *Service) expire(ctx context.Context, bucketName string, due []dueVersion, now time.Time) error {
	var gone []segment
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		gone = nil
		b, err := buckets.Get(tx, bucketKey(bucketName))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, d := range due {
			freed, err := s.expireOne(tx, b, d, now)
			if err != nil {
				return err
			}
			gone = append(gone, freed...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.blobs.discard(gone)
	return nil
}

func (s *Service) expireOne(tx *store.Tx, b *bucket, d dueVersion, now time.Time) ([]segment, error) {
	id := nullVersion
	if d.object.Version != "" {
		id = d.object.Version
	}
	o, err := versionOf(tx, b.Name, d.key, id)
	if err != nil || o == nil || o.Seq != d.object.Seq || !o.Modified.Equal(d.object.Modified) || !slices.Equal(o.Segments, d.object.Segments) {
		return nil, err
	}
	switch {
	case b.Lifecycle.judge(d.key, o, d.among, now) != d.act: // the rules have changed
		return nil, nil
	case !d.act.remove:
		o.Class, _ = classFor(d.act.class)
		return nil, putRow(tx, b.Name, d.key, o)
	case o.Noncurrent.IsZero() && !o.Marker:
		gone, done, err := removeCurrent(tx, b, removal{key: d.key}, now)
		if err != nil {
			return nil, err
		}
		event := s3.Event("s3:LifecycleExpiration:Delete")
		if done.marker {
			event = "s3:LifecycleExpiration:DeleteMarkerCreated"
		}
		return gone, s.announce(tx, aws.Call{}, b, event, d.key, eventObject{VersionID: done.version})
	case o.Lock.holds(now, false) != nil:
		return nil, nil
	}
	if err := dropVersion(tx, b.Name, d.key, o); err != nil {
		return nil, err
	}
	return o.Segments, s.announce(tx, aws.Call{}, b, "s3:LifecycleExpiration:Delete", d.key, eventObject{VersionID: b.versionID(o)})
}

// abortStale aborts the uploads that have been left too long.
func (s *Service) abortStale(ctx context.Context, b *bucket, now time.Time) error {
	after := b.Name + "\x00"
	for {
		var rows []store.Row[upload]
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			rows, err = uploads.List(tx, store.Scope{}, after, lifecycleBatch)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Value.Bucket != b.Name {
				return nil
			}
			after = r.Key.ID
			if when, _ := b.abortion(r.Value); when == nil || now.Before(*when) {
				continue
			}
			if err := s.abort(ctx, r.Value); err != nil {
				return err
			}
		}
		if len(rows) < lifecycleBatch {
			return nil
		}
	}
}

func (s *Service) abort(ctx context.Context, u *upload) error {
	var gone []segment
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		gone, err = dropUpload(tx, uploadKey(u.Bucket, u.Key, u.ID), u.ID)
		return err
	})
	if err != nil {
		return err
	}
	s.overtaken.end(objectKey(u.Bucket, u.Key).ID, u.ID)
	s.blobs.discard(gone)
	return nil
}
