package cloudwatch

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	maxListed = 500
	// Metrics are listed for two weeks after their last value, or for three hours
	// when the request asks for recent ones.
	listedFor   = 14 * 24 * hourSeconds
	recentlyFor = 3 * hourSeconds
)

// ListMetrics lists metrics that have had a value lately.
func (s *Service) ListMetrics(ctx context.Context, in *api.ListMetricsInput) (*api.ListMetricsOutput, error) {
	if aws.Val(in.IncludeLinkedAccounts) || in.OwningAccount != nil {
		return nil, notHonoured("linked accounts")
	}
	since := s.cfg.Clock.Now().Unix() - listedFor
	if in.RecentlyActive != "" {
		since = s.cfg.Clock.Now().Unix() - recentlyFor
	}
	var list []*metric
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := metrics.List(tx, scope(aws.CallFrom(ctx)), "", 0)
		for _, r := range rows {
			if m := r.Value; m.Last >= since && m.matches(in) {
				list = append(list, m)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, next, err := page(list, in.NextToken, maxListed, (*metric).id)
	if err != nil {
		return nil, err
	}
	out := &api.ListMetricsOutput{Metrics: []api.Metric{}, NextToken: next}
	for _, m := range list {
		out.Metrics = append(out.Metrics, api.Metric{Namespace: &m.Namespace, MetricName: &m.Name, Dimensions: apiDimensions(m.Dimensions)})
	}
	return out, nil
}

// matches reports whether the metric has what the filters name; it may have other
// dimensions too.
func (m *metric) matches(in *api.ListMetricsInput) bool {
	if in.Namespace != nil && *in.Namespace != m.Namespace || in.MetricName != nil && *in.MetricName != m.Name {
		return false
	}
	for _, f := range in.Dimensions {
		if !slices.ContainsFunc(m.Dimensions, func(d dimension) bool {
			return d.Name == *f.Name && (f.Value == nil || d.Value == *f.Value)
		}) {
			return false
		}
	}
	return true
}

func apiDimensions(list []dimension) []api.Dimension {
	out := make([]api.Dimension, len(list))
	for i := range list {
		out[i] = api.Dimension{Name: &list[i].Name, Value: &list[i].Value}
	}
	return out
}

// sameDimensions is for lists in any order.
func sameDimensions(a []dimension, b []api.Dimension) bool {
	other, err := dimensionsOf(b, "")
	return err == nil && slices.Equal(a, other)
}
