package lb

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"
)

// Kind tells the three load balancers apart: they add different headers and
// cookies.
type Kind string

// Kinds of balancers.
const (
	Application Kind = "application"
	Network     Kind = "network"
	Classic     Kind = "classic"
)

// Protocols of listeners and target groups. SSL is what the classic balancer calls
// TLS. A listener that terminates (HTTPS, TLS, SSL) has certificates.
const (
	HTTP   = "HTTP"
	HTTPS  = "HTTPS"
	TCP    = "TCP"
	TLS    = "TLS"
	SSL    = "SSL"
	UDP    = "UDP"
	TCPUDP = "TCP_UDP"
)

// Spec is one balancer as it shall be.
type Spec struct {
	// ID is the key of the plane: the balancer's ARN.
	ID   string
	Kind Kind
	// Nodes are where it listens, each on all addresses of its interface.
	Nodes []Node
	// Listeners have different ports, save that a UDP and a TCP listener may share
	// one.
	Listeners []Listener
	// Groups are all target groups that listeners and rules name, and no others.
	Groups     []TargetGroup
	Attributes Attributes
	// Report is told of each change of a target's health. It is called without
	// locks, one call at a time for each target, and must not call the plane.
	Report func(Change)
}

// Node is a network interface of the balancer.
type Node struct {
	// ID is what Nodes.Up is called with: the interface's.
	ID string
	// Zone is the availability zone. Without cross-zone balancing a node sends to
	// targets of its own zone only.
	Zone string
	// Addr is the private address.
	Addr netip.Addr
}

// Listener is a port of every node.
type Listener struct {
	// ID is its ARN, or any name that is unique in the balancer.
	ID       string
	Protocol string
	Port     uint16
	// Certificates are shown by the name that the client asks for; the first is the
	// default one.
	Certificates []tls.Certificate
	// SecurityPolicy is the name of one of AWS's TLS policies, or empty for the
	// default.
	SecurityPolicy string
	// TLS overrides SecurityPolicy where it is not nil: the classic balancer's
	// custom negotiation policies.
	TLS *TLSLimits
	// ALPN is HTTP1Only, HTTP2Only, HTTP2Optional, HTTP2Preferred or None, for TLS
	// listeners. HTTPS listeners offer h2 and http/1.1 by themselves.
	ALPN string
	// Default is done when no rule matches; it may not be empty.
	Default []Action
	// Rules are in order of priority.
	Rules []Rule
	// Headers are changed on the way, as the listener attributes of an application
	// balancer say.
	Headers HeaderChanges
	// IdleTimeout of TCP flows of a network balancer; zero is 350 s.
	IdleTimeout time.Duration
}

// TLSLimits are the versions and suites that a listener accepts.
type TLSLimits struct {
	MinVersion, MaxVersion uint16
	// CipherSuites bind TLS 1.2 and older; nil is Go's choice.
	CipherSuites []uint16
}

// HeaderChanges are the routing.http.* attributes of a listener.
type HeaderChanges struct {
	// Rename gives the X-Amzn-Mtls-* and X-Amzn-Tls-* headers other names: from
	// canonical name to new name.
	Rename map[string]string
	// Response headers are set on every answer, over what the target said.
	Response map[string]string
	// HideServer leaves "Server: awselb/2.0" off answers of the balancer's own.
	HideServer bool
}

// Rule is a set of conditions, all of which must hold.
type Rule struct {
	// ID is the rule's ARN.
	ID         string
	Conditions []Condition
	Actions    []Action
	// Transforms change host and path before the request is sent.
	Transforms []Transform
}

// Condition is one condition; the values are alternatives.
type Condition struct {
	// Field is host-header, path-pattern, http-header, http-request-method,
	// query-string or source-ip.
	Field string
	// Header is the name for http-header.
	Header string
	// Values may hold * and ? (but for methods and source-ip, which are CIDRs).
	Values []string
	// Regex are regular expressions, for host-header, path-pattern and http-header.
	Regex []string
	// Query are the pairs for query-string; an empty key means any.
	Query []KeyValue
}

// KeyValue is a pair of a query string.
type KeyValue struct{ Key, Value string }

// Transform rewrites a part of a request.
type Transform struct {
	// Type is host-header-rewrite or url-rewrite.
	Type string
	// Regex is what to replace, Replace what by ($1 is the first group).
	Regex, Replace string
}

// Action is one of a forward, a redirect or a fixed response.
type Action struct {
	Forward  *Forward
	Redirect *Redirect
	Fixed    *FixedResponse
}

// Forward chooses between groups.
type Forward struct {
	Groups []WeightedGroup
	// Sticky is how long a client stays with a group; zero is not at all.
	Sticky time.Duration
}

// WeightedGroup names a group of the Spec.
type WeightedGroup struct {
	Group  string
	Weight int
}

// Redirect holds AWS's templates: #{protocol}, #{host}, #{port}, #{path} and
// #{query}. All must be filled; the services know the defaults.
type Redirect struct {
	Protocol, Host, Port, Path, Query string
	Status                            int
}

// FixedResponse is an answer of the balancer's own.
type FixedResponse struct {
	Status            int
	ContentType, Body string
}

// TargetGroup is a set of targets that are balanced between and checked together.
type TargetGroup struct {
	// ID is its ARN, or any name that is unique in the balancer.
	ID string
	// Protocol is how targets are spoken to.
	Protocol string
	// Version is HTTP1, HTTP2 or GRPC, for HTTP and HTTPS.
	Version string
	Targets []Target
	Check   HealthCheck
	// HealthOf names another group whose checks decide for targets of the same
	// TargetID; this group then has no checks of its own.
	HealthOf string
	// Algorithm is round_robin, least_outstanding_requests or weighted_random.
	Algorithm  string
	Stickiness Stickiness
	SlowStart  time.Duration
	// CrossZone lets every node send to targets of all zones.
	CrossZone bool
	// ProxyProtocol sends a header before the stream: 0, 1 (classic) or 2.
	ProxyProtocol int
	// KeepUnhealthy leaves connections of a network balancer open when their target
	// becomes unhealthy.
	KeepUnhealthy bool
	// KeepDeregistered leaves connections open when their target leaves the Spec; they
	// end when they are silent or with the balancer.
	KeepDeregistered bool
	// BackendCertificates are the only ones that targets may show (the classic
	// balancer's back-end authentication), in DER; nil accepts any, as AWS does.
	BackendCertificates [][]byte
	// FailOpenBelow is how few healthy targets (count or percent) make the balancer
	// send to all; zero counts as one.
	FailOpenCount, FailOpenPercent int
}

// Target is where requests go.
type Target struct {
	// TargetID is the instance's id or an address, and Port what was registered with
	// it: together they name the target.
	TargetID string
	Port     uint16
	Addr     netip.Addr
	Zone     string
	// Draining gets no new clients; requests and connections it has live on until the
	// service leaves it off the Spec, or longer (KeepDeregistered).
	Draining bool
	// Unused are known and get nothing, not even checks: a stopped instance.
	Unused bool
	// Known is how the target was before a restart; empty begins with Initial.
	Known State
	// Any routing address counts as that of all zones.
	AnyZone bool
}

// Key names a target within its group.
type Key struct {
	TargetID string
	Port     uint16
}

// Key returns the target's name.
func (t Target) Key() Key { return Key{t.TargetID, t.Port} }

// HealthCheck says how targets are asked.
type HealthCheck struct {
	// Disabled targets count as healthy at once.
	Disabled bool
	// Protocol is HTTP, HTTPS, TCP, TLS or SSL.
	Protocol string
	// Version is HTTP1, HTTP2 or GRPC.
	Version string
	// Port is asked instead of the target's own, where it is not zero.
	Port               uint16
	Path               string
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int
	// Matcher is AWS's list of codes and ranges: "200", "200,202", "200-299".
	Matcher string
}

// Stickiness binds a client to a target.
type Stickiness struct {
	// Type is empty, lb_cookie, app_cookie, source_ip or source_ip_dest_ip_proto.
	Type string
	// Cookie is the application's, for app_cookie.
	Cookie string
	// Duration is zero for the life of the browser's session (classic).
	Duration time.Duration
}

// Attributes are those of the balancer.
type Attributes struct {
	// IdleTimeout is how long a connection may be silent; zero is 60 s.
	IdleTimeout time.Duration
	// ClientKeepAlive is how long a client's connection may live; zero is an hour.
	ClientKeepAlive time.Duration
	// HTTP2 lets HTTPS listeners speak it.
	HTTP2 bool
	// DropInvalidHeaders removes header fields whose names have other characters
	// than letters, digits and hyphens.
	DropInvalidHeaders bool
	// PreserveHost sends the Host header as it came. Without it an application
	// balancer does, too, but for the port.
	PreserveHost bool
	// ForwardedFor is append, preserve or remove (X-Forwarded-For).
	ForwardedFor string
	// ForwardedClientPort adds the client's port to X-Forwarded-For.
	ForwardedClientPort bool
	// TLSHeaders adds X-Amzn-Tls-Version and X-Amzn-Tls-Cipher-Suite.
	TLSHeaders bool
}

// State is the health of a target, in AWS's words.
type State string

// Health states of the plane; unavailable is the services' own.
const (
	Initial   State = "initial"
	Healthy   State = "healthy"
	Unhealthy State = "unhealthy"
	Unused    State = "unused"
	Draining  State = "draining"
)

// Health is how a target is, with AWS's reason code and description where it is not
// healthy.
type Health struct {
	State               State
	Reason, Description string
}

// Change is one report.
type Change struct {
	Balancer, Group string
	Target          Key
	Health          Health
	// Idle says that a draining target has nothing under way any more; its health is
	// not told then.
	Idle bool
}

// Nodes brings network interfaces of balancers up and down. Both are idempotent.
type Nodes interface {
	Up(ctx context.Context, id string) (Sockets, error)
	Down(ctx context.Context, id string) error
}

// Sockets opens sockets inside a node's network namespace. Addresses are numeric.
type Sockets interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}
