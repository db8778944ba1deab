package codedeploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// maxInstances is AWS's limit for one deployment.
const maxInstances = 1000

func isDenied(err error) bool {
	var d *aws.Denied
	return errors.As(err, &d)
}

// prepare finds the instances and turns a created deployment into one in
// progress, or a failed one.
func (s *Service) prepare(ctx context.Context, k store.Key, d *deployment) error {
	found, why, err := s.describe(ctx, k, d.Role, nil)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil || d.Status != api.DeploymentStatusCreated && d.Status != api.DeploymentStatusQueued {
			return err
		}
		if why != nil {
			return s.finish(tx, k, d, api.DeploymentStatusFailed, *why)
		}
		return s.begin(tx, k, d, found)
	})
}

// begin makes the targets.
func (s *Service) begin(tx *store.Tx, k store.Key, d *deployment, found []machine) error {
	g, err := groups.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: d.GroupID})
	if isNotFound(err) {
		return s.finish(tx, k, d, api.DeploymentStatusFailed, cause{api.ErrorCodeDeploymentGroupMissing, "The deployment group was deleted before the deployment began."})
	}
	if err != nil {
		return err
	}
	cfg, err := findConfig(tx, aws.Call{Account: k.Account, Region: k.Region}, d.Config)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	var chosen []*target
	for _, m := range found {
		if m.State == "terminated" || m.State == "shutting-down" || !g.matches(m) {
			continue
		}
		t, err := newTarget(tx, k, d, m)
		if err != nil {
			return err
		}
		if t != nil {
			t.Updated = now
			chosen = append(chosen, t)
		}
	}
	d.Hosts = len(chosen)
	if why := d.unfit(g, cfg); why != nil {
		return s.finish(tx, k, d, api.DeploymentStatusFailed, *why)
	}
	d.Status, d.Started = api.DeploymentStatusInProgress, now
	for _, t := range chosen {
		if err := targets.Put(tx, targetKey(k, d.ID, t.InstanceID), t); err != nil {
			return err
		}
	}
	emit(tx, k, d.ID, "deployment", string(d.Status))
	return deployments.Put(tx, k, d)
}

// unfit says why the deployment cannot begin, and sets the minimum otherwise.
func (d *deployment) unfit(g *group, cfg *config) *cause {
	switch {
	case d.Hosts == 0:
		return &cause{api.ErrorCodeNoInstances, "The deployment failed because no instances were found for your deployment group. " +
			"Check your deployment group settings to make sure the tags for your Amazon EC2 instances or Auto Scaling groups correctly identify the instances " +
			"you want to deploy to, and then try again. The group looks for " + g.wants() + "."}
	case d.Hosts > maxInstances:
		return &cause{api.ErrorCodeOverMaxInstances, fmt.Sprintf("The deployment would be to %d instances; at most %d are possible.", d.Hosts, maxInstances)}
	}
	minimum, ok := cfg.minHealthy(d.Hosts)
	if !ok {
		return &cause{api.ErrorCodeHealthConstraintsInvalid, fmt.Sprintf(
			"The deployment can't start because the minimum number of healthy instances, as defined by your deployment configuration %s, is not available: "+
				"it asks for %d of %d instances to stay healthy, which leaves none to deploy to.", cfg.Name, minimum, d.Hosts)}
	}
	d.MinHealthy = minimum
	return nil
}

// wants describes the tags that the group selects by.
func (g *group) wants() string {
	sets := [][]api.EC2TagFilter{g.Filters}
	if g.TagSet != nil {
		sets = g.TagSet.Ec2TagSetList
	}
	var all []string
	for _, set := range sets {
		var any []string
		for _, f := range set {
			switch filterType(f) {
			case api.EC2TagFilterTypeKeyOnly:
				any = append(any, "tag key "+aws.Val(f.Key))
			case api.EC2TagFilterTypeValueOnly:
				any = append(any, "tag value "+aws.Val(f.Value))
			default:
				any = append(any, "tag "+aws.Val(f.Key)+"="+aws.Val(f.Value))
			}
		}
		if len(any) > 0 {
			all = append(all, strings.Join(any, " or "))
		}
	}
	if len(all) == 0 {
		return "no tags at all"
	}
	return strings.Join(all, ", and ")
}

// Ranks of targets: hosts whose last deployment failed come first, those that
// run the revision already last.
const (
	rankFailed = iota
	rankNew
	rankOld
	rankCurrent
)

// newTarget returns nil for an instance that the deployment leaves out.
func newTarget(tx *store.Tx, k store.Key, d *deployment, m machine) (*target, error) {
	t := &target{DeploymentID: d.ID, InstanceID: m.ID, Status: api.TargetStatusPending, Profile: m.Profile, Rank: rankNew}
	h, err := hosts.Get(tx, hostKey(k, d.GroupID, m.ID))
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if h != nil {
		current := h.Revision == revisionID(d.Revision)
		switch {
		case h.Failed:
			t.Rank = rankFailed
		case current && d.OutdatedOnly:
			return nil, nil
		case current:
			t.Rank = rankCurrent
		default:
			t.Rank = rankOld
		}
	}
	for _, name := range lifecycle.InPlace() {
		t.Events = append(t.Events, event{Name: name, Status: api.LifecycleEventStatusPending})
	}
	return t, nil
}
