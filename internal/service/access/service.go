// Package access explains permissions: why a call was refused, what a principal
// would be allowed, and the least-privilege policy for what it has done. It is no
// service of AWS's; its API (internal/awsgen/models/access.json) is signed and
// authorized like any other. Who may simulate a principal's policies
// (iam:SimulatePrincipalPolicy) may ask about it.
//
// It owns two tables, written behind the calls they speak of, in batches (Run):
//
//	refusal  the latest refusals of each account, by request id
//	use      what each principal was allowed to do: action, resource, how often;
//	         the latest of all principals together
//
// A kill -9 can lose the last moments of both; neither decides anything. Flow
// enters through the Recorder, which package iam tells of every decision, and
// leaves through Wire's operations. It imports policy, store, wire and the
// authorization reference; policies are read through the Explainer.
package access

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/access"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/wire"
)

// Explainer decides a question about an identity as the authorizer would.
type Explainer interface {
	Explain(ctx context.Context, identity string, c aws.Check) (policy.Judgement, error)
}

// Config is what New needs.
type Config struct {
	Recorder  *Recorder
	Explainer Explainer
}

// Service implements the operations.
type Service struct {
	recorder  *Recorder
	explainer Explainer
}

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg.Recorder, cfg.Explainer} }

const mayRead = "iam:SimulatePrincipalPolicy"

// Wire lists the operations.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Operations: []wire.Operation{
		wire.Op("ExplainAccess", mayRead, s.ExplainAccess, func(_ context.Context, in *api.ExplainAccessInput) ([]aws.Check, error) {
			return about(*in.PrincipalArn), nil
		}),
		wire.Op("DescribeDecisions", mayRead, s.DescribeDecisions, s.checkDecisions),
		wire.Op("SuggestPolicy", mayRead, s.SuggestPolicy, func(_ context.Context, in *api.SuggestPolicyInput) ([]aws.Check, error) {
			return about(*in.PrincipalArn), nil
		}),
	}}
}

// about is the permission to ask about an identity.
func about(identity string) []aws.Check {
	return []aws.Check{{Resource: Identity(identity)}}
}

// Identity is the user or role behind a principal's ARN: the role for a session.
// Sessions do not say the role's path, which is no part of what is recorded.
func Identity(principal string) string {
	a, err := arn.Parse(principal)
	if err != nil || a.Service != "sts" {
		return principal
	}
	name, ok := strings.CutPrefix(a.Resource, "assumed-role/")
	if !ok {
		return principal
	}
	name, _, _ = strings.Cut(name, "/")
	return "arn:aws:iam::" + a.Account + ":role/" + name
}

// ownAccount refuses questions about other accounts.
func ownAccount(ctx context.Context, principal string) error {
	a, err := arn.Parse(principal)
	if err != nil || a.Account != aws.CallFrom(ctx).Account || a.Service != "iam" && a.Service != "sts" {
		return awserr.New("ValidationException", "%s is no user, role or session of this account.", principal)
	}
	return nil
}
