package codedeploy

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// What is kept, and for how long:
//
//	of an instance            until it is terminated or deregistered: its agent, its
//	                          health in the groups
//	of a deployment group     until it is deleted: the health of its instances
//	deployments of a group    the newest keepDeployments; with the group gone, for
//	                          keepDeleted after their end
//	complete output           that of the newest keepOutputs deployments of a group
//	revisions                 until the application is deleted; those that only
//	                          deployments made known, with the last of these
//	on-premises instances     for keepDeleted after they were deregistered
const (
	keepDeployments = 1000
	keepOutputs     = 50
	keepDeleted     = 30 * 24 * time.Hour
)

// forgetHosts forgets what is known of instances when they have ended, until ctx
// ends; first of those that have ended while no server ran.
func (s *Service) forgetHosts(ctx context.Context) error {
	from := s.db.LastSeq()
	if err := s.forgetEnded(ctx); err != nil {
		return err
	}
	for e, err := range s.db.Watch(ctx, from, store.Filter{Service: "ec2", Kind: "instance-terminated"}) {
		if err == nil {
			err = s.forgetInstance(ctx, store.Key{Account: e.Account, Region: e.Region, ID: e.Resource})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetEnded forgets the instances that EC2 does not know, or knows as terminated.
func (s *Service) forgetEnded(ctx context.Context) error {
	known, err := view(ctx, s, knownInstances)
	if err != nil {
		return err
	}
	for place, ids := range known {
		k := store.Key{Account: place.Account, Region: place.Region}
		list, err := s.machines(aws.WithCall(ctx, aws.AsService(servicePrincipal, "", k.Account, k.Region)), k, nil)
		if err != nil {
			return fmt.Errorf("find instances: %w", err)
		}
		for _, m := range list {
			if m.State != "terminated" {
				delete(ids, m.ID)
			}
		}
		for id := range ids {
			if err := s.forgetInstance(ctx, store.Key{Account: k.Account, Region: k.Region, ID: id}); err != nil {
				return err
			}
		}
	}
	return nil
}

// knownInstances are the instances of EC2, by place, of which there are rows. Names of
// those on premises do not begin like their ids.
func knownInstances(tx *store.Tx) (map[store.Scope]map[string]bool, error) {
	known := map[store.Scope]map[string]bool{}
	note := func(k store.Key, id string) {
		place := store.Scope{Account: k.Account, Region: k.Region}
		if known[place] == nil {
			known[place] = map[string]bool{}
		}
		if strings.HasPrefix(id, "i-") {
			known[place][id] = true
		}
	}
	polled, err := agents.List(tx, store.Scope{}, "", 0)
	for _, r := range polled {
		note(r.Key, r.Key.ID)
	}
	if err != nil {
		return nil, err
	}
	deployed, err := hosts.List(tx, store.Scope{}, "", 0)
	for _, r := range deployed {
		_, id, _ := strings.Cut(r.Key.ID, "/")
		note(r.Key, id)
	}
	return known, err
}

func (s *Service) forgetInstance(ctx context.Context, k store.Key) error {
	if err := s.db.Update(ctx, func(tx *store.Tx) error { return forgetHost(tx, k) }); err != nil {
		return err
	}
	s.polls.forget(k)
	return nil
}

// forgetHost removes the rows of an instance.
func forgetHost(tx *store.Tx, k store.Key) error {
	if err := agents.Delete(tx, k); err != nil && !isNotFound(err) {
		return err
	}
	return forgetHealth(tx, k)
}

// forgetHealth removes an instance's health in all groups.
func forgetHealth(tx *store.Tx, k store.Key) error {
	rows, err := hosts.Lookup(tx, "instance", joined(k.Account, k.Region, k.ID))
	for _, r := range rows {
		err = cmp.Or(err, hosts.Delete(tx, r.Key))
	}
	return err
}

// forgetGroupHosts removes the health of a deleted group's instances.
func forgetGroupHosts(tx *store.Tx, g store.Key) error {
	prefix := g.ID + "/"
	rows, err := hosts.List(tx, store.Scope{Account: g.Account, Region: g.Region}, prefix, 0)
	for _, r := range rows {
		if err != nil || !strings.HasPrefix(r.Key.ID, prefix) {
			break
		}
		err = hosts.Delete(tx, r.Key)
	}
	return err
}

// forgetOld removes old deployments of a group when one of its deployments has ended,
// until ctx ends.
func (s *Service) forgetOld(ctx context.Context) error {
	for e, err := range s.db.Watch(ctx, s.db.LastSeq(), store.Filter{Service: "codedeploy", Kind: "deployment"}) {
		if err == nil && ended(e.Cause) {
			err = s.thinOut(ctx, store.Key{Account: e.Account, Region: e.Region, ID: e.Resource})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetOfDeleted removes the deployments of deleted groups when their time has come,
// until ctx ends.
func (s *Service) forgetOfDeleted(ctx context.Context) error {
	return s.db.SweepWhenDue(ctx, store.Filter{Service: "codedeploy", Kind: "group"}, s.forgetOrphans)
}

// forgetDeregistered removes on-premises instances when they have been listed as
// deregistered for long enough, until ctx ends.
func (s *Service) forgetDeregistered(ctx context.Context) error {
	return s.db.SweepWhenDue(ctx, store.Filter{Service: "codedeploy", Kind: "onpremises"}, func(ctx context.Context) (next time.Time, err error) {
		err = s.db.Update(ctx, func(tx *store.Tx) (err error) {
			var gone []store.Key
			gone, next, err = onPremises.Due(tx, func(o *onPremisesInstance) time.Time {
				if o.registered() {
					return time.Time{}
				}
				return o.Deregistered.Add(keepDeleted)
			})
			for _, k := range gone {
				err = cmp.Or(err, onPremises.Delete(tx, k))
			}
			return err
		})
		return next, err
	})
}

// ended reports whether the cause of an event of a deployment tells of its end.
func ended(cause string) bool {
	status, _, _ := strings.Cut(cause, " ")
	return status == "Succeeded" || status == "Failed" || status == "Stopped"
}

// thinOut removes what is too old beside deployment k of the same group.
func (s *Service) thinOut(ctx context.Context, k store.Key) error {
	rows, err := view(ctx, s, func(tx *store.Tx) ([]store.Row[deployment], error) {
		d, err := deployments.Get(tx, k)
		if err != nil {
			if isNotFound(err) {
				err = nil
			}
			return nil, err
		}
		return deploymentsOf(tx, aws.Call{}, d.GroupID)
	})
	if err != nil {
		return err
	}
	for i, r := range rows {
		switch {
		case !r.Value.ended():
		case i >= keepDeployments:
			err = s.forgetDeployment(ctx, r.Key)
		case i >= keepOutputs && !r.Value.OutputGone:
			err = s.forgetOutput(ctx, r.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetOrphans removes deployments whose groups were deleted long ago.
func (s *Service) forgetOrphans(ctx context.Context) (next time.Time, err error) {
	var old []store.Key
	err = s.db.View(ctx, func(tx *store.Tx) error {
		old, next = nil, time.Time{}
		rows, err := deployments.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		has := map[string]bool{}
		list, err := groups.List(tx, store.Scope{}, "", 0)
		for _, g := range list {
			has[g.Value.ID] = true
		}
		for _, r := range rows {
			due := r.Value.Completed.Add(keepDeleted)
			switch {
			case has[r.Value.GroupID] || !r.Value.ended():
			case !s.clock.Now().Before(due):
				old = append(old, r.Key)
			case next.IsZero() || due.Before(next):
				next = due
			}
		}
		return err
	})
	for _, k := range old {
		err = cmp.Or(err, s.forgetDeployment(ctx, k))
	}
	return next, err
}

// forgetDeployment removes a deployment, its targets and their output.
func (s *Service) forgetDeployment(ctx context.Context, k store.Key) error {
	if err := s.forgetOutput(ctx, k); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		list, err := targetsOf(tx, k.ID)
		for _, t := range list {
			err = cmp.Or(err, targets.Delete(tx, targetKey(k, k.ID, t.InstanceID)))
		}
		if err != nil {
			return err
		}
		d, err := deployments.Get(tx, k)
		if err != nil {
			return err
		}
		if err := forgetRevision(tx, k, d); err != nil {
			return err
		}
		return deployments.Delete(tx, k)
	})
}

// forgetRevision removes the revision of a deployment that nobody registered, that no
// later deployment has used and that no group runs.
func forgetRevision(tx *store.Tx, k store.Key, d *deployment) error {
	rk := revisionKey(k, d.ApplicationID, d.Revision)
	r, err := revisions.Get(tx, rk)
	if isNotFound(err) {
		return nil
	}
	if err != nil || !r.Registered.Equal(r.FirstUsed) || r.LastUsed.After(d.Created) {
		return err
	}
	running, err := deployedRevisions(tx, &application{ID: d.ApplicationID})
	if err != nil || running[revisionID(d.Revision)] {
		return err
	}
	return revisions.Delete(tx, rk)
}

// outputBatch is how many pieces of output one transaction removes.
const outputBatch = 200

// forgetOutput removes the pieces of output of a deployment; its diagnostics stay.
func (s *Service) forgetOutput(ctx context.Context, k store.Key) error {
	for more := true; more; {
		err := s.db.Update(ctx, func(tx *store.Tx) error {
			rows, err := logParts.List(tx, store.Scope{Account: k.Account, Region: k.Region}, k.ID+"/", outputBatch)
			more = false
			for i, r := range rows {
				if err != nil || !strings.HasPrefix(r.Key.ID, k.ID+"/") {
					break
				}
				err = logParts.Delete(tx, r.Key)
				more = i+1 == outputBatch
			}
			if err != nil || more {
				return err
			}
			d, err := deployments.Get(tx, k)
			if err != nil {
				return err
			}
			d.OutputGone = true
			return deployments.Put(tx, k, d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
