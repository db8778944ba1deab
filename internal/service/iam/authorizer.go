package iam

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

var _ wire.Authorizer = (*Service)(nil)

// Recorder is told of every decision about a caller. It must not wait for anything.
type Recorder interface {
	Allowed(call aws.Call, c aws.Check)
	// Refused is also told of what serve --iam audit lets pass: enforced is false
	// then.
	Refused(call aws.Call, j policy.Judgement, enforced bool)
}

// Authorize implements wire.Authorizer: it reads the policies of ctx's caller as
// they are now and evaluates the check under them. Assuming a role is judged by
// the role's trust policy, which Authorize reads itself.
func (s *Service) Authorize(ctx context.Context, c aws.Check) error {
	call := aws.CallFrom(ctx)
	if mayNot(call) {
		return refused(sigv4.InvalidToken, call.Principal.AccessKeyID)
	}
	who, err := s.knownCaller(ctx, call.Principal)
	if err != nil {
		return err
	}
	req, set, err := s.question(ctx, call, who, c)
	if err == nil {
		err = s.throughEndpoint(call, &set)
	}
	if err != nil {
		return err
	}
	if policy.Evaluate(req, set).Decision == policy.Allowed {
		s.recorder.Allowed(call, c)
		return nil
	}
	explain, err := s.mayReadPolicies(ctx, call, who)
	if err != nil {
		return err
	}
	return s.refuse(ctx, policy.Explain(req, set), explain)
}

// throughEndpoint adds the policy of the VPC endpoint that the call came by.
func (s *Service) throughEndpoint(call aws.Call, set *policy.Set) error {
	e := gatewayOf(call)
	if e == nil {
		return nil
	}
	doc, err := s.documents.parse(e.Policy, policy.Resource)
	set.Endpoint = &policy.Source{Name: e.ID, Document: doc}
	return err
}

// knownCaller is identityOf, kept until something changes.
func (s *Service) knownCaller(ctx context.Context, p aws.Principal) (caller, error) {
	id := identityID(p)
	who, found, generation := s.known.caller(id)
	if found {
		return who, nil
	}
	who, err := view(ctx, s, func(tx *store.Tx) (caller, error) { return s.identityOf(tx, p) })
	if err == nil && who.entity != nil {
		s.known.keepCaller(generation, id, who)
	}
	return who, err
}

// refuse records a refusal and returns it, or lets it pass where nothing is
// enforced.
func (s *Service) refuse(ctx context.Context, j policy.Judgement, explain bool) error {
	call := aws.CallFrom(ctx)
	pass := s.auditOnly && call.Principal.Type != aws.PrincipalAnonymous
	s.recorder.Refused(call, j, !pass)
	denied := &aws.Denied{Principal: call.Principal.ARN, Action: j.Request.Action, Resource: j.Request.Resource,
		Reason: j.Result.Reason(j.Request.Action), Explicit: j.Result.Decision == policy.ExplicitDeny}
	if pass {
		s.log.WarnContext(ctx, "would be denied", slog.String("reason", denied.Error()), slog.String("policy", j.Result.Policy))
		return nil
	}
	if explain {
		denied.Explanation = j.Sentence()
	}
	if call.Service == "ec2" {
		var err error
		if denied.Encoded, err = s.encodeDenial(j); err != nil {
			return err
		}
	}
	return denied
}

// question is what the policies are asked, and the policies.
func (s *Service) question(ctx context.Context, call aws.Call, who caller, c aws.Check) (policy.Request, policy.Set, error) {
	set, account, err := s.policySet(ctx, call.Principal, who, c)
	if err == nil {
		err = s.DescribeRole(ctx, &c)
	}
	return policy.Request{Principal: call.Principal, Action: c.Action, Resource: c.Resource,
		Account: account, Context: s.conditionKeys(call, who, c, account)}, set, err
}

// mayReadPolicies reports whether the caller may simulate its own policies: then a
// refusal may say which of them decided.
func (s *Service) mayReadPolicies(ctx context.Context, call aws.Call, who caller) (bool, error) {
	if call.Principal.Type == aws.PrincipalAnonymous || call.Principal.Type == aws.PrincipalService {
		return false, nil
	}
	identity := call.Principal.ARN
	if call.Principal.RoleARN != "" {
		identity = call.Principal.RoleARN
	}
	req, set, err := s.question(ctx, call, who, aws.Check{Action: "iam:SimulatePrincipalPolicy", Resource: identity})
	return err == nil && policy.Evaluate(req, set).Decision == policy.Allowed, err
}

// Explain decides what the identity would be allowed: a user, a role, a session of
// a role or the account's root. Condition keys beyond those of every request are
// those of c.
func (s *Service) Explain(ctx context.Context, identity string, c aws.Check) (policy.Judgement, error) {
	var p aws.Principal
	who, err := view(ctx, s, func(tx *store.Tx) (who caller, err error) {
		p, who, err = s.principalNamed(tx, identity)
		return who, err
	})
	if err != nil {
		return policy.Judgement{}, err
	}
	call := aws.CallFrom(ctx)
	req, set, err := s.question(ctx, aws.Call{Principal: p, Account: p.Account, Region: call.Region, SourceIP: call.SourceIP, Secure: true}, who, c)
	return policy.Explain(req, set), err
}

// principalNamed is the principal that an ARN names, as if it called.
func (s *Service) principalNamed(tx *store.Tx, identity string) (aws.Principal, caller, error) {
	a, err := arn.Parse(identity)
	if err != nil {
		return aws.Principal{}, caller{}, invalidInput("Invalid Entity Arn: %s does not clearly define entity type and name.", identity)
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	session := "explained"
	if kind == "assumed-role" {
		kind, session = roleKind, arn.Name(identity)
		rest, _, _ = strings.Cut(rest, "/")
	}
	switch {
	case a.Service == "iam" && a.Resource == "root":
		return Root(a.Account), caller{account: a.Account}, nil
	case kind != userKind && kind != roleKind:
		return aws.Principal{}, caller{}, invalidInput("Invalid Entity Arn: %s does not clearly define entity type and name.", identity)
	}
	e, err := getEntity(tx, a.Account, kind, arn.Name(rest))
	if err != nil {
		return aws.Principal{}, caller{}, err
	}
	p := aws.Principal{Type: aws.PrincipalUser, Account: a.Account, ARN: e.arn(a.Account), UniqueID: e.ID}
	if kind == roleKind {
		p = aws.Principal{Type: aws.PrincipalAssumedRole, Account: a.Account, RoleARN: e.arn(a.Account), SessionName: session,
			ARN: "arn:aws:sts::" + a.Account + ":assumed-role/" + e.Name + "/" + session, UniqueID: e.ID + ":" + session}
	}
	who, err := s.identityOf(tx, p)
	return p, who, err
}

// caller is the identity behind a call with everything that decides about it.
type caller struct {
	entity  *entity // nil for root, services, anonymous, and identities that are gone
	account string
	groups  []*entity
	// policies are those of the identity, of its groups, and its boundary.
	policies policy.Set
}

func (s *Service) identityOf(tx *store.Tx, p aws.Principal) (caller, error) {
	if p.Type != aws.PrincipalUser && p.Type != aws.PrincipalAssumedRole && p.Type != aws.PrincipalFederated {
		return caller{}, nil
	}
	e, key, err := entityByID(tx, identityID(p))
	if err != nil || e == nil {
		return caller{}, err
	}
	who := caller{entity: e, account: key.Account}
	if who.groups, err = groupsOfUser(tx, e); err != nil {
		return caller{}, err
	}
	return who, s.addIdentity(tx, who, &who.policies)
}

// policySet gathers every policy that bears on the check, and the account that
// owns the resource.
func (s *Service) policySet(ctx context.Context, p aws.Principal, who caller, c aws.Check) (policy.Set, string, error) {
	set := who.policies
	account := ownerOf(c)
	for _, text := range p.SessionPolicies {
		if err := s.addSource(&set.Session, "session", text); err != nil {
			return set, account, err
		}
	}
	if p.Type == aws.PrincipalFederated {
		federated(p, &set)
	}
	trust, owner, err := s.trustFor(ctx, c)
	switch {
	case err != nil:
		return set, account, err
	case owner != "":
		set.Trust, account, set.Resource = true, owner, trust
	case c.ResourcePolicy != "" && !rootsOwn(p, c):
		doc, err := s.documents.parse(c.ResourcePolicy, policy.Resource)
		if err != nil {
			return set, account, err
		}
		set.Resource = &policy.Source{Name: c.Resource, Document: doc}
	}
	return set, account, nil
}

// federated is the rule of GetFederationToken: without session policies there are no
// permissions, and whom root has made is limited by them alone.
func federated(p aws.Principal, set *policy.Set) {
	if len(set.Session) == 0 {
		set.Session = []policy.Source{{Name: "session", Document: &policy.Document{}}}
	}
	if p.Issuer == "" {
		set.Identity = set.Session
	}
}

// ownerOf returns the account whose resource the check is about: what the service
// says, else what the resource's name says. A role of another account is foreign
// whichever service is handed it: without this, iam:PassRole on it would be judged
// by the policies of the caller alone.
func ownerOf(c aws.Check) string {
	if c.ResourceAccount != "" {
		return c.ResourceAccount
	}
	if a, err := arn.Parse(c.Resource); err == nil && accountForm.MatchString(a.Account) {
		return a.Account
	}
	return ""
}

// rootsOwn tells the calls by which an account's root user gets back a bucket
// that a bucket policy has locked: no bucket policy binds them.
func rootsOwn(p aws.Principal, c aws.Check) bool {
	return p.Type == aws.PrincipalRoot && (c.ResourceAccount == "" || c.ResourceAccount == p.Account) &&
		(c.Action == "s3:GetBucketPolicy" || c.Action == "s3:PutBucketPolicy" || c.Action == "s3:DeleteBucketPolicy")
}

// trustFor returns the trust policy when the check is to assume a role; owner is
// "" for every other check. A role that does not exist trusts nobody.
func (s *Service) trustFor(ctx context.Context, c aws.Check) (trust *policy.Source, owner string, err error) {
	switch c.Action {
	case "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity":
	default:
		return nil, "", nil
	}
	a, err := arn.Parse(c.Resource)
	if err != nil || !strings.HasPrefix(a.Resource, "role/") {
		return nil, "", nil //nolint:nilerr // not a role: an ordinary check
	}
	e, err := view(ctx, s, func(tx *store.Tx) (*entity, error) { return getEntity(tx, a.Account, roleKind, arn.Name(c.Resource)) })
	if err != nil || e.arn(a.Account) != c.Resource {
		return nil, a.Account, nil //nolint:nilerr // whoever asks learns only that it is denied
	}
	doc, err := s.effectiveTrust(e)
	return &policy.Source{Name: "trust", Document: doc}, a.Account, err
}

// addIdentity adds the policies of the identity, its groups and its boundary.
func (s *Service) addIdentity(tx *store.Tx, who caller, set *policy.Set) error {
	for _, e := range append([]*entity{who.entity}, who.groups...) {
		for _, name := range slices.Sorted(maps.Keys(e.Inline)) {
			if err := s.addSource(&set.Identity, name, e.Inline[name]); err != nil {
				return err
			}
		}
		for _, a := range e.Attached {
			if err := s.addManaged(tx, who.account, a, &set.Identity); err != nil {
				return err
			}
		}
	}
	if b := who.entity.Boundary; b != "" {
		var sources []policy.Source
		if err := s.addManaged(tx, who.account, b, &sources); err != nil {
			return err
		}
		if len(sources) == 0 { // cannot be deleted while in use; if it is gone, it allows nothing
			sources = []policy.Source{{Name: b, Document: &policy.Document{}}}
		}
		set.Boundary = &sources[0]
	}
	return nil
}

func (s *Service) addManaged(tx *store.Tx, account, policyARN string, to *[]policy.Source) error {
	m, err := findPolicy(tx, account, policyARN)
	if err != nil || m == nil {
		return err
	}
	return s.addSource(to, policyARN, m.document())
}

func (s *Service) addSource(to *[]policy.Source, name, text string) error {
	doc, err := s.documents.parse(text, policy.Identity)
	if err != nil {
		return err
	}
	*to = append(*to, policy.Source{Name: name, Document: doc})
	return nil
}
