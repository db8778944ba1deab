package iam

import (
	"context"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// STS's quotas of a session.
const (
	maxSessionPolicy  = 2048 // characters of a policy
	maxSessionARNs    = 10
	maxSessionContent = 2 * maxSessionPolicy // characters of policies, ARNs and tags together
)

// sessionPolicies validates and collects the policies that limit a session. packed is
// how much of what a session may carry they and the tags take, in percent.
func (s *Service) sessionPolicies(ctx context.Context, account string, req aws.SessionRequest) (documents []string, packed int32, err error) {
	documents = append(documents, req.Policies...)
	size := 0
	for _, text := range documents {
		if len(text) > maxSessionPolicy {
			return nil, 0, validation("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", maxSessionPolicy)
		}
		if _, err := policy.Parse(text, policy.Identity); err != nil {
			return nil, 0, malformed(err)
		}
		size += documentSize(text)
	}
	if len(req.PolicyARNs) > maxSessionARNs {
		return nil, 0, validation("A session can have up to %d managed policies.", maxSessionARNs)
	}
	if packed, err = packedSize(size, req); err != nil {
		return nil, 0, err
	}
	return documents, packed, s.db.View(ctx, func(tx *store.Tx) error {
		for _, a := range req.PolicyARNs {
			m, err := findPolicy(tx, account, a)
			if err != nil {
				return err
			}
			if m == nil {
				return validation("The specified managed policy %s does not exist.", a)
			}
			documents = append(documents, m.document())
		}
		return nil
	})
}

func packedSize(size int, req aws.SessionRequest) (int32, error) {
	for _, a := range req.PolicyARNs {
		size += len(a)
	}
	for key, value := range req.Tags {
		size += len(key) + len(value)
	}
	percent := (size*100 + maxSessionContent - 1) / maxSessionContent
	if percent > 100 {
		return 0, awserr.New("PackedPolicyTooLarge", "Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
	}
	return int32(percent), nil
}

// SelfSession makes temporary credentials of the caller, a user or root
// (sts:GetSessionToken).
func (s *Service) SelfSession(ctx context.Context, duration time.Duration) (aws.Session, error) {
	return s.issue(aws.CallFrom(ctx).Principal, duration)
}

// FederatedSession makes temporary credentials of a federated user, who may do what
// both the caller and the session's policies allow (sts:GetFederationToken).
func (s *Service) FederatedSession(ctx context.Context, req aws.SessionRequest) (aws.Session, error) {
	caller := aws.CallFrom(ctx).Principal
	documents, packed, err := s.sessionPolicies(ctx, caller.Account, req)
	if err != nil {
		return aws.Session{}, err
	}
	p := aws.Principal{Type: aws.PrincipalFederated, Account: caller.Account, ARN: federatedARN(caller.Account, req.Name),
		UniqueID: caller.Account + ":" + req.Name, SessionName: req.Name, SessionPolicies: documents, SessionTags: req.Tags}
	if caller.Type == aws.PrincipalUser {
		p.Issuer = caller.UniqueID
	}
	session, err := s.issue(p, req.Duration)
	session.PackedSize = packed
	return session, err
}

func federatedARN(account, name string) string {
	return arn.New("sts", "", account, "federated-user/"+name)
}

// identityID is the unique id of the user or role behind a principal, "" when there
// is none: root.
func identityID(p aws.Principal) string {
	if p.Type == aws.PrincipalFederated {
		return p.Issuer
	}
	id, _, _ := strings.Cut(p.UniqueID, ":")
	return id
}

// mayNot tells the credentials that AWS keeps from IAM: those that a user got
// without a second factor.
func mayNot(call aws.Call) bool {
	p := call.Principal
	return call.Service == "iam" && len(call.Via) == 0 && !p.ExpiresAt.IsZero() &&
		(p.Type == aws.PrincipalUser || p.Type == aws.PrincipalRoot || p.Type == aws.PrincipalFederated)
}
