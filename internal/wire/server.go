package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

// Scheme authenticates requests that carry no AWS signature but another proof,
// such as an instance's signed identity document. It reports false for a request
// that is not its own.
type Scheme interface {
	Authenticate(r *http.Request, body []byte) (aws.Principal, bool, error)
}

// Config is what a Server is made of.
type Config struct {
	Credentials Credentials
	Authorizer  Authorizer
	// Used is told of each request whose signature holds, before it is authorized; nil
	// for nobody. It must not wait for anything.
	Used    func(aws.Call)
	Schemes []Scheme
	Clock   clock.Clock
	Log     *slog.Logger
	// Account and Region are where requests act that name neither: unsigned ones.
	Account, Region string
	// BodyTime is what a client has to send a body that is read into memory, before
	// anything is known of who sends it; a minute when zero.
	BodyTime time.Duration
	// Landing answers a browser that opens the endpoint itself; nil for S3's answer.
	Landing http.Handler
}

// Server speaks AWS's protocols. Services are registered before it serves.
type Server struct {
	cfg      Config
	verifier sigv4.Verifier
	services []*service
	byName   map[string]*service   // by model name
	bySigner map[string][]*service // by signing name
	mounts   []mount
}

type mount struct {
	prefix  string
	handler http.Handler
}

// service is a registered Service with what the router looks up.
type service struct {
	Service
	operations map[string]*Operation
	statuses   map[string]int    // HTTP status by error code, where the model has one
	codes      map[string]string // of errors, by the names of their shapes (query-compatible services)
	names      map[string]string // of errors' shapes, by their codes
	capital    map[string]bool   // error codes whose JSON says Message, not message
	routes     []restRoute       // of S3
	paths      []pathRoute       // of another service that speaks rest-xml
}

var (
	_ http.Handler = (*Server)(nil)
	_ Invoker      = (*Server)(nil)
)

// NewServer returns a server without services.
func NewServer(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	if cfg.BodyTime == 0 {
		cfg.BodyTime = time.Minute
	}
	return &Server{cfg: cfg, verifier: sigv4.Verifier{Clock: cfg.Clock},
		byName: map[string]*service{}, bySigner: map[string][]*service{}}
}

// Register adds services. It refuses what Service.Check refuses.
func (s *Server) Register(services ...Service) error {
	for _, svc := range services {
		if err := svc.Check(); err != nil {
			return err
		}
		name := svc.Model.Name
		if s.byName[name] != nil {
			return fmt.Errorf("service %s is registered twice", name)
		}
		r := &service{Service: svc, operations: map[string]*Operation{}, statuses: map[string]int{}}
		for i := range svc.Operations {
			r.operations[svc.Operations[i].Name] = &svc.Operations[i]
		}
		r.readErrors()
		switch {
		case svc.Model.Protocol == model.RestXML && name == "s3":
			r.routes = compileRoutes(svc.Model)
		case svc.Model.Protocol == model.RestXML:
			r.paths = compilePaths(svc.Model)
		}
		s.services = append(s.services, r)
		s.byName[name] = r
		for _, n := range svc.Model.SigningNames {
			s.bySigner[n] = append(s.bySigner[n], r)
		}
	}
	return nil
}

// Services returns what is registered, for tests and the reference.
func (s *Server) Services() []Service {
	out := make([]Service, len(s.services))
	for i, r := range s.services {
		out[i] = r.Service
	}
	return out
}

// Mount hands requests whose path begins with prefix to h, unauthenticated: raw
// paths such as /_hardstand/. The longest prefix wins. Bucket names cannot begin
// with an underscore, so such prefixes hide nothing.
func (s *Server) Mount(prefix string, h http.Handler) {
	s.mounts = append(s.mounts, mount{prefix, h})
	slices.SortStableFunc(s.mounts, func(a, b mount) int { return len(b.prefix) - len(a.prefix) })
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, m := range s.mounts {
		if strings.HasPrefix(r.URL.Path, m.prefix) {
			m.handler.ServeHTTP(w, r)
			return
		}
	}
	if r.ContentLength == 0 && r.Header.Get("Expect") != "" {
		// net/http leaves out the interim answer when no body follows, and botocore
		// then misreads the next answer on the connection.
		w.WriteHeader(http.StatusContinue)
	}
	e := s.newExchange(w, r)
	defer e.finish()
	if err := e.serve(); err != nil {
		e.fail(err)
	}
}

// newExchange makes an exchange that is not on the stack, see exchange.serve.
//
//go:noinline
func (s *Server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{server: s, w: w, r: r, id: ids.UUID(), began: s.cfg.Clock.Now()}
}

// remoteAddr is the caller's address, the zero Addr if it has none.
func remoteAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// endpoint is the base URL that the caller used.
func endpoint(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// errInternal is what a caller sees of an error that is ours: its name is one of
// those that retries of the protocol's clients know.
func errInternal(protocol model.Protocol) *awserr.Error {
	code, text := "InternalFailure", "The request processing has failed because of an unknown error, exception or failure."
	switch protocol {
	case model.EC2:
		code, text = "InternalError", "An internal error has occurred"
	case model.RestXML:
		code, text = "InternalError", "We encountered an internal error. Please try again."
	}
	return awserr.Status(http.StatusInternalServerError, code, "%s", text)
}

// ErrStopping is the cause with which contexts of requests end when the server stops.
var ErrStopping = errors.New("the server stops")

// errStopping is what a caller sees of a call that this server has broken off: clients
// repeat it, and the next server answers.
func errStopping() *awserr.Error {
	return awserr.Status(http.StatusServiceUnavailable, "ServiceUnavailable", "Service is unable to handle request.")
}
