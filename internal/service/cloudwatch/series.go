package cloudwatch

import (
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/store"
)

// rowsAtOnce is how many hours are read at once.
const rowsAtOnce = 48

// addBucket merges new data into the rows of a metric.
func addBucket(tx *store.Tx, k store.Key, digest string, add bucket) error {
	start := add.Time - mod(add.Time, hourSeconds)
	hk := hourKey(k, digest, start)
	h, err := hours.Get(tx, hk)
	if isNotFound(err) {
		h, err = &hour{Start: start}, nil
	}
	if err != nil {
		return err
	}
	i, ok := slices.BinarySearchFunc(h.Buckets, add, func(a, b bucket) int {
		if a.Time != b.Time {
			return int(a.Time - b.Time)
		}
		if a.Unit < b.Unit {
			return -1
		}
		if a.Unit > b.Unit {
			return 1
		}
		return 0
	})
	if ok {
		h.Buckets[i].merge(&add)
	} else {
		h.Buckets = slices.Insert(h.Buckets, i, add)
	}
	return hours.Put(tx, hk, h)
}

// mod is the remainder that is never negative.
func mod(a, b int64) int64 { return (a%b + b) % b }

// readBuckets calls visit with the buckets of from <= time < to, in order.
func readBuckets(tx *store.Tx, k store.Key, digest string, from, to int64, visit func(*bucket)) error {
	first := from - mod(from, hourSeconds)
	after, last := hourKey(k, digest, first-1).ID, hourKey(k, digest, to).ID
	for {
		rows, err := hours.List(tx, store.Scope{Account: k.Account, Region: k.Region}, after, rowsAtOnce)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Key.ID >= last {
				return nil
			}
			for i := range r.Value.Buckets {
				if b := &r.Value.Buckets[i]; b.Time >= from && b.Time < to {
					visit(b)
				}
			}
		}
		if len(rows) < rowsAtOnce {
			return nil
		}
		after = rows[len(rows)-1].Key.ID
	}
}

// window is a question for the data of a metric: periods from start on, to end.
type window struct {
	start, end, period int64
	unit               string // "" for any
	// apart keeps units apart instead of adding them up.
	apart bool
}

// read gives the buckets of the window that have data, in order.
func (w window) read(tx *store.Tx, k store.Key, m *metric) ([]bucket, error) {
	type place struct {
		time int64
		unit string
	}
	index := map[place]int{}
	var out []bucket
	err := readBuckets(tx, k, m.digest(), w.start, w.end, func(b *bucket) {
		if w.unit != "" && b.Unit != w.unit {
			return
		}
		at := place{time: w.start + (b.Time-w.start)/w.period*w.period}
		if w.apart {
			at.unit = b.Unit
		}
		i, ok := index[at]
		if !ok {
			i = len(out)
			index[at] = i
			out = append(out, bucket{Time: at.time, Unit: b.Unit})
		}
		out[i].merge(b)
	})
	return out, err
}

// kept is for how long data is kept.
const kept = 455 * 24 * hourSeconds

// expire removes data that is too old, some rows at a time, and reports whether
// there may be more.
func expire(tx *store.Tx, now int64) (bool, error) {
	rows, err := hours.Range(tx, "time", "", fmt.Sprintf("%016x", now-kept), rowsAtOnce, false)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if err := hours.Delete(tx, r.Key); err != nil {
			return false, err
		}
	}
	return len(rows) == rowsAtOnce, nil
}
