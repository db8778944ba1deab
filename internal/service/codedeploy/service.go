// Package codedeploy is AWS CodeDeploy for the Server platform: applications,
// deployment groups, revisions, deployments in place, and the host command API
// that agents poll. It also has the resource types AWS::CodeDeploy::Application
// and AWS::CodeDeploy::DeploymentGroup.
//
// It owns the rows of records.go. It imports wire (operation tables), stack
// (resource types), store, and the pure lifecycle of the agent; instances are
// found through the Invoker as the group's service role.
//
// How a deployment flows:
//
//	CreateDeployment          row "Created", event         create_deployment.go
//	engine: a worker per deployment, resumable             engine.go
//	  prepare: role, instances, targets "Pending"          prepare.go, find_instances.go
//	  step: start, time out, stop, end                     step.go, health.go (pure)
//	agents: PollHostCommand takes a target's event         poll_host_command.go
//	  PutHostCommandAcknowledgement / Complete advance it  progress.go
//	  end: error information, rollback                     finish.go
//
// Each change of a status and its event are one transaction, so the worker that
// takes over after a crash sees a deployment exactly as the agents left it.
package codedeploy

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// servicePrincipal is who assumes a deployment group's role.
const servicePrincipal = "codedeploy.amazonaws.com"

// Invoker calls operations of any service as the principal in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Roles assumes service roles: the role must exist and its trust policy must
// allow the service.
type Roles interface {
	AssumeServiceRole(ctx context.Context, roleARN, service string) (aws.Principal, error)
}

// Authorizer decides on the permissions of the secure flavour of the host
// command API, which the operation's name alone does not tell.
type Authorizer interface {
	Authorize(ctx context.Context, c aws.Check) error
}

// Authority certifies the key that signs deployment specifications; tlsca.CA.
type Authority interface {
	Certify(name string, pub crypto.PublicKey, life time.Duration) (der []byte, err error)
}

// Config is what New needs; all of it.
type Config struct {
	DB         *store.DB
	Sealer     *store.Sealer
	Clock      clock.Clock
	Log        *slog.Logger
	Invoker    Invoker
	Roles      Roles
	Authorizer Authorizer
	Authority  Authority
}

// Service implements the operations.
type Service struct {
	db      *store.DB
	clock   clock.Clock
	log     *slog.Logger
	invoker Invoker
	roles   Roles
	auth    Authorizer
	signers *signers
	polls   *polls
	noticed atomic.Int64  // notices made: their order
	workers sync.Map      // store.Key of a deployment -> struct{}: those with a worker
	hooking sync.Map      // store.Key of a group -> struct{}: those whose hooks an operation puts
	stopped chan struct{} // closed when Run ends: held polls then return
}

// New returns the service. Run makes its deployments progress.
func New(cfg Config) *Service {
	return &Service{
		db: cfg.DB, clock: cfg.Clock, log: cfg.Log, invoker: cfg.Invoker, roles: cfg.Roles, auth: cfg.Authorizer,
		signers: newSigners(cfg), polls: newPolls(cfg.Clock.Now()), stopped: make(chan struct{}),
	}
}

func key(c aws.Call, id string) store.Key {
	return store.Key{Account: c.Account, Region: c.Region, ID: id}
}

func scope(c aws.Call) store.Scope { return store.Scope{Account: c.Account, Region: c.Region} }

// joined is the form of index values: parts that hold no NUL.
func joined(parts ...string) string {
	out := ""
	for i, p := range parts {
		if i > 0 {
			out += "\x00"
		}
		out += p
	}
	return out
}

func applicationARN(c aws.Call, name string) string {
	return arn.New("codedeploy", c.Region, c.Account, "application:"+name)
}

func groupARN(c aws.Call, application, name string) string {
	return arn.New("codedeploy", c.Region, c.Account, "deploymentgroup:"+application+"/"+name)
}

func configARN(c aws.Call, name string) string {
	return arn.New("codedeploy", c.Region, c.Account, "deploymentconfig:"+name)
}

// emit tells that a resource of this service has changed.
func emit(tx *store.Tx, k store.Key, resource, kind, cause string) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "codedeploy", Resource: resource, Kind: kind, Cause: cause})
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
