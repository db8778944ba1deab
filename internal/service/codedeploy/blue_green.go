package codedeploy

import (
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// A blue/green deployment goes to instances that CreateDeployment names, the
// green ones, and then takes those that the group selects, the blue ones, out of
// use. With traffic control the service moves the traffic (traffic.go); without,
// the hooks around AllowTraffic and BlockTraffic are where a user moves it.
//
//	install    the seven events on green, under the health rule; then Ready
//	ready      until the wait that the group asks for is over or continued
//	allow      BeforeAllowTraffic, AllowTraffic, AfterAllowTraffic on green, as many
//	           at a time as the configuration allows
//	block      BeforeBlockTraffic, BlockTraffic, AfterBlockTraffic on blue
//	terminate  after the wait, unless blue is kept

// blueGreen is the state of such a deployment.
type blueGreen struct {
	Options *api.BlueGreenDeploymentConfiguration
	// Back tells that it undoes another: blue is let in, green is kept out, and
	// nothing is installed.
	Back bool `json:",omitempty"`
	// ReadySince is when green was installed, Released that traffic may move,
	// Blocked when blue was out of use, Skip that its termination shall not wait.
	ReadySince time.Time `json:",omitzero"`
	Released   bool      `json:",omitempty"`
	// MinRouted is how many of the green instances must keep or get their traffic.
	MinRouted  int       `json:",omitempty"`
	Blocked    time.Time `json:",omitzero"`
	Skip       bool      `json:",omitempty"`
	Terminated bool      `json:",omitempty"`
	// Original is the Auto Scaling group to be copied, Provisioned that the copy has
	// its instances.
	Original    string `json:",omitempty"`
	Provisioned bool   `json:",omitempty"`
}

func (d *deployment) blueGreen() bool { return d.BlueGreen != nil }

// options is nil for a deployment in place, and for one without any.
func (d *deployment) options() *api.BlueGreenDeploymentConfiguration {
	if d.BlueGreen == nil {
		return nil
	}
	return d.BlueGreen.Options
}

// goesBack reports whether d only gives the traffic back to the original instances.
func (d *deployment) goesBack() bool { return d.blueGreen() && d.BlueGreen.Back }

func (d *deployment) deploymentType() api.DeploymentType {
	if d.blueGreen() {
		return api.DeploymentTypeBlueGreen
	}
	return api.DeploymentTypeInPlace
}

func (d *deployment) style() *api.DeploymentStyle {
	st := &api.DeploymentStyle{DeploymentType: d.deploymentType(), DeploymentOption: api.DeploymentOptionWithoutTrafficControl}
	if d.Balancer != nil {
		st.DeploymentOption = api.DeploymentOptionWithTrafficControl
	}
	return st
}

// installEvents is how many events green runs before it is ready.
var installEvents = len(lifecycle.InPlace())

// holds reports whether t must wait for the release of the deployment.
func (b *blueGreen) holds(t *target) bool {
	return b != nil && !b.Back && !b.Released && t.Label == api.TargetLabelGreen && t.current() == installEvents
}

// eventsOf returns the events of a target with the label, "" in place.
func (d *deployment) eventsOf(label api.TargetLabel) []event {
	block, allow := lifecycle.Block(d.Balancer != nil), lifecycle.Allow(d.Balancer != nil)
	names := lifecycle.InPlace()
	switch {
	case d.launch():
		if d.Balancer != nil {
			names = slices.Concat(names, allow)
		}
	case d.Scaling != nil:
		names = []string{lifecycle.ApplicationStop}
		if d.Balancer != nil {
			names = slices.Concat(block, names)
		}
	case !d.blueGreen() && d.Balancer != nil:
		names = slices.Concat(block, names, allow)
	case !d.blueGreen():
	case d.BlueGreen.Back == (label == api.TargetLabelBlue):
		names = slices.Concat(names, allow)
		if d.BlueGreen.Back {
			names = allow
		}
	default:
		names = block
	}
	out := make([]event, len(names))
	for i, n := range names {
		out[i] = event{Name: n, Status: api.LifecycleEventStatusPending}
	}
	return out
}

// stepBlueGreen is step for such a deployment.
func (s *Service) stepBlueGreen(tx *store.Tx, k store.Key, d *deployment, list []*target, now time.Time) (due time.Time, ended bool, err error) {
	green, blue := split(list)
	if d.BlueGreen.Back {
		green, blue = blue, green
	}
	// First those that get the traffic: green, or blue on the way back.
	roll := s.roll
	if d.BlueGreen.Released {
		roll = s.reroute
	}
	next, due, err := roll(tx, k, d, green, now)
	if err != nil || !next.End {
		return due, false, err
	}
	if !next.Succeeded {
		return due, true, s.conclude(tx, k, d, list, false)
	}
	if !d.BlueGreen.Back && !d.BlueGreen.Released {
		return s.stepReady(tx, k, d, green, now)
	}
	for _, t := range blue {
		if t.Status == api.TargetStatusPending {
			if err := s.start(tx, k, d, t, now); err != nil {
				return due, false, err
			}
		}
	}
	if slices.ContainsFunc(blue, func(t *target) bool { return !t.ended() }) {
		return s.nextDeadline(k, d, blue, now), false, nil
	}
	if slices.ContainsFunc(blue, func(t *target) bool { return t.Status == api.TargetStatusFailed }) {
		return due, true, s.conclude(tx, k, d, list, false)
	}
	return s.stepTermination(tx, k, d, list, now)
}

func split(list []*target) (green, blue []*target) {
	for _, t := range list {
		if t.Label == api.TargetLabelBlue {
			blue = append(blue, t)
		} else {
			green = append(green, t)
		}
	}
	return green, blue
}

// stepReady holds a deployment whose green instances are installed, or lets it
// go on.
func (s *Service) stepReady(tx *store.Tx, k store.Key, d *deployment, green []*target, now time.Time) (due time.Time, ended bool, err error) {
	wait, stop := d.BlueGreen.readyWait()
	if stop && d.BlueGreen.ReadySince.IsZero() {
		d.BlueGreen.ReadySince, d.Status = now, api.DeploymentStatusReady
		emit(tx, k, d.ID, "deployment", string(d.Status))
		if err := s.notify(tx, k, d, nil, api.TriggerEventTypeDeploymentReady); err != nil {
			return due, false, err
		}
		return now.Add(wait), false, deployments.Put(tx, k, d)
	}
	if stop {
		due = d.BlueGreen.ReadySince.Add(wait)
		if now.Before(due) {
			return due, false, nil
		}
		d.StopAsked, d.ReadyTimeout = true, true
		return now, false, deployments.Put(tx, k, d)
	}
	return now, false, s.release(tx, k, d, green)
}

// release lets green take the traffic: the steps that follow reroute it.
func (s *Service) release(tx *store.Tx, k store.Key, d *deployment, green []*target) error {
	cfg, err := findConfig(tx, aws.Call{Account: k.Account, Region: k.Region}, d.Config)
	if err != nil {
		return err
	}
	n := len(installed(green))
	minimum, ok := cfg.minHealthy(n)
	if !ok {
		minimum = n - 1
	}
	d.BlueGreen.Released, d.BlueGreen.MinRouted, d.Status = true, minimum, api.DeploymentStatusInProgress
	emit(tx, k, d.ID, "deployment", "released")
	return deployments.Put(tx, k, d)
}

// installed returns the green targets that may get traffic.
func installed(green []*target) []*target {
	return slices.DeleteFunc(slices.Clone(green), func(t *target) bool {
		return t.Events[installEvents-1].Status != api.LifecycleEventStatusSucceeded
	})
}

// reroute is roll for the traffic of the green instances that are installed.
func (s *Service) reroute(tx *store.Tx, k store.Key, d *deployment, green []*target, now time.Time) (next decision, due time.Time, err error) {
	list := installed(green)
	h := health{Minimum: d.BlueGreen.MinRouted}
	for _, t := range list {
		if t.Status == api.TargetStatusReady {
			h.Pending++
		} else {
			h.count(t)
		}
	}
	next = h.decide()
	if d.Config == oneAtATime && h.Failed > 0 && h.InProgress == 0 {
		next = decision{End: true} // AWS: the first failure ends it, also the last host's
	}
	due, err = s.beginSome(tx, k, d, list, next, api.TargetStatusReady, now)
	return next, due, err
}

// readyWait returns how long the deployment waits for ContinueDeployment before
// it stops; stop is false when it does not wait.
func (b *blueGreen) readyWait() (wait time.Duration, stop bool) {
	if b.Options == nil || b.Options.DeploymentReadyOption == nil {
		return 0, false
	}
	o := b.Options.DeploymentReadyOption
	return time.Duration(aws.Val(o.WaitTimeInMinutes)) * time.Minute, o.ActionOnTimeout == api.DeploymentReadyActionStopDeployment
}

// terminationWait returns how long blue lives on; end is false when it is kept.
func (b *blueGreen) terminationWait() (wait time.Duration, end bool) {
	if b.Back || b.Options == nil || b.Options.TerminateBlueInstancesOnDeploymentSuccess == nil {
		return 0, false
	}
	o := b.Options.TerminateBlueInstancesOnDeploymentSuccess
	return time.Duration(aws.Val(o.TerminationWaitTimeInMinutes)) * time.Minute, o.Action == api.InstanceActionTerminate
}

// terminationDue returns when blue is to be terminated, zero for never or not
// yet known.
func (b *blueGreen) terminationDue() time.Time {
	wait, end := b.terminationWait()
	if !end || b.Blocked.IsZero() || b.Terminated {
		return time.Time{}
	}
	if b.Skip {
		return b.Blocked
	}
	return b.Blocked.Add(wait)
}

// stepTermination waits for the end of blue, which terminateBlue brings, and
// ends the deployment.
func (s *Service) stepTermination(tx *store.Tx, k store.Key, d *deployment, list []*target, now time.Time) (due time.Time, ended bool, err error) {
	if _, end := d.BlueGreen.terminationWait(); end && !d.BlueGreen.Terminated {
		if d.BlueGreen.Blocked.IsZero() {
			d.BlueGreen.Blocked = now
			emit(tx, k, d.ID, "deployment", "waits for the termination of the original instances")
			if err := deployments.Put(tx, k, d); err != nil {
				return due, false, err
			}
		}
		return later(d.BlueGreen.terminationDue(), now), false, nil
	}
	if err := adopt(tx, k, d); err != nil {
		return due, false, err
	}
	return due, true, s.conclude(tx, k, d, list, true)
}

// adopt makes the group select the instances that now serve: they are the blue
// ones of the next deployment.
func adopt(tx *store.Tx, k store.Key, d *deployment) error {
	if d.BlueGreen.Back || d.New == nil {
		return nil
	}
	gk := store.Key{Account: k.Account, Region: k.Region, ID: d.GroupID}
	g, err := groups.Get(tx, gk)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	g.Filters, g.TagSet, g.OnPremises, g.OnPremisesSet = d.New.TagFilters, d.New.Ec2TagSet, nil, nil
	g.setScaling(d.New.AutoScalingGroups, g.TerminationHook)
	emit(tx, gk, g.ID, "group", "has a new environment")
	return groups.Put(tx, gk, g)
}

// bluesOf returns the ids of the instances of EC2 that a deployment has replaced.
func bluesOf(list []*target) []string {
	_, blue := split(list)
	var out []string
	for _, t := range blue {
		if !t.OnPremises && strings.HasPrefix(t.InstanceID, "i-") {
			out = append(out, t.InstanceID)
		}
	}
	return out
}
