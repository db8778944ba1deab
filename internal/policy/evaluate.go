package policy

import "github.com/hardstand/hardstand/internal/aws"

// Source is a document with the name under which results report it.
type Source struct {
	Name     string // policy name or ARN
	Document *Document
}

// Set is every policy that bears on a request.
type Set struct {
	// Identity are the caller's own: inline, attached, of its groups. Root needs
	// none.
	Identity []Source
	// Boundary limits a user or role; nil means there is none.
	Boundary *Source
	// Session policies limit a session: where there are any, one must allow.
	Session []Source
	// Resource is the policy of the resource, or the role's trust policy.
	Resource *Source
	// Endpoint is the policy of the VPC endpoint that the request came by: it must
	// allow as well, whatever the others say. nil means there is none.
	Endpoint *Source
	// Trust makes Resource mandatory even within the account.
	Trust bool
}

// Request is what is to be decided.
type Request struct {
	Principal aws.Principal
	Action    string
	Resource  string
	// Account owns the resource; "" means the caller's.
	Account string
	Context Context
}

// Decision is the outcome.
type Decision string

// The decisions, spelled as the policy simulator's.
const (
	Allowed      Decision = "allowed"
	ExplicitDeny Decision = "explicitDeny"
	ImplicitDeny Decision = "implicitDeny"
)

// Part is the role of a policy in a decision, in the words of AWS's refusals.
type Part string

// The parts.
const (
	IdentityPart Part = "identity-based policy"
	ResourcePart Part = "resource-based policy"
	BoundaryPart Part = "permissions boundary"
	SessionPart  Part = "session policy"
	TrustPart    Part = "role trust policy"
	EndpointPart Part = "VPC endpoint policy"
)

// Result is a decision and what made it.
type Result struct {
	Decision Decision
	// Part is the kind of policy that denied, or that failed to allow, or that
	// allowed.
	Part Part
	// Policy and Statement name the deciding statement (index in its document);
	// Policy is "" for an implicit deny and for root's full access.
	Policy    string
	Statement int
	Sid       string
}

// Reason is AWS's clause for a denial of the action.
func (r Result) Reason(action string) string {
	if r.Decision == ExplicitDeny {
		article := "an"
		switch r.Part {
		case ResourcePart, BoundaryPart, SessionPart, EndpointPart:
			article = "a"
		case TrustPart:
			article = "the"
		}
		return "with an explicit deny in " + article + " " + string(r.Part)
	}
	return "no " + string(r.Part) + " allows the " + action + " action"
}

// Evaluate decides req under the policies of set.
func Evaluate(req Request, set Set) Result {
	if r, denied := set.deny(req); denied {
		return r
	}
	if set.Endpoint != nil && !set.Endpoint.admits(req) {
		return set.missing(EndpointPart)
	}
	resource, named := set.resourceGrant(req)
	cross := req.Account != "" && req.Account != req.Principal.Account
	switch {
	case req.Principal.Type == aws.PrincipalService || req.Principal.Type == aws.PrincipalAnonymous || req.Principal.Type == aws.PrincipalWebIdentity:
		if named == notNamed {
			return set.missing(set.resourcePart())
		}
		return resource
	case (cross || set.Trust) && named == notNamed:
		return set.missing(set.resourcePart())
	case !cross && named == byIdentity:
		return resource
	case !cross && named == byRole:
		return set.limited(req, resource)
	}
	own, ok := set.identityGrant(req)
	if !ok {
		return set.missing(IdentityPart)
	}
	return set.limited(req, own)
}

func (set Set) resourcePart() Part {
	if set.Trust {
		return TrustPart
	}
	return ResourcePart
}

func (set Set) missing(p Part) Result {
	return Result{Decision: ImplicitDeny, Part: p, Statement: -1}
}

// deny finds an explicit deny in any policy.
func (set Set) deny(req Request) (Result, bool) {
	for _, group := range set.groups() {
		for _, src := range group.sources {
			for i := range src.Document.Statements {
				s := &src.Document.Statements[i]
				if s.Effect == Deny && s.matches(req) && s.denies(req) {
					return Result{ExplicitDeny, group.part, src.Name, i, s.Sid}, true
				}
			}
		}
	}
	return Result{}, false
}

type group struct {
	part    Part
	sources []Source
}

func (set Set) groups() []group {
	groups := []group{{IdentityPart, set.Identity}, {SessionPart, set.Session}}
	if set.Resource != nil {
		groups = append(groups, group{set.resourcePart(), []Source{*set.Resource}})
	}
	if set.Boundary != nil {
		groups = append(groups, group{BoundaryPart, []Source{*set.Boundary}})
	}
	if set.Endpoint != nil {
		groups = append(groups, group{EndpointPart, []Source{*set.Endpoint}})
	}
	return groups
}

// denies reports whether a deny statement is meant for the caller.
func (s *Statement) denies(req Request) bool {
	if len(s.NotPrincipals) > 0 {
		return !exempts(s.NotPrincipals, req.Principal)
	}
	return len(s.Principals) == 0 || name(s.Principals, req.Principal) != notNamed
}

// resourceGrant returns the resource policy's closest allow.
func (set Set) resourceGrant(req Request) (Result, naming) {
	best, res := notNamed, Result{}
	if set.Resource == nil {
		return res, best
	}
	for i := range set.Resource.Document.Statements {
		s := &set.Resource.Document.Statements[i]
		if s.Effect != Allow || !s.matches(req) {
			continue
		}
		if n := name(s.Principals, req.Principal); n > best {
			best = n
			res = Result{Allowed, set.resourcePart(), set.Resource.Name, i, s.Sid}
		}
	}
	return res, best
}

// admits reports whether a policy that limits, and grants nothing, allows the request.
func (src Source) admits(req Request) bool {
	for i := range src.Document.Statements {
		if s := &src.Document.Statements[i]; s.Effect == Allow && s.matches(req) && name(s.Principals, req.Principal) != notNamed {
			return true
		}
	}
	return false
}

func (set Set) identityGrant(req Request) (Result, bool) {
	if req.Principal.Type == aws.PrincipalRoot {
		return Result{Decision: Allowed, Part: IdentityPart, Statement: -1}, true
	}
	return allow(IdentityPart, set.Identity, req)
}

// limited returns granted unless the boundary or the session policies leave the
// action out.
func (set Set) limited(req Request, granted Result) Result {
	if set.Boundary != nil {
		if _, ok := allow(BoundaryPart, []Source{*set.Boundary}, req); !ok {
			return set.missing(BoundaryPart)
		}
	}
	if len(set.Session) > 0 {
		if _, ok := allow(SessionPart, set.Session, req); !ok {
			return set.missing(SessionPart)
		}
	}
	return granted
}

func allow(part Part, sources []Source, req Request) (Result, bool) {
	for _, src := range sources {
		for i := range src.Document.Statements {
			if s := &src.Document.Statements[i]; s.Effect == Allow && s.matches(req) {
				return Result{Allowed, part, src.Name, i, s.Sid}, true
			}
		}
	}
	return Result{}, false
}

// matches reports whether s speaks about the request, its principals aside.
func (s *Statement) matches(req Request) bool {
	return s.matchesAction(req.Action) && s.matchesResource(req) && s.matchesConditions(req.Context)
}

func (s *Statement) matchesAction(action string) bool {
	for _, a := range s.Actions {
		if matchAction(a, action) {
			return true
		}
	}
	for _, a := range s.NotActions {
		if matchAction(a, action) {
			return false
		}
	}
	return len(s.NotActions) > 0
}

func (s *Statement) matchesResource(req Request) bool {
	if len(s.Resources) == 0 && len(s.NotResources) == 0 {
		return true // a trust policy speaks about its role
	}
	var vars lookup
	if s.variables {
		vars = req.Context.single
	}
	for _, r := range s.Resources {
		if p, ok := compile(r, true, vars); ok && p.matchResource(req.Resource) {
			return true
		}
	}
	for _, r := range s.NotResources {
		p, ok := compile(r, true, vars)
		if !ok && s.Effect == Allow {
			return false // an exception that cannot be understood grants nothing
		}
		if ok && p.matchResource(req.Resource) {
			return false
		}
	}
	return len(s.NotResources) > 0
}

func (s *Statement) matchesConditions(ctx Context) bool {
	for i := range s.Conditions {
		if !s.Conditions[i].holds(ctx, s.Effect, s.variables) {
			return false
		}
	}
	return true
}
