package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// Invoker calls operations as the caller in ctx; the server implements it.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Resources returns the resource types of stacks. They call IAM's operations
// through inv as the stack's caller, so that a stack can do what its caller may.
func (s *Service) Resources(inv Invoker) stack.Registry {
	c := client{inv}
	return stack.Registry{
		"AWS::IAM::Role":                resourceRole{c},
		"AWS::IAM::User":                resourceUser{c},
		"AWS::IAM::Group":               resourceGroup{c},
		"AWS::IAM::UserToGroupAddition": resourceMembership{c},
		"AWS::IAM::InstanceProfile":     resourceInstanceProfile{c},
		"AWS::IAM::Policy":              resourcePolicy{c},
		"AWS::IAM::ManagedPolicy":       resourceManagedPolicy{c},
		"AWS::IAM::AccessKey":           resourceAccessKey{c, s},
		"AWS::IAM::OIDCProvider":        resourceOIDCProvider{c},
		"AWS::IAM::ServiceLinkedRole":   resourceServiceLinkedRole{c},
		"AWS::IAM::ServerCertificate":   resourceServerCertificate{c},
		"AWS::IAM::RolePolicy":          resourceInlinePolicy{c, roleKind},
		"AWS::IAM::UserPolicy":          resourceInlinePolicy{c, userKind},
		"AWS::IAM::GroupPolicy":         resourceInlinePolicy{c, groupKind},
	}
}

// client calls IAM for the resource types.
type client struct{ inv Invoker }

func call[O any](ctx context.Context, c client, operation string, in any) (*O, error) {
	out, err := c.inv.Invoke(ctx, "iam", operation, in)
	if err != nil {
		return nil, err
	}
	typed, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("iam %s answered %T", operation, out)
	}
	return typed, nil
}

// do calls an operation whose answer says nothing.
func (c client) do(ctx context.Context, operation string, in any) error {
	_, err := c.inv.Invoke(ctx, "iam", operation, in)
	return err
}

// unlessGone makes the deletion of what is gone a success.
func unlessGone(err error) error {
	if awserr.Is(err, "NoSuchEntity") {
		return nil
	}
	return err
}

// absent turns NoSuchEntity into the engine's own word.
func absent(err error) error {
	if awserr.Is(err, "NoSuchEntity") {
		return stack.ErrNotFound
	}
	return err
}

// inlinePolicy is an element of a Policies property.
type inlinePolicy struct {
	PolicyName     string          `cfn:",required"`
	PolicyDocument json.RawMessage `cfn:",required"`
}

// grants are the policies that a template gives a user, group or role.
type grants struct {
	inline   map[string]string
	attached []string
	boundary string
}

func newGrants(inline []inlinePolicy, attached []string, boundary *string) grants {
	g := grants{map[string]string{}, attached, aws.Val(boundary)}
	for _, p := range inline {
		g.inline[p.PolicyName] = string(p.PolicyDocument)
	}
	return g
}

// apply turns old into next, what is new first so that a role never stands
// without the permissions that it keeps.
func (c client) apply(ctx context.Context, kind, name string, old, next grants) error {
	for _, a := range next.attached {
		if !slices.Contains(old.attached, a) {
			if err := c.attach(ctx, kind, name, a); err != nil {
				return err
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(next.inline)) {
		if old.inline[p] != next.inline[p] {
			if err := c.put(ctx, kind, name, p, next.inline[p]); err != nil {
				return err
			}
		}
	}
	if next.boundary != "" && next.boundary != old.boundary {
		if err := c.bound(ctx, kind, name, next.boundary); err != nil {
			return err
		}
	}
	return c.revoke(ctx, kind, name, old, next)
}

// revoke takes away what old has and next lacks; what is gone already is fine.
func (c client) revoke(ctx context.Context, kind, name string, old, next grants) error {
	for _, a := range old.attached {
		if !slices.Contains(next.attached, a) {
			if err := unlessGone(c.detach(ctx, kind, name, a)); err != nil {
				return err
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(old.inline)) {
		if _, kept := next.inline[p]; !kept {
			if err := unlessGone(c.delete(ctx, kind, name, p)); err != nil {
				return err
			}
		}
	}
	if old.boundary != "" && next.boundary == "" {
		return unlessGone(c.unbound(ctx, kind, name))
	}
	return nil
}

func (c client) put(ctx context.Context, kind, name, policy, document string) error {
	switch kind {
	case userKind:
		return c.do(ctx, "PutUserPolicy", &api.PutUserPolicyInput{UserName: &name, PolicyName: &policy, PolicyDocument: &document})
	case groupKind:
		return c.do(ctx, "PutGroupPolicy", &api.PutGroupPolicyInput{GroupName: &name, PolicyName: &policy, PolicyDocument: &document})
	}
	return c.do(ctx, "PutRolePolicy", &api.PutRolePolicyInput{RoleName: &name, PolicyName: &policy, PolicyDocument: &document})
}

func (c client) delete(ctx context.Context, kind, name, policy string) error {
	switch kind {
	case userKind:
		return c.do(ctx, "DeleteUserPolicy", &api.DeleteUserPolicyInput{UserName: &name, PolicyName: &policy})
	case groupKind:
		return c.do(ctx, "DeleteGroupPolicy", &api.DeleteGroupPolicyInput{GroupName: &name, PolicyName: &policy})
	}
	return c.do(ctx, "DeleteRolePolicy", &api.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy})
}

func (c client) attach(ctx context.Context, kind, name, arn string) error {
	switch kind {
	case userKind:
		return c.do(ctx, "AttachUserPolicy", &api.AttachUserPolicyInput{UserName: &name, PolicyArn: &arn})
	case groupKind:
		return c.do(ctx, "AttachGroupPolicy", &api.AttachGroupPolicyInput{GroupName: &name, PolicyArn: &arn})
	}
	return c.do(ctx, "AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: &name, PolicyArn: &arn})
}

func (c client) detach(ctx context.Context, kind, name, arn string) error {
	switch kind {
	case userKind:
		return c.do(ctx, "DetachUserPolicy", &api.DetachUserPolicyInput{UserName: &name, PolicyArn: &arn})
	case groupKind:
		return c.do(ctx, "DetachGroupPolicy", &api.DetachGroupPolicyInput{GroupName: &name, PolicyArn: &arn})
	}
	return c.do(ctx, "DetachRolePolicy", &api.DetachRolePolicyInput{RoleName: &name, PolicyArn: &arn})
}

func (c client) bound(ctx context.Context, kind, name, arn string) error {
	if kind == userKind {
		return c.do(ctx, "PutUserPermissionsBoundary", &api.PutUserPermissionsBoundaryInput{UserName: &name, PermissionsBoundary: &arn})
	}
	return c.do(ctx, "PutRolePermissionsBoundary", &api.PutRolePermissionsBoundaryInput{RoleName: &name, PermissionsBoundary: &arn})
}

func (c client) unbound(ctx context.Context, kind, name string) error {
	if kind == userKind {
		return c.do(ctx, "DeleteUserPermissionsBoundary", &api.DeleteUserPermissionsBoundaryInput{UserName: &name})
	}
	return c.do(ctx, "DeleteRolePermissionsBoundary", &api.DeleteRolePermissionsBoundaryInput{RoleName: &name})
}

// retag makes the tags of a user, role, provider or certificate those of the template and the stack.
func (c client) retag(ctx context.Context, kind, name string, r stack.Request, own, old []stack.Tag) error {
	before, now := r.TagsBefore(old), r.TagsWith(own)
	gone := stack.TagsGone(before, now)
	tag, untag, operation := any(&api.TagRoleInput{RoleName: &name, Tags: apiTags(now)}), any(&api.UntagRoleInput{RoleName: &name, TagKeys: gone}), "Role"
	switch kind {
	case userKind:
		tag, untag, operation = &api.TagUserInput{UserName: &name, Tags: apiTags(now)}, &api.UntagUserInput{UserName: &name, TagKeys: gone}, "User"
	case oidcKind:
		tag, untag = &api.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &name, Tags: apiTags(now)}, &api.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &name, TagKeys: gone}
		operation = "OpenIDConnectProvider"
	case certificateKind:
		tag, untag = &api.TagServerCertificateInput{ServerCertificateName: &name, Tags: apiTags(now)}, &api.UntagServerCertificateInput{ServerCertificateName: &name, TagKeys: gone}
		operation = "ServerCertificate"
	}
	if slices.Equal(now, before) {
		return nil
	}
	if len(now) > 0 {
		if err := c.do(ctx, "Tag"+operation, tag); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return c.do(ctx, "Untag"+operation, untag)
}

func apiTags(tags []stack.Tag) []api.Tag {
	var out []api.Tag
	for _, t := range tags {
		out = append(out, api.Tag{Key: aws.Ptr(t.Key), Value: aws.Ptr(t.Value)})
	}
	return out
}

// nameOr returns the name that the template gives, or a generated one.
func nameOr(given *string, r stack.Request, limit int) string {
	if aws.Val(given) != "" {
		return *given
	}
	return r.Name(limit)
}

// decodeBoth reads the properties of an update.
func decodeBoth[P any](r stack.Request) (next, old P, err error) {
	if err = stack.Decode(r.Properties, &next); err == nil {
		err = stack.Decode(r.OldProperties, &old)
	}
	return next, old, err
}
