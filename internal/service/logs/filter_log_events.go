package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/service/logs/pattern"
	"github.com/hardstand/hardstand/internal/store"
)

// maxScanned is how many events one call looks at; the caller goes on with the
// token.
const maxScanned = 100_000

// FilterLogEvents searches the events of a group, in the order of their times.
func (s *Service) FilterLogEvents(ctx context.Context, in *api.FilterLogEventsInput) (*api.FilterLogEventsOutput, error) {
	name, err := named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	q, err := s.search(in)
	if err != nil {
		return nil, err
	}
	out := &api.FilterLogEventsOutput{Events: []api.FilteredLogEvent{}, SearchedLogStreams: []api.SearchedLogStream{}}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		c := aws.CallFrom(ctx)
		g, err := groups.Get(tx, key(c, name))
		if err != nil {
			return or(err, errNoGroup)
		}
		for _, n := range in.LogStreamNames {
			st, err := streams.Get(tx, key(c, streamID(name, n)))
			if err != nil {
				return or(err, errNoStream)
			}
			q.uids = append(q.uids, st.UID)
		}
		q.from = max(q.from, g.cutoff(s.nowMillis()))
		out.Events, out.NextToken, err = q.run(tx, g)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// search is a FilterLogEvents.
type search struct {
	from, to int64
	limit    int
	pattern  *pattern.Pattern
	prefix   string
	uids     []string // of the streams named, nil for all
	after    *position
	names    map[string]string // of streams, by UID
}

func (s *Service) search(in *api.FilterLogEventsInput) (*search, error) {
	if aws.Val(in.Unmask) {
		return nil, notHonoured("unmask")
	}
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != nil {
		return nil, invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
	}
	p, err := pattern.Parse(aws.Val(in.FilterPattern))
	if err != nil {
		return nil, invalid("%s", err.Error())
	}
	q := &search{from: aws.Val(in.StartTime), to: maxTime, limit: maxEvents, pattern: p, prefix: aws.Val(in.LogStreamNamePrefix), names: map[string]string{}}
	if in.EndTime != nil {
		q.to = *in.EndTime + 1 // the end belongs to what is searched
	}
	if in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime {
		return nil, invalid("End time should not be less than start time")
	}
	if in.Limit != nil {
		q.limit = int(*in.Limit)
	}
	if t := aws.Val(in.NextToken); t != "" {
		place, ok := parsePosition(t)
		if !ok {
			return nil, errToken
		}
		q.after = &place
		q.from = max(q.from, place.time)
	}
	return q, nil
}

func (q *search) run(tx *store.Tx, g *group) ([]api.FilteredLogEvent, *string, error) {
	out := []api.FilteredLogEvent{}
	size, scanned := 0, 0
	index, uid := byGroup, g.UID
	if len(q.uids) == 1 {
		index, uid = byFirst, q.uids[0]
	}
	last := ""
	for f, err := range ascending(tx, index, uid, q.from) {
		if err != nil {
			return nil, nil, err
		}
		if f.time >= q.to {
			break
		}
		if q.after != nil && f.compare(*q.after) <= 0 {
			continue
		}
		if scanned++; len(out) == q.limit || scanned > maxScanned || len(out) > 0 && size+len(f.Message) > maxAnswerBytes {
			return out, &last, nil
		}
		last = f.String()
		name, wanted, err := q.wants(tx, f.stream)
		if err != nil {
			return nil, nil, err
		}
		if !wanted {
			continue
		}
		if _, ok := q.pattern.Match(f.Message); !ok {
			continue
		}
		size += len(f.Message)
		e := f.entry
		out = append(out, api.FilteredLogEvent{LogStreamName: &name, Timestamp: &e.Time, Message: &e.Message, IngestionTime: &e.Ingested, EventId: aws.Ptr(last)})
	}
	return out, nil, nil
}

// wants tells the name of a stream and whether it is searched.
func (q *search) wants(tx *store.Tx, uid string) (string, bool, error) {
	if len(q.uids) > 0 && !slices.Contains(q.uids, uid) {
		return "", false, nil
	}
	name, known := q.names[uid]
	if !known {
		rows, err := streams.Lookup(tx, "uid", uid)
		if err != nil {
			return "", false, err
		}
		if len(rows) > 0 {
			name = rows[0].Value.Name
		}
		q.names[uid] = name // "": deleted
	}
	return name, name != "" && strings.HasPrefix(name, q.prefix), nil
}
