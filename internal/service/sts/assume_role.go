package sts

import (
	"context"
	"net/http"
	"strings"
	"time"

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
	if aws.CallFrom(ctx).Principal.Type == aws.PrincipalRoot {
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "Roles may not be assumed by root accounts.")
	}
	keys := map[string][]string{"sts:RoleSessionName": {*in.RoleSessionName}}
	if in.ExternalId != nil {
		keys["sts:ExternalId"] = []string{*in.ExternalId}
	}
	for _, t := range in.Tags {
		keys["aws:RequestTag/"+aws.Val(t.Key)] = []string{aws.Val(t.Value)}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], aws.Val(t.Key))
	}
	checks := []aws.Check{{Action: "sts:AssumeRole", Resource: *in.RoleArn, ResourceAccount: a.Account, Context: keys}}
	if len(in.Tags) > 0 {
		checks = append(checks, aws.Check{Action: "sts:TagSession", Resource: *in.RoleArn, ResourceAccount: a.Account, Context: keys})
	}
	return checks, nil
}

// AssumeRole gives credentials of a role.
func (s *Service) AssumeRole(ctx context.Context, in *api.AssumeRoleInput) (*api.AssumeRoleOutput, error) {
	switch {
	case in.SerialNumber != nil || in.TokenCode != nil:
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	case in.SourceIdentity != nil, len(in.ProvidedContexts) > 0, len(in.TransitiveTagKeys) > 0:
		return nil, awserr.Status(http.StatusNotImplemented, "NotImplemented",
			"hardstand does not implement SourceIdentity, ProvidedContexts and TransitiveTagKeys of sts:AssumeRole.")
	}
	req := aws.SessionRequest{RoleARN: *in.RoleArn, Name: *in.RoleSessionName, Duration: time.Hour}
	if in.DurationSeconds != nil {
		req.Duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	if in.Policy != nil {
		req.Policies = []string{*in.Policy}
	}
	for _, p := range in.PolicyArns {
		req.PolicyARNs = append(req.PolicyARNs, aws.Val(p.Arn))
	}
	for _, t := range in.Tags {
		if req.Tags == nil {
			req.Tags = map[string]string{}
		}
		req.Tags[aws.Val(t.Key)] = aws.Val(t.Value)
	}
	session, err := s.sessions.Assume(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &api.AssumeRoleOutput{Credentials: credentials(session),
		AssumedRoleUser: &api.AssumedRoleUser{Arn: aws.Ptr(session.Principal.ARN), AssumedRoleId: aws.Ptr(session.Principal.UniqueID)}}
	if session.PackedSize > 0 {
		out.PackedPolicySize = aws.Ptr(session.PackedSize)
	}
	return out, nil
}
