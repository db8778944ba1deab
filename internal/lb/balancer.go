package lb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// balancer is one that runs.
type balancer struct {
	plane *Plane
	id    string
	// life ends with the balancer; everything below stops then.
	life    context.Context
	end     context.CancelFunc
	running sync.WaitGroup

	// current is nil until the first apply.
	current atomic.Pointer[config]
	// web serves HTTP; a new one takes over when its time-outs change.
	web      atomic.Pointer[web]
	retiring sync.WaitGroup // the servers before it
	// ending says that the plane closes: nothing new is taken.
	ending atomic.Bool

	applying sync.Mutex // held while a spec is applied
	nodes    map[string]*node

	counts *counts
}

func newBalancer(p *Plane, id string) *balancer {
	b := &balancer{plane: p, id: id, nodes: map[string]*node{}, counts: newCounts()}
	b.life, b.end = context.WithCancel(context.Background())
	return b
}

// apply makes the balancer run as next says.
func (b *balancer) apply(ctx context.Context, next *config) error {
	b.applying.Lock()
	defer b.applying.Unlock()
	if b.life.Err() != nil || b.ending.Load() {
		return ErrClosed
	}
	previous := b.current.Load()
	for id, spec := range next.specs {
		var g *group
		if previous != nil {
			g = previous.groups[id]
		}
		if g == nil {
			g = newGroup(b, id)
		}
		next.groups[id] = g
		g.set(spec, next)
	}
	b.serveWeb(next)
	b.current.Store(next)
	b.refresh() // requests may come from here on, and nodes take their time
	err := b.setNodes(ctx, next)
	// Checks go out through nodes, so they begin when those are there.
	for _, g := range next.groups {
		g.check()
	}
	if previous != nil {
		for id, g := range previous.groups {
			if next.groups[id] == nil {
				g.close()
			}
		}
	}
	b.refresh()
	return err
}

// refresh lets every group choose its candidates anew; some look at the health of
// others.
func (b *balancer) refresh() {
	c := b.current.Load()
	if c == nil {
		return
	}
	for _, g := range c.groups {
		g.refresh(c)
	}
}

// setNodes brings up what the spec names and takes down what it does not.
func (b *balancer) setNodes(ctx context.Context, next *config) error {
	var errs []error
	wanted := map[string]bool{}
	for _, spec := range next.Nodes {
		wanted[spec.ID] = true
		n := b.nodes[spec.ID]
		if n == nil {
			b.plane.toLower(b.id, spec.ID, false)
			sockets, err := b.plane.cfg.Nodes.Up(ctx, spec.ID)
			if err != nil {
				errs = append(errs, fmt.Errorf("bring up node %s: %w", spec.ID, err))
				continue
			}
			n = newNode(b, spec, sockets)
			b.nodes[spec.ID] = n
		}
		errs = append(errs, n.listen(next))
	}
	for id, n := range b.nodes {
		if !wanted[id] {
			errs = append(errs, n.close())
			delete(b.nodes, id)
			b.plane.toLower(b.id, id, true)
		}
	}
	errs = append(errs, b.plane.lower(ctx, b.id))
	b.setWays()
	return errors.Join(errs...)
}

// setWays tells the groups through which nodes their targets are reached.
func (b *balancer) setWays() {
	ways := make([]*node, 0, len(b.nodes))
	for _, spec := range b.current.Load().Nodes {
		if n := b.nodes[spec.ID]; n != nil {
			ways = append(ways, n)
		}
	}
	for _, g := range b.current.Load().groups {
		g.setWays(ways)
	}
}

// health returns how the targets of a group are, or nil.
func (b *balancer) health(id string) map[Key]Health {
	c := b.current.Load()
	if c == nil || c.groups[id] == nil {
		return nil
	}
	return c.groups[id].health(c)
}

// remove ends the balancer; its nodes are to go down.
func (b *balancer) remove() error {
	err := b.close()
	b.applying.Lock()
	defer b.applying.Unlock()
	for id := range b.nodes {
		b.plane.toLower(b.id, id, true)
	}
	return err
}

// drain takes no more connections and waits for the requests under way, until ctx ends.
func (b *balancer) drain(ctx context.Context) error {
	b.applying.Lock()
	b.ending.Store(true)
	var errs []error
	for _, n := range b.nodes {
		errs = append(errs, n.deafen())
	}
	b.applying.Unlock()
	if w := b.web.Load(); w != nil {
		w.retire(ctx)
	}
	defer context.AfterFunc(ctx, b.end)()
	b.retiring.Wait()
	return errors.Join(errs...)
}

// close ends everything and waits for it; the nodes stay up.
func (b *balancer) close() error {
	b.end()
	b.applying.Lock()
	var errs []error
	for _, n := range b.nodes {
		errs = append(errs, n.close())
	}
	if c := b.current.Load(); c != nil {
		for _, g := range c.groups {
			g.close()
		}
	}
	if w := b.web.Load(); w != nil {
		w.close() // those that it replaced end with the balancer's life
	}
	b.applying.Unlock()
	b.running.Wait()
	return errors.Join(errs...)
}
