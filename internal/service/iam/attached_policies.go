package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

func (s *Service) attach(ctx context.Context, kind, name, policyARN string) error {
	return s.editEntity(ctx, kind, name, func(tx *store.Tx, e *entity) error {
		if err := ownRole(e); err != nil {
			return err
		}
		if _, err := arn.Parse(policyARN); err != nil {
			return badARN(policyARN)
		}
		m, err := findPolicy(tx, accountOf(ctx), policyARN)
		if err != nil {
			return err
		}
		if m == nil {
			return noSuch("Policy %s does not exist or is not attachable.", policyARN)
		}
		if slices.Contains(e.Attached, policyARN) {
			return nil
		}
		if len(e.Attached) >= maxAttached {
			return quota("Cannot exceed quota for PoliciesPer%s: %d", title(kind), maxAttached)
		}
		e.Attached = append(e.Attached, policyARN)
		return nil
	})
}

func (s *Service) detach(ctx context.Context, kind, name, policyARN string) error {
	return s.editEntity(ctx, kind, name, func(_ *store.Tx, e *entity) error {
		if err := ownRole(e); err != nil {
			return err
		}
		if _, err := arn.Parse(policyARN); err != nil {
			return badARN(policyARN)
		}
		i := slices.Index(e.Attached, policyARN)
		if i < 0 {
			return noSuch("Policy %s was not found.", policyARN)
		}
		e.Attached = slices.Delete(e.Attached, i, i+1)
		return nil
	})
}

func (s *Service) listAttached(ctx context.Context, kind, name string, prefix, marker *string, limit *int32) (page[api.AttachedPolicy], error) {
	e, err := s.viewEntity(ctx, kind, name)
	if err != nil {
		return page[api.AttachedPolicy]{}, err
	}
	list := []api.AttachedPolicy{}
	for _, a := range e.Attached {
		if strings.HasPrefix(policyPath(a), pathOr(prefix)) {
			list = append(list, api.AttachedPolicy{PolicyArn: aws.Ptr(a), PolicyName: aws.Ptr(arn.Name(a))})
		}
	}
	slices.SortFunc(list, func(a, b api.AttachedPolicy) int { return strings.Compare(*a.PolicyArn, *b.PolicyArn) })
	return paginate(list, func(a api.AttachedPolicy) string { return *a.PolicyArn }, marker, limit)
}

// policyPath returns the path in a policy's ARN: "/service-role/".
func policyPath(arn string) string {
	_, rest, _ := strings.Cut(arn, ":policy")
	return rest[:strings.LastIndexByte(rest, '/')+1]
}

// AttachUserPolicy attaches a managed policy to a user.
func (s *Service) AttachUserPolicy(ctx context.Context, in *api.AttachUserPolicyInput) (*api.AttachUserPolicyOutput, error) {
	return &api.AttachUserPolicyOutput{}, s.attach(ctx, userKind, *in.UserName, *in.PolicyArn)
}

// DetachUserPolicy takes a managed policy from a user.
func (s *Service) DetachUserPolicy(ctx context.Context, in *api.DetachUserPolicyInput) (*api.DetachUserPolicyOutput, error) {
	return &api.DetachUserPolicyOutput{}, s.detach(ctx, userKind, *in.UserName, *in.PolicyArn)
}

// ListAttachedUserPolicies lists the managed policies of a user.
func (s *Service) ListAttachedUserPolicies(ctx context.Context, in *api.ListAttachedUserPoliciesInput) (*api.ListAttachedUserPoliciesOutput, error) {
	p, err := s.listAttached(ctx, userKind, *in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedUserPoliciesOutput{AttachedPolicies: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// AttachGroupPolicy attaches a managed policy to a group.
func (s *Service) AttachGroupPolicy(ctx context.Context, in *api.AttachGroupPolicyInput) (*api.AttachGroupPolicyOutput, error) {
	return &api.AttachGroupPolicyOutput{}, s.attach(ctx, groupKind, *in.GroupName, *in.PolicyArn)
}

// DetachGroupPolicy takes a managed policy from a group.
func (s *Service) DetachGroupPolicy(ctx context.Context, in *api.DetachGroupPolicyInput) (*api.DetachGroupPolicyOutput, error) {
	return &api.DetachGroupPolicyOutput{}, s.detach(ctx, groupKind, *in.GroupName, *in.PolicyArn)
}

// ListAttachedGroupPolicies lists the managed policies of a group.
func (s *Service) ListAttachedGroupPolicies(ctx context.Context, in *api.ListAttachedGroupPoliciesInput) (*api.ListAttachedGroupPoliciesOutput, error) {
	p, err := s.listAttached(ctx, groupKind, *in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedGroupPoliciesOutput{AttachedPolicies: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// AttachRolePolicy attaches a managed policy to a role.
func (s *Service) AttachRolePolicy(ctx context.Context, in *api.AttachRolePolicyInput) (*api.AttachRolePolicyOutput, error) {
	return &api.AttachRolePolicyOutput{}, s.attach(ctx, roleKind, *in.RoleName, *in.PolicyArn)
}

// DetachRolePolicy takes a managed policy from a role.
func (s *Service) DetachRolePolicy(ctx context.Context, in *api.DetachRolePolicyInput) (*api.DetachRolePolicyOutput, error) {
	return &api.DetachRolePolicyOutput{}, s.detach(ctx, roleKind, *in.RoleName, *in.PolicyArn)
}

// ListAttachedRolePolicies lists the managed policies of a role.
func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *api.ListAttachedRolePoliciesInput) (*api.ListAttachedRolePoliciesOutput, error) {
	p, err := s.listAttached(ctx, roleKind, *in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedRolePoliciesOutput{AttachedPolicies: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// checkBoundary refuses a boundary that is no policy.
func checkBoundary(tx *store.Tx, account, arn string) error {
	if arn == "" {
		return nil
	}
	m, err := findPolicy(tx, account, arn)
	if err == nil && m == nil {
		return noSuch("Scope ARN: %s does not exist or is not attachable.", arn)
	}
	return err
}

func (s *Service) setBoundary(ctx context.Context, kind, name, arn string) error {
	return s.editEntity(ctx, kind, name, func(tx *store.Tx, e *entity) error {
		if err := ownRole(e); err != nil {
			return err
		}
		if arn == "" && e.Boundary == "" {
			return noSuch("%s %s does not have a permission boundary.", title(kind), e.Name)
		}
		e.Boundary = arn
		return checkBoundary(tx, accountOf(ctx), arn)
	})
}

// PutUserPermissionsBoundary limits what a user can ever be allowed.
func (s *Service) PutUserPermissionsBoundary(ctx context.Context, in *api.PutUserPermissionsBoundaryInput) (*api.PutUserPermissionsBoundaryOutput, error) {
	return &api.PutUserPermissionsBoundaryOutput{}, s.setBoundary(ctx, userKind, *in.UserName, *in.PermissionsBoundary)
}

// DeleteUserPermissionsBoundary lifts that limit.
func (s *Service) DeleteUserPermissionsBoundary(ctx context.Context, in *api.DeleteUserPermissionsBoundaryInput) (*api.DeleteUserPermissionsBoundaryOutput, error) {
	return &api.DeleteUserPermissionsBoundaryOutput{}, s.setBoundary(ctx, userKind, *in.UserName, "")
}

// PutRolePermissionsBoundary limits what a role can ever be allowed.
func (s *Service) PutRolePermissionsBoundary(ctx context.Context, in *api.PutRolePermissionsBoundaryInput) (*api.PutRolePermissionsBoundaryOutput, error) {
	return &api.PutRolePermissionsBoundaryOutput{}, s.setBoundary(ctx, roleKind, *in.RoleName, *in.PermissionsBoundary)
}

// DeleteRolePermissionsBoundary lifts that limit.
func (s *Service) DeleteRolePermissionsBoundary(ctx context.Context, in *api.DeleteRolePermissionsBoundaryInput) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	return &api.DeleteRolePermissionsBoundaryOutput{}, s.setBoundary(ctx, roleKind, *in.RoleName, "")
}
