package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/store"
)

// Limits of an answer with events.
const (
	maxEvents      = 10_000
	maxAnswerBytes = 1 << 20
)

// origin is the place before every event.
var origin = "3" + strings.Repeat("0", idDigits-1)

// GetLogEvents reads a stream in either direction. A token names a place between
// two events: a reader that comes to the end gets its own token back, and with it
// later what has come since.
func (s *Service) GetLogEvents(ctx context.Context, in *api.GetLogEventsInput) (*api.GetLogEventsOutput, error) {
	name, err := named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if aws.Val(in.Unmask) {
		return nil, notHonoured("unmask")
	}
	r := reading{from: aws.Val(in.StartTime), to: maxTime, limit: maxEvents, back: !aws.Val(in.StartFromHead)}
	if in.EndTime != nil {
		r.to = *in.EndTime
	}
	if in.Limit != nil {
		r.limit = int(*in.Limit)
	}
	if t := aws.Val(in.NextToken); t != "" {
		if err := r.resume(t); err != nil {
			return nil, err
		}
	}
	var events []found
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		g, st, err := find(tx, aws.CallFrom(ctx), name, *in.LogStreamName)
		if err != nil {
			return err
		}
		r.from = max(r.from, g.cutoff(s.nowMillis()))
		events, err = r.read(tx, st.UID)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.GetLogEventsOutput{Events: []api.OutputLogEvent{}}
	for i := range events {
		e := &events[i].entry
		out.Events = append(out.Events, api.OutputLogEvent{Timestamp: &e.Time, Message: &e.Message, IngestionTime: &e.Ingested})
	}
	forward, backward := r.tokens(events)
	out.NextForwardToken, out.NextBackwardToken = &forward, &backward
	return out, nil
}

func find(tx *store.Tx, c aws.Call, groupName, streamName string) (*group, *stream, error) {
	g, err := groups.Get(tx, key(c, groupName))
	if err != nil {
		return nil, nil, or(err, errNoGroup)
	}
	st, err := streams.Get(tx, key(c, streamID(groupName, streamName)))
	return g, st, or(err, errNoStream)
}

// reading is a GetLogEvents: events of from <= time < to, behind or before the
// place that the token named, if one did.
type reading struct {
	from, to int64
	limit    int
	back     bool
	token    string // id
	place    position
}

// resume takes f/<id>/s or b/<id>/s.
func (r *reading) resume(token string) error {
	parts := strings.Split(token, "/")
	if len(parts) != 3 || parts[0] != "f" && parts[0] != "b" || parts[2] != "s" {
		return errToken
	}
	place, ok := parsePosition(parts[1])
	if !ok {
		return errToken
	}
	r.back, r.token, r.place = parts[0] == "b", parts[1], place
	return nil
}

func (r *reading) read(tx *store.Tx, uid string) ([]found, error) {
	var out []found
	size := 0
	scan := ascending(tx, byFirst, uid, max(r.from, r.place.time))
	if r.back {
		to := r.to
		if r.token != "" {
			to = min(to, r.place.time+1)
		}
		scan = descending(tx, uid, to)
	}
	for f, err := range scan {
		if err != nil {
			return nil, err
		}
		if !r.back && f.time >= r.to || r.back && f.time < r.from {
			break
		}
		if r.token != "" {
			if d := f.compare(r.place); !r.back && d <= 0 || r.back && d >= 0 {
				continue
			}
		}
		if size += len(f.Message); len(out) == r.limit || len(out) > 0 && size > maxAnswerBytes {
			break
		}
		out = append(out, f)
	}
	if r.back {
		slices.Reverse(out)
	}
	return out, nil
}

// tokens are those of the places behind and before the events read.
func (r *reading) tokens(events []found) (forward, backward string) {
	f, b := origin, origin
	switch {
	case len(events) > 0:
		f, b = events[len(events)-1].String(), events[0].String()
	case r.token != "" && r.back:
		f, b = beside(r.token, -1), r.token
	case r.token != "":
		f, b = r.token, beside(r.token, 1)
	}
	return "f/" + f + "/s", "b/" + b + "/s"
}
