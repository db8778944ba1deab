package sts

import (
	"context"
	"net/http"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// GetCallerIdentity tells the caller who it is.
func (s *Service) GetCallerIdentity(ctx context.Context, _ *api.GetCallerIdentityInput) (*api.GetCallerIdentityOutput, error) {
	p := aws.CallFrom(ctx).Principal
	return &api.GetCallerIdentityOutput{Account: aws.Ptr(p.Account), Arn: aws.Ptr(p.ARN), UserId: aws.Ptr(p.UniqueID)}, nil
}

// GetAccessKeyInfo tells which account a key belongs to.
func (s *Service) GetAccessKeyInfo(ctx context.Context, in *api.GetAccessKeyInfoInput) (*api.GetAccessKeyInfoOutput, error) {
	account, err := s.sessions.KeyAccount(ctx, *in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	return &api.GetAccessKeyInfoOutput{Account: aws.Ptr(account)}, nil
}

// The life of GetSessionToken's credentials.
const (
	userSession    = 12 * time.Hour
	maxRootSession = time.Hour
)

// GetSessionToken gives temporary credentials of the caller itself.
func (s *Service) GetSessionToken(ctx context.Context, in *api.GetSessionTokenInput) (*api.GetSessionTokenOutput, error) {
	p := aws.CallFrom(ctx).Principal
	switch {
	case in.SerialNumber != nil || in.TokenCode != nil:
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	case !p.ExpiresAt.IsZero():
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	}
	duration := userSession
	if in.DurationSeconds != nil {
		duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	if p.Type == aws.PrincipalRoot {
		duration = min(duration, maxRootSession)
	}
	session, err := s.sessions.SelfSession(ctx, duration)
	if err != nil {
		return nil, err
	}
	return &api.GetSessionTokenOutput{Credentials: credentials(session)}, nil
}
