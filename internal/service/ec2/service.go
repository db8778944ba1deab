// Package ec2 is the EC2 service: instances and what they need to run (images,
// types, key pairs, security groups, network interfaces, elastic addresses, VPCs with
// their subnets, gateways and routes).
//
// It owns the rows of records.go. Calls enter through Wire's operations, which
// validate, commit rows with their events and answer at once; the worker of
// worker.go then makes the world match the rows through the instance manager and
// the network, and commits what came of it. IMDS reads the same rows through
// Metadata. PublishMetrics tells CloudWatch what the machines use.
//
// It imports stack (resource types), wire (operation table) and instance; other
// services reach it, and it reaches them, through interfaces declared here.
package ec2

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/clock"
	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// Instances runs machines: instance.Manager, or a fake one.
type Instances interface {
	Start(ctx context.Context, spec hsinstance.Spec) error
	Stop(ctx context.Context, id string, force bool) error
	Reboot(ctx context.Context, id string) error
	Terminate(ctx context.Context, id string) error
	// Plug and Unplug give an instance that runs a further interface and take one.
	Plug(ctx context.Context, id string, nic network.NIC) error
	Unplug(ctx context.Context, id, nicID string) error
	// Usage is what an instance has used; ErrNotCounted when nothing of it runs.
	Usage(id string) (hsinstance.Usage, error)
	Console(id string) ([]byte, time.Time, error)
	Forget(id string) error
	// Adopt takes over machines that an earlier server left running; it says which
	// of them are alive.
	Adopt(ctx context.Context, specs []hsinstance.Spec) (map[string]bool, error)
}

// Network enforces what the rows say about groups and addresses.
type Network interface {
	Adopt(ctx context.Context, states []network.VPCState) (missing []string, err error)
	SetVPC(ctx context.Context, v network.VPC) error
	DeleteVPC(ctx context.Context, id string) error
	SetGroup(ctx context.Context, vpc string, g network.Group) error
	DeleteGroup(ctx context.Context, vpc, id string) error
	SetMembership(ctx context.Context, nicID string, groups []string) error
	SetPublic(ctx context.Context, nicID string, addr netip.Addr) error
	SetForwarding(ctx context.Context, nicID string, on bool) error
	AttachNode(ctx context.Context, nic network.NIC) (*network.Node, error)
	DetachNode(ctx context.Context, nicID string) error
}

// Profile is an instance profile with the role it holds, if any.
type Profile struct{ ARN, ID, Name, RoleARN, RoleID string }

// ErrNoProfile is what Profiles returns for a name that does not exist.
var ErrNoProfile = errors.New("no such instance profile")

// Profiles finds instance profiles by name. EC2 looks them up with its own
// authority: the caller needs iam:PassRole on the role, nothing more.
type Profiles interface {
	InstanceProfile(ctx context.Context, account, name string) (Profile, error)
}

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Config is what New needs.
type Config struct {
	DB         *store.DB
	Sealer     *store.Sealer
	Clock      clock.Clock
	Log        *slog.Logger
	Instances  Instances
	Network    Network
	Profiles   Profiles
	Invoker    Invoker
	PublicCIDR netip.Prefix
	// Fake is set when instances are records only: status checks say
	// insufficient-data then.
	Fake bool
}

// Service implements EC2's operations.
type Service struct {
	db         *store.DB
	sealer     *store.Sealer
	clock      clock.Clock
	log        *slog.Logger
	machines   Instances
	net        Network
	profiles   Profiles
	invoker    Invoker
	publicCIDR netip.Prefix
	fake       bool
	work       *store.Keyed
	cursors    cursors
	// pushing is held from the reading of a row until the network has been told
	// what it says, so that of two changes the later one wins there as well.
	pushing sync.Mutex
	// adopting guards adopted, which says that Adopt has succeeded.
	adopting sync.Mutex
	adopted  bool
	// foreign holds public addresses (netip.Addr) that other servers on this
	// machine turned out to use.
	foreign sync.Map
}

// New returns the service. Run starts its worker.
func New(cfg Config) *Service {
	s := &Service{
		db: cfg.DB, sealer: cfg.Sealer, clock: cfg.Clock, log: cfg.Log, machines: cfg.Instances,
		net: cfg.Network, profiles: cfg.Profiles, invoker: cfg.Invoker, publicCIDR: cfg.PublicCIDR, fake: cfg.Fake,
		cursors: cursors{},
	}
	s.work = newWorker(s)
	return s
}

func key(c aws.Call, id string) store.Key {
	return store.Key{Account: c.Account, Region: c.Region, ID: id}
}

// ec2ARN names a resource of the caller's account and region: "instance/i-...".
func ec2ARN(c aws.Call, resource string) string {
	return arn.New("ec2", c.Region, c.Account, resource)
}
