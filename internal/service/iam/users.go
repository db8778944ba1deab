package iam

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateUser makes a user without keys and without permissions.
func (s *Service) CreateUser(ctx context.Context, in *api.CreateUserInput) (*api.CreateUserOutput, error) {
	tags, err := newTags(ctx, userKind, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	e, err := s.createEntity(ctx, &entity{Kind: userKind, Name: *in.UserName, Path: pathOr(in.Path), Boundary: aws.Val(in.PermissionsBoundary), Tags: tags})
	if err != nil {
		return nil, err
	}
	return &api.CreateUserOutput{User: userOut(accountOf(ctx), e)}, nil
}

// GetUser describes a user; without a name, the caller. Root has no name.
func (s *Service) GetUser(ctx context.Context, in *api.GetUserInput) (*api.GetUserOutput, error) {
	caller := aws.CallFrom(ctx).Principal
	if in.UserName == nil && caller.Type == aws.PrincipalRoot {
		created, err := s.accountCreated(ctx, caller.Account)
		return &api.GetUserOutput{User: &api.User{UserId: aws.Ptr(caller.Account), Arn: aws.Ptr(caller.ARN), CreateDate: created, Path: aws.Ptr("/"), UserName: aws.Ptr("root")}}, err
	}
	name, err := s.userName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	e, err := s.viewEntity(ctx, userKind, name)
	if err != nil {
		return nil, err
	}
	out := userOut(accountOf(ctx), e)
	out.Tags = tagsOut(e.Tags)
	return &api.GetUserOutput{User: out}, nil
}

// userName returns the user that an operation means: the one named, or the
// caller's own.
func (s *Service) userName(ctx context.Context, named *string) (string, error) {
	if aws.Val(named) != "" {
		return *named, nil
	}
	caller := aws.CallFrom(ctx).Principal
	if caller.Type != aws.PrincipalUser {
		return "", validation("Must specify userName when calling with non-User credentials")
	}
	e, err := view(ctx, s, func(tx *store.Tx) (*entity, error) {
		e, _, err := entityByID(tx, caller.UniqueID)
		return e, err
	})
	if err != nil || e == nil {
		return arn.Name(caller.ARN), err
	}
	return e.Name, nil
}

// ListUsers lists users by path.
func (s *Service) ListUsers(ctx context.Context, in *api.ListUsersInput) (*api.ListUsersOutput, error) {
	p, err := s.listEntities(ctx, userKind, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListUsersOutput{IsTruncated: p.truncated, Marker: p.marker, Users: []api.User{}}
	for _, e := range p.items {
		u := userOut(accountOf(ctx), e)
		u.Tags, u.PermissionsBoundary = nil, nil
		out.Users = append(out.Users, *u)
	}
	return out, nil
}

// UpdateUser renames a user or moves it to another path. Its keys stay.
func (s *Service) UpdateUser(ctx context.Context, in *api.UpdateUserInput) (*api.UpdateUserOutput, error) {
	return &api.UpdateUserOutput{}, s.rename(ctx, userKind, *in.UserName, in.NewUserName, in.NewPath)
}

// DeleteUser deletes a user without keys, groups and policies.
func (s *Service) DeleteUser(ctx context.Context, in *api.DeleteUserInput) (*api.DeleteUserOutput, error) {
	return &api.DeleteUserOutput{}, s.deleteEntity(ctx, userKind, *in.UserName, func(tx *store.Tx, _ string, e *entity) error {
		owned, err := keys.Lookup(tx, "owner", e.ID)
		switch {
		case err != nil:
			return err
		case len(owned) > 0:
			return conflict("Cannot delete entity, must delete access keys first.")
		case len(e.Groups) > 0:
			return conflict("Cannot delete entity, must remove users from group first.")
		}
		return nil
	})
}

func userOut(account string, e *entity) *api.User {
	return &api.User{Path: aws.Ptr(e.Path), UserName: aws.Ptr(e.Name), UserId: aws.Ptr(e.ID), Arn: aws.Ptr(e.arn(account)),
		CreateDate: aws.Ptr(e.Created), PermissionsBoundary: boundaryOut(e.Boundary), Tags: tagsOut(e.Tags)}
}

func boundaryOut(arn string) *api.AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	return &api.AttachedPermissionsBoundary{PermissionsBoundaryArn: aws.Ptr(arn), PermissionsBoundaryType: "Policy"}
}
