package app

import (
	"context"

	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/service/ec2"
)

// openBalancers opens the data plane of load balancers. With the fake driver there is
// none: the services then say so of every target.
func (w *world) openBalancers(context.Context) error {
	cfg := w.s.cfg
	if cfg.Instances != InstancesFake {
		w.plane = lb.New(lb.Config{Nodes: balancerNodes{w.ec2}, Clock: cfg.Clock, Sealer: w.s.sealer, Log: cfg.Log})
		w.onClose(w.plane.Close)
	}
	return nil
}

// balancerNodes lets balancers listen and dial behind their network interfaces.
type balancerNodes struct{ ec2 *ec2.Service }

// Up implements lb.Nodes.
func (n balancerNodes) Up(ctx context.Context, id string) (lb.Sockets, error) {
	return n.ec2.Up(ctx, id)
}

// Down implements lb.Nodes.
func (n balancerNodes) Down(ctx context.Context, id string) error { return n.ec2.Down(ctx, id) }
