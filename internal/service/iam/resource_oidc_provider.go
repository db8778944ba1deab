package iam

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceOIDCProvider is AWS::IAM::OIDCProvider. Its physical id is its ARN.
type resourceOIDCProvider struct{ c client }

type oidcProperties struct {
	ClientIdList   []string //nolint:revive // the property's name
	Tags           []stack.Tag
	ThumbprintList []string
	Url            string `cfn:",required"` //nolint:revive // the property's name
}

func (resourceOIDCProvider) Schema() stack.Schema {
	sc := stack.SchemaOf(oidcProperties{})
	sc.Attributes = []string{"Arn"}
	sc.Taggable, sc.Capability = true, true
	return sc
}

func (t resourceOIDCProvider) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p oidcProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateOpenIDConnectProviderOutput](ctx, t.c, "CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{
		Url: &p.Url, ClientIDList: p.ClientIdList, ThumbprintList: p.ThumbprintList, Tags: apiTags(r.TagsWith(p.Tags))})
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.OpenIDConnectProviderArn)
	return oidcResult(*out.OpenIDConnectProviderArn), nil
}

func oidcResult(providerARN string) stack.Result {
	return stack.Result{PhysicalID: providerARN, Attributes: map[string]any{"Arn": providerARN}}
}

func (t resourceOIDCProvider) get(ctx context.Context, r stack.Request) (*api.GetOpenIDConnectProviderOutput, error) {
	out, err := call[api.GetOpenIDConnectProviderOutput](ctx, t.c, "GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &r.PhysicalID})
	return out, absent(err)
}

func (t resourceOIDCProvider) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.get(ctx, r)
	return oidcResult(r.PhysicalID), err
}

// Live implements stack.Live.
func (t resourceOIDCProvider) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := t.get(ctx, r)
	if err != nil {
		return nil, err
	}
	var p oidcProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	return map[string]any{"Url": p.Url, "ClientIdList": stack.Plain(out.ClientIDList), "ThumbprintList": stack.Plain(out.ThumbprintList), "Tags": liveTags(out.Tags)}, nil
}

func (t resourceOIDCProvider) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[oidcProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	id := r.PhysicalID
	for _, c := range p.ClientIdList {
		if !slices.Contains(old.ClientIdList, c) {
			if err := t.c.do(ctx, "AddClientIDToOpenIDConnectProvider", &api.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &id, ClientID: &c}); err != nil {
				return stack.Result{}, err
			}
		}
	}
	for _, c := range old.ClientIdList {
		if !slices.Contains(p.ClientIdList, c) {
			if err := t.c.do(ctx, "RemoveClientIDFromOpenIDConnectProvider", &api.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: &id, ClientID: &c}); err != nil {
				return stack.Result{}, err
			}
		}
	}
	if !slices.Equal(p.ThumbprintList, old.ThumbprintList) {
		list := append([]string{}, p.ThumbprintList...)
		if err := t.c.do(ctx, "UpdateOpenIDConnectProviderThumbprint", &api.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &id, ThumbprintList: list}); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.c.retag(ctx, oidcKind, id, r, p.Tags, old.Tags); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceOIDCProvider) Delete(ctx context.Context, r stack.Request) error {
	return unlessGone(t.c.do(ctx, "DeleteOpenIDConnectProvider", &api.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.Ptr(r.PhysicalID)}))
}
