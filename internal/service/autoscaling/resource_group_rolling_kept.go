package autoscaling

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// before updates the group itself. After a rolling update that did not come to its end it
// gets its own minimum back, and its own desired capacity when all is replaced: at once
// where the policy does not replace anything.
func (u *roller) before(in *groupUpdate) error {
	k := key(aws.CallFrom(u.ctx), u.r.PhysicalID)
	var was *sizes
	err := u.t.s.update(u.ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, k)
		if err != nil || g.Rolling == nil {
			return err
		}
		was = g.Rolling
		set(&was.Min, in.MinSize)
		set(&was.Desired, in.DesiredCapacity)
		if in.MinSize, in.DesiredCapacity = &was.Min, nil; u.policy == nil {
			in.DesiredCapacity = ptr(min(max(was.Desired, was.Min), *or(in.MaxSize, &g.Max)))
		}
		return groups.Put(tx, k, g)
	})
	if err != nil {
		return err
	}
	_, err = invoke[api.UpdateAutoScalingGroupOutput](u.ctx, u.t.s, "UpdateAutoScalingGroup", &in.UpdateAutoScalingGroupInput)
	if err != nil || was == nil || u.policy != nil {
		return err
	}
	return u.forget()
}

// takeOver ends a rolling update that did not come to its end and has left nothing to
// replace: the server ended before the last of it was done, or it failed, and is rolled
// back, before it had replaced anything.
func (u *roller) takeOver() error {
	g, err := u.row()
	if err != nil || g.Rolling == nil {
		return err
	}
	return u.finish(g.Min, min(max(g.Rolling.Desired, g.Min), g.Max))
}

// finish gives the group the sizes that it has without a rolling update.
func (u *roller) finish(low, desired int32) error {
	if err := u.resize(&low, desired); err != nil {
		return err
	}
	return u.forget()
}

// remember keeps the sizes of the group for the time when the update is over, also when
// it fails and is rolled back, or the server ends meanwhile, and which processes it is to
// suspend. What is kept already is returned.
func (u *roller) remember(now *sizes) (*sizes, error) {
	k := key(aws.CallFrom(u.ctx), u.r.PhysicalID)
	return now, u.t.s.update(u.ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, k)
		if err != nil {
			return err
		}
		if g.Rolling != nil {
			*now = sizes{Min: now.Min, Desired: min(max(g.Rolling.Desired, now.Min), g.Max), Processes: g.Rolling.Processes}
		}
		for _, p := range u.policy.SuspendProcesses {
			if !g.suspended(p) && !slices.Contains(now.Processes, p) {
				now.Processes = append(now.Processes, p)
			}
		}
		g.Rolling = now
		return groups.Put(tx, k, g)
	})
}

// resume lets the processes go on that the update has suspended, also when it is stopped.
func (u *roller) resume() error {
	ctx := context.WithoutCancel(u.ctx)
	k := key(aws.CallFrom(ctx), u.r.PhysicalID)
	var ours []string
	err := u.t.s.view(ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, k)
		if err == nil && g.Rolling != nil {
			ours = g.Rolling.Processes
		}
		return err
	})
	if err != nil || len(ours) == 0 {
		return err
	}
	_, err = invoke[api.ResumeProcessesOutput](ctx, u.t.s, "ResumeProcesses", &api.ResumeProcessesInput{AutoScalingGroupName: u.name(), ScalingProcesses: ours})
	if err != nil {
		return err
	}
	return u.t.s.update(ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, k)
		if err != nil || g.Rolling == nil {
			return err
		}
		g.Rolling.Processes = nil
		return groups.Put(tx, k, g)
	})
}

// forget ends what is kept for the time of the update.
func (u *roller) forget() error {
	if err := u.resume(); err != nil {
		return err
	}
	k := key(aws.CallFrom(u.ctx), u.r.PhysicalID)
	return u.t.s.update(u.ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, k)
		if err != nil {
			return err
		}
		g.Rolling = nil
		return groups.Put(tx, k, g)
	})
}

func (u *roller) row() (g *group, err error) {
	return g, u.t.s.view(u.ctx, func(tx *store.Tx) (err error) {
		g, err = getGroup(tx, key(aws.CallFrom(u.ctx), u.r.PhysicalID))
		return err
	})
}
