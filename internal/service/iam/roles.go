package iam

import (
	"context"
	"net/url"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/store"
)

// defaultMaxSession is a role's MaxSessionDuration unless it is given, seconds.
const defaultMaxSession = 3600

// CreateRole makes a role that its trust policy's principals may assume.
func (s *Service) CreateRole(ctx context.Context, in *api.CreateRoleInput) (*api.CreateRoleOutput, error) {
	tags, err := newTags(ctx, roleKind, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(aws.Val(in.Path), linkedPath) {
		return nil, invalidInput("The path %s is for roles that CreateServiceLinkedRole makes.", linkedPath)
	}
	e := &entity{Kind: roleKind, Name: *in.RoleName, Path: pathOr(in.Path), Boundary: aws.Val(in.PermissionsBoundary), Tags: tags,
		Trust: *in.AssumeRolePolicyDocument, Description: in.Description, MaxSession: defaultMaxSession}
	if in.MaxSessionDuration != nil {
		e.MaxSession = *in.MaxSessionDuration
	}
	if e, err = s.createEntity(ctx, e); err != nil {
		return nil, err
	}
	return &api.CreateRoleOutput{Role: newRoleOut(accountOf(ctx), e)}, nil
}

// GetRole describes a role.
func (s *Service) GetRole(ctx context.Context, in *api.GetRoleInput) (*api.GetRoleOutput, error) {
	out, err := view(ctx, s, func(tx *store.Tx) (*api.Role, error) {
		e, err := getEntity(tx, accountOf(ctx), roleKind, *in.RoleName)
		if err != nil {
			return nil, err
		}
		trust, err := shownTrust(tx, e)
		if err != nil {
			return nil, err
		}
		out := roleOut(accountOf(ctx), e, trust)
		out.RoleLastUsed, err = s.roleLastUsed(tx, e.ID)
		return out, err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetRoleOutput{Role: out}, nil
}

// ListRoles lists roles by path.
func (s *Service) ListRoles(ctx context.Context, in *api.ListRolesInput) (*api.ListRolesOutput, error) {
	p, err := s.listEntities(ctx, roleKind, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListRolesOutput{IsTruncated: p.truncated, Marker: p.marker, Roles: []api.Role{}}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		for _, e := range p.items {
			trust, err := shownTrust(tx, e)
			if err != nil {
				return err
			}
			r := roleOut(accountOf(ctx), e, trust)
			r.Tags, r.PermissionsBoundary = nil, nil
			out.Roles = append(out.Roles, *r)
		}
		return nil
	})
	return out, err
}

// UpdateRole changes description and session duration.
func (s *Service) UpdateRole(ctx context.Context, in *api.UpdateRoleInput) (*api.UpdateRoleOutput, error) {
	return &api.UpdateRoleOutput{}, s.editEntity(ctx, roleKind, *in.RoleName, func(_ *store.Tx, e *entity) error {
		if in.Description != nil {
			e.Description = in.Description
		}
		if in.MaxSessionDuration != nil {
			e.MaxSession = *in.MaxSessionDuration
		}
		return nil
	})
}

// UpdateRoleDescription is the older form of UpdateRole.
func (s *Service) UpdateRoleDescription(ctx context.Context, in *api.UpdateRoleDescriptionInput) (*api.UpdateRoleDescriptionOutput, error) {
	if _, err := s.UpdateRole(ctx, &api.UpdateRoleInput{RoleName: in.RoleName, Description: in.Description}); err != nil {
		return nil, err
	}
	out, err := s.GetRole(ctx, &api.GetRoleInput{RoleName: in.RoleName})
	if err != nil {
		return nil, err
	}
	out.Role.MaxSessionDuration, out.Role.RoleLastUsed = nil, nil
	return &api.UpdateRoleDescriptionOutput{Role: out.Role}, nil
}

// UpdateAssumeRolePolicy replaces the trust policy.
func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *api.UpdateAssumeRolePolicyInput) (*api.UpdateAssumeRolePolicyOutput, error) {
	return &api.UpdateAssumeRolePolicyOutput{}, s.editEntity(ctx, roleKind, *in.RoleName, func(tx *store.Tx, e *entity) error {
		if err := ownRole(e); err != nil {
			return err
		}
		e.Trust = *in.PolicyDocument
		return bindTrust(tx, e)
	})
}

// DeleteRole deletes a role without policies that is in no instance profile. Its
// sessions end at once.
func (s *Service) DeleteRole(ctx context.Context, in *api.DeleteRoleInput) (*api.DeleteRoleOutput, error) {
	return &api.DeleteRoleOutput{}, s.deleteEntity(ctx, roleKind, *in.RoleName, func(tx *store.Tx, account string, e *entity) error {
		rows, err := profiles.Lookup(tx, "role", joined(account, strings.ToLower(e.Name)))
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			return conflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		return forgetUse(tx, e.ID)
	})
}

// newRoleOut is a role as the operations that make one tell it: without what only
// GetRole and ListRoles do.
func newRoleOut(account string, e *entity) *api.Role {
	out := roleOut(account, e, e.Trust)
	out.Description, out.MaxSessionDuration = nil, nil
	return out
}

func roleOut(account string, e *entity, trust string) *api.Role {
	return &api.Role{Path: aws.Ptr(e.Path), RoleName: aws.Ptr(e.Name), RoleId: aws.Ptr(e.ID), Arn: aws.Ptr(e.arn(account)), CreateDate: aws.Ptr(e.Created),
		AssumeRolePolicyDocument: aws.Ptr(encoded(trust)), Description: e.Description, MaxSessionDuration: aws.Ptr(e.MaxSession),
		PermissionsBoundary: boundaryOut(e.Boundary), Tags: tagsOut(e.Tags)}
}

// encoded writes a document as IAM does in answers: percent-encoded.
func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}
