package logs

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeLogStreams lists a group's streams, by name or by their last event.
func (s *Service) DescribeLogStreams(ctx context.Context, in *api.DescribeLogStreamsInput) (*api.DescribeLogStreamsOutput, error) {
	name, err := named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	byTime := in.OrderBy == api.OrderByLastEventTime
	if byTime && in.LogStreamNamePrefix != nil {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	c := aws.CallFrom(ctx)
	list, err := s.streams(ctx, name, aws.Val(in.LogStreamNamePrefix))
	if err != nil {
		return nil, err
	}
	if byTime {
		slices.SortStableFunc(list, func(a, b *stream) int { return cmp.Compare(a.Last, b.Last) })
	}
	if aws.Val(in.Descending) {
		slices.Reverse(list)
	}
	list, next, err := page(list, in.NextToken, in.Limit, func(s *stream) string { return s.Name })
	if err != nil {
		return nil, err
	}
	out := &api.DescribeLogStreamsOutput{LogStreams: []api.LogStream{}, NextToken: next}
	for _, st := range list {
		out.LogStreams = append(out.LogStreams, describeStream(c, name, st))
	}
	return out, nil
}

// streams lists a group's streams by name.
func (s *Service) streams(ctx context.Context, group, prefix string) ([]*stream, error) {
	c := aws.CallFrom(ctx)
	var out []*stream
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		if _, err := groups.Get(tx, key(c, group)); err != nil {
			return or(err, errNoGroup)
		}
		rows, err := below(tx, streams, c, group)
		for _, r := range rows {
			if strings.HasPrefix(r.Value.Name, prefix) {
				out = append(out, r.Value)
			}
		}
		return err
	})
	return out, err
}

// describeStream leaves out the times of a stream without events. The size of a
// single stream is always 0, as on AWS since 2019.
func describeStream(c aws.Call, group string, st *stream) api.LogStream {
	d := api.LogStream{LogStreamName: &st.Name, CreationTime: &st.Created, Arn: aws.Ptr(streamARN(c, group, st.Name)), StoredBytes: aws.Ptr[int64](0)}
	if st.Events > 0 {
		d.FirstEventTimestamp, d.LastEventTimestamp, d.LastIngestionTime = &st.First, &st.Last, &st.Ingested
		d.UploadSequenceToken = aws.Ptr(st.sequenceToken())
	}
	return d
}
