package iam

import (
	"context"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// inlineSize is the quota of all inline policies of an entity, by kind.
var inlineSize = map[string]int{userKind: 2048, groupKind: 5120, roleKind: 10240}

func (s *Service) putInline(ctx context.Context, kind, name, policyName, document string) error {
	return s.editEntity(ctx, kind, name, func(_ *store.Tx, e *entity) error {
		if err := ownRole(e); err != nil {
			return err
		}
		if _, err := policy.Parse(document, policy.Identity); err != nil {
			return malformed(err)
		}
		if e.Inline == nil {
			e.Inline = map[string]string{}
		}
		e.Inline[policyName] = document
		total := 0
		for _, text := range e.Inline {
			total += documentSize(text)
		}
		if total > inlineSize[kind] {
			return quota("Maximum policy size of %d bytes exceeded for %s %s", inlineSize[kind], kind, e.Name)
		}
		return nil
	})
}

func (s *Service) getInline(ctx context.Context, kind, name, policyName string) (*string, error) {
	e, err := s.viewEntity(ctx, kind, name)
	if err != nil {
		return nil, err
	}
	text, ok := e.Inline[policyName]
	if !ok {
		return nil, noEntity(kind+" policy", policyName)
	}
	return aws.Ptr(encoded(text)), nil
}

func (s *Service) listInline(ctx context.Context, kind, name string, marker *string, limit *int32) (page[string], error) {
	e, err := s.viewEntity(ctx, kind, name)
	if err != nil {
		return page[string]{}, err
	}
	names := slices.Sorted(maps.Keys(e.Inline))
	p, err := paginate(names, func(n string) string { return n }, marker, limit)
	if p.items == nil {
		p.items = []string{}
	}
	return p, err
}

func (s *Service) deleteInline(ctx context.Context, kind, name, policyName string) error {
	return s.editEntity(ctx, kind, name, func(_ *store.Tx, e *entity) error {
		if _, ok := e.Inline[policyName]; !ok {
			return noEntity(kind+" policy", policyName)
		}
		delete(e.Inline, policyName)
		return nil
	})
}

// PutUserPolicy writes an inline policy of a user.
func (s *Service) PutUserPolicy(ctx context.Context, in *api.PutUserPolicyInput) (*api.PutUserPolicyOutput, error) {
	return &api.PutUserPolicyOutput{}, s.putInline(ctx, userKind, *in.UserName, *in.PolicyName, *in.PolicyDocument)
}

// GetUserPolicy returns an inline policy of a user.
func (s *Service) GetUserPolicy(ctx context.Context, in *api.GetUserPolicyInput) (*api.GetUserPolicyOutput, error) {
	text, err := s.getInline(ctx, userKind, *in.UserName, *in.PolicyName)
	return &api.GetUserPolicyOutput{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

// ListUserPolicies names the inline policies of a user.
func (s *Service) ListUserPolicies(ctx context.Context, in *api.ListUserPoliciesInput) (*api.ListUserPoliciesOutput, error) {
	p, err := s.listInline(ctx, userKind, *in.UserName, in.Marker, in.MaxItems)
	return &api.ListUserPoliciesOutput{PolicyNames: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// DeleteUserPolicy removes an inline policy of a user.
func (s *Service) DeleteUserPolicy(ctx context.Context, in *api.DeleteUserPolicyInput) (*api.DeleteUserPolicyOutput, error) {
	return &api.DeleteUserPolicyOutput{}, s.deleteInline(ctx, userKind, *in.UserName, *in.PolicyName)
}

// PutGroupPolicy writes an inline policy of a group.
func (s *Service) PutGroupPolicy(ctx context.Context, in *api.PutGroupPolicyInput) (*api.PutGroupPolicyOutput, error) {
	return &api.PutGroupPolicyOutput{}, s.putInline(ctx, groupKind, *in.GroupName, *in.PolicyName, *in.PolicyDocument)
}

// GetGroupPolicy returns an inline policy of a group.
func (s *Service) GetGroupPolicy(ctx context.Context, in *api.GetGroupPolicyInput) (*api.GetGroupPolicyOutput, error) {
	text, err := s.getInline(ctx, groupKind, *in.GroupName, *in.PolicyName)
	return &api.GetGroupPolicyOutput{GroupName: in.GroupName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

// ListGroupPolicies names the inline policies of a group.
func (s *Service) ListGroupPolicies(ctx context.Context, in *api.ListGroupPoliciesInput) (*api.ListGroupPoliciesOutput, error) {
	p, err := s.listInline(ctx, groupKind, *in.GroupName, in.Marker, in.MaxItems)
	return &api.ListGroupPoliciesOutput{PolicyNames: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// DeleteGroupPolicy removes an inline policy of a group.
func (s *Service) DeleteGroupPolicy(ctx context.Context, in *api.DeleteGroupPolicyInput) (*api.DeleteGroupPolicyOutput, error) {
	return &api.DeleteGroupPolicyOutput{}, s.deleteInline(ctx, groupKind, *in.GroupName, *in.PolicyName)
}

// PutRolePolicy writes an inline policy of a role.
func (s *Service) PutRolePolicy(ctx context.Context, in *api.PutRolePolicyInput) (*api.PutRolePolicyOutput, error) {
	return &api.PutRolePolicyOutput{}, s.putInline(ctx, roleKind, *in.RoleName, *in.PolicyName, *in.PolicyDocument)
}

// GetRolePolicy returns an inline policy of a role.
func (s *Service) GetRolePolicy(ctx context.Context, in *api.GetRolePolicyInput) (*api.GetRolePolicyOutput, error) {
	text, err := s.getInline(ctx, roleKind, *in.RoleName, *in.PolicyName)
	return &api.GetRolePolicyOutput{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

// ListRolePolicies names the inline policies of a role.
func (s *Service) ListRolePolicies(ctx context.Context, in *api.ListRolePoliciesInput) (*api.ListRolePoliciesOutput, error) {
	p, err := s.listInline(ctx, roleKind, *in.RoleName, in.Marker, in.MaxItems)
	return &api.ListRolePoliciesOutput{PolicyNames: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// DeleteRolePolicy removes an inline policy of a role.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *api.DeleteRolePolicyInput) (*api.DeleteRolePolicyOutput, error) {
	return &api.DeleteRolePolicyOutput{}, s.deleteInline(ctx, roleKind, *in.RoleName, *in.PolicyName)
}
