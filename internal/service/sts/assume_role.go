package sts

import (
	"context"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// assumeRoleChecks asks for sts:AssumeRole on the role, which its trust policy
// decides, and for sts:TagSession where tags are passed.
func assumeRoleChecks(ctx context.Context, in *api.AssumeRoleInput) ([]aws.Check, error) {
	a, err := arn.Parse(*in.RoleArn)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return nil, awserr.New("ValidationError", "%s is invalid", *in.RoleArn)
	}
	switch aws.CallFrom(ctx).Principal.Type {
	case aws.PrincipalRoot:
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "Roles may not be assumed by root accounts.")
	case aws.PrincipalFederated:
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "Cannot call AssumeRole with federation credentials")
	}
	return checksFor(in, a.Account, aws.CallFrom(ctx).Principal), nil
}

// checksFor names the permissions. What the caller's session hands on, tags and
// source identity, needs them as what is passed.
func checksFor(in *api.AssumeRoleInput, account string, caller aws.Principal) []aws.Check {
	keys := tagKeys(map[string][]string{"sts:RoleSessionName": {*in.RoleSessionName}}, in.Tags)
	if in.ExternalId != nil {
		keys["sts:ExternalId"] = []string{*in.ExternalId}
	}
	if len(in.TransitiveTagKeys) > 0 {
		keys["sts:TransitiveTagKeys"] = in.TransitiveTagKeys
	}
	source := in.SourceIdentity
	if caller.SourceIdentity != "" {
		source = &caller.SourceIdentity
	}
	if source != nil {
		keys["sts:SourceIdentity"] = []string{*source}
	}
	check := func(action string) aws.Check {
		return aws.Check{Action: action, Resource: *in.RoleArn, ResourceAccount: account, Context: keys}
	}
	checks := []aws.Check{check("sts:AssumeRole")}
	if len(in.Tags) > 0 || len(caller.TransitiveTags) > 0 {
		checks = append(checks, check("sts:TagSession"))
	}
	if source != nil {
		checks = append(checks, check("sts:SetSourceIdentity"))
	}
	return checks
}

// AssumeRole gives credentials of a role.
func (s *Service) AssumeRole(ctx context.Context, in *api.AssumeRoleInput) (*api.AssumeRoleOutput, error) {
	switch {
	case in.SerialNumber != nil || in.TokenCode != nil:
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	case len(in.ProvidedContexts) > 0:
		return nil, awserr.Status(http.StatusNotImplemented, "NotImplemented", "hardstand does not implement ProvidedContexts of sts:AssumeRole.")
	}
	caller := aws.CallFrom(ctx).Principal
	if id := caller.SourceIdentity; id != "" && in.SourceIdentity != nil && *in.SourceIdentity != id {
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "The source identity of a session cannot be changed by role chaining.")
	}
	req := sessionRequest(in.RoleArn, in.RoleSessionName, in.DurationSeconds, in.Policy, in.PolicyArns)
	req.TransitiveTags, req.SourceIdentity = in.TransitiveTagKeys, aws.Val(in.SourceIdentity)
	var err error
	if req.Tags, err = sessionTags(in.Tags); err != nil {
		return nil, err
	}
	if err := checkTransitive(caller, req.Tags, req.TransitiveTags); err != nil {
		return nil, err
	}
	session, err := s.sessions.Assume(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &api.AssumeRoleOutput{Credentials: credentials(session), PackedPolicySize: packed(session),
		AssumedRoleUser: &api.AssumedRoleUser{Arn: aws.Ptr(session.Principal.ARN), AssumedRoleId: aws.Ptr(session.Principal.UniqueID)}}
	if id := session.Principal.SourceIdentity; id != "" {
		out.SourceIdentity = &id
	}
	return out, nil
}
