// Package autoscaling is Amazon EC2 Auto Scaling: launch configurations; groups that
// keep their size with real instances, from a launch configuration or a launch
// template; lifecycle hooks, notifications, scaling policies, scheduled actions,
// instance refreshes; and the resource types AWS::AutoScaling::*.
//
// It owns the tables of records.go. It imports store, stack (its resource types),
// wire and the API's types; other services it calls through the Invoker. The flow
// enters through Wire's operations, Alarmed (CloudWatch's alarms) and Run:
//
//	an operation writes what a group shall be, and its event      update_group.go
//	Run: one worker for each group that has something to do       worker.go
//	  step: observe, advance each instance, compare with desired  step.go
//	  launch and terminate as AWSServiceRoleForAutoScaling        launch.go, leave.go
//	  messages of hooks and notifications                         messages.go
//
// Who waits for a group waits with the store's Changed and
//
//	store.Filter{Service: "autoscaling", Kind: "work", Account: ..., Region: ..., Resource: <the group's name>}
//
// An event of that kind is committed with each change of a group or its instances.
package autoscaling

import (
	"context"
	"log/slog"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	// signing is the service's name in ARNs and events.
	signing = "autoscaling"
	// servicePrincipal is who assumes the service-linked role and the roles of hooks.
	servicePrincipal = "autoscaling.amazonaws.com"
	// workKind is the kind of the events of a group.
	workKind = "work"
)

// Invoker calls operations of any service as the principal in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Roles gives the sessions of roles that trust Auto Scaling.
type Roles interface {
	AssumeServiceRole(ctx context.Context, roleARN, service string) (aws.Principal, error)
}

// Profiles finds the role of an instance profile, "" where it has none.
type Profiles interface {
	RoleOf(ctx context.Context, account, profile string) (string, error)
}

// Config is what New needs.
type Config struct {
	DB       *store.DB
	Sealer   *store.Sealer
	Clock    clock.Clock
	Log      *slog.Logger
	Invoker  Invoker
	Roles    Roles
	Profiles Profiles
}

// Service implements the operations.
type Service struct {
	cfg  Config
	work *store.Keyed
}

// New returns the service. Run makes its groups what they shall be.
func New(cfg Config) *Service {
	s := &Service{cfg: cfg}
	s.work = newWorker(s)
	return s
}

func (s *Service) now() time.Time { return s.cfg.Clock.Now().UTC() }

func key(c aws.Call, id string) store.Key {
	return store.Key{Account: c.Account, Region: c.Region, ID: id}
}

func scope(k store.Key) store.Scope { return store.Scope{Account: k.Account, Region: k.Region} }

// within is the key of what belongs to a group and has a name of its own.
func within(g store.Key, name string) store.Key {
	return store.Key{Account: g.Account, Region: g.Region, ID: g.ID + ":" + name}
}

// scoped is an index value that is unique to an account and region.
func scoped(k store.Key, value string) string {
	return k.Account + "\x00" + k.Region + "\x00" + value
}

func (s *Service) view(ctx context.Context, f func(*store.Tx) error) error {
	return s.cfg.DB.View(ctx, f)
}

func (s *Service) update(ctx context.Context, f func(*store.Tx) error) error {
	return s.cfg.DB.Update(ctx, f)
}

// arnOf is an ARN of the form kind:uuid:tail.
func arnOf(k store.Key, kind, id, tail string) string {
	return arn.New(signing, k.Region, k.Account, kind+":"+id+":"+tail)
}

// changed commits the event that wakes the worker of a group and who waits for it.
func changed(tx *store.Tx, k store.Key, cause string) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signing, Resource: k.ID, Kind: workKind, Cause: cause})
}
