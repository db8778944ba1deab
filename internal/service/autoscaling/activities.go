package autoscaling

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// keepActivities is how long an activity can be looked up.
const keepActivities = 6 * 7 * 24 * time.Hour

// The statuses of activities that branches ask for.
const (
	preInService = api.ScalingActivityStatusCodePreInService
	successful   = api.ScalingActivityStatusCodeSuccessful
	failed       = api.ScalingActivityStatusCodeFailed
	cancelled    = api.ScalingActivityStatusCodeCancelled
)

// begin writes a new activity of a member. cause is the last sentence of why; those of
// the group come before it.
func begin(tx *store.Tx, k store.Key, g *group, m *member, description, cause string) (*activity, error) {
	g.Count++
	a := &activity{ID: ids.UUID(), Number: g.Count, Group: g.Name, GroupARN: g.ARN, Description: description, Start: tx.Now().UTC(), Instance: m.Instance,
		Status: "InProgress", Cause: strings.Join(append(slices.Clone(g.Causes), cause), "  "), Details: m.details()}
	m.Activity = a.ID
	return a, activities.Put(tx, activityKey(k, a.ID), a)
}

// details are what an activity tells of where its instance is.
func (m *member) details() string {
	where := struct {
		Subnet string `json:"Subnet ID,omitempty"`
		Zone   string `json:"Availability Zone"`
	}{m.Subnet, m.Zone}
	b, err := json.Marshal(where)
	if err != nil {
		panic(err) // two strings always marshal
	}
	return string(b)
}

func activityKey(g store.Key, id string) store.Key {
	return store.Key{Account: g.Account, Region: g.Region, ID: id}
}

// progress changes the activity that a member is in, if there is one.
func progress(tx *store.Tx, k store.Key, m *member, change func(*activity)) error {
	if m.Activity == "" {
		return nil
	}
	a, err := activities.Get(tx, activityKey(k, m.Activity))
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	change(a)
	return activities.Put(tx, activityKey(k, a.ID), a)
}

// conclude ends the activity that a member is in.
func conclude(tx *store.Tx, k store.Key, m *member, status api.ScalingActivityStatusCode, message string) (*activity, error) {
	var ended *activity
	err := progress(tx, k, m, func(a *activity) {
		a.Status, a.StatusMessage, a.Progress, a.End = status, message, 100, tx.Now().UTC()
		if message != "" {
			a.Description += ".  Status Reason: " + message
		}
		if m.Instance != "" {
			a.Instance, a.Details = m.Instance, m.details()
		}
		ended = a
	})
	m.Activity = ""
	return ended, err
}

// DescribeScalingActivities lists activities, those in progress first, then the newest.
func (s *Service) DescribeScalingActivities(ctx context.Context, in *api.DescribeScalingActivitiesInput) (*api.DescribeScalingActivitiesOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.DescribeScalingActivitiesOutput{Activities: []api.Activity{}}
	wanted, err := activityFilter(in.Filters)
	if err != nil {
		return nil, err
	}
	return out, s.view(ctx, func(tx *store.Tx) error {
		list, err := findActivities(tx, key(c, val(in.AutoScalingGroupName)), in)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(a *activity) bool {
			return len(in.ActivityIds) > 0 && !slices.Contains(in.ActivityIds, a.ID) || !wanted(a)
		})
		slices.SortStableFunc(list, func(a, b *activity) int {
			if done := a.End.IsZero(); done != b.End.IsZero() {
				if done {
					return -1
				}
				return 1
			}
			return strings.Compare(b.order(), a.order())
		})
		list, out.NextToken, err = page(list, in.NextToken, orLimit(in.MaxRecords), maxPageSize, func(a *activity) string { return a.ID })
		for _, a := range list {
			shown := describeActivity(a)
			if _, err := groups.Get(tx, key(c, a.Group)); isNotFound(err) {
				shown.AutoScalingGroupState = ptr("Deleted")
			}
			out.Activities = append(out.Activities, shown)
		}
		return err
	})
}

// orLimit is how many activities a page has unless the request says.
func orLimit(n *int32) *int32 { return or(n, ptr[int32](maxPageSize)) }

// findActivities lists those of a group by name or ARN, or of all. Activities of groups
// that are gone are shown to who asks for them.
func findActivities(tx *store.Tx, k store.Key, in *api.DescribeScalingActivitiesInput) ([]*activity, error) {
	name := k.ID
	if strings.HasPrefix(name, "arn:") {
		name = arn.Name(name)
	}
	deleted := val(in.IncludeDeletedGroups)
	var rows []store.Row[activity]
	var err error
	if name != "" {
		k.ID = name
		if _, err := getGroup(tx, k); err != nil && !deleted {
			return nil, err
		}
		rows, err = activities.Range(tx, "group", scoped(k, name)+"\x00", scoped(k, name)+"\x01", 0, false)
	} else {
		rows, err = activities.List(tx, scope(k), "", 0)
	}
	var out []*activity
	for _, r := range rows {
		if !deleted {
			g, err := groups.Get(tx, activityKey(k, r.Value.Group))
			if isNotFound(err) || err == nil && g.ARN != r.Value.GroupARN {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		out = append(out, r.Value)
	}
	return out, err
}

// activityFilter reads the filters StartTimeLowerBound, StartTimeUpperBound and Status.
func activityFilter(filters []api.Filter) (func(*activity) bool, error) {
	var all []func(*activity) bool
	for _, f := range filters {
		if len(f.Values) == 0 {
			return nil, invalid("Filter %s has no values", val(f.Name))
		}
		switch name := val(f.Name); name {
		case "Status":
			all = append(all, func(a *activity) bool { return slices.Contains(f.Values, string(a.Status)) })
		case "StartTimeLowerBound", "StartTimeUpperBound":
			at, err := time.Parse(time.RFC3339, f.Values[0])
			if err != nil {
				return nil, invalid("The value %s of the filter %s is not a time", f.Values[0], name)
			}
			lower := name == "StartTimeLowerBound"
			all = append(all, func(a *activity) bool { return lower && !a.Start.Before(at) || !lower && !a.Start.After(at) })
		default:
			return nil, invalid("Filter name %s is not supported", name)
		}
	}
	return func(a *activity) bool {
		return allOf(all, func(ok func(*activity) bool) bool { return ok(a) })
	}, nil
}

func describeActivity(a *activity) api.Activity {
	out := api.Activity{ActivityId: &a.ID, AutoScalingGroupName: &a.Group, AutoScalingGroupARN: &a.GroupARN, Description: &a.Description, Cause: &a.Cause,
		StartTime: &a.Start, StatusCode: a.Status, StatusMessage: text(a.StatusMessage), Progress: &a.Progress, Details: &a.Details}
	if !a.End.IsZero() {
		out.EndTime = &a.End
	}
	return out
}

// forgetActivities removes those that are older than six weeks.
func (s *Service) forgetActivities(ctx context.Context) error {
	return s.update(ctx, func(tx *store.Tx) error {
		old := activity{Start: tx.Now().Add(-keepActivities)}
		rows, err := activities.Range(tx, "time", "", old.order(), 0, false)
		for _, r := range rows {
			if err == nil && !r.Value.End.IsZero() {
				err = activities.Delete(tx, r.Key)
			}
		}
		return err
	})
}
