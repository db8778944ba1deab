package codedeploy

import (
	"context"
	"errors"
	"fmt"

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
	found, why, err := s.candidates(ctx, k, d)
	if err == nil && why == nil && d.Balancer != nil {
		_, why, err = s.balancers(ctx, k, d)
	}
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil || !d.preparing() {
			return err
		}
		if why != nil {
			return s.finish(tx, k, d, api.DeploymentStatusFailed, *why)
		}
		return s.begin(tx, k, d, found)
	})
}

// preparing reports whether the targets are still to be found.
func (d *deployment) preparing() bool {
	switch d.Status {
	case api.DeploymentStatusCreated, api.DeploymentStatusQueued:
		return true
	case api.DeploymentStatusInProgress:
		return d.blueGreen() && d.BlueGreen.Original != "" && !d.Prepared
	}
	return false
}

// candidates lists the instances of EC2, unless the group selects machines on
// premises only: its role then needs no permission there.
func (s *Service) candidates(ctx context.Context, k store.Key, d *deployment) ([]machine, *cause, error) {
	g, err := view(ctx, s, func(tx *store.Tx) (*group, error) {
		return groups.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: d.GroupID})
	})
	if err != nil && !isNotFound(err) {
		return nil, nil, err
	}
	if g != nil && g.ec2().empty() && len(g.Scaling) == 0 && !g.onPremises().empty() && d.New == nil {
		return nil, nil, nil
	}
	found, why, err := s.describe(ctx, k, d.Role, nil)
	if why != nil || err != nil || g == nil || d.Scaling != nil {
		return found, why, err
	}
	names := g.scalingNames()
	if d.New != nil {
		names = append(names, d.New.AutoScalingGroups...)
	}
	of, why, err := s.scalingMembers(ctx, k, d.Role, names)
	for i := range found {
		m := of[found[i].ID]
		if !m.arriving || d.UpdateOf != "" { // whose launch may have ended just now
			found[i].Scaling, found[i].Arriving = m.group, m.arriving
		}
	}
	return found, why, err
}

// deletedBefore ends a deployment whose group was deleted before it began, perhaps with
// its application.
func (s *Service) deletedBefore(tx *store.Tx, k store.Key, d *deployment) error {
	why := cause{api.ErrorCodeDeploymentGroupMissing, "The deployment group was deleted before the deployment began."}
	_, err := applications.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: d.ApplicationID})
	if isNotFound(err) {
		why = cause{api.ErrorCodeApplicationMissing, "The application was deleted before the deployment began."}
	} else if err != nil {
		return err
	}
	return s.finish(tx, k, d, api.DeploymentStatusFailed, why)
}

// begin makes the targets.
func (s *Service) begin(tx *store.Tx, k store.Key, d *deployment, found []machine) error {
	g, err := groups.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: d.GroupID})
	if isNotFound(err) {
		return s.deletedBefore(tx, k, d)
	}
	if err != nil {
		return err
	}
	cfg, err := findConfig(tx, aws.Call{Account: k.Account, Region: k.Region}, d.Config)
	if err != nil {
		return err
	}
	near, err := registeredMachines(tx, k, g)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	chosen, err := choose(tx, k, d, g, append(near, found...))
	if err != nil {
		return err
	}
	d.Hosts = 0
	for _, t := range chosen {
		t.Updated = now
		if d.BlueGreen == nil || (t.Label == api.TargetLabelBlue) == d.BlueGreen.Back {
			d.Hosts++
		}
	}
	d.Zonal = cfg.Zonal
	if why := d.unfit(g, cfg); why != nil {
		return s.finish(tx, k, d, api.DeploymentStatusFailed, *why)
	}
	d.Status, d.Prepared = api.DeploymentStatusInProgress, true
	if d.Started.IsZero() {
		d.Started = now
	}
	for _, t := range chosen {
		if err := targets.Put(tx, targetKey(k, d.ID, t.InstanceID), t); err != nil {
			return err
		}
	}
	emit(tx, k, d.ID, "deployment", string(d.Status))
	if d.RollbackOf != "" {
		if err := s.notify(tx, k, d, nil, api.TriggerEventTypeDeploymentRollback); err != nil {
			return err
		}
	}
	return deployments.Put(tx, k, d)
}

// unfit says why the deployment cannot begin, and sets the minimum otherwise.
func (d *deployment) unfit(g *group, cfg *config) *cause {
	switch {
	case d.Hosts == 0:
		return &cause{api.ErrorCodeNoInstances, "The deployment failed because no instances were found for your deployment group. " +
			"Check your deployment group settings to make sure the tags for your Amazon EC2 instances or Auto Scaling groups correctly identify the instances " +
			"you want to deploy to, and then try again. The " + d.looksFor(g) + "."}
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
