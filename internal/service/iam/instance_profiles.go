package iam

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

func getProfile(tx *store.Tx, account, name string) (*profile, error) {
	p, err := profiles.Get(tx, nameKey(account, name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuch("Instance Profile %s cannot be found.", name)
	}
	return p, err
}

func (s *Service) editProfile(ctx context.Context, name string, edit func(tx *store.Tx, p *profile) error) error {
	account := accountOf(ctx)
	return s.change(ctx, func(tx *store.Tx) (string, error) {
		p, err := getProfile(tx, account, name)
		if err != nil {
			return "", err
		}
		if err := edit(tx, p); err != nil {
			return "", err
		}
		return p.arn(account), profiles.Put(tx, nameKey(account, name), p)
	})
}

// CreateInstanceProfile makes a profile without role.
func (s *Service) CreateInstanceProfile(ctx context.Context, in *api.CreateInstanceProfileInput) (*api.CreateInstanceProfileOutput, error) {
	tags, err := newTags(ctx, "instance-profile", nil, in.Tags)
	if err != nil {
		return nil, err
	}
	account := accountOf(ctx)
	p := &profile{Name: *in.InstanceProfileName, Path: pathOr(in.Path), ID: ids.IAM("AIPA"), Created: s.clock.Now().UTC(), Tags: tags, Token: aws.CallFrom(ctx).Token}
	err = s.change(ctx, func(tx *store.Tx) (string, error) {
		if p.Token != "" {
			rows, err := profiles.Lookup(tx, "token", joined(account, p.Token))
			if err != nil {
				return "", err
			}
			if len(rows) > 0 {
				p = rows[0].Value
				return "", nil
			}
		}
		if err := withinQuota(tx, account, "InstanceProfilesPerAccount"); err != nil {
			return "", err
		}
		err := profiles.Insert(tx, nameKey(account, p.Name), p)
		if errors.Is(err, store.ErrExists) {
			return "", alreadyExists("Instance Profile %s already exists.", p.Name)
		}
		return p.arn(account), err
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateInstanceProfileOutput{InstanceProfile: profileOut(account, p, nil)}, nil
}

// GetInstanceProfile describes a profile with its role.
func (s *Service) GetInstanceProfile(ctx context.Context, in *api.GetInstanceProfileInput) (*api.GetInstanceProfileOutput, error) {
	out, err := view(ctx, s, func(tx *store.Tx) (*api.InstanceProfile, error) {
		p, err := getProfile(tx, accountOf(ctx), *in.InstanceProfileName)
		if err != nil {
			return nil, err
		}
		out, err := fullProfile(tx, accountOf(ctx), p)
		if err == nil {
			out.Tags = someTags(p.Tags)
		}
		return out, err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetInstanceProfileOutput{InstanceProfile: out}, nil
}

// ListInstanceProfiles lists profiles by path.
func (s *Service) ListInstanceProfiles(ctx context.Context, in *api.ListInstanceProfilesInput) (*api.ListInstanceProfilesOutput, error) {
	list, err := s.profileList(ctx, in.PathPrefix, func(tx *store.Tx) ([]store.Row[profile], error) {
		return profiles.List(tx, store.Scope{Account: accountOf(ctx)}, "", 0)
	})
	if err != nil {
		return nil, err
	}
	p, err := paginate(list, profileName, in.Marker, in.MaxItems)
	return &api.ListInstanceProfilesOutput{InstanceProfiles: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// ListInstanceProfilesForRole lists the profiles that hold a role.
func (s *Service) ListInstanceProfilesForRole(ctx context.Context, in *api.ListInstanceProfilesForRoleInput) (*api.ListInstanceProfilesForRoleOutput, error) {
	list, err := s.profileList(ctx, nil, func(tx *store.Tx) ([]store.Row[profile], error) {
		if _, err := getEntity(tx, accountOf(ctx), roleKind, *in.RoleName); err != nil {
			return nil, err
		}
		return profiles.Lookup(tx, "role", joined(accountOf(ctx), strings.ToLower(*in.RoleName)))
	})
	if err != nil {
		return nil, err
	}
	p, err := paginate(list, profileName, in.Marker, in.MaxItems)
	return &api.ListInstanceProfilesForRoleOutput{InstanceProfiles: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

func profileName(p api.InstanceProfile) string { return strings.ToLower(*p.InstanceProfileName) }

func (s *Service) profileList(ctx context.Context, prefix *string, rows func(tx *store.Tx) ([]store.Row[profile], error)) ([]api.InstanceProfile, error) {
	return view(ctx, s, func(tx *store.Tx) ([]api.InstanceProfile, error) {
		found, err := rows(tx)
		if err != nil {
			return nil, err
		}
		out := []api.InstanceProfile{}
		for _, r := range found {
			if !strings.HasPrefix(r.Value.Path, pathOr(prefix)) {
				continue
			}
			p, err := fullProfile(tx, accountOf(ctx), r.Value)
			if err != nil {
				return nil, err
			}
			p.Tags = nil
			out = append(out, *p)
		}
		slices.SortFunc(out, func(a, b api.InstanceProfile) int { return strings.Compare(profileName(a), profileName(b)) })
		return out, nil
	})
}

// AddRoleToInstanceProfile puts the one role into a profile that has none.
func (s *Service) AddRoleToInstanceProfile(ctx context.Context, in *api.AddRoleToInstanceProfileInput) (*api.AddRoleToInstanceProfileOutput, error) {
	return &api.AddRoleToInstanceProfileOutput{}, s.editProfile(ctx, *in.InstanceProfileName, func(tx *store.Tx, p *profile) error {
		r, err := getEntity(tx, accountOf(ctx), roleKind, *in.RoleName)
		if err != nil {
			return err
		}
		if p.Role != "" {
			return quota("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		p.Role = r.Name
		return nil
	})
}

// RemoveRoleFromInstanceProfile takes the role out. Instances that run with the
// profile get no new credentials.
func (s *Service) RemoveRoleFromInstanceProfile(ctx context.Context, in *api.RemoveRoleFromInstanceProfileInput) (*api.RemoveRoleFromInstanceProfileOutput, error) {
	return &api.RemoveRoleFromInstanceProfileOutput{}, s.editProfile(ctx, *in.InstanceProfileName, func(tx *store.Tx, p *profile) error {
		r, err := getEntity(tx, accountOf(ctx), roleKind, *in.RoleName)
		if err != nil {
			return err
		}
		if !strings.EqualFold(p.Role, r.Name) {
			return noSuch("Role %s in Instance Profile %s cannot be found.", r.Name, p.Name)
		}
		p.Role = ""
		return nil
	})
}

// DeleteInstanceProfile deletes a profile without role.
func (s *Service) DeleteInstanceProfile(ctx context.Context, in *api.DeleteInstanceProfileInput) (*api.DeleteInstanceProfileOutput, error) {
	account := accountOf(ctx)
	return &api.DeleteInstanceProfileOutput{}, s.change(ctx, func(tx *store.Tx) (string, error) {
		p, err := getProfile(tx, account, *in.InstanceProfileName)
		if err != nil {
			return "", err
		}
		if p.Role != "" {
			return "", conflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		return p.arn(account), profiles.Delete(tx, nameKey(account, p.Name))
	})
}

// fullProfile describes p with its role.
func fullProfile(tx *store.Tx, account string, p *profile) (*api.InstanceProfile, error) {
	if p.Role == "" {
		return profileOut(account, p, nil), nil
	}
	e, err := getEntity(tx, account, roleKind, p.Role)
	if err != nil {
		return nil, err
	}
	trust, err := shownTrust(tx, e)
	r := roleOut(account, e, trust)
	r.Tags, r.Description, r.MaxSessionDuration, r.PermissionsBoundary = nil, nil, nil, nil
	return profileOut(account, p, r), err
}

func profileOut(account string, p *profile, role *api.Role) *api.InstanceProfile {
	out := &api.InstanceProfile{Path: aws.Ptr(p.Path), InstanceProfileName: aws.Ptr(p.Name), InstanceProfileId: aws.Ptr(p.ID), Arn: aws.Ptr(p.arn(account)),
		CreateDate: aws.Ptr(p.Created), Tags: tagsOut(p.Tags), Roles: []api.Role{}}
	if role != nil {
		out.Roles = append(out.Roles, *role)
	}
	return out
}

// ProfileOf is an instance profile as EC2 needs to know it. The role's fields are ""
// when the profile holds none; RoleID is another one for a role that was deleted and
// made anew under its name.
type ProfileOf struct{ ARN, ID, RoleARN, RoleID string }

// InstanceProfile finds a profile for EC2, which looks it up with its own
// authority. An unknown name is NoSuchEntity.
func (s *Service) InstanceProfile(ctx context.Context, account, name string) (ProfileOf, error) {
	return view(ctx, s, func(tx *store.Tx) (ProfileOf, error) {
		p, err := getProfile(tx, account, name)
		if err != nil {
			return ProfileOf{}, err
		}
		out := ProfileOf{ARN: p.arn(account), ID: p.ID}
		if p.Role == "" {
			return out, nil
		}
		r, err := getEntity(tx, account, roleKind, p.Role)
		if err == nil {
			out.RoleARN, out.RoleID = r.arn(account), r.ID
		}
		return out, err
	})
}
