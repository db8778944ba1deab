// Package sts is AWS's Security Token Service: who am I, and temporary
// credentials.
//
// It owns no rows: sessions are sealed into their tokens, and keys and roles
// belong to iam, which it reaches through the Sessions interface. Flow enters
// through Wire's operations only; it imports wire and aws.
package sts

import (
	"context"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/wire"
)

// Sessions makes temporary credentials and knows the identities behind them; iam
// implements it.
type Sessions interface {
	// Assume makes a session of a role for a caller who has been authorized.
	Assume(ctx context.Context, req aws.SessionRequest) (aws.Session, error)
	// SelfSession makes a session of the caller itself.
	SelfSession(ctx context.Context, duration time.Duration) (aws.Session, error)
	// FederatedSession makes a session of a federated user of the caller's.
	FederatedSession(ctx context.Context, req aws.SessionRequest) (aws.Session, error)
	// AssumeWithWebIdentity judges a token and the role's trust in it, and makes a
	// session of the role.
	AssumeWithWebIdentity(ctx context.Context, req aws.WebIdentityRequest) (aws.WebIdentitySession, error)
	// DecodeDenial opens an encoded denial.
	DecodeDenial(ctx context.Context, encoded string) (string, error)
	// KeyAccount returns the account of an access key.
	KeyAccount(ctx context.Context, keyID string) (string, error)
}

// Service implements STS.
type Service struct{ sessions Sessions }

// New returns the service.
func New(sessions Sessions) *Service { return &Service{sessions} }

// Wire returns the operations for the server.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Operations: []wire.Operation{
		wire.FreeOp("GetCallerIdentity", "everybody may ask who they are, even under an explicit deny", s.GetCallerIdentity),
		wire.FreeOp("GetSessionToken", "AWS asks for no permission", s.GetSessionToken),
		wire.FreeOp("AssumeRoleWithWebIdentity", "the caller has no identity yet: the role's trust policy judges the token", s.AssumeRoleWithWebIdentity),
		wire.Op("GetFederationToken", "sts:GetFederationToken", s.GetFederationToken, federationChecks),
		wire.Op("DecodeAuthorizationMessage", "sts:DecodeAuthorizationMessage", s.DecodeAuthorizationMessage, nil),
		wire.Op("AssumeRole", "sts:AssumeRole", s.AssumeRole, assumeRoleChecks),
		wire.Op("GetAccessKeyInfo", "sts:GetAccessKeyInfo", s.GetAccessKeyInfo, nil),
	}}
}

// credentials writes a session as the API does.
func credentials(session aws.Session) *api.Credentials {
	return &api.Credentials{AccessKeyId: aws.Ptr(session.AccessKeyID), SecretAccessKey: aws.Ptr(session.SecretAccessKey),
		SessionToken: aws.Ptr(session.Token), Expiration: aws.Ptr(session.Expires)}
}
