package codedeploy

import (
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// choose makes the targets of a deployment from the machines there are.
func choose(tx *store.Tx, k store.Key, d *deployment, g *group, found []machine) ([]*target, error) {
	var chosen []*target
	if d.blueGreen() && d.BlueGreen.Back {
		return sameTargets(tx, k, d)
	}
	busy, err := onTheWay(tx, d)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		if m.State == "terminated" || m.State == "shutting-down" || busy[m.ID] {
			continue
		}
		var label api.TargetLabel
		selected := g.matches(m)
		if d.Scaling != nil {
			selected = m.ID == d.Scaling.Instance
		}
		if d.blueGreen() {
			label = api.TargetLabelBlue
			if !m.OnPremises && (ec2Selector(d.New.TagFilters, d.New.Ec2TagSet).matches(m.Tags) || slices.Contains(d.New.AutoScalingGroups, m.Scaling)) {
				label, selected = api.TargetLabelGreen, true
			}
		}
		if !selected {
			continue
		}
		t, err := newTarget(tx, k, d, m, label)
		if err != nil {
			return nil, err
		}
		if t != nil {
			chosen = append(chosen, t)
		}
	}
	return chosen, nil
}

// onTheWay returns the instances of Auto Scaling groups that have a deployment of their
// own: another one beside it would put two revisions in one place. Where it leaves the
// older one an update follows.
func onTheWay(tx *store.Tx, d *deployment) (map[string]bool, error) {
	if d.Scaling != nil {
		return nil, nil
	}
	rows, err := deployments.Lookup(tx, "active", scalingOf(d.GroupID))
	busy := map[string]bool{}
	for _, r := range rows {
		busy[r.Value.Scaling.Instance] = true
	}
	return busy, err
}

// sameTargets returns the targets of the deployment that d undoes.
func sameTargets(tx *store.Tx, k store.Key, d *deployment) ([]*target, error) {
	list, err := targetsOf(tx, d.RollbackOf)
	if err != nil {
		return nil, err
	}
	out := make([]*target, len(list))
	for i, t := range list {
		out[i] = &target{DeploymentID: d.ID, InstanceID: t.InstanceID, ARN: t.ARN, OnPremises: t.OnPremises, Status: api.TargetStatusPending,
			Label: t.Label, Zone: t.Zone, Profile: t.Profile, Rank: rankNew, Events: d.eventsOf(t.Label), Ports: t.Ports}
	}
	return out, nil
}

// registeredMachines returns the on-premises instances, for a group that selects
// some.
func registeredMachines(tx *store.Tx, k store.Key, g *group) ([]machine, error) {
	if g.onPremises().empty() {
		return nil, nil
	}
	rows, err := onPremises.List(tx, store.Scope{Account: k.Account, Region: k.Region}, "", 0)
	var out []machine
	for _, r := range rows {
		if r.Value.registered() {
			out = append(out, r.Value.machine())
		}
	}
	return out, err
}

// looksFor says by what the instances to install to were looked for.
func (d *deployment) looksFor(g *group) string {
	if d.New != nil {
		return "replacement environment looks for " + orScaling(ec2Selector(d.New.TagFilters, d.New.Ec2TagSet).String(), d.New.AutoScalingGroups)
	}
	return "group looks for " + g.wants()
}

// wants describes the tags that the group selects by.
func (g *group) wants() string {
	var all []string
	if text := g.ec2().String(); text != "" {
		all = append(all, text)
	}
	if text := g.onPremises().String(); text != "" {
		all = append(all, "on premises "+text)
	}
	text := orScaling(strings.Join(all, "; "), g.scalingNames())
	if text == "" {
		return "no tags at all"
	}
	return text
}

// orScaling adds the names of Auto Scaling groups to a description.
func orScaling(text string, names []string) string {
	if len(names) == 0 {
		return text
	}
	if text != "" {
		text += "; "
	}
	return text + "instances in service in the Auto Scaling group " + strings.Join(names, " or ")
}

// String describes the selection, "" for none.
func (s selector) String() string {
	sets := s.sets
	if len(sets) == 0 {
		sets = [][]api.EC2TagFilter{s.filters}
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
func newTarget(tx *store.Tx, k store.Key, d *deployment, m machine, label api.TargetLabel) (*target, error) {
	t := &target{DeploymentID: d.ID, InstanceID: m.ID, ARN: m.ARN, OnPremises: m.OnPremises, Status: api.TargetStatusPending,
		Profile: m.Profile, Rank: rankNew, Label: label, Zone: m.Zone, Events: d.eventsOf(label), Patient: d.launch()}
	h, err := hosts.Get(tx, hostKey(k, d.GroupID, m.ID))
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if h == nil && m.Arriving {
		return nil, nil // its launch has its own
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
	return t, nil
}
