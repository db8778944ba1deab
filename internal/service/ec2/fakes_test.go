package ec2

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
)

// machines keeps which instances run, as a manager does, and what it was asked.
type machines struct {
	mu      sync.Mutex
	specs   map[string]hsinstance.Spec // of running machines
	disks   map[string]bool
	log     []string
	changed chan struct{}
	// used is what Usage tells.
	used map[string]hsinstance.Usage
	// before runs ahead of each call ("start", "stop", "reboot", "terminate",
	// "unplug", "adopt"), without locks; an error ends the call.
	before func(what, id string) error
}

func newMachines() *machines {
	return &machines{specs: map[string]hsinstance.Spec{}, disks: map[string]bool{}, used: map[string]hsinstance.Usage{}, changed: make(chan struct{})}
}

func (m *machines) did(what, id string) {
	m.log = append(m.log, what+" "+id)
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *machines) change() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// set replaces the hook that runs ahead of each call.
func (m *machines) set(before func(what, id string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = before
}

func (m *machines) ask(what, id string) error {
	m.mu.Lock()
	before := m.before
	m.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(what, id)
}

func (m *machines) count(entry string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, e := range m.log {
		if e == entry {
			n++
		}
	}
	return n
}

func (m *machines) spec(id string) (hsinstance.Spec, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.specs[id]
	return s, ok
}

// crash forgets that a machine runs, as when the host went down.
func (m *machines) crash(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.specs, id)
}

func (m *machines) Start(_ context.Context, spec hsinstance.Spec) error {
	if err := m.ask("start", spec.ID); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.specs[spec.ID]; ok {
		return nil
	}
	if !spec.FirstBoot && !m.disks[spec.ID] {
		return fmt.Errorf("%s has no disk", spec.ID)
	}
	m.specs[spec.ID], m.disks[spec.ID] = spec, true
	m.did("start", spec.ID)
	return nil
}

func (m *machines) Stop(_ context.Context, id string, force bool) error {
	if err := m.ask("stop", id); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.specs, id)
	if force {
		m.did("force", id)
		return nil
	}
	m.did("stop", id)
	return nil
}

func (m *machines) Reboot(_ context.Context, id string) error {
	if err := m.ask("reboot", id); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.specs[id]; !ok {
		return fmt.Errorf("%s does not run", id)
	}
	m.did("reboot", id)
	return nil
}

func (m *machines) Terminate(_ context.Context, id string) error {
	if err := m.ask("terminate", id); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.specs, id)
	delete(m.disks, id)
	m.did("terminate", id)
	return nil
}

func (m *machines) Plug(_ context.Context, id string, nic network.NIC) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.did(fmt.Sprintf("plug %d %s", nic.Device, nic.ID), id)
	return nil
}

func (m *machines) Unplug(_ context.Context, id, nicID string) error {
	if err := m.ask("unplug", id); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.did("unplug "+nicID, id)
	return nil
}

// Usage is what the test said (use), of a machine that runs.
func (m *machines) Usage(id string) (hsinstance.Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, runs := m.specs[id]; !runs {
		return hsinstance.Usage{}, hsinstance.ErrNotCounted
	}
	return m.used[id], nil
}

// use sets what a machine has used.
func (m *machines) use(id string, u hsinstance.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used[id] = u
}

func (m *machines) Forget(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.did("forget", id)
	return nil
}

func (m *machines) Console(id string) ([]byte, time.Time, error) {
	return []byte("console of " + id), testEpoch, nil
}

func (m *machines) Adopt(_ context.Context, specs []hsinstance.Spec) (map[string]bool, error) {
	if err := m.ask("adopt", ""); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	alive := map[string]bool{}
	for _, s := range specs {
		_, alive[s.ID] = m.specs[s.ID]
	}
	return alive, nil
}

// wires keeps what the network was told.
type wires struct {
	mu      sync.Mutex
	vpcs    map[string]network.VPC
	groups  map[string]network.Group
	members map[string][]string
	public  map[string]netip.Addr
	nodes   map[string]network.NIC
	forward map[string]bool
	adopted []network.VPCState
	changed chan struct{}
	broken  error
}

func newWires() *wires {
	return &wires{vpcs: map[string]network.VPC{}, groups: map[string]network.Group{}, members: map[string][]string{}, public: map[string]netip.Addr{}, nodes: map[string]network.NIC{}, forward: map[string]bool{}, changed: make(chan struct{})}
}

// tell makes a change under the lock, unless the network is broken.
func (n *wires) tell(f func()) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broken != nil {
		return n.broken
	}
	f()
	close(n.changed)
	n.changed = make(chan struct{})
	return nil
}

// cut makes every call fail with err, until it is nil.
func (n *wires) cut(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = err
}

func (n *wires) change() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

func (n *wires) group(id string) (network.Group, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	g, ok := n.groups[id]
	return g, ok
}

func (n *wires) publicOf(nic string) netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.public[nic]
}

func (n *wires) membersOf(nic string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.members[nic]
}

func (n *wires) Adopt(_ context.Context, states []network.VPCState) ([]string, error) {
	return nil, n.tell(func() { n.adopted = states })
}

func (n *wires) SetVPC(_ context.Context, v network.VPC) error {
	return n.tell(func() { n.vpcs[v.ID] = v })
}

func (n *wires) DeleteVPC(_ context.Context, id string) error {
	return n.tell(func() { delete(n.vpcs, id) })
}

func (n *wires) vpc(id string) (network.VPC, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.vpcs[id]
	return v, ok
}

func (n *wires) SetGroup(_ context.Context, _ string, g network.Group) error {
	return n.tell(func() { n.groups[g.ID] = g })
}

func (n *wires) DeleteGroup(_ context.Context, _, id string) error {
	return n.tell(func() { delete(n.groups, id) })
}

func (n *wires) SetMembership(_ context.Context, nic string, groups []string) error {
	return n.tell(func() { n.members[nic] = slices.Clone(groups) })
}

func (n *wires) SetPublic(_ context.Context, nic string, a netip.Addr) error {
	return n.tell(func() { n.public[nic] = a })
}

func (n *wires) AttachNode(_ context.Context, nic network.NIC) (*network.Node, error) {
	return &network.Node{}, n.tell(func() { n.nodes[nic.ID] = nic })
}

func (n *wires) DetachNode(_ context.Context, nic string) error {
	return n.tell(func() { delete(n.nodes, nic) })
}

func (n *wires) node(nic string) (network.NIC, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, ok := n.nodes[nic]
	return found, ok
}

func (n *wires) SetForwarding(_ context.Context, nic string, on bool) error {
	return n.tell(func() { n.forward[nic] = on })
}

func (n *wires) forwards(nic string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.forward[nic]
}
