package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateGroup makes an empty group.
func (s *Service) CreateGroup(ctx context.Context, in *api.CreateGroupInput) (*api.CreateGroupOutput, error) {
	e, err := s.createEntity(ctx, &entity{Kind: groupKind, Name: *in.GroupName, Path: pathOr(in.Path)})
	if err != nil {
		return nil, err
	}
	return &api.CreateGroupOutput{Group: groupOut(accountOf(ctx), e)}, nil
}

// GetGroup describes a group and lists its users.
func (s *Service) GetGroup(ctx context.Context, in *api.GetGroupInput) (*api.GetGroupOutput, error) {
	account := accountOf(ctx)
	out := &api.GetGroupOutput{Users: []api.User{}}
	users, err := view(ctx, s, func(tx *store.Tx) ([]*entity, error) {
		g, err := getEntity(tx, account, groupKind, *in.GroupName)
		if err != nil {
			return nil, err
		}
		out.Group = groupOut(account, g)
		return groupUsers(tx, g)
	})
	if err != nil {
		return nil, err
	}
	p, err := paginate(users, func(e *entity) string { return strings.ToLower(e.Name) }, in.Marker, in.MaxItems)
	for _, e := range p.items {
		u := userOut(account, e)
		u.Tags, u.PermissionsBoundary = nil, nil
		out.Users = append(out.Users, *u)
	}
	out.IsTruncated, out.Marker = p.truncated, p.marker
	return out, err
}

func groupUsers(tx *store.Tx, g *entity) ([]*entity, error) {
	rows, err := entities.Lookup(tx, "group", g.ID)
	users := make([]*entity, len(rows))
	for i, r := range rows {
		users[i] = r.Value
	}
	slices.SortFunc(users, func(a, b *entity) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return users, err
}

// ListGroups lists groups by path.
func (s *Service) ListGroups(ctx context.Context, in *api.ListGroupsInput) (*api.ListGroupsOutput, error) {
	p, err := s.listEntities(ctx, groupKind, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &api.ListGroupsOutput{IsTruncated: p.truncated, Marker: p.marker, Groups: groupsOut(accountOf(ctx), p.items)}, nil
}

// ListGroupsForUser lists the groups that a user is in.
func (s *Service) ListGroupsForUser(ctx context.Context, in *api.ListGroupsForUserInput) (*api.ListGroupsForUserOutput, error) {
	groups, err := view(ctx, s, func(tx *store.Tx) ([]*entity, error) {
		u, err := getEntity(tx, accountOf(ctx), userKind, *in.UserName)
		if err != nil {
			return nil, err
		}
		return groupsOfUser(tx, u)
	})
	if err != nil {
		return nil, err
	}
	p, err := paginate(groups, func(e *entity) string { return strings.ToLower(e.Name) }, in.Marker, in.MaxItems)
	return &api.ListGroupsForUserOutput{IsTruncated: p.truncated, Marker: p.marker, Groups: groupsOut(accountOf(ctx), p.items)}, err
}

// groupsOfUser returns the user's groups, ordered by name.
func groupsOfUser(tx *store.Tx, u *entity) ([]*entity, error) {
	var out []*entity
	for _, id := range u.Groups {
		g, _, err := entityByID(tx, id)
		if err != nil {
			return nil, err
		}
		if g != nil {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b *entity) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out, nil
}

// UpdateGroup renames a group or moves it to another path.
func (s *Service) UpdateGroup(ctx context.Context, in *api.UpdateGroupInput) (*api.UpdateGroupOutput, error) {
	return &api.UpdateGroupOutput{}, s.rename(ctx, groupKind, *in.GroupName, in.NewGroupName, in.NewPath)
}

// DeleteGroup deletes a group without users and policies.
func (s *Service) DeleteGroup(ctx context.Context, in *api.DeleteGroupInput) (*api.DeleteGroupOutput, error) {
	return &api.DeleteGroupOutput{}, s.deleteEntity(ctx, groupKind, *in.GroupName, func(tx *store.Tx, _ string, g *entity) error {
		users, err := groupUsers(tx, g)
		if err == nil && len(users) > 0 {
			return conflict("Cannot delete entity, must remove users from group first.")
		}
		return err
	})
}

// AddUserToGroup puts a user into a group; being in it already is success.
func (s *Service) AddUserToGroup(ctx context.Context, in *api.AddUserToGroupInput) (*api.AddUserToGroupOutput, error) {
	return &api.AddUserToGroupOutput{}, s.membership(ctx, *in.GroupName, *in.UserName, func(u, g *entity) error {
		if !slices.Contains(u.Groups, g.ID) {
			if len(u.Groups) >= maxGroupsPerUser {
				return quota("Cannot exceed quota for GroupsPerUser: %d", maxGroupsPerUser)
			}
			u.Groups = append(u.Groups, g.ID)
		}
		return nil
	})
}

// RemoveUserFromGroup takes a user out of a group.
func (s *Service) RemoveUserFromGroup(ctx context.Context, in *api.RemoveUserFromGroupInput) (*api.RemoveUserFromGroupOutput, error) {
	return &api.RemoveUserFromGroupOutput{}, s.membership(ctx, *in.GroupName, *in.UserName, func(u, g *entity) error {
		i := slices.Index(u.Groups, g.ID)
		if i < 0 {
			return noSuch("The user with name %s is not in group %s.", u.Name, g.Name)
		}
		u.Groups = slices.Delete(u.Groups, i, i+1)
		return nil
	})
}

func (s *Service) membership(ctx context.Context, group, user string, edit func(u, g *entity) error) error {
	return s.editEntity(ctx, userKind, user, func(tx *store.Tx, u *entity) error {
		g, err := getEntity(tx, accountOf(ctx), groupKind, group)
		if err != nil {
			return err
		}
		return edit(u, g)
	})
}

func groupOut(account string, e *entity) *api.Group {
	return &api.Group{Path: aws.Ptr(e.Path), GroupName: aws.Ptr(e.Name), GroupId: aws.Ptr(e.ID), Arn: aws.Ptr(e.arn(account)), CreateDate: aws.Ptr(e.Created)}
}

func groupsOut(account string, list []*entity) []api.Group {
	out := make([]api.Group, 0, len(list))
	for _, e := range list {
		out = append(out, *groupOut(account, e))
	}
	return out
}
