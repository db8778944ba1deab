package logs

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"math/big"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/store"
)

const (
	dayMillis = 24 * 60 * 60 * 1000
	// maxSpan is how much time one batch may span.
	maxSpan = dayMillis
	// scanPage is how many batches are read at once.
	scanPage = 16
	// uidDigits is how long a stream's UID is.
	uidDigits = 16
)

// position orders events: by time, then as they came.
type position struct {
	time   int64
	number int64  // of the batch
	stream string // UID
	index  int    // in the batch
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.time, q.time), cmp.Compare(p.number, q.number), cmp.Compare(p.stream, q.stream), cmp.Compare(p.index, q.index))
}

// String is the event's id, 56 digits that sort like positions.
func (p position) String() string {
	return fmt.Sprintf("3%013d%014d%s%012d", p.time, p.number, p.stream, p.index)
}

const idDigits = 1 + 13 + 14 + uidDigits + 12

// parsePosition reads an id, or one beside it (beside).
func parsePosition(id string) (position, bool) {
	if len(id) != idDigits || strings.Trim(id, "0123456789") != "" || id[0] != '3' {
		return position{}, false
	}
	var p position
	var err1, err2, err3 error
	p.time, err1 = strconv.ParseInt(id[1:14], 10, 64)
	p.number, err2 = strconv.ParseInt(id[14:28], 10, 64)
	p.stream = id[28 : 28+uidDigits]
	p.index, err3 = strconv.Atoi(id[28+uidDigits:])
	return p, err1 == nil && err2 == nil && err3 == nil
}

// beside is the id that many places before or after.
func beside(id string, by int64) string {
	n, ok := new(big.Int).SetString(id, 10)
	if !ok {
		return id
	}
	return fmt.Sprintf("%0*s", idDigits, n.Add(n, big.NewInt(by)).String())
}

// found is an event that a scan comes to.
type found struct {
	position
	entry
}

// queue holds events that later batches may still precede.
type queue struct {
	items []found
	desc  bool
}

func (q *queue) Len() int           { return len(q.items) }
func (q *queue) Swap(i, j int)      { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *queue) Push(x any)         { q.items = append(q.items, x.(found)) }
func (q *queue) Less(i, j int) bool { return (q.items[i].compare(q.items[j].position) < 0) != q.desc }
func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}

// ascending yields the events of a group (byGroup) or a stream (byFirst) in order,
// those of time from and later.
func ascending(tx *store.Tx, index, uid string, from int64) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		start, end := timed(uid, max(from-maxSpan, 0)), uid+"\x01"
		q := &queue{}
		flush := func(before int64, all bool) bool {
			for q.Len() > 0 && (all || q.items[0].time < before) {
				if f := heap.Pop(q).(found); !yield(f, nil) {
					return false
				}
			}
			return true
		}
		for {
			rows, err := batches.Range(tx, index, start, end, scanPage, false)
			if err != nil {
				yield(found{}, err)
				return
			}
			for _, r := range rows {
				if !flush(r.Value.First, false) {
					return
				}
				q.add(r.Value, func(t int64) bool { return t >= from })
				start = timed(uid, r.Value.First) + r.Key.ID + "\x00"
			}
			if len(rows) < scanPage {
				flush(0, true)
				return
			}
		}
	}
}

// descending yields the events of a stream from the last one back, those earlier
// than to.
func descending(tx *store.Tx, uid string, to int64) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		start, end := timed(uid, 0), uid+"\x01"
		q := &queue{desc: true}
		flush := func(after int64, all bool) bool {
			for q.Len() > 0 && (all || q.items[0].time > after) {
				if f := heap.Pop(q).(found); !yield(f, nil) {
					return false
				}
			}
			return true
		}
		if to < maxTime {
			end = timed(uid, to+maxSpan)
		}
		for {
			rows, err := batches.Range(tx, byLast, start, end, scanPage, true)
			if err != nil {
				yield(found{}, err)
				return
			}
			for _, r := range rows {
				if !flush(r.Value.Last, false) {
					return
				}
				q.add(r.Value, func(t int64) bool { return t < to })
				end = timed(uid, r.Value.Last) + r.Key.ID
			}
			if len(rows) < scanPage {
				flush(0, true)
				return
			}
		}
	}
}

// maxTime is later than every event.
const maxTime = 9_999_999_999_999

// add takes those events of a batch whose time is wanted.
func (q *queue) add(b *batch, wanted func(int64) bool) {
	for i, e := range b.Events {
		if wanted(e.Time) {
			heap.Push(q, found{position{e.Time, b.Number, b.StreamUID, i}, e})
		}
	}
}
