package cloudwatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	maxHistory = 100
	// remembered is for how long the history is kept, also of alarms that are gone.
	remembered = 30 * 24 * time.Hour
)

// DescribeAlarmHistory tells what has happened to alarms, the newest first.
func (s *Service) DescribeAlarmHistory(ctx context.Context, in *api.DescribeAlarmHistoryInput) (*api.DescribeAlarmHistoryOutput, error) {
	if in.AlarmContributorId != nil {
		return nil, notHonoured("AlarmContributorId")
	}
	var list []store.Row[item]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		after := ""
		if in.StartDate != nil {
			after = fmt.Sprintf("%020d", max(in.StartDate.UnixNano(), 0))
		}
		rows, err := history.List(tx, scope(aws.CallFrom(ctx)), after, 0)
		for _, r := range rows {
			if r.Value.wanted(in) {
				list = append(list, r)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if in.ScanBy != api.ScanByTimestampAscending {
		slices.Reverse(list)
	}
	limit := maxHistory
	if in.MaxRecords != nil {
		limit = int(*in.MaxRecords)
	}
	list, next, err := page(list, in.NextToken, limit, func(r store.Row[item]) string { return r.Key.ID })
	if err != nil {
		return nil, err
	}
	out := &api.DescribeAlarmHistoryOutput{AlarmHistoryItems: []api.AlarmHistoryItem{}, NextToken: next}
	for _, r := range list {
		i := r.Value
		out.AlarmHistoryItems = append(out.AlarmHistoryItems, api.AlarmHistoryItem{AlarmName: &i.Alarm, AlarmType: i.Kind, Timestamp: &i.Time,
			HistoryItemType: i.Type, HistorySummary: &i.Summary, HistoryData: &i.Data})
	}
	return out, nil
}

func (i *item) wanted(in *api.DescribeAlarmHistoryInput) bool {
	kinds := in.AlarmTypes
	if len(kinds) == 0 {
		kinds = []api.AlarmType{api.AlarmTypeMetricAlarm}
	}
	return (in.AlarmName == nil || *in.AlarmName == i.Alarm) && slices.Contains(kinds, i.Kind) &&
		(in.HistoryItemType == "" || in.HistoryItemType == i.Type) && (in.EndDate == nil || !i.Time.After(*in.EndDate))
}

// expireHistory removes items that are too old, some at a time, and reports whether
// there may be more.
func expireHistory(tx *store.Tx, now time.Time) (bool, error) {
	rows, err := history.List(tx, store.Scope{}, "", rowsAtOnce)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if !r.Value.Time.Before(now.Add(-remembered)) {
			return false, nil
		}
		if err := history.Delete(tx, r.Key); err != nil {
			return false, err
		}
	}
	return len(rows) == rowsAtOnce, nil
}
