package iam

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// Live implements stack.Live.
func (t resourceGroup) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := call[api.GetGroupOutput](ctx, t.c, "GetGroup", &api.GetGroupInput{GroupName: &r.PhysicalID})
	if err != nil {
		return nil, absent(err)
	}
	live := map[string]any{"GroupName": aws.Val(out.Group.GroupName), "Path": aws.Val(out.Group.Path)}
	attached, err := call[api.ListAttachedGroupPoliciesOutput](ctx, t.c, "ListAttachedGroupPolicies", &api.ListAttachedGroupPoliciesInput{GroupName: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	live["ManagedPolicyArns"] = liveARNs(attached.AttachedPolicies)
	names, err := call[api.ListGroupPoliciesOutput](ctx, t.c, "ListGroupPolicies", &api.ListGroupPoliciesInput{GroupName: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	live["Policies"], err = t.c.liveInline(ctx, holder{groupKind, r.PhysicalID}, names.PolicyNames)
	return live, err
}

// Live implements stack.Live: of the users it adds those that are in the group.
func (t resourceMembership) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	var p membershipProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	out, err := call[api.GetGroupOutput](ctx, t.c, "GetGroup", &api.GetGroupInput{GroupName: &p.GroupName, MaxItems: aws.Ptr(int32(1000))})
	if err != nil {
		return nil, absent(err)
	}
	in := []any{}
	for _, u := range out.Users {
		if slices.Contains(p.Users, *u.UserName) {
			in = append(in, *u.UserName)
		}
	}
	if len(in) == 0 {
		return nil, stack.ErrNotFound
	}
	return map[string]any{"GroupName": p.GroupName, "Users": in}, nil
}

// Live implements stack.Live.
func (t resourceInstanceProfile) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := call[api.GetInstanceProfileOutput](ctx, t.c, "GetInstanceProfile", &api.GetInstanceProfileInput{InstanceProfileName: &r.PhysicalID})
	if err != nil {
		return nil, absent(err)
	}
	roles := []any{}
	for _, role := range out.InstanceProfile.Roles {
		roles = append(roles, *role.RoleName)
	}
	return map[string]any{"InstanceProfileName": *out.InstanceProfile.InstanceProfileName, "Path": *out.InstanceProfile.Path, "Roles": roles}, nil
}

// Live implements stack.Live: the document is the default version's, and the holders
// are those that have the policy whoever attached it.
func (t resourceManagedPolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := call[api.GetPolicyOutput](ctx, t.c, "GetPolicy", &api.GetPolicyInput{PolicyArn: &r.PhysicalID})
	if err != nil {
		return nil, absent(err)
	}
	v, err := call[api.GetPolicyVersionOutput](ctx, t.c, "GetPolicyVersion", &api.GetPolicyVersionInput{PolicyArn: &r.PhysicalID, VersionId: out.Policy.DefaultVersionId})
	if err != nil {
		return nil, absent(err)
	}
	doc, err := document(v.PolicyVersion.Document)
	if err != nil {
		return nil, err
	}
	held, err := call[api.ListEntitiesForPolicyOutput](ctx, t.c, "ListEntitiesForPolicy", &api.ListEntitiesForPolicyInput{PolicyArn: &r.PhysicalID, MaxItems: aws.Ptr(int32(1000))})
	if err != nil {
		return nil, absent(err)
	}
	users, groups, roles := []any{}, []any{}, []any{}
	for _, u := range held.PolicyUsers {
		users = append(users, *u.UserName)
	}
	for _, g := range held.PolicyGroups {
		groups = append(groups, *g.GroupName)
	}
	for _, role := range held.PolicyRoles {
		roles = append(roles, *role.RoleName)
	}
	return map[string]any{"ManagedPolicyName": *out.Policy.PolicyName, "Path": *out.Policy.Path, "Description": orNil(out.Policy.Description),
		"PolicyDocument": doc, "Users": users, "Groups": groups, "Roles": roles}, nil
}

// Live implements stack.Live.
func (t resourceAccessKey) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	var p accessKeyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	out, err := call[api.ListAccessKeysOutput](ctx, t.c, "ListAccessKeys", &api.ListAccessKeysInput{UserName: &p.UserName})
	if err != nil {
		return nil, absent(err)
	}
	for _, k := range out.AccessKeyMetadata {
		if *k.AccessKeyId == r.PhysicalID {
			return map[string]any{"UserName": *k.UserName, "Status": string(k.Status), "Serial": r.Properties["Serial"]}, nil
		}
	}
	return nil, stack.ErrNotFound
}
