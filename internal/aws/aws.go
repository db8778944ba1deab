// Package aws holds the vocabulary that every layer shares: who calls
// (Principal), what is being called (Call), what must be permitted (Check) and
// how a refusal reads (Denied).
//
// It owns no state and imports the standard library only. A Call enters the
// context in wire, when a signature has been verified or the Invoker was
// used, and is read by services, the stack engine and the authorizer.
package aws

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// PrincipalType tells which kind of identity a Principal is.
type PrincipalType string

// The kinds of principal, as the IAM user guide names them.
const (
	PrincipalAnonymous   PrincipalType = "Anonymous"
	PrincipalRoot        PrincipalType = "Account"
	PrincipalUser        PrincipalType = "User"
	PrincipalAssumedRole PrincipalType = "AssumedRole"
	PrincipalFederated   PrincipalType = "FederatedUser"
	// PrincipalWebIdentity is the owner of an issuer's token, before it has a session.
	PrincipalWebIdentity PrincipalType = "WebIdentityUser"
	PrincipalService     PrincipalType = "AWSService"
)

// Principal is an authenticated identity. It never holds a secret, so it may be
// stored: a stack keeps the Principal that created it and acts as that caller
// until it ends. The policies of the identity are not part of it; they are read
// at each call, so that a revoked permission acts at once.
type Principal struct {
	Type    PrincipalType `json:"type"`
	Account string        `json:"account"`
	// ARN is the identity's own ARN: arn:aws:iam::A:root, :user/path/name, or
	// arn:aws:sts::A:assumed-role/role/session.
	ARN string `json:"arn"`
	// UniqueID is AIDA... for a user, AROA...:session for a role session, the
	// account id for root.
	UniqueID string `json:"uniqueId"`
	// RoleARN and SessionName are set for assumed roles.
	RoleARN     string `json:"roleArn,omitempty"`
	SessionName string `json:"sessionName,omitempty"`
	// SessionPolicies are JSON policy documents that further limit a session.
	SessionPolicies []string          `json:"sessionPolicies,omitempty"`
	SessionTags     map[string]string `json:"sessionTags,omitempty"`
	// TransitiveTags are keys of SessionTags that a chained session inherits, as it
	// does SourceIdentity.
	TransitiveTags []string `json:"transitiveTags,omitempty"`
	SourceIdentity string   `json:"sourceIdentity,omitempty"`
	// Provider is the ARN of the OpenID Connect provider that vouches for the caller.
	Provider string `json:"provider,omitempty"`
	// Issuer is the unique id of the user whose permissions a federated user has; "" for
	// root's.
	Issuer string `json:"issuer,omitempty"`
	// Service is the service principal (codedeploy.amazonaws.com) of
	// PrincipalService, and the service that assumed the role where one did.
	Service string `json:"service,omitempty"`
	// InstanceID is the EC2 instance whose metadata service handed out the
	// session, or whose identity document signed the request.
	InstanceID string `json:"instanceId,omitempty"`
	// Instance is where the session of an instance's role was handed out.
	Instance    Instance  `json:"instance,omitzero"`
	AccessKeyID string    `json:"accessKeyId,omitempty"`
	IssuedAt    time.Time `json:"issuedAt,omitzero"`
	ExpiresAt   time.Time `json:"expiresAt,omitzero"`
}

// Instance describes an EC2 instance to policies.
type Instance struct {
	ARN       string `json:"arn,omitempty"`
	VPC       string `json:"vpc,omitempty"` // id
	PrivateIP string `json:"privateIp,omitempty"`
}

// Call describes one operation in flight. wire makes it for requests from
// outside, the Invoker derives it for calls between services.
type Call struct {
	Principal Principal
	Account   string // account the call acts in, 12 digits
	Region    string
	RequestID string
	// Origin is the id of the request that a client sent, where this call is one
	// that a service makes to answer it; "" for the client's own.
	Origin  string
	Service string // "ec2", "cloudformation"
	// SigningName is the service of the request's credential scope, which can
	// differ from Service (codedeploy-commands-secure). "" for calls between
	// services.
	SigningName string
	// SignedRegion is the region of that scope, "" where there is none.
	SignedRegion string
	Operation    string
	SourceIP     netip.Addr
	Secure       bool // TLS
	UserAgent    string
	Referer      string
	// Endpoint is the base URL the caller used, without trailing slash; URLs
	// handed out in answers begin with the server's own endpoint instead.
	Endpoint string
	// Via lists the services that made the call on the caller's behalf, first
	// to last (aws:CalledVia), as service principals: cloudformation.amazonaws.com.
	Via []string
	// SourceARN is the resource for which a service calls on its own account
	// (aws:SourceArn): the topic of a message, the bucket of a notification.
	SourceARN string
	// Gateway is the endpoint of a VPC that the request came by, or nil.
	Gateway *VPCEndpoint
	// Signed says how the request was signed; zero for anonymous ones.
	Signed Signed
	// Token makes a create idempotent across crashes: the stack engine sets it
	// (stack id, logical id, generation); a service that finds a row made with
	// the same token returns that row. Never set from outside.
	Token string
}

// Signed describes a request's signature and connection, as S3's condition keys
// name them.
type Signed struct {
	Type    string // REST-HEADER, REST-QUERY-STRING or POST
	Version string // AWS4-HMAC-SHA256, or AWS for the second version
	At      time.Time
	Payload string // x-amz-content-sha256
	TLS     string // "1.3", "" without TLS
}

// VPCEndpoint is an endpoint that a VPC has for a service, as requests to the service
// find it on their way.
type VPCEndpoint struct {
	ID, VPC string
	Source  netip.Addr // the private address that the request comes from
	Policy  string     // its JSON policy
}

type endpointsKey struct{}

// WithVPCEndpoints returns a context for requests out of a VPC. endpoints are those that
// requests from there pass, by service: "s3".
func WithVPCEndpoints(ctx context.Context, endpoints map[string]VPCEndpoint) context.Context {
	return context.WithValue(ctx, endpointsKey{}, endpoints)
}

// VPCEndpointFrom returns the endpoint that a request to the service passes, or nil.
func VPCEndpointFrom(ctx context.Context, service string) *VPCEndpoint {
	endpoints, _ := ctx.Value(endpointsKey{}).(map[string]VPCEndpoint)
	if e, ok := endpoints[service]; ok {
		return &e
	}
	return nil
}

type callKey struct{}

// WithCall returns a context that carries c.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom returns the Call of the operation in flight, or the zero Call.
func CallFrom(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}

// WithVia returns c as made by service (a service principal) on behalf of c's
// caller.
func (c Call) WithVia(service string) Call {
	c.Via = append(slices.Clone(c.Via), service)
	return c
}

// AsService is the Call of a service that acts on its own account and for nobody:
// service is its principal (sns.amazonaws.com), source the ARN of the resource for
// which it calls, account and region are where that is. Only a resource policy that
// names the service allows what it does.
func AsService(service, source, account, region string) Call {
	return Call{Principal: Principal{Type: PrincipalService, Account: account, Service: service, ARN: service},
		Account: account, Region: region, SourceARN: source}
}

// Check is one permission that an operation needs. An operation that touches
// several resources needs all its checks to pass.
type Check struct {
	// Action is the IAM action: "s3:GetObject".
	Action string
	// Resource is the ARN acted on, or "*".
	Resource string
	// Context holds condition keys beyond the global ones: "s3:prefix",
	// "aws:ResourceTag/Name". Keys are compared without case.
	Context map[string][]string
	// ResourcePolicy is the JSON policy of the resource (bucket policy), or "".
	ResourcePolicy string
	// ResourceAccount owns the resource; "" means the caller's account.
	ResourceAccount string
}

// Offer gives the check a condition key, unless it has it or there is no value.
func (c *Check) Offer(key string, values ...string) {
	if _, ok := c.Context[key]; ok || len(values) == 0 {
		return
	}
	if c.Context == nil {
		c.Context = map[string][]string{}
	}
	c.Context[key] = values
}

// OfferText is Offer of a text that may be empty, where that means that the key does
// not apply.
func (c *Check) OfferText(key, value string) {
	if value != "" {
		c.Offer(key, value)
	}
}

// OfferTag offers the condition key of a tag that the resource has.
func (c *Check) OfferTag(key, value string) { c.Offer("aws:ResourceTag/"+key, value) }

// Denied is the refusal of one Check. wire turns it into the code and the
// status that the service's protocol uses; Error gives AWS's sentence.
type Denied struct {
	Principal string // ARN, or "" for anonymous
	Action    string
	Resource  string
	// Reason is AWS's clause: "no identity-based policy allows the
	// s3:GetObject action", "with an explicit deny in an identity-based policy".
	Reason string
	// Explicit tells a deny statement from the absence of an allow.
	Explicit bool
	// Explanation names the policy and the statement that decided. It is "" unless
	// the caller may read the policies that it speaks about.
	Explanation string
	// Encoded is the sealed account of the decision that EC2 adds to its refusal, for
	// sts:DecodeAuthorizationMessage; "" for none.
	Encoded string
}

func (d *Denied) Error() string {
	who := "User: " + d.Principal
	if d.Principal == "" {
		who = "User: anonymous"
	}
	s := who + " is not authorized to perform: " + d.Action
	if d.Resource != "" && d.Resource != "*" {
		s += " on resource: " + d.Resource
	}
	if d.Explicit {
		return s + " " + d.Reason
	}
	return s + " because " + d.Reason
}

// Ptr returns a pointer to v: API types have pointer members, as in the SDKs.
func Ptr[T any](v T) *T { return &v }

// Val returns what p points to, or the zero value.
func Val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
