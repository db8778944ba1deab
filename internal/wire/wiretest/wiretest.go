// Package wiretest is the ground that tests of a service stand on: a store and a
// clock that tests move, a wire server with the service, a user who calls it, and
// an authorizer that is easy to read.
//
// It imports the store's helpers for tests and wire. A service's fixture embeds a Lab
// and adds what is the service's own; calls enter by Call and Must. Tests import it;
// nothing else does.
package wiretest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
)

// Account and Region are those of a Lab's server and of User.
const (
	Account = "123456789012"
	Region  = "us-east-1"
)

// User calls the operations of a Lab.
var User = aws.Principal{Type: aws.PrincipalUser, Account: Account, ARN: "arn:aws:iam::" + Account + ":user/u", UniqueID: "AIDAU"}

// As returns a context in which a principal calls from its account.
func As(ctx context.Context, p aws.Principal) context.Context {
	return aws.WithCall(ctx, aws.Call{Account: p.Account, Region: Region, Principal: p})
}

// Lab is a server and what it stands on. Tests may replace what they need otherwise.
type Lab struct {
	T      testing.TB
	Clock  *clock.Manual
	DB     *store.DB
	Sealer *store.Sealer
	Server *wire.Server
	// Ctx is that of User's calls.
	Ctx context.Context

	service string
}

// New returns a lab whose clock stands at a time, with an empty store and a server
// without services.
func New(t testing.TB, at time.Time, g wire.Authorizer) *Lab {
	t.Helper()
	c := clock.NewManual(at)
	return On(t, &Lab{Clock: c, DB: storetest.NewWithClock(t, c), Sealer: storetest.NewSealer(t)}, g)
}

// On returns a lab with a server of its own on what another lab stored: a server that
// was started again, or one with another authorizer.
func On(t testing.TB, state *Lab, g wire.Authorizer) *Lab {
	return &Lab{T: t, Clock: state.Clock, DB: state.DB, Sealer: state.Sealer, Ctx: As(t.Context(), User),
		Server: wire.NewServer(wire.Config{Authorizer: g, Account: Account, Region: Region, Clock: state.Clock})}
}

// Register puts services on the server. Call and Must call the first.
func (l *Lab) Register(services ...wire.Service) {
	l.T.Helper()
	if err := l.Server.Register(services...); err != nil {
		l.T.Fatal(err)
	}
	l.service = services[0].Model.Name
}

// Caller is a Lab, or a fixture that embeds one.
type Caller interface{ lab() *Lab }

func (l *Lab) lab() *Lab { return l }

// Call calls an operation of the lab's service.
func Call[O any](c Caller, operation string, in any) (*O, error) {
	l := c.lab()
	return wire.Call[O](l.Ctx, l.Server, l.service, operation, in)
}

// Must is Call for calls that have to succeed.
func Must[O any](c Caller, operation string, in any) *O {
	t := c.lab().T
	t.Helper()
	out, err := Call[O](c, operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// Run does a service's work in the background until stop, at the latest until the
// test ends. The work has to end with the error given, or well for nil.
func Run(t testing.TB, work func(context.Context) error, end error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := work(ctx); !errors.Is(err, end) {
			t.Errorf("the background work ended with %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}
