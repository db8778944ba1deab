package network

import (
	"context"
	"fmt"
	"reflect"
	"slices"
)

// SetGroup gives a security group of a VPC its rules, all at once: no packet
// meets half of them. Connections that are tracked already go on. A VPC that has
// not been made has nobody in it whom the rules concern: they are told again when
// somebody comes, after SetVPC.
func (n *Network) SetGroup(ctx context.Context, vpcID string, g Group) error {
	v, err := n.existing(vpcID)
	if err != nil || v == nil {
		return err
	}
	defer v.mu.Unlock()
	if old, known := v.groups[g.ID]; known && reflect.DeepEqual(old, g) {
		return nil
	}
	if err := v.change(func(f *filter) error { return f.setGroup(g) }); err != nil {
		return fmt.Errorf("set security group %s: %w", g.ID, err)
	}
	g.Ingress, g.Egress = slices.Clone(g.Ingress), slices.Clone(g.Egress)
	v.groups[g.ID] = g
	return nil
}

// DeleteGroup removes a security group. It must not be in use by an interface
// or a rule of another group. One that does not exist is no error.
func (n *Network) DeleteGroup(ctx context.Context, vpcID, id string) error {
	v, err := n.existing(vpcID)
	if err != nil || v == nil {
		return err
	}
	defer v.mu.Unlock()
	for _, nic := range v.nics {
		if slices.Contains(nic.SecurityGroups, id) {
			return fmt.Errorf("delete security group %s: network interface %s is a member", id, nic.ID)
		}
	}
	for _, g := range v.groups {
		if g.ID != id && g.names(id) {
			return fmt.Errorf("delete security group %s: a rule of %s names it", id, g.ID)
		}
	}
	err = v.change(func(f *filter) error { f.dropGroup(id); return nil })
	if err != nil {
		return fmt.Errorf("delete security group %s: %w", id, err)
	}
	delete(v.groups, id)
	return nil
}

// names says whether a rule of g has the group id as its peer.
func (g Group) names(id string) bool {
	named := func(r Rule) bool { return r.Group == id }
	return slices.ContainsFunc(g.Ingress, named) || slices.ContainsFunc(g.Egress, named)
}
