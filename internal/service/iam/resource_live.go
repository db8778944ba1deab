package iam

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// Live implements stack.Live.
func (t resourceRole) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := call[api.GetRoleOutput](ctx, t.c, "GetRole", &api.GetRoleInput{RoleName: &r.PhysicalID})
	if err != nil {
		return nil, absent(err)
	}
	role := out.Role
	trust, err := document(role.AssumeRolePolicyDocument)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"RoleName": aws.Val(role.RoleName), "Path": aws.Val(role.Path), "AssumeRolePolicyDocument": trust,
		"Description": orNil(role.Description), "MaxSessionDuration": stack.Plain(role.MaxSessionDuration), "Tags": liveTags(role.Tags)}
	if role.PermissionsBoundary != nil {
		live["PermissionsBoundary"] = aws.Val(role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	attached, err := call[api.ListAttachedRolePoliciesOutput](ctx, t.c, "ListAttachedRolePolicies", &api.ListAttachedRolePoliciesInput{RoleName: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	live["ManagedPolicyArns"] = liveARNs(attached.AttachedPolicies)
	names, err := call[api.ListRolePoliciesOutput](ctx, t.c, "ListRolePolicies", &api.ListRolePoliciesInput{RoleName: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	live["Policies"], err = t.c.liveInline(ctx, holder{roleKind, r.PhysicalID}, names.PolicyNames)
	return live, err
}

// Live implements stack.Live.
func (t resourceUser) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := call[api.GetUserOutput](ctx, t.c, "GetUser", &api.GetUserInput{UserName: &r.PhysicalID})
	if err != nil {
		return nil, absent(err)
	}
	user := out.User
	live := map[string]any{"UserName": aws.Val(user.UserName), "Path": aws.Val(user.Path), "Tags": liveTags(user.Tags)}
	if user.PermissionsBoundary != nil {
		live["PermissionsBoundary"] = aws.Val(user.PermissionsBoundary.PermissionsBoundaryArn)
	}
	attached, err := call[api.ListAttachedUserPoliciesOutput](ctx, t.c, "ListAttachedUserPolicies", &api.ListAttachedUserPoliciesInput{UserName: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	live["ManagedPolicyArns"] = liveARNs(attached.AttachedPolicies)
	groups, err := call[api.ListGroupsForUserOutput](ctx, t.c, "ListGroupsForUser", &api.ListGroupsForUserInput{UserName: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	in := []any{}
	for _, g := range groups.Groups {
		in = append(in, aws.Val(g.GroupName))
	}
	live["Groups"] = in
	names, err := call[api.ListUserPoliciesOutput](ctx, t.c, "ListUserPolicies", &api.ListUserPoliciesInput{UserName: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	live["Policies"], err = t.c.liveInline(ctx, holder{userKind, r.PhysicalID}, names.PolicyNames)
	return live, err
}

// Live implements stack.Live: a holder that has lost the policy is missing, and the
// document is that of the first which has it.
func (t resourcePolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	var p policyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	lists := map[string][]any{userKind: {}, groupKind: {}, roleKind: {}}
	live := map[string]any{"PolicyName": p.PolicyName}
	for _, h := range p.holders() {
		text, err := t.c.inline(ctx, h, p.PolicyName)
		if err = absent(err); err == stack.ErrNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		lists[h.kind] = append(lists[h.kind], h.name)
		if live["PolicyDocument"] == nil {
			if live["PolicyDocument"], err = document(text); err != nil {
				return nil, err
			}
		}
	}
	if live["PolicyDocument"] == nil {
		return nil, stack.ErrNotFound
	}
	live["Users"], live["Groups"], live["Roles"] = lists[userKind], lists[groupKind], lists[roleKind]
	return live, nil
}

// inline returns the document of an inline policy, as IAM encodes it.
func (c client) inline(ctx context.Context, h holder, name string) (*string, error) {
	switch h.kind {
	case userKind:
		out, err := call[api.GetUserPolicyOutput](ctx, c, "GetUserPolicy", &api.GetUserPolicyInput{UserName: &h.name, PolicyName: &name})
		if err != nil {
			return nil, err
		}
		return out.PolicyDocument, nil
	case groupKind:
		out, err := call[api.GetGroupPolicyOutput](ctx, c, "GetGroupPolicy", &api.GetGroupPolicyInput{GroupName: &h.name, PolicyName: &name})
		if err != nil {
			return nil, err
		}
		return out.PolicyDocument, nil
	}
	out, err := call[api.GetRolePolicyOutput](ctx, c, "GetRolePolicy", &api.GetRolePolicyInput{RoleName: &h.name, PolicyName: &name})
	if err != nil {
		return nil, err
	}
	return out.PolicyDocument, nil
}

// liveInline is the property Policies of a user or role.
func (c client) liveInline(ctx context.Context, h holder, names []string) ([]any, error) {
	out := []any{}
	for _, name := range names {
		text, err := c.inline(ctx, h, name)
		if err != nil {
			return nil, err
		}
		doc, err := document(text)
		if err != nil {
			return nil, err
		}
		out = append(out, map[string]any{"PolicyName": name, "PolicyDocument": doc})
	}
	return out, nil
}

// document decodes a policy document as IAM answers it.
func document(encoded *string) (any, error) {
	text, err := url.QueryUnescape(aws.Val(encoded))
	if err != nil {
		return nil, fmt.Errorf("decode a policy document: %w", err)
	}
	var doc any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("decode a policy document: %w", err)
	}
	return doc, nil
}

func liveTags(tags []api.Tag) []any {
	out := []any{}
	for _, t := range tags {
		out = append(out, map[string]any{"Key": aws.Val(t.Key), "Value": aws.Val(t.Value)})
	}
	return out
}

func liveARNs(policies []api.AttachedPolicy) []any {
	out := []any{}
	for _, p := range policies {
		out = append(out, aws.Val(p.PolicyArn))
	}
	return out
}

func orNil(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}
