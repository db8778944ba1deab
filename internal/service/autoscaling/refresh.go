package autoscaling

import (
	"context"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	defaultMinHealthy = 90
	defaultMaxHealthy = 100
	// defaultCheckpointDelay and maxBake are in seconds.
	defaultCheckpointDelay = 3600
	maxBake                = 172800
	maxRefreshes           = 100 // kept of a group
)

// refresh is an instance refresh.
type refresh struct {
	ID, Group     string
	Status        api.InstanceRefreshStatus
	Reason        string
	Created       time.Time
	Start, End    time.Time `json:",omitzero"`
	Preferences   api.RefreshPreferences
	Configuration *api.DesiredConfiguration `json:",omitempty"`
	// To is what instances are launched from, From what they were.
	To, From source
	Total    int // instances to be replaced at the beginning
	Left     int
	// Checkpoint is the next of the percentages; Until is when work goes on there.
	Checkpoint int       `json:",omitempty"`
	Until      time.Time `json:",omitzero"`
	// Baked is when the refresh is successful after all instances have been replaced.
	Baked time.Time `json:",omitzero"`
	// Moved is when an instance was last replaced.
	Moved time.Time
	// Undone is set for a refresh that is rolled back.
	Undone *undone `json:",omitempty"`
}

// undone is how far a refresh was when it was rolled back.
type undone struct {
	Reason        string
	At            time.Time
	Percent, Left int
}

// active reports whether a refresh is neither over nor about to stop.
func (r *refresh) active() bool {
	return slices.Contains([]api.InstanceRefreshStatus{"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"}, r.Status)
}

// activeRefresh is the refresh of a group that is not over, or nil.
func activeRefresh(tx *store.Tx, k store.Key) (*refresh, error) {
	rows, err := rowsWithin(tx, refreshes, k)
	for _, r := range rows {
		if r.Value.active() {
			return r.Value, err
		}
	}
	return nil, err
}

// noRefreshOf refuses what a refresh in progress forbids.
func noRefreshOf(tx *store.Tx, k store.Key) error {
	r, err := activeRefresh(tx, k)
	if err == nil && r != nil && r.Configuration != nil {
		return awserr.New("InstanceRefreshInProgress", "An active instance refresh with a desired configuration exists. All configuration options derived from the desired configuration are not available for update while the instance refresh is active.")
	}
	return err
}

// StartInstanceRefresh begins to replace the instances of a group.
func (s *Service) StartInstanceRefresh(ctx context.Context, in *api.StartInstanceRefreshInput) (*api.StartInstanceRefreshOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	if in.Strategy != "" && in.Strategy != api.RefreshStrategyRolling {
		return nil, notHonoured("the refresh strategy " + string(in.Strategy))
	}
	prefs, err := judgePreferences(in.Preferences)
	if err != nil {
		return nil, err
	}
	r := &refresh{ID: ids.UUID(), Group: k.ID, Status: "Pending", Created: s.now(), Moved: s.now(), Preferences: prefs, Configuration: in.DesiredConfiguration}
	if r.To, err = s.desiredSource(ctx, k, in.DesiredConfiguration); err != nil {
		return nil, err
	}
	if val(prefs.AutoRollback) && in.DesiredConfiguration == nil {
		return nil, invalid("You must provide a desired configuration when you set AutoRollback to true.")
	}
	err = s.changeGroup(ctx, k, "StartInstanceRefresh", func(tx *store.Tx, g *group) error {
		if g.Status != "" {
			return scalingInProgress("The group is being deleted.")
		}
		old, err := activeRefresh(tx, k)
		if err != nil {
			return err
		}
		if old != nil {
			return awserr.New("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")
		}
		if r.From = g.source; in.DesiredConfiguration == nil {
			r.To = g.source
		}
		if err := dropOldRefreshes(tx, k); err != nil {
			return err
		}
		return refreshes.Insert(tx, refreshKey(k, r), r)
	})
	return &api.StartInstanceRefreshOutput{InstanceRefreshId: &r.ID}, err
}

// refreshKey orders the refreshes of a group by their beginning.
func refreshKey(k store.Key, r *refresh) store.Key {
	return within(k, r.Created.Format("20060102150405.000000000")+r.ID)
}

func dropOldRefreshes(tx *store.Tx, k store.Key) error {
	rows, err := rowsWithin(tx, refreshes, k)
	for len(rows) >= maxRefreshes && err == nil {
		err = refreshes.Delete(tx, rows[0].Key)
		rows = rows[1:]
	}
	return err
}

// desiredSource is the source that a desired configuration names, if there is one.
func (s *Service) desiredSource(ctx context.Context, k store.Key, d *api.DesiredConfiguration) (source, error) {
	if d == nil {
		return source{}, nil
	}
	src, named, err := sourceOf(nil, d.LaunchTemplate, d.MixedInstancesPolicy)
	switch {
	case err != nil:
		return src, err
	case !named:
		return src, invalid("The desired configuration must contain either LaunchTemplate or MixedInstancesPolicy.")
	}
	var g *group
	err = s.view(ctx, func(tx *store.Tx) (err error) {
		g, err = getGroup(tx, k)
		return err
	})
	if err != nil {
		return src, err
	}
	as, err := s.acting(ctx, k, g.Role)
	if err != nil {
		return src, err
	}
	return src, s.judgeSource(ctx, as, &src, g.Places[0])
}

func judgePreferences(in *api.RefreshPreferences) (api.RefreshPreferences, error) {
	p := api.RefreshPreferences{}
	if in != nil {
		p = *in
	}
	low, high := p.MinHealthyPercentage, p.MaxHealthyPercentage
	switch {
	case high != nil && low == nil:
		return p, invalid("You must also specify MinHealthyPercentage when you specify MaxHealthyPercentage.")
	case low != nil && (*low < 0 || *low > 100):
		return p, invalid("MinHealthyPercentage must be between 0 and 100.")
	case high != nil && (*high < 100 || *high > 200):
		return p, invalid("MaxHealthyPercentage must be between 100 and 200.")
	case high != nil && *high-*low > 100:
		return p, invalid("The difference between MinHealthyPercentage and MaxHealthyPercentage cannot be greater than 100.")
	case p.InstanceWarmup != nil && *p.InstanceWarmup < 0:
		return p, invalid("InstanceWarmup must be greater than or equal to 0.")
	case p.CheckpointDelay != nil && (*p.CheckpointDelay < 0 || *p.CheckpointDelay > maxBake):
		return p, invalid("CheckpointDelay must be between 0 and %d.", maxBake)
	case p.BakeTime != nil && (*p.BakeTime < 0 || *p.BakeTime > maxBake):
		return p, invalid("BakeTime must be between 0 and %d.", maxBake)
	case p.CheckpointDelay != nil && len(p.CheckpointPercentages) == 0:
		return p, invalid("You must also specify CheckpointPercentages when you specify CheckpointDelay.")
	case p.AlarmSpecification != nil && len(p.AlarmSpecification.Alarms) > 10:
		return p, invalid("An alarm specification has at most 10 alarms.")
	}
	last := int32(0)
	for _, n := range p.CheckpointPercentages {
		if n <= last || n > 100 {
			return p, invalid("CheckpointPercentages must be unique, in ascending order and between 1 and 100.")
		}
		last = n
	}
	if len(p.CheckpointPercentages) > 0 && p.CheckpointDelay == nil {
		p.CheckpointDelay = ptr[int32](defaultCheckpointDelay)
	}
	return p, nil
}

// bounds are those of the preferences, else of the group's maintenance policy, else the
// defaults.
func (r *refresh) bounds(g *group) *bounds {
	b := &bounds{low: defaultMinHealthy, high: defaultMaxHealthy, warmup: g.warmup()}
	if p := g.Maintenance; p != nil {
		b.low, b.high = int(val(p.MinHealthyPercentage)), int(val(p.MaxHealthyPercentage))
	}
	if p := &r.Preferences; p.MinHealthyPercentage != nil {
		b.low, b.high = int(*p.MinHealthyPercentage), defaultMaxHealthy
		if p.MaxHealthyPercentage != nil {
			b.high = int(*p.MaxHealthyPercentage)
		}
	}
	if w := r.Preferences.InstanceWarmup; w != nil {
		b.warmup = time.Duration(*w) * time.Second
	}
	return b
}

// changeRefresh changes the refresh in progress of a group.
func (s *Service) changeRefresh(ctx context.Context, name, cause string, change func(*store.Tx, *group, *refresh) error) (*string, error) {
	k := key(aws.CallFrom(ctx), name)
	id := ""
	return &id, s.changeGroup(ctx, k, cause, func(tx *store.Tx, g *group) error {
		r, err := activeRefresh(tx, k)
		if err != nil {
			return err
		}
		if r == nil || r.Status == "Cancelling" {
			return awserr.New("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group %s", name)
		}
		id = r.ID
		if err := change(tx, g, r); err != nil {
			return err
		}
		return refreshes.Put(tx, refreshKey(k, r), r)
	})
}

// CancelInstanceRefresh lets replacements in progress end and begins no more.
func (s *Service) CancelInstanceRefresh(ctx context.Context, in *api.CancelInstanceRefreshInput) (*api.CancelInstanceRefreshOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	id, err := s.changeRefresh(ctx, k.ID, "CancelInstanceRefresh", func(tx *store.Tx, _ *group, r *refresh) error {
		if r.Status == "RollbackInProgress" {
			return awserr.New("ActiveInstanceRefreshNotFound", "The Instance Refresh %s is being rolled back.", r.ID)
		}
		r.Status, r.Reason = "Cancelling", "Cancelled due to user request."
		if in.WaitForTransitioningInstances != nil && !*in.WaitForTransitioningInstances {
			r.Status, r.End = "Cancelled", tx.Now().UTC()
			return forgetMarks(tx, k)
		}
		return nil
	})
	return &api.CancelInstanceRefreshOutput{InstanceRefreshId: id}, err
}

// forgetMarks lets the members of a group stay that a refresh wanted to replace.
func forgetMarks(tx *store.Tx, k store.Key) error {
	list, err := membersOf(tx, k)
	for _, m := range list {
		if err == nil && m.marked() {
			m.Why = ""
			err = putMember(tx, k, m)
		}
	}
	return err
}

// RollbackInstanceRefresh replaces what a refresh has replaced by what was there before.
func (s *Service) RollbackInstanceRefresh(ctx context.Context, in *api.RollbackInstanceRefreshInput) (*api.RollbackInstanceRefreshOutput, error) {
	id, err := s.changeRefresh(ctx, *in.AutoScalingGroupName, "RollbackInstanceRefresh", func(tx *store.Tx, _ *group, r *refresh) error {
		spec, _ := r.From.template()
		switch {
		case r.Status == "RollbackInProgress":
			return awserr.New("IrreversibleInstanceRefresh", "The Instance Refresh %s is being rolled back already.", r.ID)
		case r.Configuration == nil:
			return awserr.New("IrreversibleInstanceRefresh", "An instance refresh without a desired configuration cannot be rolled back.")
		case spec == nil:
			return awserr.New("IrreversibleInstanceRefresh", "The group does not use a launch template, so the instance refresh cannot be rolled back.")
		case val(spec.Version) == "$Latest" || val(spec.Version) == "$Default" || val(spec.Version) == "":
			return awserr.New("IrreversibleInstanceRefresh", "The launch template version of the Auto Scaling group is $Latest or $Default, so the instance refresh cannot be rolled back.")
		}
		r.undo(tx.Now().UTC(), "User initiated rollback.")
		return nil
	})
	return &api.RollbackInstanceRefreshOutput{InstanceRefreshId: id}, err
}

// undo turns a refresh round.
func (r *refresh) undo(now time.Time, why string) {
	r.Undone = &undone{Reason: why, At: now, Percent: r.percent(), Left: r.Left}
	r.Status, r.Reason, r.To, r.From = "RollbackInProgress", why, r.From, r.To
	r.Until, r.Baked, r.Moved = time.Time{}, time.Time{}, now
	r.Total = 0
}

func (r *refresh) percent() int {
	if r.Total == 0 {
		return 0
	}
	return 100 * (r.Total - min(r.Left, r.Total)) / r.Total
}

// DescribeInstanceRefreshes lists the refreshes of a group, the newest first.
func (s *Service) DescribeInstanceRefreshes(ctx context.Context, in *api.DescribeInstanceRefreshesInput) (*api.DescribeInstanceRefreshesOutput, error) {
	k := key(aws.CallFrom(ctx), *in.AutoScalingGroupName)
	out := &api.DescribeInstanceRefreshesOutput{InstanceRefreshes: []api.InstanceRefresh{}}
	return out, s.view(ctx, func(tx *store.Tx) error {
		if _, err := getGroup(tx, k); err != nil {
			return err
		}
		rows, err := rowsWithin(tx, refreshes, k)
		if err != nil {
			return err
		}
		slices.Reverse(rows)
		rows = slices.DeleteFunc(rows, func(r store.Row[refresh]) bool {
			return len(in.InstanceRefreshIds) > 0 && !slices.Contains(in.InstanceRefreshIds, r.Value.ID)
		})
		rows, out.NextToken, err = page(rows, in.NextToken, in.MaxRecords, maxPageSize, func(r store.Row[refresh]) string { return r.Value.ID })
		for _, r := range rows {
			out.InstanceRefreshes = append(out.InstanceRefreshes, describeRefresh(r.Value))
		}
		return err
	})
}

func describeRefresh(r *refresh) api.InstanceRefresh {
	prefs := r.Preferences
	prefs.MinHealthyPercentage = or(prefs.MinHealthyPercentage, ptr[int32](defaultMinHealthy))
	prefs.SkipMatching = or(prefs.SkipMatching, ptr(false))
	prefs.AutoRollback = or(prefs.AutoRollback, ptr(false))
	if prefs.ScaleInProtectedInstances == "" {
		prefs.ScaleInProtectedInstances = "Wait"
	}
	if prefs.StandbyInstances == "" {
		prefs.StandbyInstances = "Wait"
	}
	out := api.InstanceRefresh{InstanceRefreshId: &r.ID, AutoScalingGroupName: &r.Group, Status: r.Status, StatusReason: text(r.Reason),
		PercentageComplete: ptr(int32(r.percent())), InstancesToUpdate: ptr(int32(r.Left)), Preferences: &prefs, DesiredConfiguration: r.Configuration,
		Strategy: api.RefreshStrategyRolling}
	if !r.Start.IsZero() {
		out.StartTime = &r.Start
		out.ProgressDetails = &api.InstanceRefreshProgressDetails{LivePoolProgress: &api.InstanceRefreshLivePoolProgress{
			PercentageComplete: out.PercentageComplete, InstancesToUpdate: out.InstancesToUpdate}}
	}
	if !r.End.IsZero() {
		out.EndTime = &r.End
	}
	if u := r.Undone; u != nil {
		out.RollbackDetails = &api.RollbackDetails{RollbackReason: &u.Reason, RollbackStartTime: &u.At,
			PercentageCompleteOnRollback: ptr(int32(u.Percent)), InstancesToUpdateOnRollback: ptr(int32(u.Left))}
	}
	return out
}
