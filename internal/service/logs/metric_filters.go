package logs

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/logs/pattern"
	"github.com/hardstand/hardstand/internal/store"
)

// Limits of metric filters.
const (
	maxFilters    = 100 // of a group
	maxDimensions = 3
)

// PutMetricFilter makes a filter that turns a group's events into values of a
// metric, or replaces it.
func (s *Service) PutMetricFilter(ctx context.Context, in *api.PutMetricFilterInput) (*api.PutMetricFilterOutput, error) {
	if err := judgeFilter(in); err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	f := filter{Name: *in.FilterName, Group: *in.LogGroupName, Pattern: *in.FilterPattern, Created: s.nowMillis(), Transformations: in.MetricTransformations, Token: c.Token}
	k := key(c, streamID(f.Group, f.Name))
	return &api.PutMetricFilterOutput{}, s.change(ctx, f.Group, "filters", errNoGroup, func(g *group) error {
		if g.Class != api.LogGroupClassStandard {
			return awserr.New("InvalidOperationException", "Metric filters are not supported for log groups of the class %s.", g.Class)
		}
		return nil
	}, func(tx *store.Tx, g *group) error {
		_, err := filters.Get(tx, k)
		switch {
		case errors.Is(err, store.ErrNotFound) && g.Filters >= maxFilters:
			return errLimit
		case errors.Is(err, store.ErrNotFound):
			g.Filters++
		case err != nil:
			return err
		}
		return filters.Put(tx, k, &f)
	})
}

func judgeFilter(in *api.PutMetricFilterInput) error {
	switch {
	case aws.Val(in.ApplyOnTransformedLogs):
		return notHonoured("applyOnTransformedLogs")
	case in.FieldSelectionCriteria != nil || len(in.EmitSystemFieldDimensions) > 0:
		return notHonoured("fieldSelectionCriteria and emitSystemFieldDimensions")
	}
	if _, err := pattern.Parse(*in.FilterPattern); err != nil {
		return invalid("%s", err.Error())
	}
	for _, t := range in.MetricTransformations {
		if _, err := strconv.ParseFloat(*t.MetricValue, 64); err != nil && !strings.HasPrefix(*t.MetricValue, "$") {
			return invalid("Invalid metric transformation: metricValue must be a number or a field of the filter pattern, not '%s'", *t.MetricValue)
		}
		if len(t.Dimensions) > maxDimensions {
			return invalid("Invalid metric transformation: a metric filter has at most %d dimensions", maxDimensions)
		}
		if len(t.Dimensions) > 0 && t.DefaultValue != nil {
			return invalid("Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
		}
	}
	return nil
}

// DeleteMetricFilter removes a filter.
func (s *Service) DeleteMetricFilter(ctx context.Context, in *api.DeleteMetricFilterInput) (*api.DeleteMetricFilterOutput, error) {
	k := key(aws.CallFrom(ctx), streamID(*in.LogGroupName, *in.FilterName))
	return &api.DeleteMetricFilterOutput{}, s.change(ctx, *in.LogGroupName, "filters", errNoGroup,
		func(g *group) error { g.Filters--; return nil },
		func(tx *store.Tx, _ *group) error { return or(filters.Delete(tx, k), errNoFilter) })
}

// DescribeMetricFilters lists the filters of a group, or of all.
func (s *Service) DescribeMetricFilters(ctx context.Context, in *api.DescribeMetricFiltersInput) (*api.DescribeMetricFiltersOutput, error) {
	if (in.MetricName == nil) != (in.MetricNamespace == nil) {
		return nil, invalid("If you include the metricName parameter in your request, you must also include the metricNamespace parameter.")
	}
	c := aws.CallFrom(ctx)
	var list []*filter
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := filters.List(tx, scope(c), "", 0)
		if in.LogGroupName != nil {
			if _, err := groups.Get(tx, key(c, *in.LogGroupName)); err != nil {
				return or(err, errNoGroup)
			}
			rows, err = below(tx, filters, c, *in.LogGroupName)
		}
		for _, r := range rows {
			if strings.HasPrefix(r.Value.Name, aws.Val(in.FilterNamePrefix)) && (in.MetricName == nil || r.Value.feeds(*in.MetricNamespace, *in.MetricName)) {
				list = append(list, r.Value)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, next, err := page(list, in.NextToken, in.Limit, func(f *filter) string { return streamID(f.Group, f.Name) })
	if err != nil {
		return nil, err
	}
	out := &api.DescribeMetricFiltersOutput{MetricFilters: []api.MetricFilter{}, NextToken: next}
	for _, f := range list {
		out.MetricFilters = append(out.MetricFilters, api.MetricFilter{FilterName: &f.Name, FilterPattern: &f.Pattern, LogGroupName: &f.Group,
			CreationTime: &f.Created, MetricTransformations: f.Transformations, ApplyOnTransformedLogs: aws.Ptr(false)})
	}
	return out, nil
}

func (f *filter) feeds(namespace, metric string) bool {
	return slices.ContainsFunc(f.Transformations, func(t api.MetricTransformation) bool {
		return *t.MetricNamespace == namespace && *t.MetricName == metric
	})
}

// TestMetricFilter tells which messages a pattern matches.
func (s *Service) TestMetricFilter(_ context.Context, in *api.TestMetricFilterInput) (*api.TestMetricFilterOutput, error) {
	p, err := pattern.Parse(*in.FilterPattern)
	if err != nil {
		return nil, invalid("%s", err.Error())
	}
	out := &api.TestMetricFilterOutput{Matches: []api.MetricFilterMatchRecord{}}
	for i := range in.LogEventMessages {
		m := &in.LogEventMessages[i]
		if fields, ok := p.Match(*m); ok {
			out.Matches = append(out.Matches, api.MetricFilterMatchRecord{EventNumber: aws.Ptr(int64(i + 1)), EventMessage: m, ExtractedValues: p.Extract(fields)})
		}
	}
	return out, nil
}
