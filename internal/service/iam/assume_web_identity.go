package iam

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/service/iam/webidentity"
	"github.com/hardstand/hardstand/internal/store"
)

// AssumeWithWebIdentity makes a session of a role for the owner of a token. The
// token's issuer must be a provider of the role's account, and the role's trust
// policy must admit what the token claims.
func (s *Service) AssumeWithWebIdentity(ctx context.Context, req aws.WebIdentityRequest) (aws.WebIdentitySession, error) {
	var out aws.WebIdentitySession
	a, err := arn.Parse(req.RoleARN)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return out, validation("%s is invalid", req.RoleARN)
	}
	provider, err := s.issuerOfToken(ctx, a.Account, req.Token)
	if err != nil {
		return out, s.tokenError(ctx, err)
	}
	claims, err := webidentity.Verifier{Clock: s.clock}.Verify(ctx, req.Token, webidentity.Provider{
		Issuer: provider.Issuer, ClientIDs: provider.ClientIDs, Thumbprints: provider.Thumbprints})
	if err != nil {
		return out, s.tokenError(ctx, err)
	}
	req.Tags, req.TransitiveTags, req.SourceIdentity = claims.Tags, claims.TransitiveTags, claims.SourceIdentity
	role, err := s.roleForWebIdentity(ctx, a.Account, provider, claims, req.SessionRequest)
	if err != nil {
		return out, err
	}
	if err := checkDuration(aws.Principal{}, role, req.Duration); err != nil {
		return out, err
	}
	out.Subject, out.Audience, out.Issuer = claims.Subject, claims.Audience, provider.arn(a.Account)
	out.Session, err = s.openSession(ctx, role, a.Account, req.SessionRequest, provider.arn(a.Account))
	return out, err
}

// issuerOfToken finds the provider that a token says it is from.
func (s *Service) issuerOfToken(ctx context.Context, account, token string) (*oidcProvider, error) {
	issuer, err := webidentity.Issuer(token)
	if err != nil {
		return nil, err
	}
	_, name, _ := strings.Cut(strings.TrimSuffix(issuer, "/"), "://")
	p, err := view(ctx, s, func(tx *store.Tx) (*oidcProvider, error) { return oidcProviders.Get(tx, oidcKey(account, name)) })
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Issuer != strings.TrimSuffix(issuer, "/") {
		return nil, &webidentity.Refusal{Kind: webidentity.Invalid, Message: "No OpenIDConnect provider found in your account for " + issuer}
	}
	return p, err
}

// tokenError turns a refused token into STS's error; the cause goes to the log.
func (s *Service) tokenError(ctx context.Context, err error) error {
	var bad *webidentity.Refusal
	if !errors.As(err, &bad) {
		return err
	}
	if bad.Cause != nil {
		s.log.WarnContext(ctx, "token refused", slog.String("reason", bad.Message), slog.String("cause", bad.Cause.Error()))
	}
	switch bad.Kind {
	case webidentity.Expired:
		return awserr.New("ExpiredTokenException", "%s", bad.Message)
	case webidentity.Claim:
		return awserr.Status(http.StatusForbidden, "IDPRejectedClaim", "%s", bad.Message)
	}
	return awserr.New("InvalidIdentityToken", "%s", bad.Message)
}

// roleForWebIdentity returns the role when its trust policy admits the token. One
// that does not exist trusts nobody, in the same words.
func (s *Service) roleForWebIdentity(ctx context.Context, account string, p *oidcProvider, claims webidentity.Claims, req aws.SessionRequest) (*entity, error) {
	refuse := func(action string) error {
		return awserr.Status(http.StatusForbidden, "AccessDenied", "Not authorized to perform %s", action)
	}
	const action = "sts:AssumeRoleWithWebIdentity"
	role, _, err := s.role(ctx, req.RoleARN)
	if awserr.Is(err, "NoSuchEntity") {
		return nil, refuse(action)
	}
	if err != nil {
		return nil, err
	}
	trust, err := s.effectiveTrust(role)
	if err != nil {
		return nil, err
	}
	needed := []string{action}
	if len(req.Tags) > 0 {
		needed = append(needed, "sts:TagSession")
	}
	if req.SourceIdentity != "" {
		needed = append(needed, "sts:SetSourceIdentity")
	}
	keys := s.webIdentityKeys(ctx, account, p, claims, req)
	for _, a := range needed {
		res := policy.Evaluate(policy.Request{Principal: aws.Principal{Type: aws.PrincipalWebIdentity, Account: account, Provider: p.arn(account)},
			Action: a, Resource: req.RoleARN, Account: account, Context: keys}, policy.Set{Resource: &policy.Source{Name: "trust", Document: trust}, Trust: true})
		if res.Decision != policy.Allowed {
			return nil, refuse(a)
		}
	}
	return role, nil
}

// webIdentityKeys are the condition keys of a token: its claims under the issuer's
// name, and those of any request.
func (s *Service) webIdentityKeys(ctx context.Context, account string, p *oidcProvider, claims webidentity.Claims, req aws.SessionRequest) policy.Context {
	call := aws.CallFrom(ctx)
	own := map[string][]string{"sts:RoleSessionName": {req.Name}}
	for name, texts := range claims.Texts {
		own[p.name()+":"+name] = texts
	}
	own[p.name()+":aud"] = []string{claims.Audience}
	own[p.name()+":oaud"] = claims.All
	own[p.name()+":sub"] = []string{claims.Subject}
	own["aws:FederatedProvider"] = []string{p.arn(account)}
	if req.SourceIdentity != "" {
		own["sts:SourceIdentity"] = []string{req.SourceIdentity}
	}
	for key, value := range req.Tags {
		own["aws:RequestTag/"+key] = []string{value}
		own["aws:TagKeys"] = append(own["aws:TagKeys"], key)
	}
	if len(req.TransitiveTags) > 0 {
		own["sts:TransitiveTagKeys"] = req.TransitiveTags
	}
	return s.conditionKeys(call, caller{}, aws.Check{Context: own}, call.Account)
}
