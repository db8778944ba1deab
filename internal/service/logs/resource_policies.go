package logs

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	maxPolicies      = 10
	maxPolicyListed  = 10
	maxPolicyDocSize = 5120
)

// PutResourcePolicy makes or replaces a policy that lets services write to the
// account's groups.
func (s *Service) PutResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	switch {
	case in.ResourceArn != nil || in.ExpectedRevisionId != nil:
		return nil, notHonoured("resource policies of single log groups")
	case aws.Val(in.PolicyName) == "":
		return nil, invalid("Policy name must be specified")
	case aws.Val(in.PolicyDocument) == "":
		return nil, invalid("Policy document must be specified")
	case len(*in.PolicyDocument) > maxPolicyDocSize || !policyDocument(*in.PolicyDocument):
		return nil, invalid("Policy document is not valid")
	}
	c := aws.CallFrom(ctx)
	p := policy{Name: *in.PolicyName, Document: *in.PolicyDocument, Updated: s.nowMillis()}
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k := key(c, p.Name)
		if _, err := policies.Get(tx, k); errors.Is(err, store.ErrNotFound) {
			rows, err := policies.List(tx, scope(c), "", maxPolicies)
			if err != nil {
				return err
			}
			if len(rows) == maxPolicies {
				return errLimit
			}
		} else if err != nil {
			return err
		}
		return policies.Put(tx, k, &p)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutResourcePolicyOutput{ResourcePolicy: describePolicy(&p)}, nil
}

// policyDocument reports whether text is a document with statements that name a
// principal.
func policyDocument(text string) bool {
	var doc struct {
		Statement json.RawMessage
	}
	if json.Unmarshal([]byte(text), &doc) != nil {
		return false
	}
	type statement struct {
		Effect    string
		Principal any
		Action    any
		Resource  any
	}
	var list []statement
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = make([]statement, 1)
		if json.Unmarshal(doc.Statement, &list[0]) != nil {
			return false
		}
	}
	for _, st := range list {
		if st.Effect != "Allow" && st.Effect != "Deny" || st.Principal == nil || st.Action == nil || st.Resource == nil {
			return false
		}
	}
	return len(list) > 0
}

func describePolicy(p *policy) *api.ResourcePolicy {
	return &api.ResourcePolicy{PolicyName: &p.Name, PolicyDocument: &p.Document, LastUpdatedTime: &p.Updated, PolicyScope: api.PolicyScopeAccount}
}

// DeleteResourcePolicy removes a policy.
func (s *Service) DeleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	switch {
	case in.ResourceArn != nil || in.ExpectedRevisionId != nil:
		return nil, notHonoured("resource policies of single log groups")
	case aws.Val(in.PolicyName) == "":
		return nil, invalid("Policy name must be specified")
	}
	return &api.DeleteResourcePolicyOutput{}, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return or(policies.Delete(tx, key(aws.CallFrom(ctx), *in.PolicyName)),
			awserr.New("ResourceNotFoundException", "Policy with name [%s] does not exist.", *in.PolicyName))
	})
}

// DescribeResourcePolicies lists the policies of the account.
func (s *Service) DescribeResourcePolicies(ctx context.Context, in *api.DescribeResourcePoliciesInput) (*api.DescribeResourcePoliciesOutput, error) {
	if in.ResourceArn != nil || in.PolicyScope == api.PolicyScopeResource {
		return nil, notHonoured("resource policies of single log groups")
	}
	rows, err := s.policies(ctx)
	if err != nil {
		return nil, err
	}
	limit := in.Limit
	if limit == nil {
		limit = aws.Ptr[int32](maxPolicyListed)
	}
	rows, next, err := page(rows, in.NextToken, limit, func(p *policy) string { return p.Name })
	if err != nil {
		return nil, err
	}
	out := &api.DescribeResourcePoliciesOutput{ResourcePolicies: []api.ResourcePolicy{}, NextToken: next}
	for _, p := range rows {
		out.ResourcePolicies = append(out.ResourcePolicies, *describePolicy(p))
	}
	return out, nil
}

func (s *Service) policies(ctx context.Context) ([]*policy, error) {
	var out []*policy
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := policies.List(tx, scope(aws.CallFrom(ctx)), "", 0)
		for _, r := range rows {
			out = append(out, r.Value)
		}
		return err
	})
	return out, err
}

// accountPolicy joins the statements of all resource policies, "" without any: what
// a service that writes events is judged by.
func (s *Service) accountPolicy(ctx context.Context) (string, error) {
	if aws.CallFrom(ctx).Principal.Type != aws.PrincipalService {
		return "", nil
	}
	rows, err := s.policies(ctx)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	var all []json.RawMessage
	for _, p := range rows {
		var doc struct{ Statement json.RawMessage }
		if err := json.Unmarshal([]byte(p.Document), &doc); err != nil {
			return "", err
		}
		var list []json.RawMessage
		if json.Unmarshal(doc.Statement, &list) != nil {
			list = []json.RawMessage{doc.Statement}
		}
		all = append(all, list...)
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": all})
	return string(text), err
}
