// Package app is the composition root: it turns a Config into a running System and
// is the only place that wires packages together.
//
// It owns the data dir (datadir.go), the listener, the order of start and stop, and
// the adapters that give each service the one or two methods it asks of another. It
// imports everything below it; nothing but cmd imports it. The flow enters at Open,
// which binds the port and builds the world (world.go: store, network, instances,
// services), and at Run, which serves until its context ends; Close undoes Open.
// Instances outlive all of it.
package app

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/tlsca"
)

// System is a server: what stays the same when its world is reset.
type System struct {
	cfg      Config
	dir      *dataDir
	sealer   *store.Sealer
	ca       *tlsca.CA
	listener net.Listener
	port     int
	access   Access
	reserve  *reserve

	identityOnce sync.Mutex
	identityCert *x509.Certificate
	identityKey  crypto.Signer

	// mu is held by requests for reading when they begin, and by a reset for writing.
	mu    sync.RWMutex
	world *world
	// failed receives what ends the server.
	failed chan error
}

// Open starts a server on cfg: when it returns, the port is bound and requests are
// answered as soon as Run is called. On an error nothing stays behind.
func Open(ctx context.Context, cfg Config) (*System, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &System{cfg: cfg, failed: make(chan error, 1), reserve: newReserve()}
	for _, step := range []func(context.Context) error{s.openDir, s.listen, s.openWorld} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *System) openDir(context.Context) error {
	var err error
	if s.dir, err = openDataDir(s.cfg.DataDir); err != nil {
		return err
	}
	if s.sealer, err = store.OpenSealer(s.dir.path); err != nil {
		return err
	}
	// Certificates are judged by clients with clocks of their own.
	s.ca, err = tlsca.Open(s.dir.path, clock.System{})
	return err
}

func (s *System) listen(context.Context) error {
	l, err := net.Listen("tcp", s.cfg.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return &Refusal{Cause: s.cfg.Listen + " is in use", Remedy: "stop what listens there, or choose another port with --listen", Err: err}
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.listener = l
	s.port = l.Addr().(*net.TCPAddr).Port
	return nil
}

func (s *System) openWorld(ctx context.Context) error {
	w, err := openWorld(ctx, s)
	if err != nil {
		return err
	}
	s.world = w
	return s.dir.keepAccess(s.sealer, s.access)
}

// Endpoint is the URL that the server hands out: the same inside and outside of
// instances.
func (s *System) Endpoint() string {
	host, _, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(s.port))
}

// Access returns how to reach the server as the account root.
func (s *System) Access() Access { return s.access }

// ServeHTTP answers what is the server's own and hands the rest to the world.
func (s *System) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Clients correct their clocks by it, so it has to be the time that signatures
	// are judged by.
	w.Header().Set("Date", s.cfg.Clock.Now().UTC().Format(http.TimeFormat))
	if h := s.own(r); h != nil {
		h(w, r)
		return
	}
	s.mu.RLock()
	current := s.world
	inner, leave := current.calls.begin(w, r)
	s.mu.RUnlock()
	defer leave()
	located, err := current.located(inner)
	if err != nil {
		s.cfg.Log.Error("request from an instance", "err", err)
		http.Error(w, "The service is unavailable.", http.StatusServiceUnavailable)
		return
	}
	current.wire.ServeHTTP(w, located)
}

// fail ends the server with err, unless it is ending already.
func (s *System) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Run serves until ctx ends or something fails that the server cannot do without.
func (s *System) Run(ctx context.Context) error {
	server := s.httpServer()
	s.current().run(ctx)
	var wg sync.WaitGroup
	wg.Go(s.giveBack)
	wg.Go(func() {
		err := server.Serve(s.ca.Listen(s.listener))
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("serve: %w", err))
		}
	})
	var err error
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	err = errors.Join(err, s.stop(context.WithoutCancel(ctx), server))
	wg.Wait()
	return err
}

// current is the world that answers.
func (s *System) current() *world {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.world
}

// stop lets calls in flight finish, for a moment, and interrupts those that wait.
func (s *System) stop(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	w := s.current()
	brief, done := context.WithTimeout(ctx, courtesy)
	defer done()
	_ = server.Shutdown(brief) // in vain where something waits
	err := w.calls.interrupt(ctx)
	if s.cfg.StopInstances {
		err = errors.Join(err, w.terminateAll(ctx))
	}
	w.halt()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // whoever is still there is cut off
	}
	return err
}

// httpServer returns an HTTP server for connections from outside and from instances.
func (s *System) httpServer() *http.Server {
	return &http.Server{
		Handler: s, ConnContext: network.WithConn, ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		ConnState: s.reserve.note, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
}

// Close undoes Open. Instances run on.
func (s *System) Close() error {
	var errs []error
	if s.world != nil {
		errs = append(errs, s.world.close())
	}
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.dir != nil {
		errs = append(errs, s.dir.lock.Unlock())
	}
	return errors.Join(errs...)
}
