package iam

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// sealedSession is what a session token holds. It is sealed for the key id it was
// handed out with, so that a token does not fit another key.
type sealedSession struct {
	Secret    string        `json:"secret"`
	Principal aws.Principal `json:"principal"`
}

// sessionTable names the seal of session tokens.
const sessionTable = "iam.session"

// issue makes the credentials of a session.
func (s *Service) issue(p aws.Principal, duration time.Duration) (aws.Session, error) {
	now := s.clock.Now().UTC().Truncate(time.Second)
	p.IssuedAt, p.ExpiresAt = now, now.Add(duration)
	id, secret := ids.AccessKey("ASIA"), newSecret()
	plain, err := json.Marshal(sealedSession{secret, p})
	if err != nil {
		return aws.Session{}, err
	}
	sealed, err := s.sealer.Seal(sessionTable, id, plain)
	if err != nil {
		return aws.Session{}, err
	}
	p.AccessKeyID = id
	return aws.Session{AccessKeyID: id, SecretAccessKey: secret, Token: base64.StdEncoding.EncodeToString(sealed), Expires: p.ExpiresAt, Principal: p}, nil
}

// Assume makes a session of a role for a caller whom the role's trust policy has
// been found to admit: sts authorizes first. It refuses what AWS refuses of the
// request itself.
func (s *Service) Assume(ctx context.Context, req aws.SessionRequest) (aws.Session, error) {
	role, account, err := s.role(ctx, req.RoleARN)
	if err != nil {
		return aws.Session{}, err
	}
	caller := aws.CallFrom(ctx).Principal
	if err := checkDuration(caller, role, req.Duration); err != nil {
		return aws.Session{}, err
	}
	return s.openSession(ctx, role, account, chained(req, caller), "")
}

// openSession checks the policies of a session and issues it.
func (s *Service) openSession(ctx context.Context, role *entity, account string, req aws.SessionRequest, provider string) (aws.Session, error) {
	documents, packed, err := s.sessionPolicies(ctx, account, req)
	if err != nil {
		return aws.Session{}, err
	}
	p := sessionOf(role, account, req, documents)
	p.Provider = provider
	session, err := s.issue(p, req.Duration)
	session.PackedSize = packed
	return session, err
}

// chained adds to a request what the caller's own session hands on.
func chained(req aws.SessionRequest, caller aws.Principal) aws.SessionRequest {
	if caller.SourceIdentity != "" {
		req.SourceIdentity = caller.SourceIdentity
	}
	if len(caller.TransitiveTags) == 0 {
		return req
	}
	tags := maps.Clone(req.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	for _, key := range caller.TransitiveTags {
		tags[key] = caller.SessionTags[key]
	}
	req.Tags = tags
	req.TransitiveTags = append(slices.Clone(req.TransitiveTags), caller.TransitiveTags...)
	return req
}

func sessionOf(role *entity, account string, req aws.SessionRequest, documents []string) aws.Principal {
	return aws.Principal{Type: aws.PrincipalAssumedRole, Account: account,
		ARN:      "arn:aws:sts::" + account + ":assumed-role/" + role.Name + "/" + req.Name,
		UniqueID: role.ID + ":" + req.Name, RoleARN: role.arn(account), SessionName: req.Name,
		SessionPolicies: documents, SessionTags: req.Tags, TransitiveTags: req.TransitiveTags, SourceIdentity: req.SourceIdentity,
		Service: req.Service, InstanceID: req.InstanceID, Instance: req.Instance}
}

// role finds a role by ARN.
func (s *Service) role(ctx context.Context, roleARN string) (*entity, string, error) {
	a, err := arn.Parse(roleARN)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return nil, "", validation("%s is invalid", roleARN)
	}
	e, err := view(ctx, s, func(tx *store.Tx) (*entity, error) { return getEntity(tx, a.Account, roleKind, arn.Name(roleARN)) })
	if err == nil && e.arn(a.Account) != roleARN {
		err = noEntity(roleKind, arn.Name(roleARN))
	}
	return e, a.Account, err
}

func checkDuration(caller aws.Principal, role *entity, d time.Duration) error {
	if d > time.Duration(role.MaxSession)*time.Second {
		return validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if caller.Type == aws.PrincipalAssumedRole && d > time.Hour {
		return validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return nil
}

// ErrNotAssumable is why a service gets no session of a role: the role is gone or
// its trust policy does not admit the service.
var ErrNotAssumable = errors.New("role cannot be assumed")

// SessionFor assumes a role for a service, given as service principal: the
// metadata service for an instance (ec2.amazonaws.com) and services that act with
// a service role (codedeploy.amazonaws.com). The trust policy must admit the
// service; otherwise the error wraps ErrNotAssumable and says why. A service that
// works for one account gets no role of another: role trust policies name the
// service, which is the same for all accounts.
func (s *Service) SessionFor(ctx context.Context, req aws.SessionRequest) (aws.Session, error) {
	role, account, err := s.role(ctx, req.RoleARN)
	if err != nil {
		return aws.Session{}, fmt.Errorf("%w: %s: %w", ErrNotAssumable, req.RoleARN, err)
	}
	if on := aws.CallFrom(ctx).Account; on != "" && on != account {
		return aws.Session{}, fmt.Errorf("%w: %s belongs to another account than %s", ErrNotAssumable, req.RoleARN, on)
	}
	trust, err := s.effectiveTrust(role)
	if err != nil {
		return aws.Session{}, err
	}
	if !trusts(trust, req, account, aws.CallFrom(ctx).Region) {
		return aws.Session{}, fmt.Errorf("%w: the trust policy of %s does not allow %s to assume it", ErrNotAssumable, req.RoleARN, req.Service)
	}
	return s.issue(sessionOf(role, account, req, nil), req.Duration)
}

// trusts reports whether a trust policy admits the service, by its global name or
// by the one of the region (codedeploy.eu-west-1.amazonaws.com).
func trusts(trust *policy.Document, req aws.SessionRequest, account, region string) bool {
	names := []string{req.Service}
	if label, rest, ok := strings.Cut(req.Service, "."); ok && region != "" {
		names = append(names, label+"."+region+"."+rest)
	}
	source := policy.Source{Name: "trust", Document: trust}
	for _, name := range names {
		res := policy.Evaluate(policy.Request{
			Principal: aws.Principal{Type: aws.PrincipalService, Account: account, Service: name},
			Action:    "sts:AssumeRole", Resource: req.RoleARN, Account: account,
			Context: policy.NewContext(map[string][]string{"aws:SourceAccount": {account},
				"aws:PrincipalIsAWSService": {"true"}, "aws:PrincipalServiceName": {name}}),
		}, policy.Set{Resource: &source, Trust: true})
		if res.Decision == policy.Allowed {
			return true
		}
	}
	return false
}
