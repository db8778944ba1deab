package logs

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/store"
)

// Limits of PutLogEvents.
const (
	maxBatchBytes = 1 << 20
	maxEventBytes = 1 << 20
	eventOverhead = 26 // bytes that each event counts beside its text
	maxFuture     = 2 * 60 * 60 * 1000
	maxPast       = 14 * dayMillis
)

// A stream's last batch takes further events while it is small, so that an agent
// that puts single events does not make a row of each.
const maxTail = 16 << 10

// PutLogEvents appends events to a stream. Those too old or too new are left out
// and told of. Sequence tokens are accepted and mean nothing, as on AWS since 2023.
func (s *Service) PutLogEvents(ctx context.Context, in *api.PutLogEventsInput) (*api.PutLogEventsOutput, error) {
	if err := judgeEvents(in); err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	now := s.nowMillis()
	published, err := s.filtersOf(ctx, *in.LogGroupName)
	if err != nil {
		return nil, err
	}
	out := &api.PutLogEventsOutput{}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		gk := key(c, *in.LogGroupName)
		g, err := groups.Get(tx, gk)
		if err != nil {
			return or(err, errNoGroup)
		}
		sk := key(c, streamID(g.Name, *in.LogStreamName))
		st, err := streams.Get(tx, sk)
		if err != nil {
			return or(err, errNoStream)
		}
		accepted, rejected := sift(in.LogEvents, g, now)
		out.RejectedLogEventsInfo = rejected
		if len(accepted) > 0 {
			if err := appendEvents(tx, gk, g, sk, st, accepted); err != nil {
				return err
			}
			if err := queueMetrics(tx, gk, published, accepted); err != nil {
				return err
			}
		}
		out.NextSequenceToken = aws.Ptr(st.sequenceToken())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// judgeEvents refuses what AWS refuses as a whole.
func judgeEvents(in *api.PutLogEventsInput) error {
	if in.Entity != nil {
		return notHonoured("entity of PutLogEvents")
	}
	if len(in.LogEvents) == 0 {
		return invalid("1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	size, before := 0, int64(0)
	for i, e := range in.LogEvents {
		n := len(*e.Message) + eventOverhead
		if n > maxEventBytes {
			return invalid("Log event too large: %d bytes exceeds limit of %d", n, maxEventBytes)
		}
		if i > 0 && *e.Timestamp < before {
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		size, before = size+n, *e.Timestamp
	}
	if size > maxBatchBytes {
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatchBytes)
	}
	if before-*in.LogEvents[0].Timestamp > maxSpan {
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// sift parts the events that are kept from those too old, expired or too new. The
// ends are the indexes behind the last, the start is that of the first.
func sift(events []api.InputLogEvent, g *group, now int64) ([]entry, *api.RejectedLogEventsInfo) {
	var old, expired, newer *int32
	var accepted []entry
	for i, e := range events {
		t := *e.Timestamp
		switch {
		case t > now+maxFuture:
			if newer == nil {
				newer = aws.Ptr(int32(i))
			}
		case t < now-maxPast:
			old = aws.Ptr(int32(i + 1))
		case t < g.cutoff(now):
			expired = aws.Ptr(int32(i + 1))
		default:
			accepted = append(accepted, entry{t, now, *e.Message})
		}
	}
	if old == nil && expired == nil && newer == nil {
		return accepted, nil
	}
	return accepted, &api.RejectedLogEventsInfo{TooOldLogEventEndIndex: old, ExpiredLogEventEndIndex: expired, TooNewLogEventStartIndex: newer}
}

// appendEvents adds events, which are in order, to the stream's tail or as a batch
// of their own, and notes them in the rows of stream and group.
func appendEvents(tx *store.Tx, gk store.Key, g *group, sk store.Key, st *stream, events []entry) error {
	first, last := events[0].Time, events[len(events)-1].Time
	bytes := 0
	for _, e := range events {
		bytes += len(e.Message) + eventOverhead
	}
	b := &batch{GroupUID: g.UID, StreamUID: st.UID, Number: st.Batches + 1, First: first, Last: last}
	if st.fits(bytes, first, last) {
		tail, err := batches.Get(tx, batchKey(sk, st.UID, st.Batches))
		if orGone(err) != nil {
			return err
		}
		if err == nil {
			b = tail
			b.First, b.Last = min(b.First, first), max(b.Last, last)
		}
	}
	b.Events = append(b.Events, events...)
	b.Bytes += int64(bytes)
	if err := batches.Put(tx, batchKey(sk, st.UID, b.Number), b); err != nil {
		return err
	}
	st.note(b, events)
	if err := streams.Put(tx, sk, st); err != nil {
		return err
	}
	g.Bytes += int64(bytes)
	emit(tx, gk, g.Name, "events", "PutLogEvents")
	return groups.Put(tx, gk, g)
}

// fits reports whether events go into the tail.
func (st *stream) fits(bytes int, first, last int64) bool {
	return st.Batches > 0 && st.TailBytes+bytes <= maxTail && max(last, st.TailLast)-min(first, st.TailFirst) <= maxSpan
}

// note records a put whose events are now in the batch.
func (st *stream) note(b *batch, events []entry) {
	first, last := events[0].Time, events[len(events)-1].Time
	if st.Events == 0 {
		st.First, st.Last = first, last
	}
	st.First, st.Last = min(st.First, first), max(st.Last, last)
	st.Ingested = events[0].Ingested
	st.Events += int64(len(events))
	st.Batches, st.TailBytes, st.TailFirst, st.TailLast = b.Number, int(b.Bytes), b.First, b.Last
}

// sequenceToken has the form of AWS's. No call asks for it any more.
func (st *stream) sequenceToken() string { return fmt.Sprintf("49%054d", st.Events) }
