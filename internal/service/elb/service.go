// Package elb is Elastic Load Balancing of 2012, the classic load balancer: its
// balancers with listeners, policies, health check and instances, and the resource
// type AWS::ElasticLoadBalancing::LoadBalancer.
//
// It owns the tables elb.balancer, in which everything of a balancer is one row, and
// elb.leaving, the network interfaces that are to be deleted. It imports store, lb (the
// data plane), stack (its resource type), wire and the types of its API and of EC2's.
//
//	operation --> row and event, one transaction --> settle
//	settle -----> interfaces in the subnets, made through EC2 as the service
//	              the row as an lb.Spec --> Plane.Apply
//	Plane ------> report: health of an instance --> row and event
//	Run --------> settles all balancers when the server starts and when EC2's instances
//	              change, ends draining, deletes interfaces that are left
//
// The flow enters through Wire's operations, Run, and Addresses, which the VPCs' name
// servers ask. Without a plane (the fake driver) rows are real, and the health of every
// instance is unknown.
package elb

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
)

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Plane runs the balancers.
type Plane interface {
	Apply(ctx context.Context, spec lb.Spec) error
	Remove(ctx context.Context, id string) error
	// Busy says whether a target of a balancer has anything under way.
	Busy(balancer, targetID string) bool
}

// Certificates returns certificates with their keys by ARN; an unknown one is
// NoSuchEntity.
type Certificates interface {
	ServerCertificate(ctx context.Context, arn string) (tls.Certificate, error)
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Clock   clock.Clock
	Log     *slog.Logger
	Invoker Invoker
	// Plane is nil where nothing can be carried.
	Plane        Plane
	Certificates Certificates
}

// Service implements the operations.
type Service struct {
	cfg Config

	// settling is held while a balancer is brought in line with its row: the plane
	// gets one spec after the other, the last one last.
	settling sync.Mutex

	mu sync.Mutex
	// unsettled are the balancers that Run is to settle.
	unsettled map[store.Key]bool
	woken     chan struct{}
}

// New returns the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, unsettled: map[store.Key]bool{}, woken: make(chan struct{}, 1)}
}

// principal is the service in policies, and who it is for EC2.
const principal = "elasticloadbalancing.amazonaws.com"
