package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// detail is an entity or policy in the one list that GetAccountAuthorizationDetails
// pages through: users, then groups, roles and policies, each by name.
type detail struct {
	key    string
	entity *entity
	arn    string // of a policy
	policy *managed
}

// GetAccountAuthorizationDetails returns everything that decides what identities of
// the account may do. Of AWS's policies it shows those that are in use.
func (s *Service) GetAccountAuthorizationDetails(ctx context.Context, in *api.GetAccountAuthorizationDetailsInput) (*api.GetAccountAuthorizationDetailsOutput, error) {
	out := &api.GetAccountAuthorizationDetailsOutput{UserDetailList: []api.UserDetail{}, GroupDetailList: []api.GroupDetail{},
		RoleDetailList: []api.RoleDetail{}, Policies: []api.ManagedPolicyDetail{}}
	return out, s.db.View(ctx, func(tx *store.Tx) error {
		list, err := details(tx, accountOf(ctx), in.Filter)
		if err != nil {
			return err
		}
		p, err := paginate(list, func(d detail) string { return d.key }, in.Marker, in.MaxItems)
		if err != nil {
			return err
		}
		out.IsTruncated, out.Marker = p.truncated, p.marker
		for _, d := range p.items {
			if err := s.addDetail(tx, accountOf(ctx), d, out); err != nil {
				return err
			}
		}
		return nil
	})
}

// details lists what the filter asks for; none asks for all.
func details(tx *store.Tx, account string, filter []api.EntityType) ([]detail, error) {
	wants := func(t api.EntityType) bool { return len(filter) == 0 || slices.Contains(filter, t) }
	var out []detail
	for i, k := range []struct {
		kind   string
		filter api.EntityType
	}{{userKind, api.EntityTypeUser}, {groupKind, api.EntityTypeGroup}, {roleKind, api.EntityTypeRole}} {
		if !wants(k.filter) {
			continue
		}
		list, err := entitiesOf(tx, account, k.kind)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			out = append(out, detail{key: string(rune('1'+i)) + "/" + strings.ToLower(e.Name), entity: e})
		}
	}
	for scope, filter := range map[string]api.EntityType{"Local": api.EntityTypeLocalManagedPolicy, "AWS": api.EntityTypeAWSManagedPolicy} {
		if !wants(filter) {
			continue
		}
		byARN, err := policiesInScope(tx, account, scope)
		if err != nil {
			return nil, err
		}
		for a, m := range byARN {
			u, err := usageOf(tx, account, a)
			if err != nil {
				return nil, err
			}
			if scope == "Local" || u.attached+u.boundary > 0 {
				out = append(out, detail{key: "4/" + a, arn: a, policy: m})
			}
		}
	}
	slices.SortFunc(out, func(a, b detail) int { return strings.Compare(a.key, b.key) })
	return out, nil
}

func (s *Service) addDetail(tx *store.Tx, account string, d detail, out *api.GetAccountAuthorizationDetailsOutput) error {
	if d.policy != nil {
		p, err := policyDetail(tx, account, d)
		out.Policies = append(out.Policies, p)
		return err
	}
	e := d.entity
	switch e.Kind {
	case groupKind:
		out.GroupDetailList = append(out.GroupDetailList, api.GroupDetail{Path: aws.Ptr(e.Path), GroupName: aws.Ptr(e.Name), GroupId: aws.Ptr(e.ID),
			Arn: aws.Ptr(e.arn(account)), CreateDate: aws.Ptr(e.Created), GroupPolicyList: inlineOut(e), AttachedManagedPolicies: attachedOut(e)})
		return nil
	case userKind:
		groups, err := groupsOfUser(tx, e)
		u := api.UserDetail{Path: aws.Ptr(e.Path), UserName: aws.Ptr(e.Name), UserId: aws.Ptr(e.ID), Arn: aws.Ptr(e.arn(account)), CreateDate: aws.Ptr(e.Created),
			UserPolicyList: inlineOut(e), GroupList: []string{}, AttachedManagedPolicies: attachedOut(e), PermissionsBoundary: boundaryOut(e.Boundary), Tags: tagsOut(e.Tags)}
		for _, g := range groups {
			u.GroupList = append(u.GroupList, g.Name)
		}
		out.UserDetailList = append(out.UserDetailList, u)
		return err
	}
	r, err := s.roleDetail(tx, account, e)
	out.RoleDetailList = append(out.RoleDetailList, r)
	return err
}

func (s *Service) roleDetail(tx *store.Tx, account string, e *entity) (api.RoleDetail, error) {
	r := api.RoleDetail{Path: aws.Ptr(e.Path), RoleName: aws.Ptr(e.Name), RoleId: aws.Ptr(e.ID), Arn: aws.Ptr(e.arn(account)), CreateDate: aws.Ptr(e.Created),
		InstanceProfileList: []api.InstanceProfile{}, RolePolicyList: inlineOut(e), AttachedManagedPolicies: attachedOut(e),
		PermissionsBoundary: boundaryOut(e.Boundary), Tags: tagsOut(e.Tags)}
	trust, err := shownTrust(tx, e)
	if err != nil {
		return r, err
	}
	r.AssumeRolePolicyDocument = aws.Ptr(encoded(trust))
	if r.RoleLastUsed, err = s.roleLastUsed(tx, e.ID); err != nil {
		return r, err
	}
	rows, err := profiles.Lookup(tx, "role", joined(account, strings.ToLower(e.Name)))
	if err != nil {
		return r, err
	}
	for _, row := range rows {
		p, err := fullProfile(tx, account, row.Value)
		if err != nil {
			return r, err
		}
		r.InstanceProfileList = append(r.InstanceProfileList, *p)
	}
	return r, nil
}

func policyDetail(tx *store.Tx, account string, d detail) (api.ManagedPolicyDetail, error) {
	u, err := usageOf(tx, account, d.arn)
	p := policyOut(d.arn, d.policy, u)
	out := api.ManagedPolicyDetail{PolicyName: p.PolicyName, PolicyId: p.PolicyId, Arn: p.Arn, Path: p.Path, DefaultVersionId: p.DefaultVersionId,
		AttachmentCount: p.AttachmentCount, PermissionsBoundaryUsageCount: p.PermissionsBoundaryUsageCount, IsAttachable: p.IsAttachable,
		Description: p.Description, CreateDate: p.CreateDate, UpdateDate: p.UpdateDate, PolicyVersionList: []api.PolicyVersion{}}
	for _, v := range slices.Backward(d.policy.Versions) {
		out.PolicyVersionList = append(out.PolicyVersionList, *versionOut(d.policy, v))
	}
	return out, err
}

func inlineOut(e *entity) []api.PolicyDetail {
	out := []api.PolicyDetail{}
	for _, name := range slices.Sorted(maps.Keys(e.Inline)) {
		out = append(out, api.PolicyDetail{PolicyName: aws.Ptr(name), PolicyDocument: aws.Ptr(encoded(e.Inline[name]))})
	}
	return out
}

func attachedOut(e *entity) []api.AttachedPolicy {
	out := []api.AttachedPolicy{}
	for _, a := range e.Attached {
		out = append(out, api.AttachedPolicy{PolicyName: aws.Ptr(arn.Name(a)), PolicyArn: aws.Ptr(a)})
	}
	return out
}
