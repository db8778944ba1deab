package sts

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// AssumeRoleWithWebIdentity gives credentials of a role for an issuer's token.
func (s *Service) AssumeRoleWithWebIdentity(ctx context.Context, in *api.AssumeRoleWithWebIdentityInput) (*api.AssumeRoleWithWebIdentityOutput, error) {
	if in.ProviderId != nil {
		return nil, awserr.New("ValidationError", "ProviderId is for OAuth 2.0 access tokens, which hardstand does not take.")
	}
	req := aws.WebIdentityRequest{Token: *in.WebIdentityToken,
		SessionRequest: sessionRequest(in.RoleArn, in.RoleSessionName, in.DurationSeconds, in.Policy, in.PolicyArns)}
	session, err := s.sessions.AssumeWithWebIdentity(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &api.AssumeRoleWithWebIdentityOutput{Credentials: credentials(session.Session), SubjectFromWebIdentityToken: aws.Ptr(session.Subject),
		Audience: aws.Ptr(session.Audience), Provider: aws.Ptr(session.Issuer), PackedPolicySize: packed(session.Session),
		AssumedRoleUser: &api.AssumedRoleUser{Arn: aws.Ptr(session.Principal.ARN), AssumedRoleId: aws.Ptr(session.Principal.UniqueID)}}
	if id := session.Principal.SourceIdentity; id != "" {
		out.SourceIdentity = &id
	}
	return out, nil
}
