package iam

import (
	"context"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// target finds the resource that an operation's input is about, as a check
// without action. Inputs are *XInput; the members they share are read by name.
type target func(ctx context.Context, in any) (aws.Check, error)

// member returns a string member of an input, "" when the input has none.
func member(in any, name string) string {
	f := reflect.ValueOf(in).Elem().FieldByName(name)
	if !f.IsValid() {
		return ""
	}
	p, _ := f.Interface().(*string)
	return aws.Val(p)
}

// onEntity is a user, group or role that exists, or that would have the ARN if it
// did: whether it exists is told only to those who may know.
func (s *Service) onEntity(kind, nameMember string) target {
	return func(ctx context.Context, in any) (aws.Check, error) {
		account, name := accountOf(ctx), member(in, nameMember)
		if name == "" && kind == userKind {
			caller := aws.CallFrom(ctx).Principal
			if caller.Type != aws.PrincipalUser {
				return aws.Check{Resource: caller.ARN}, nil
			}
			name = arn.Name(caller.ARN)
		}
		e, err := view(ctx, s, func(tx *store.Tx) (*entity, error) { return getEntity(tx, account, kind, name) })
		if err != nil { // absent; a broken store shows in the operation itself
			return aws.Check{Resource: iamARN(account, kind, "/", name), Context: requestKeys(in)}, nil //nolint:nilerr // see above
		}
		c := aws.Check{Resource: e.arn(account), Context: requestKeys(in)}
		e.describe(&c)
		return c, nil
	}
}

// onNew is a resource that the operation will make.
func onNew(kind, nameMember string) target {
	return func(ctx context.Context, in any) (aws.Check, error) {
		path := member(in, "Path")
		return aws.Check{Resource: iamARN(accountOf(ctx), kind, pathOr(&path), member(in, nameMember)), Context: requestKeys(in)}, nil
	}
}

// onList is what a list of a kind is checked against: the path asked for.
func onList(kind string) target {
	return func(ctx context.Context, in any) (aws.Check, error) {
		prefix := member(in, "PathPrefix")
		return aws.Check{Resource: "arn:aws:iam::" + accountOf(ctx) + ":" + kind + pathOr(&prefix)}, nil
	}
}

func (s *Service) onProfile(ctx context.Context, in any) (aws.Check, error) {
	account, name := accountOf(ctx), member(in, "InstanceProfileName")
	p, err := view(ctx, s, func(tx *store.Tx) (*profile, error) { return getProfile(tx, account, name) })
	if err != nil {
		return aws.Check{Resource: iamARN(account, "instance-profile", "/", name), Context: requestKeys(in)}, nil //nolint:nilerr // as in onEntity
	}
	keys := requestKeys(in)
	tagKeys(keys, p.Tags)
	return aws.Check{Resource: p.arn(account), Context: keys}, nil
}

// onNewIssuer is the OpenID Connect provider that a URL will be.
func onNewIssuer(ctx context.Context, in any) (aws.Check, error) {
	p := oidcProvider{Issuer: strings.TrimSuffix(member(in, "Url"), "/")}
	return aws.Check{Resource: p.arn(accountOf(ctx)), Context: requestKeys(in)}, nil
}

func (s *Service) onIssuer(ctx context.Context, in any) (aws.Check, error) {
	providerARN := member(in, "OpenIDConnectProviderArn")
	keys := requestKeys(in)
	if p, err := s.viewOIDC(ctx, providerARN); err == nil {
		tagKeys(keys, p.Tags)
	}
	return aws.Check{Resource: providerARN, Context: keys}, nil
}

func (s *Service) onPolicy(ctx context.Context, in any) (aws.Check, error) {
	c := aws.Check{Resource: member(in, "PolicyArn"), Context: requestKeys(in)}
	m, err := view(ctx, s, func(tx *store.Tx) (*managed, error) { return findPolicy(tx, accountOf(ctx), c.Resource) })
	if m != nil {
		tagKeys(c.Context, m.Tags)
	}
	return c, err
}

// onARN is the user, group or role whose ARN the member holds.
func (s *Service) onARN(name string) target {
	return func(ctx context.Context, in any) (aws.Check, error) {
		c := aws.Check{Resource: member(in, name)}
		e, err := s.named(ctx, c.Resource)
		if e != nil {
			e.describe(&c)
		}
		return c, err
	}
}

// onProvider is the SAML provider whose ARN the input holds.
func onProvider(_ context.Context, in any) (aws.Check, error) {
	return aws.Check{Resource: member(in, "SAMLProviderArn")}, nil
}

// onDevice is the MFA device whose ARN the input holds.
func onDevice(_ context.Context, in any) (aws.Check, error) {
	return aws.Check{Resource: member(in, "SerialNumber")}, nil
}

func onAll(context.Context, any) (aws.Check, error) { return aws.Check{Resource: "*"}, nil }

// requestKeys are the condition keys that an input itself gives.
func requestKeys(in any) map[string][]string {
	keys := map[string][]string{}
	if a := member(in, "PolicyArn"); a != "" {
		keys["iam:PolicyARN"] = []string{a}
	}
	if b := member(in, "PermissionsBoundary"); b != "" {
		keys["iam:PermissionsBoundary"] = []string{b}
	}
	v := reflect.ValueOf(in).Elem()
	if f := v.FieldByName("Tags"); f.IsValid() {
		for _, t := range f.Interface().([]api.Tag) {
			keys["aws:RequestTag/"+aws.Val(t.Key)] = []string{aws.Val(t.Value)}
			keys["aws:TagKeys"] = append(keys["aws:TagKeys"], aws.Val(t.Key))
		}
	}
	if f := v.FieldByName("TagKeys"); f.IsValid() {
		keys["aws:TagKeys"] = f.Interface().([]string)
	}
	return keys
}

func tagKeys(keys map[string][]string, tags []tag) {
	for _, t := range tags {
		keys["aws:ResourceTag/"+t.Key] = []string{t.Value}
		keys["iam:ResourceTag/"+t.Key] = []string{t.Value}
	}
}
