package autoscaling

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// rollingUpdate is AutoScalingRollingUpdate.
type rollingUpdate struct {
	MaxBatchSize, MinInstancesInService, MinSuccessfulInstancesPercent, MinActiveInstancesPercent *int
	PauseTime                                                                                     *string
	SuspendProcesses                                                                              []string
	WaitOnResourceSignals                                                                         *bool
}

// roller is one rolling update: it replaces the instances that are not what the group
// launches now, in batches.
type roller struct {
	t      resourceGroup
	ctx    context.Context
	r      stack.Request
	policy *rollingUpdate

	batch, least, share int
	pause               time.Duration
	signals             bool
	total, failures     int
	done                int
}

const maxPause = time.Hour

func (u *roller) read() error {
	p := u.policy
	u.batch, u.least, u.share, u.signals = 1, 0, 100, val(p.WaitOnResourceSignals)
	set(&u.batch, p.MaxBatchSize)
	set(&u.least, p.MinInstancesInService)
	set(&u.share, p.MinSuccessfulInstancesPercent)
	if u.signals {
		u.pause = 5 * time.Minute
	}
	if p.PauseTime != nil {
		var err error
		if u.pause, err = stack.ParseDuration(*p.PauseTime); err != nil {
			return err
		}
	}
	switch {
	case u.batch < 1:
		return &stack.PropertyError{Message: "MaxBatchSize must be at least 1"}
	case u.least < 0 || u.share < 0 || u.share > 100:
		return &stack.PropertyError{Message: "MinInstancesInService and MinSuccessfulInstancesPercent must not be negative, and the latter at most 100"}
	case p.MinActiveInstancesPercent != nil && *p.MinActiveInstancesPercent != 100:
		return &stack.PropertyError{Message: "hardstand does not implement a MinActiveInstancesPercent other than 100"}
	case u.pause > maxPause:
		return &stack.PropertyError{Message: "PauseTime must be at most PT1H"}
	}
	return nil
}

// say writes an event.
func (u *roller) say(format string, args ...any) error {
	if u.r.Door == nil {
		return nil
	}
	return u.r.Door.Say(u.ctx, fmt.Sprintf(format, args...))
}

func (u *roller) name() *string { return &u.r.PhysicalID }

// run replaces what is obsolete. The processes that the policy suspends go on at the end,
// however it comes.
func (u *roller) run() (err error) {
	if err := u.read(); err != nil {
		return err
	}
	g, err := u.t.find(u.ctx, u.r.PhysicalID)
	if err != nil {
		return err
	}
	old, err := u.obsolete(g)
	if err != nil {
		return err
	}
	if len(old) == 0 {
		if err := u.takeOver(); err != nil {
			return err
		}
		return u.t.stable(u.ctx, u.r.PhysicalID, u.t.s.now(), 0)
	}
	if u.least >= int(*g.MaxSize) {
		return &stack.PropertyError{Message: "MinInstancesInService must be less than the autoscaling group's MaxSize"}
	}
	if err := u.mayLaunch(g); err != nil {
		return err
	}
	u.total = len(old)
	if err := u.announce(); err != nil {
		return err
	}
	was, err := u.remember(&sizes{Min: *g.MinSize, Desired: *g.DesiredCapacity})
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, u.resume()) }()
	if len(was.Processes) > 0 {
		if _, err := invoke[api.SuspendProcessesOutput](u.ctx, u.t.s, "SuspendProcesses", &api.SuspendProcessesInput{AutoScalingGroupName: u.name(), ScalingProcesses: was.Processes}); err != nil {
			return err
		}
	}
	return u.replaceAll(g, was)
}

// mayLaunch refuses to wait for instances that do not come.
func (u *roller) mayLaunch(g *api.AutoScalingGroup) error {
	isLaunch := func(p api.SuspendedProcess) bool { return *p.ProcessName == processLaunch }
	if slices.ContainsFunc(g.SuspendedProcesses, isLaunch) || slices.Contains(u.policy.SuspendProcesses, processLaunch) {
		return &stack.PropertyError{Message: "The rolling update cannot replace instances while the process Launch is suspended"}
	}
	return nil
}

func (u *roller) announce() error {
	text := fmt.Sprintf("Rolling update initiated. Terminating %d obsolete instance(s) in batches of %d", u.total, u.batch)
	if u.least > 0 {
		text += fmt.Sprintf(", while keeping at least %d instance(s) in service", u.least)
	}
	text += "."
	if u.signals {
		text += fmt.Sprintf(" Waiting on resource signals with a timeout of %s when new instances are added to the autoscaling group.", isoDuration(u.pause))
	}
	return u.say("%s", text)
}

func isoDuration(d time.Duration) string {
	out := "PT"
	for _, unit := range []struct {
		size time.Duration
		sign string
	}{{time.Hour, "H"}, {time.Minute, "M"}, {time.Second, "S"}} {
		if n := d / unit.size; n > 0 {
			out += fmt.Sprint(int(n)) + unit.sign
			d -= n * unit.size
		}
	}
	if out == "PT" {
		return "PT0S"
	}
	return out
}

// obsolete are the group's instances that it would not launch today.
func (u *roller) obsolete(g *api.AutoScalingGroup) ([]string, error) {
	k := key(aws.CallFrom(u.ctx), u.r.PhysicalID)
	var row *group
	var list []*member
	err := u.t.s.view(u.ctx, func(tx *store.Tx) (err error) {
		if row, err = getGroup(tx, k); err == nil {
			list, err = membersOf(tx, k)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	version := ""
	spec, over := row.template()
	if spec != nil {
		copied := *spec
		if version, err = u.t.s.resolveTemplate(u.ctx, &copied); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, m := range list {
		fresh := m.Configuration == row.Configuration
		if spec != nil {
			fresh = m.Template != nil && val(m.Template.LaunchTemplateId) == val(spec.LaunchTemplateId) && val(m.Template.Version) == version && m.overriddenBy(over)
		}
		placed := slices.ContainsFunc(row.Places, func(p place) bool { return p.Subnet == m.Subnet || p.Subnet == "" && p.Zone == m.Zone })
		if m.Instance != "" && !m.terminating() && (!fresh || !placed) {
			out = append(out, m.Instance)
		}
	}
	return out, nil
}

// replaceAll replaces batch after batch. Where that would leave fewer in service than the
// policy wants, the group is made larger meanwhile.
func (u *roller) replaceAll(g *api.AutoScalingGroup, was *sizes) error {
	desired, low, high := int(was.Desired), was.Min, *g.MaxSize
	known := idsOf(g)
	if desired-min(u.batch, u.total) < u.least {
		target := min(u.least+min(u.batch, u.total), int(high))
		if target > int(*g.DesiredCapacity) {
			if err := u.say("Temporarily setting autoscaling group MinSize and DesiredCapacity to %d.", target); err != nil {
				return err
			}
			if err := u.resize(ptr(int32(target)), int32(target)); err != nil {
				return err
			}
			if err := u.added(known, target-int(*g.DesiredCapacity)); err != nil {
				return err
			}
			if err := u.resize(&low, int32(target)); err != nil { // so that it may shrink again
				return err
			}
		}
	}
	for {
		more, err := u.next(desired)
		if err != nil {
			return err
		}
		if !more {
			return u.finish(low, int32(desired))
		}
	}
}

func (u *roller) resize(low *int32, desired int32) error {
	_, err := invoke[api.UpdateAutoScalingGroupOutput](u.ctx, u.t.s, "UpdateAutoScalingGroup",
		&api.UpdateAutoScalingGroupInput{AutoScalingGroupName: u.name(), MinSize: low, DesiredCapacity: &desired})
	return err
}

func idsOf(g *api.AutoScalingGroup) []string {
	var out []string
	for _, i := range g.Instances {
		out = append(out, *i.InstanceId)
	}
	return out
}

// next replaces one batch; more is false when nothing is obsolete any more.
func (u *roller) next(desired int) (more bool, err error) {
	g, err := u.t.find(u.ctx, u.r.PhysicalID)
	if err != nil {
		return false, err
	}
	old, err := u.obsolete(g)
	if err != nil || len(old) == 0 {
		return false, err
	}
	serving := 0
	for _, i := range g.Instances {
		if i.LifecycleState == api.LifecycleStateInService {
			serving++
		}
	}
	n := min(u.batch, len(old), max(serving-u.least, 1))
	fresh := serving - len(old)
	replace := max(min(n, desired-fresh), 0)
	known, leaving := idsOf(g), old[:n]
	if err := u.say("Terminating instance(s) [%s]; replacing with %d new instance(s).", strings.Join(leaving, ","), replace); err != nil {
		return false, err
	}
	for i, id := range leaving {
		_, err := invoke[api.TerminateInstanceInAutoScalingGroupOutput](u.ctx, u.t.s, "TerminateInstanceInAutoScalingGroup",
			&api.TerminateInstanceInAutoScalingGroupInput{InstanceId: &id, ShouldDecrementDesiredCapacity: ptr(i >= replace)})
		if err != nil && !absentGroup(err) && !isBeingDeleted(err) { // it may be leaving by itself
			return false, err
		}
	}
	err = u.t.until(u.ctx, u.r.PhysicalID, func(g *api.AutoScalingGroup) (bool, error) {
		return !slices.ContainsFunc(g.Instances, func(i api.Instance) bool { return slices.Contains(leaving, *i.InstanceId) }), nil
	})
	if err != nil {
		return false, err
	}
	u.done += n
	if err := u.say("Successfully terminated instance(s) [%s] (Progress %d%%).", strings.Join(leaving, ","), 100*u.done/max(u.total, u.done)); err != nil {
		return false, err
	}
	return true, u.added(known, replace)
}

// added waits for n instances that were not known, and for what they signal or for the
// pause.
func (u *roller) added(known []string, n int) error {
	if n == 0 {
		return nil
	}
	began := u.t.s.now()
	var fresh []string
	err := u.t.until(u.ctx, u.r.PhysicalID, func(g *api.AutoScalingGroup) (bool, error) {
		fresh = slices.DeleteFunc(idsOf(g), func(id string) bool { return slices.Contains(known, id) })
		if len(fresh) >= n {
			return true, u.launchesFail(began)
		}
		return false, cmp.Or(u.mayLaunch(g), u.launchesFail(began))
	})
	if err != nil {
		return err
	}
	if !u.signals || u.r.Door == nil {
		if err := u.t.stable(u.ctx, u.r.PhysicalID, began, 0); err != nil {
			return err
		}
		return clock.Sleep(u.ctx, u.t.s.cfg.Clock, u.pause)
	}
	if err := u.say("New instance(s) added to autoscaling group - Waiting on %d resource signal(s) with a timeout of %s.", n, isoDuration(u.pause)); err != nil {
		return err
	}
	statuses, err := u.r.Door.Await(u.ctx, fresh, u.t.s.now().Add(u.pause))
	if err != nil {
		return err
	}
	if err := u.judgeSignals(fresh, statuses); err != nil {
		return err
	}
	return u.t.stable(u.ctx, u.r.PhysicalID, began, 0)
}

// judgeSignals counts what new instances have signalled, and fails when too few succeed.
func (u *roller) judgeSignals(fresh []string, statuses map[string]string) error {
	missing := 0
	for _, id := range fresh {
		switch statuses[id] {
		case stack.Success:
		case "":
			missing++
			u.failures++
		default:
			u.failures++
		}
	}
	if missing > 0 {
		if err := u.say("Failed to receive %d resource signal(s) for the current batch.  Each resource signal timeout is counted as a FAILURE.", missing); err != nil {
			return err
		}
	}
	if u.failures*100 > u.total*(100-u.share) {
		return &stack.PropertyError{Message: fmt.Sprintf("Received %d FAILURE signal(s) out of %d. Unable to satisfy %d%% MinSuccessfulInstancesPercent requirement", u.failures, u.total, u.share)}
	}
	return nil
}

// launchesFail is the error of a group whose launches fail again and again.
func (u *roller) launchesFail(since time.Time) error {
	out, err := invoke[api.DescribeScalingActivitiesOutput](u.ctx, u.t.s, "DescribeScalingActivities", &api.DescribeScalingActivitiesInput{AutoScalingGroupName: u.name()})
	if err != nil {
		return err
	}
	failures, last := 0, ""
	for _, a := range out.Activities {
		if a.StatusCode == failed && !a.StartTime.Before(since) {
			failures, last = failures+1, val(a.StatusMessage)
		}
	}
	if failures > 1 {
		return &stack.PropertyError{Message: "Group did not stabilize. Failed Scaling Activity: " + last}
	}
	return nil
}
