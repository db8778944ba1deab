package access

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/access"
	"github.com/hardstand/hardstand/internal/policy"
)

// ExplainAccess tells what an identity would be allowed now: the decision, the
// statement that makes it, and for a refusal what comes near and what would help.
// The policy of the resource counts as far as it is given.
func (s *Service) ExplainAccess(ctx context.Context, in *api.ExplainAccessInput) (*api.ExplainAccessOutput, error) {
	if err := ownAccount(ctx, *in.PrincipalArn); err != nil {
		return nil, err
	}
	j, err := s.explainer.Explain(ctx, *in.PrincipalArn, aws.Check{Action: *in.Action, Resource: *in.Resource,
		Context: in.ContextEntries, ResourcePolicy: aws.Val(in.ResourcePolicy)})
	if err != nil {
		return nil, err
	}
	return &api.ExplainAccessOutput{Explanation: explain(j).api()}, nil
}

func (e explanation) api() *api.Explanation {
	out := &api.Explanation{PrincipalArn: aws.Ptr(e.Principal), Action: aws.Ptr(e.Action), Resource: aws.Ptr(e.Resource),
		Decision: api.DecisionType(e.Decision), Reason: aws.Ptr(e.Reason), NearMisses: e.Near, Considered: e.Sources}
	if e.PolicyType != "" {
		out.PolicyType = aws.Ptr(e.PolicyType)
	}
	if e.Policy != "" {
		out.PolicyName, out.StatementNumber = aws.Ptr(e.Policy), aws.Ptr(int32(e.Number)) //nolint:gosec // a document has few statements
	}
	if e.Statement != "" {
		out.Statement = aws.Ptr(e.Statement)
	}
	if e.Fix != "" && e.Decision != policy.Allowed {
		out.Fix = aws.Ptr(e.Fix)
	}
	return out
}
