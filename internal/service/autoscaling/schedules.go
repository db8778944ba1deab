package autoscaling

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const maxSchedules = 125

// schedule is a scheduled action.
type schedule struct {
	ARN, Group, Name  string
	Min, Max, Desired *int32    `json:",omitempty"`
	Start, End        time.Time `json:",omitzero"`
	Recurrence, Zone  string    `json:",omitempty"`
	// Next is when the action is done.
	Next time.Time
}

// scheduleOf is the scheduled action that a request describes.
func scheduleOf(groupName string, in *api.ScheduledUpdateGroupActionRequest, now time.Time) (*schedule, error) {
	s := &schedule{Group: groupName, Name: *in.ScheduledActionName, Min: in.MinSize, Max: in.MaxSize, Desired: in.DesiredCapacity, Recurrence: val(in.Recurrence), Zone: val(in.TimeZone)}
	set(&s.Start, in.StartTime)
	set(&s.End, in.EndTime)
	switch {
	case s.Min == nil && s.Max == nil && s.Desired == nil:
		return nil, invalid("At least one of MinSize, MaxSize and DesiredCapacity must be specified.")
	case s.Min != nil && s.Max != nil && *s.Min > *s.Max:
		return nil, invalid("Max bound, %d, must be greater than or equal to min bound, %d", *s.Max, *s.Min)
	case s.Desired != nil && (s.Min != nil && *s.Desired < *s.Min || s.Max != nil && *s.Desired > *s.Max):
		return nil, invalid("Desired capacity:%d must be between the specified min size:%d and max size:%d", *s.Desired, val(s.Min), val(s.Max))
	case s.Recurrence == "" && s.Start.IsZero():
		return nil, invalid("Either a start time or a recurrence must be specified.")
	case !s.Start.IsZero() && s.Start.Before(now):
		return nil, invalid("Given start time is in the past")
	case !s.End.IsZero() && s.End.Before(now):
		return nil, invalid("Given end time is in the past")
	case !s.End.IsZero() && s.End.Before(s.Start):
		return nil, invalid("End time must be after start time")
	}
	if s.Zone != "" {
		if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
			return nil, invalid("Given time zone: %s is invalid", s.Zone)
		}
	}
	if s.Recurrence != "" {
		if _, err := parseRecurrence(s.Recurrence); err != nil {
			return nil, invalid("Given recurrence string:%s is invalid", s.Recurrence)
		}
	}
	if s.plan(now.Add(-time.Nanosecond)); s.Next.IsZero() {
		return nil, invalid("Given recurrence string:%s is invalid", s.Recurrence)
	}
	return s, nil
}

// plan sets when the action is done next after a time; zero when never.
func (s *schedule) plan(after time.Time) {
	if s.Recurrence == "" {
		s.Next = s.Start
		if !s.Start.After(after) {
			s.Next = time.Time{}
		}
		return
	}
	r, err := parseRecurrence(s.Recurrence)
	if err != nil {
		s.Next = time.Time{}
		return
	}
	zone := time.UTC
	if s.Zone != "" {
		if z, err := time.LoadLocation(s.Zone); err == nil {
			zone = z
		}
	}
	if begin := s.Start.Add(-time.Nanosecond); begin.After(after) {
		after = begin
	}
	s.Next = r.next(after.In(zone)).UTC()
	if s.Next.Year() == 1 || !s.End.IsZero() && s.Next.After(s.End) {
		s.Next = time.Time{}
	}
}

// putSchedule stores an action over one of its name.
func putSchedule(tx *store.Tx, k store.Key, s *schedule) error {
	rows, err := rowsWithin(tx, schedules, k)
	if err != nil {
		return err
	}
	s.ARN = arnOf(k, "scheduledUpdateGroupAction", ids.UUID(), "autoScalingGroupName/"+k.ID+":scheduledActionName/"+s.Name)
	i := slices.IndexFunc(rows, func(r store.Row[schedule]) bool { return r.Value.Name == s.Name })
	switch {
	case i >= 0:
		s.ARN = rows[i].Value.ARN
	case len(rows) >= maxSchedules:
		return limitExceeded("A group has at most %d scheduled actions.", maxSchedules)
	}
	return schedules.Put(tx, within(k, s.Name), s)
}

// PutScheduledUpdateGroupAction makes a scheduled action or replaces it.
func (s *Service) PutScheduledUpdateGroupAction(ctx context.Context, in *api.PutScheduledUpdateGroupActionInput) (*api.PutScheduledUpdateGroupActionOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	if in.Time != nil && in.StartTime != nil && !in.Time.Equal(*in.StartTime) {
		return nil, invalid("Time and StartTime must be the same when both are specified.")
	}
	return &api.PutScheduledUpdateGroupActionOutput{}, s.changeGroup(ctx, k, "PutScheduledUpdateGroupAction", func(tx *store.Tx, _ *group) error {
		row, err := scheduleOf(k.ID, &api.ScheduledUpdateGroupActionRequest{ScheduledActionName: in.ScheduledActionName, StartTime: or(in.StartTime, in.Time), EndTime: in.EndTime,
			Recurrence: in.Recurrence, MinSize: in.MinSize, MaxSize: in.MaxSize, DesiredCapacity: in.DesiredCapacity, TimeZone: in.TimeZone}, tx.Now().UTC())
		if err != nil {
			return err
		}
		return putSchedule(tx, k, row)
	})
}

// BatchPutScheduledUpdateGroupAction makes several; what is wrong with one does not hold
// up the others.
func (s *Service) BatchPutScheduledUpdateGroupAction(ctx context.Context, in *api.BatchPutScheduledUpdateGroupActionInput) (*api.BatchPutScheduledUpdateGroupActionOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	out := &api.BatchPutScheduledUpdateGroupActionOutput{FailedScheduledUpdateGroupActions: []api.FailedScheduledUpdateGroupActionRequest{}}
	return out, s.changeGroup(ctx, k, "BatchPutScheduledUpdateGroupAction", func(tx *store.Tx, _ *group) error {
		for i := range in.ScheduledUpdateGroupActions {
			row, err := scheduleOf(k.ID, &in.ScheduledUpdateGroupActions[i], tx.Now().UTC())
			if err == nil {
				err = putSchedule(tx, k, row)
			}
			if e := awserr.As(err); e != nil {
				out.FailedScheduledUpdateGroupActions = append(out.FailedScheduledUpdateGroupActions, failedAction(*in.ScheduledUpdateGroupActions[i].ScheduledActionName, e))
			} else if err != nil {
				return err
			}
		}
		return nil
	})
}

func failedAction(name string, e *awserr.Error) api.FailedScheduledUpdateGroupActionRequest {
	return api.FailedScheduledUpdateGroupActionRequest{ScheduledActionName: &name, ErrorCode: &e.Code, ErrorMessage: &e.Message}
}

func deleteSchedule(tx *store.Tx, k store.Key, name string) error {
	err := schedules.Delete(tx, within(k, name))
	if isNotFound(err) {
		return invalid("Scheduled action name not found")
	}
	return err
}

// DeleteScheduledAction deletes one action.
func (s *Service) DeleteScheduledAction(ctx context.Context, in *api.DeleteScheduledActionInput) (*api.DeleteScheduledActionOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	return &api.DeleteScheduledActionOutput{}, s.changeGroup(ctx, k, "DeleteScheduledAction", func(tx *store.Tx, _ *group) error {
		return deleteSchedule(tx, k, *in.ScheduledActionName)
	})
}

// BatchDeleteScheduledAction deletes several.
func (s *Service) BatchDeleteScheduledAction(ctx context.Context, in *api.BatchDeleteScheduledActionInput) (*api.BatchDeleteScheduledActionOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	out := &api.BatchDeleteScheduledActionOutput{FailedScheduledActions: []api.FailedScheduledUpdateGroupActionRequest{}}
	return out, s.changeGroup(ctx, k, "BatchDeleteScheduledAction", func(tx *store.Tx, _ *group) error {
		for _, name := range in.ScheduledActionNames {
			err := deleteSchedule(tx, k, name)
			if e := awserr.As(err); e != nil {
				out.FailedScheduledActions = append(out.FailedScheduledActions, failedAction(name, e))
			} else if err != nil {
				return err
			}
		}
		return nil
	})
}

// DescribeScheduledActions lists actions that are still to be done.
func (s *Service) DescribeScheduledActions(ctx context.Context, in *api.DescribeScheduledActionsInput) (*api.DescribeScheduledActionsOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.DescribeScheduledActionsOutput{ScheduledUpdateGroupActions: []api.ScheduledUpdateGroupAction{}}
	return out, s.view(ctx, func(tx *store.Tx) error {
		rows, err := schedules.List(tx, scope(key(c, "")), "", 0)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r store.Row[schedule]) bool {
			a := r.Value
			return in.AutoScalingGroupName != nil && *in.AutoScalingGroupName != a.Group ||
				len(in.ScheduledActionNames) > 0 && !slices.Contains(in.ScheduledActionNames, a.Name) && !slices.Contains(in.ScheduledActionNames, a.ARN) ||
				len(in.ScheduledActionNames) == 0 && (in.StartTime != nil && a.Next.Before(*in.StartTime) || in.EndTime != nil && a.Next.After(*in.EndTime))
		})
		slices.SortStableFunc(rows, func(a, b store.Row[schedule]) int {
			return cmp.Compare(a.Value.Next.UnixNano(), b.Value.Next.UnixNano())
		})
		rows, out.NextToken, err = page(rows, in.NextToken, in.MaxRecords, maxPageSize, func(r store.Row[schedule]) string { return r.Key.ID })
		for _, r := range rows {
			out.ScheduledUpdateGroupActions = append(out.ScheduledUpdateGroupActions, describeSchedule(r.Value))
		}
		return err
	})
}

func describeSchedule(a *schedule) api.ScheduledUpdateGroupAction {
	out := api.ScheduledUpdateGroupAction{AutoScalingGroupName: &a.Group, ScheduledActionName: &a.Name, ScheduledActionARN: &a.ARN, StartTime: &a.Next, Time: &a.Next,
		Recurrence: text(a.Recurrence), TimeZone: text(a.Zone), MinSize: a.Min, MaxSize: a.Max, DesiredCapacity: a.Desired}
	if !a.End.IsZero() {
		out.EndTime = &a.End
	}
	return out
}

// schedules does the scheduled actions of a group that are due. One that was due while no
// server ran is done once.
func (t *turn) schedules() error {
	var rows []store.Row[schedule]
	err := t.s.view(t.ctx, func(tx *store.Tx) (err error) {
		rows, err = rowsWithin(tx, schedules, t.k)
		return err
	})
	if err != nil || t.g.Status != "" {
		return err
	}
	for _, r := range rows {
		if t.now.Before(r.Value.Next) {
			t.at(r.Value.Next)
			continue
		}
		if err := t.s.update(t.ctx, func(tx *store.Tx) error { return t.doSchedule(tx, r.Key) }); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) doSchedule(tx *store.Tx, k store.Key) error {
	a, err := schedules.Get(tx, k)
	if isNotFound(err) || err == nil && t.now.Before(a.Next) {
		return nil // changed meanwhile
	}
	if err != nil {
		return err
	}
	g, err := groups.Get(tx, t.k)
	if err != nil {
		return err
	}
	t.moved = true
	if !g.suspended(processSchedule) { // what is due meanwhile is not made up for
		g.scheduled(a, t.now)
	}
	if a.plan(t.now); a.Next.IsZero() {
		err = schedules.Delete(tx, k)
	} else {
		err = schedules.Put(tx, k, a)
	}
	if err != nil {
		return err
	}
	changed(tx, t.k, "scheduled action "+a.Name)
	return groups.Put(tx, t.k, g)
}

// scheduled gives a group the sizes of a scheduled action. Sizes that do not go together
// change nothing.
func (g *group) scheduled(a *schedule, now time.Time) {
	next := *g
	set(&next.Min, a.Min)
	set(&next.Max, a.Max)
	next.Desired = max(next.Desired, next.Min)
	next.Desired = min(next.Desired, next.Max)
	set(&next.Desired, a.Desired)
	if next.judgeSizes() != nil {
		return
	}
	g.Min, g.Max = next.Min, next.Max
	g.resize(now, next.Desired, fmt.Sprintf("a scheduled action update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d", g.Min, g.Max, next.Desired))
}
