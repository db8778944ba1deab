package sts

import (
	"context"
	"net/http"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// federationChecks asks for sts:GetFederationToken on the federated user, and for
// sts:TagSession where tags are passed.
func federationChecks(ctx context.Context, in *api.GetFederationTokenInput) ([]aws.Check, error) {
	p := aws.CallFrom(ctx).Principal
	if !p.ExpiresAt.IsZero() {
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "Cannot call GetFederationToken with session credentials")
	}
	keys := tagKeys(map[string][]string{}, in.Tags)
	user := arn.New("sts", "", p.Account, "federated-user/"+*in.Name)
	checks := []aws.Check{{Resource: user, Context: keys}}
	if len(in.Tags) > 0 {
		checks = append(checks, aws.Check{Action: "sts:TagSession", Resource: user, Context: keys})
	}
	return checks, nil
}

// GetFederationToken gives credentials of a federated user, who may do what the
// caller may and the policies passed allow.
func (s *Service) GetFederationToken(ctx context.Context, in *api.GetFederationTokenInput) (*api.GetFederationTokenOutput, error) {
	req := sessionRequest(nil, in.Name, in.DurationSeconds, in.Policy, in.PolicyArns)
	if in.DurationSeconds == nil {
		req.Duration = userSession
	}
	if aws.CallFrom(ctx).Principal.Type == aws.PrincipalRoot {
		req.Duration = min(req.Duration, maxRootSession)
	}
	var err error
	if req.Tags, err = sessionTags(in.Tags); err != nil {
		return nil, err
	}
	session, err := s.sessions.FederatedSession(ctx, req)
	if err != nil {
		return nil, err
	}
	return &api.GetFederationTokenOutput{Credentials: credentials(session), PackedPolicySize: aws.Ptr(session.PackedSize),
		FederatedUser: &api.FederatedUser{Arn: aws.Ptr(session.Principal.ARN), FederatedUserId: aws.Ptr(session.Principal.UniqueID)}}, nil
}

// sessionRequest collects what the operations that make sessions have in common.
func sessionRequest(role, name *string, seconds *int32, policy *string, arns []api.PolicyDescriptorType) aws.SessionRequest {
	req := aws.SessionRequest{RoleARN: aws.Val(role), Name: aws.Val(name), Duration: time.Hour}
	if seconds != nil {
		req.Duration = time.Duration(*seconds) * time.Second
	}
	if policy != nil {
		req.Policies = []string{*policy}
	}
	for _, p := range arns {
		req.PolicyARNs = append(req.PolicyARNs, aws.Val(p.Arn))
	}
	return req
}

func packed(session aws.Session) *int32 {
	if session.PackedSize == 0 {
		return nil
	}
	return aws.Ptr(session.PackedSize)
}
