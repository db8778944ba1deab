package iam

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// maxPolicySize is the quota of a managed policy, white space not counted.
const maxPolicySize = 6144

// findPolicy returns a managed policy by ARN, nil when there is none that the
// account can use.
func findPolicy(tx *store.Tx, account, policyARN string) (*managed, error) {
	if p := awsManaged(policyARN); p != nil {
		return p, nil
	}
	a, err := arn.Parse(policyARN)
	if err != nil || a.Service != "iam" || a.Account != account || !strings.HasPrefix(a.Resource, "policy/") {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	m, err := policies.Get(tx, nameKey(account, arn.Name(policyARN)))
	if errors.Is(err, store.ErrNotFound) || err == nil && m.arn(account) != policyARN {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return m, err
}

func getPolicy(tx *store.Tx, account, policyARN string) (*managed, error) {
	if _, err := arn.Parse(policyARN); err != nil {
		return nil, badARN(policyARN)
	}
	m, err := findPolicy(tx, account, policyARN)
	if err == nil && m == nil {
		return nil, noSuch("Policy %s was not found.", policyARN)
	}
	return m, err
}

func (s *Service) viewPolicy(ctx context.Context, policyARN string) (*managed, error) {
	return view(ctx, s, func(tx *store.Tx) (*managed, error) { return getPolicy(tx, accountOf(ctx), policyARN) })
}

// editPolicy changes a customer managed policy; AWS's own cannot be changed.
func (s *Service) editPolicy(ctx context.Context, policyARN string, edit func(tx *store.Tx, m *managed) error) error {
	account := accountOf(ctx)
	return s.change(ctx, func(tx *store.Tx) (string, error) {
		m, err := getPolicy(tx, account, policyARN)
		if err != nil {
			return "", err
		}
		if awsManaged(policyARN) != nil {
			return "", errAWSManaged()
		}
		if err := edit(tx, m); err != nil {
			return "", err
		}
		return policyARN, policies.Put(tx, nameKey(account, m.Name), m)
	})
}

func errAWSManaged() error {
	return invalidInput("Policy is an AWS managed policy and cannot be changed.")
}

// checkManaged judges a managed policy. The older version of the language, which
// inline policies may have, is not for them.
func checkManaged(document string) error {
	if documentSize(document) > maxPolicySize {
		return quota("Cannot exceed quota for PolicySize: %d", maxPolicySize)
	}
	var head struct{ Version any }
	if json.Unmarshal([]byte(document), &head) == nil && head.Version != "2012-10-17" {
		return malformed(&policy.Malformed{Message: "Policy document must be version 2012-10-17 or greater."})
	}
	_, err := policy.Parse(document, policy.Identity)
	return malformed(err)
}

// CreatePolicy makes a customer managed policy with version v1.
func (s *Service) CreatePolicy(ctx context.Context, in *api.CreatePolicyInput) (*api.CreatePolicyOutput, error) {
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	tags, err := newTags(ctx, "policy", nil, in.Tags)
	if err != nil {
		return nil, err
	}
	account, now, token := accountOf(ctx), s.clock.Now().UTC(), aws.CallFrom(ctx).Token
	m := &managed{Name: *in.PolicyName, Path: pathOr(in.Path), ID: ids.IAM("ANPA"), Description: in.Description, Created: now, Updated: now, Tags: tags,
		Versions: []version{{"v1", *in.PolicyDocument, now}}, Default: "v1", Next: 2, Token: token}
	err = s.change(ctx, func(tx *store.Tx) (string, error) {
		if token != "" {
			rows, err := policies.Lookup(tx, "token", joined(account, token))
			if err != nil {
				return "", err
			}
			if len(rows) > 0 {
				m = rows[0].Value
				return "", nil
			}
		}
		if err := withinQuota(tx, account, "PoliciesPerAccount"); err != nil {
			return "", err
		}
		err := policies.Insert(tx, nameKey(account, m.Name), m)
		if errors.Is(err, store.ErrExists) {
			return "", alreadyExists("A policy called %s already exists. Duplicate names are not allowed.", m.Name)
		}
		return m.arn(account), err
	})
	if err != nil {
		return nil, err
	}
	out := policyOut(m.arn(account), m, usage{})
	out.Description = nil // GetPolicy alone tells it
	return &api.CreatePolicyOutput{Policy: out}, nil
}

// usage tells how many entities have a policy attached and how many as boundary.
type usage struct{ attached, boundary int }

func usageOf(tx *store.Tx, account, policyARN string) (usage, error) {
	attached, err := entities.Lookup(tx, "attached", joined(account, policyARN))
	if err != nil {
		return usage{}, err
	}
	boundary, err := entities.Lookup(tx, "boundary", joined(account, policyARN))
	return usage{len(attached), len(boundary)}, err
}

// GetPolicy describes a managed policy.
func (s *Service) GetPolicy(ctx context.Context, in *api.GetPolicyInput) (*api.GetPolicyOutput, error) {
	out, err := view(ctx, s, func(tx *store.Tx) (*api.Policy, error) {
		m, err := getPolicy(tx, accountOf(ctx), *in.PolicyArn)
		if err != nil {
			return nil, err
		}
		u, err := usageOf(tx, accountOf(ctx), *in.PolicyArn)
		out := policyOut(*in.PolicyArn, m, u)
		out.Tags = someTags(m.Tags)
		return out, err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetPolicyOutput{Policy: out}, nil
}

// ListPolicies lists AWS's policies, the account's own, or both, by ARN.
func (s *Service) ListPolicies(ctx context.Context, in *api.ListPoliciesInput) (*api.ListPoliciesOutput, error) {
	account := accountOf(ctx)
	list, err := view(ctx, s, func(tx *store.Tx) ([]api.Policy, error) {
		byARN, err := policiesInScope(tx, account, string(in.Scope))
		if err != nil {
			return nil, err
		}
		out := []api.Policy{}
		for _, a := range slices.Sorted(maps.Keys(byARN)) {
			u, err := usageOf(tx, account, a)
			if err != nil {
				return nil, err
			}
			if wanted(in, byARN[a], u) {
				p := policyOut(a, byARN[a], u)
				p.Description = nil
				out = append(out, *p)
			}
		}
		return out, nil
	})
	if err != nil {
		return nil, err
	}
	p, err := paginate(list, func(p api.Policy) string { return *p.Arn }, in.Marker, in.MaxItems)
	return &api.ListPoliciesOutput{Policies: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

func policiesInScope(tx *store.Tx, account, scope string) (map[string]*managed, error) {
	byARN := map[string]*managed{}
	if scope != "Local" {
		maps.Copy(byARN, awsPolicies())
	}
	if scope == "AWS" {
		return byARN, nil
	}
	rows, err := policies.List(tx, store.Scope{Account: account}, "", 0)
	for _, r := range rows {
		byARN[r.Value.arn(account)] = r.Value
	}
	return byARN, err
}

func wanted(in *api.ListPoliciesInput, m *managed, u usage) bool {
	switch in.PolicyUsageFilter {
	case "PermissionsPolicy":
		if u.attached == 0 {
			return false
		}
	case "PermissionsBoundary":
		if u.boundary == 0 {
			return false
		}
	}
	return strings.HasPrefix(m.Path, pathOr(in.PathPrefix)) && (!aws.Val(in.OnlyAttached) || u.attached > 0)
}

// DeletePolicy deletes a policy that nobody has and that has one version.
func (s *Service) DeletePolicy(ctx context.Context, in *api.DeletePolicyInput) (*api.DeletePolicyOutput, error) {
	account := accountOf(ctx)
	return &api.DeletePolicyOutput{}, s.change(ctx, func(tx *store.Tx) (string, error) {
		m, err := getPolicy(tx, account, *in.PolicyArn)
		if err != nil {
			return "", err
		}
		u, err := usageOf(tx, account, *in.PolicyArn)
		switch {
		case err != nil:
			return "", err
		case awsManaged(*in.PolicyArn) != nil:
			return "", errAWSManaged()
		case u.attached+u.boundary > 0:
			return "", conflict("Cannot delete a policy attached to entities.")
		case len(m.Versions) > 1:
			return "", conflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return *in.PolicyArn, policies.Delete(tx, nameKey(account, m.Name))
	})
}

// ListEntitiesForPolicy lists who has a managed policy: groups, then users, then roles.
func (s *Service) ListEntitiesForPolicy(ctx context.Context, in *api.ListEntitiesForPolicyInput) (*api.ListEntitiesForPolicyOutput, error) {
	holders, err := view(ctx, s, func(tx *store.Tx) ([]*entity, error) { return holdersOf(tx, accountOf(ctx), in) })
	if err != nil {
		return nil, err
	}
	p, err := paginate(holders, func(e *entity) string { return e.Kind + "/" + strings.ToLower(e.Name) }, in.Marker, in.MaxItems)
	out := &api.ListEntitiesForPolicyOutput{IsTruncated: p.truncated, Marker: p.marker,
		PolicyGroups: []api.PolicyGroup{}, PolicyUsers: []api.PolicyUser{}, PolicyRoles: []api.PolicyRole{}}
	for _, e := range p.items {
		switch e.Kind {
		case userKind:
			out.PolicyUsers = append(out.PolicyUsers, api.PolicyUser{UserName: aws.Ptr(e.Name), UserId: aws.Ptr(e.ID)})
		case groupKind:
			out.PolicyGroups = append(out.PolicyGroups, api.PolicyGroup{GroupName: aws.Ptr(e.Name), GroupId: aws.Ptr(e.ID)})
		case roleKind:
			out.PolicyRoles = append(out.PolicyRoles, api.PolicyRole{RoleName: aws.Ptr(e.Name), RoleId: aws.Ptr(e.ID)})
		}
	}
	return out, err
}

// holdersOf returns the entities that have a policy in the way asked for, by kind and
// name.
func holdersOf(tx *store.Tx, account string, in *api.ListEntitiesForPolicyInput) ([]*entity, error) {
	if _, err := getPolicy(tx, account, *in.PolicyArn); err != nil {
		return nil, err
	}
	indexes := []string{"attached", "boundary"}
	switch in.PolicyUsageFilter {
	case api.PolicyUsageTypePermissionsPolicy:
		indexes = indexes[:1]
	case api.PolicyUsageTypePermissionsBoundary:
		indexes = indexes[1:]
	}
	byKey := map[string]*entity{}
	for _, index := range indexes {
		rows, err := entities.Lookup(tx, index, joined(account, *in.PolicyArn))
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			e, filter := r.Value, strings.ToLower(string(in.EntityFilter))
			if (filter == "" || filter == e.Kind) && strings.HasPrefix(e.Path, pathOr(in.PathPrefix)) {
				byKey[e.Kind+"/"+strings.ToLower(e.Name)] = e
			}
		}
	}
	out := make([]*entity, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		out = append(out, byKey[key])
	}
	return out, nil
}

func policyOut(policyARN string, m *managed, u usage) *api.Policy {
	return &api.Policy{PolicyName: aws.Ptr(m.Name), PolicyId: aws.Ptr(m.ID), Arn: aws.Ptr(policyARN), Path: aws.Ptr(m.Path),
		DefaultVersionId: aws.Ptr(m.Default), AttachmentCount: aws.Ptr(int32(u.attached)), PermissionsBoundaryUsageCount: aws.Ptr(int32(u.boundary)),
		IsAttachable: aws.Ptr(true), Description: m.Description, CreateDate: aws.Ptr(m.Created), UpdateDate: aws.Ptr(m.Updated), Tags: tagsOut(m.Tags)}
}
