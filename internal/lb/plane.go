package lb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// Config is what a Plane needs.
type Config struct {
	Nodes Nodes
	Clock clock.Clock
	// Sealer hides what cookies say from the clients that bring them.
	Sealer Sealer
	// Log may be nil.
	Log *slog.Logger
}

// Sealer encrypts so that the same purpose opens what was sealed, in this process or
// the next.
type Sealer interface {
	Seal(table, row string, plain []byte) ([]byte, error)
	Open(table, row string, sealed []byte) ([]byte, error)
}

// Plane runs the balancers of one server. Its methods are safe for concurrent use.
type Plane struct {
	cfg Config

	mu        sync.Mutex
	closed    bool
	balancers map[string]*balancer
	// lowering are the nodes, by balancer, that are to be down and perhaps are not.
	lowering map[string]map[string]bool
}

// ErrClosed is what Apply returns after Close.
var ErrClosed = errors.New("the load balancers' plane is closed")

// New returns a plane without balancers.
func New(cfg Config) *Plane {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	return &Plane{cfg: cfg, balancers: map[string]*balancer{}, lowering: map[string]map[string]bool{}}
}

// Apply makes a balancer run as spec says, starting it if need be. What can be done
// is done; the error joins what could not, a node that did not come up or a port that
// did not open, and the same Apply may be repeated. A spec that contradicts itself is
// refused as a whole.
func (p *Plane) Apply(ctx context.Context, spec Spec) error {
	next, err := compile(spec)
	if err != nil {
		return err
	}
	b, err := p.take(spec.ID)
	if err != nil {
		return err
	}
	return b.apply(ctx, next)
}

func (p *Plane) take(id string) (*balancer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	b := p.balancers[id]
	if b == nil {
		b = newBalancer(p, id)
		p.balancers[id] = b
	}
	return b, nil
}

func (p *Plane) find(id string) *balancer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.balancers[id]
}

// Remove ends a balancer with its connections and brings its nodes down. One that
// does not run is no error. Nodes that did not go down do when it is repeated.
func (p *Plane) Remove(ctx context.Context, id string) error {
	p.mu.Lock()
	b := p.balancers[id]
	delete(p.balancers, id)
	p.mu.Unlock()
	var err error
	if b != nil {
		err = b.remove()
	}
	return errors.Join(err, p.lower(ctx, id))
}

// toLower notes that a node of a balancer is to go down, or that it is not.
func (p *Plane) toLower(balancer, node string, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	nodes := p.lowering[balancer]
	switch {
	case !down:
		delete(nodes, node)
	case nodes == nil:
		p.lowering[balancer] = map[string]bool{node: true}
	default:
		nodes[node] = true
	}
	if len(p.lowering[balancer]) == 0 {
		delete(p.lowering, balancer)
	}
}

// lower takes down the nodes of a balancer that are to be.
func (p *Plane) lower(ctx context.Context, balancer string) error {
	p.mu.Lock()
	nodes := slices.Collect(maps.Keys(p.lowering[balancer]))
	p.mu.Unlock()
	var errs []error
	for _, node := range nodes {
		if err := p.cfg.Nodes.Down(ctx, node); err != nil {
			errs = append(errs, fmt.Errorf("take down node %s: %w", node, err))
			continue
		}
		p.toLower(balancer, node, false)
	}
	return errors.Join(errs...)
}

// Health returns how the targets of a group are now; nil when the plane does not run
// that group.
func (p *Plane) Health(balancer, group string) map[Key]Health {
	b := p.find(balancer)
	if b == nil {
		return nil
	}
	return b.health(group)
}

// Busy says whether a target, with any of its ports, has requests or connections under
// way.
func (p *Plane) Busy(balancer, targetID string) bool {
	b := p.find(balancer)
	if b == nil {
		return false
	}
	c := b.current.Load()
	if c == nil {
		return false
	}
	for _, g := range c.groups {
		if g.busy(targetID) {
			return true
		}
	}
	return false
}

// grace is how long requests under way may take to end when the plane closes.
const grace = 3 * time.Second

// Close ends all balancers: they take no more connections, requests under way have a
// moment to end, and what is left then is cut. The nodes stay up: the next server
// applies the specs again.
func (p *Plane) Close() error {
	p.mu.Lock()
	all := slices.Collect(maps.Values(p.balancers))
	p.balancers, p.closed = map[string]*balancer{}, true
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var limit, closing sync.WaitGroup
	limit.Go(func() {
		clock.Sleep(ctx, p.cfg.Clock, grace) //nolint:errcheck // all have closed already
		cancel()
	})
	errs := make([]error, len(all))
	for i, b := range all {
		closing.Go(func() { errs[i] = errors.Join(b.drain(ctx), b.close()) })
	}
	closing.Wait()
	cancel()
	limit.Wait()
	return errors.Join(errs...)
}
