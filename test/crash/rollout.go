package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/clock"
)

const (
	fleetSize = 5
	// perRound is how many kills one deployment suffers.
	perRound = 5
	// rolloutLimit is how long a deployment may take, kills included.
	rolloutLimit = 90 * time.Second
	// restarted is what an agent says of the event that ran when it was killed.
	restarted = "Failed: Failing in-progress lifecycle event after an agent restart."
)

// rollout deploys to a fleet of real instances, again and again, while it kills
// the server, agents, and both.
type rollout struct {
	*server
	fleet   *fleet
	random  *rand.Rand
	longest time.Duration // of a deployment without kills
	kills   int
	failed  int // targets whose agent was killed within an event
	lost    map[string]bool
}

func rollouts(s *server, kills int, random *rand.Rand) error {
	f, err := newFleet(s)
	if err != nil {
		return err
	}
	r := &rollout{server: s, fleet: f, random: random}
	// The first deployment has no kills: it measures how long one takes.
	for round := 0; r.kills < kills; round++ {
		if err := r.round(round); err != nil {
			return fmt.Errorf("round %d, after %d kills: %w", round, r.kills, err)
		}
	}
	fmt.Printf("killed servers and agents %d times in rollouts to %d instances: every hook ran at most once, %d targets failed for want of their agent, no other\n",
		r.kills, fleetSize, r.failed)
	return s.stop()
}

// round is one deployment with its kills.
func (r *rollout) round(n int) error {
	if err := r.fleet.upload(n); err != nil {
		return err
	}
	r.lost = map[string]bool{}
	began := clock.System{}.Now()
	id, err := r.deploy(n)
	if err != nil {
		return err
	}
	if n > 0 {
		if err := r.suffer(); err != nil {
			return err
		}
	}
	d, err := r.await(id)
	if err != nil {
		return err
	}
	if n == 0 {
		r.longest = clock.System{}.Now().Sub(began)
	}
	return r.check(n, d)
}

func (r *rollout) deploy(n int) (string, error) {
	var out api.CreateDeploymentOutput
	err := r.call(api.Model(), "CreateDeployment", &api.CreateDeploymentInput{
		ApplicationName: aws.Ptr(fleetName), DeploymentGroupName: aws.Ptr(fleetName), FileExistsBehavior: api.FileExistsBehaviorOverwrite,
		Revision: &api.RevisionLocation{RevisionType: api.RevisionLocationTypeS3, S3Location: &api.S3Location{
			Bucket: aws.Ptr(fleetName), Key: aws.Ptr(bundleKey(n)), BundleType: api.BundleTypeZip}},
	}, &out)
	return aws.Val(out.DeploymentId), err
}

// suffer kills perRound times, at points in the time that a deployment takes.
func (r *rollout) suffer() error {
	points := make([]time.Duration, perRound)
	for i := range points {
		points[i] = time.Duration(r.random.Int64N(int64(r.longest)))
	}
	slices.Sort(points)
	at := time.Duration(0)
	for _, point := range points {
		if err := clock.Sleep(context.Background(), clock.System{}, point-at); err != nil {
			return err
		}
		at = point
		what := r.random.IntN(3)
		if what != 0 {
			id, err := r.fleet.killAgent(r.random.IntN(fleetSize))
			if err != nil {
				return err
			}
			r.lost[id] = true
		}
		if what != 1 {
			r.kill()
			if err := r.start(); err != nil {
				return err
			}
		}
		r.kills++
	}
	return nil
}

// await waits for the end of the deployment.
func (r *rollout) await(id string) (*api.DeploymentInfo, error) {
	var out api.GetDeploymentOutput
	err := until(rolloutLimit, id+" ends", func() (bool, error) {
		out = api.GetDeploymentOutput{}
		err := r.call(api.Model(), "GetDeployment", &api.GetDeploymentInput{DeploymentId: &id}, &out)
		return err == nil && out.DeploymentInfo.CompleteTime != nil, err
	})
	if err != nil && out.DeploymentInfo != nil {
		err = fmt.Errorf("%w: %s %+v\n%s", err, out.DeploymentInfo.Status, out.DeploymentInfo.DeploymentOverview, r.story(id))
	}
	return out.DeploymentInfo, err
}

func (r *rollout) targets(id string) ([]api.DeploymentTarget, error) {
	var list api.BatchGetDeploymentTargetsOutput
	err := r.call(api.Model(), "BatchGetDeploymentTargets", &api.BatchGetDeploymentTargetsInput{DeploymentId: &id, TargetIds: r.fleet.ids()}, &list)
	return list.DeploymentTargets, err
}

// story is what is known of the targets of a deployment.
func (r *rollout) story(id string) string {
	list, err := r.targets(id)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, t := range list {
		i := t.InstanceTarget
		fmt.Fprintf(&b, "  %s %s:", aws.Val(i.TargetId), i.Status)
		for _, e := range i.LifecycleEvents {
			fmt.Fprintf(&b, " %s %s", aws.Val(e.LifecycleEventName), e.Status)
		}
		fmt.Fprintf(&b, "; agent killed: %v\n", r.lost[aws.Val(i.TargetId)])
	}
	return b.String()
}

// check holds what the service says against what has happened in the instances.
func (r *rollout) check(n int, d *api.DeploymentInfo) error {
	id := aws.Val(d.DeploymentId)
	list, err := r.targets(id)
	if err != nil {
		return err
	}
	succeeded := 0
	for _, t := range list {
		if t.InstanceTarget.Status == api.TargetStatusSucceeded {
			succeeded++
		} else {
			r.failed++
		}
		if err := r.checkTarget(n, id, t.InstanceTarget); err != nil {
			return fmt.Errorf("%s, %s: %w\n%s", id, aws.Val(t.InstanceTarget.TargetId), err, r.story(id))
		}
	}
	want := api.DeploymentStatusSucceeded
	if succeeded == 0 {
		want = api.DeploymentStatusFailed
	}
	if d.Status != want || len(list) != fleetSize {
		return fmt.Errorf("%s is %s with %d of %d targets succeeded, want %s", id, d.Status, succeeded, len(list), want)
	}
	return nil
}

func (r *rollout) checkTarget(n int, deployment string, t *api.InstanceTarget) error {
	lines, installed, err := r.fleet.evidence(aws.Val(t.TargetId))
	if err != nil {
		return err
	}
	ran := map[string]int{}
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, deployment+" "); ok {
			ran[rest]++
		}
	}
	for _, event := range hookEvents {
		if times := ran[event+" begin"]; times > 1 {
			return fmt.Errorf("%s ran %d times", event, times)
		}
	}
	if t.Status != api.TargetStatusSucceeded {
		return r.checkFailure(t)
	}
	for _, event := range hookEvents {
		if ran[event+" begin"] != 1 || ran[event+" end"] != 1 {
			return fmt.Errorf("succeeded, but %s began %d times and ended %d times", event, ran[event+" begin"], ran[event+" end"])
		}
	}
	if installed != fmt.Sprint(n) {
		return fmt.Errorf("succeeded with revision %d, but %q is installed", n, installed)
	}
	return nil
}

// checkFailure holds that a target has failed for the one reason there may be.
func (r *rollout) checkFailure(t *api.InstanceTarget) error {
	for _, e := range t.LifecycleEvents {
		if e.Status != api.LifecycleEventStatusFailed {
			continue
		}
		if message := aws.Val(e.Diagnostics.Message); message != restarted || !r.lost[aws.Val(t.TargetId)] {
			return fmt.Errorf("%s failed: %s", aws.Val(e.LifecycleEventName), message)
		}
		return nil
	}
	return fmt.Errorf("%s without a failed event", t.Status)
}
