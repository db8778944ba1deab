package iam

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// oidcProvider is an issuer whose tokens the account's roles may trust. The row's
// id is the issuer without its scheme, as it stands in the ARN and in condition
// keys.
type oidcProvider struct {
	Issuer      string    `json:"issuer"` // with its scheme, as tokens name it
	ClientIDs   []string  `json:"clientIds,omitempty"`
	Thumbprints []string  `json:"thumbprints,omitempty"`
	Created     time.Time `json:"created"`
	Tags        []tag     `json:"tags,omitempty"`
	Token       string    `json:"token,omitempty"`
}

var oidcProviders = store.Table[oidcProvider]{Name: "iam.oidc", Version: 1}

const oidcKind = "oidc-provider"

// IAM's quotas of a provider.
const (
	maxProviders   = 100
	maxClientIDs   = 100
	maxThumbprints = 5
)

func (p *oidcProvider) name() string {
	_, rest, _ := strings.Cut(p.Issuer, "://")
	return rest
}

func (p *oidcProvider) arn(account string) string { return iamARN(account, oidcKind, "/", p.name()) }

func oidcKey(account, name string) store.Key { return store.Key{Account: account, ID: name} }

// issuerOf checks the URL of a provider and returns it as tokens name it. Plain
// http is for an issuer on this machine, where nobody is in between.
func issuerOf(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil ||
		u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return "", validation("Invalid Open ID Connect Provider URL")
	}
	return strings.TrimSuffix(text, "/"), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkThumbprints(list []string) error {
	if len(list) > maxThumbprints {
		return invalidInput("Thumbprint list must contain fewer than %d entries.", maxThumbprints)
	}
	return nil
}

func clientQuota() error {
	return quota("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
}

// CreateOpenIDConnectProvider registers an issuer. Nothing is fetched from it
// before a token of its arrives: without thumbprints its certificate has to be one
// that this machine trusts.
func (s *Service) CreateOpenIDConnectProvider(ctx context.Context, in *api.CreateOpenIDConnectProviderInput) (*api.CreateOpenIDConnectProviderOutput, error) {
	issuer, err := issuerOf(*in.Url)
	if err != nil {
		return nil, err
	}
	if err := checkThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	if len(in.ClientIDList) > maxClientIDs {
		return nil, clientQuota()
	}
	tags, err := newTags(ctx, oidcKind, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	account := accountOf(ctx)
	p := &oidcProvider{Issuer: issuer, ClientIDs: in.ClientIDList, Thumbprints: lowered(in.ThumbprintList), Created: s.clock.Now().UTC(), Tags: tags,
		Token: aws.CallFrom(ctx).Token}
	err = s.change(ctx, func(tx *store.Tx) (string, error) {
		if made, err := oidcProviders.Get(tx, oidcKey(account, p.name())); err == nil && p.Token != "" && made.Token == p.Token {
			return "", nil // by the same call, before a crash
		}
		all, err := oidcProviders.List(tx, store.Scope{Account: account}, "", 0)
		if err != nil {
			return "", err
		}
		if len(all) >= maxProviders {
			return "", quota("Cannot exceed quota for OpenIdConnectProvidersPerAccount: %d", maxProviders)
		}
		err = oidcProviders.Insert(tx, oidcKey(account, p.name()), p)
		if errors.Is(err, store.ErrExists) {
			return "", alreadyExists("Provider with url %s already exists.", issuer)
		}
		return p.arn(account), err
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: aws.Ptr(p.arn(account)), Tags: tagsOut(tags)}, nil
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = strings.ToLower(v)
	}
	return out
}

// oidcRow returns the key of the provider with the ARN.
func oidcRow(ctx context.Context, providerARN string) (store.Key, error) {
	a, err := arn.Parse(providerARN)
	name, found := strings.CutPrefix(a.Resource, oidcKind+"/")
	if err != nil || a.Service != "iam" || !found {
		return store.Key{}, invalidInput("Invalid ARN: %s", providerARN)
	}
	if a.Account != accountOf(ctx) {
		return store.Key{}, noProvider(providerARN)
	}
	return oidcKey(a.Account, name), nil
}

func noProvider(providerARN string) error {
	return noSuch("OpenIDConnect Provider not found for arn %s", providerARN)
}

func getOIDC(ctx context.Context, tx *store.Tx, providerARN string) (*oidcProvider, error) {
	key, err := oidcRow(ctx, providerARN)
	if err != nil {
		return nil, err
	}
	p, err := oidcProviders.Get(tx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noProvider(providerARN)
	}
	return p, err
}

func (s *Service) viewOIDC(ctx context.Context, providerARN string) (*oidcProvider, error) {
	return view(ctx, s, func(tx *store.Tx) (*oidcProvider, error) { return getOIDC(ctx, tx, providerARN) })
}

func (s *Service) editOIDC(ctx context.Context, providerARN string, edit func(*store.Tx, *oidcProvider) error) error {
	return s.change(ctx, func(tx *store.Tx) (string, error) {
		p, err := getOIDC(ctx, tx, providerARN)
		if err != nil {
			return "", err
		}
		if err := edit(tx, p); err != nil {
			return "", err
		}
		return providerARN, oidcProviders.Put(tx, oidcKey(accountOf(ctx), p.name()), p)
	})
}

// GetOpenIDConnectProvider describes a provider.
func (s *Service) GetOpenIDConnectProvider(ctx context.Context, in *api.GetOpenIDConnectProviderInput) (*api.GetOpenIDConnectProviderOutput, error) {
	p, err := s.viewOIDC(ctx, *in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &api.GetOpenIDConnectProviderOutput{Url: aws.Ptr(p.name()), ClientIDList: append([]string{}, p.ClientIDs...),
		ThumbprintList: append([]string{}, p.Thumbprints...), CreateDate: aws.Ptr(p.Created), Tags: someTags(p.Tags)}, nil
}

// ListOpenIDConnectProviders lists the ARNs of the account's providers.
func (s *Service) ListOpenIDConnectProviders(ctx context.Context, _ *api.ListOpenIDConnectProvidersInput) (*api.ListOpenIDConnectProvidersOutput, error) {
	out := &api.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: []api.OpenIDConnectProviderListEntry{}}
	return out, s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := oidcProviders.List(tx, store.Scope{Account: accountOf(ctx)}, "", 0)
		for _, r := range rows {
			out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, api.OpenIDConnectProviderListEntry{Arn: aws.Ptr(r.Value.arn(accountOf(ctx)))})
		}
		return err
	})
}

// DeleteOpenIDConnectProvider deletes a provider. Tokens of its open nothing any more.
func (s *Service) DeleteOpenIDConnectProvider(ctx context.Context, in *api.DeleteOpenIDConnectProviderInput) (*api.DeleteOpenIDConnectProviderOutput, error) {
	return &api.DeleteOpenIDConnectProviderOutput{}, s.change(ctx, func(tx *store.Tx) (string, error) {
		key, err := oidcRow(ctx, *in.OpenIDConnectProviderArn)
		if err != nil {
			return "", err
		}
		err = oidcProviders.Delete(tx, key)
		if errors.Is(err, store.ErrNotFound) {
			return "", noSuch("OpenId connect Provider %s cannot be found.", *in.OpenIDConnectProviderArn)
		}
		return *in.OpenIDConnectProviderArn, err
	})
}

// UpdateOpenIDConnectProviderThumbprint replaces the certificates that the issuer
// may show.
func (s *Service) UpdateOpenIDConnectProviderThumbprint(ctx context.Context, in *api.UpdateOpenIDConnectProviderThumbprintInput) (*api.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	if err := checkThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	return &api.UpdateOpenIDConnectProviderThumbprintOutput{}, s.editOIDC(ctx, *in.OpenIDConnectProviderArn, func(_ *store.Tx, p *oidcProvider) error {
		p.Thumbprints = lowered(in.ThumbprintList)
		return nil
	})
}

// AddClientIDToOpenIDConnectProvider admits tokens for another audience.
func (s *Service) AddClientIDToOpenIDConnectProvider(ctx context.Context, in *api.AddClientIDToOpenIDConnectProviderInput) (*api.AddClientIDToOpenIDConnectProviderOutput, error) {
	return &api.AddClientIDToOpenIDConnectProviderOutput{}, s.editOIDC(ctx, *in.OpenIDConnectProviderArn, func(_ *store.Tx, p *oidcProvider) error {
		if slices.Contains(p.ClientIDs, *in.ClientID) {
			return nil
		}
		if len(p.ClientIDs) >= maxClientIDs {
			return clientQuota()
		}
		p.ClientIDs = append(p.ClientIDs, *in.ClientID)
		return nil
	})
}

// RemoveClientIDFromOpenIDConnectProvider no longer admits an audience; one that
// is not there is success.
func (s *Service) RemoveClientIDFromOpenIDConnectProvider(ctx context.Context, in *api.RemoveClientIDFromOpenIDConnectProviderInput) (*api.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	return &api.RemoveClientIDFromOpenIDConnectProviderOutput{}, s.editOIDC(ctx, *in.OpenIDConnectProviderArn, func(_ *store.Tx, p *oidcProvider) error {
		p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(id string) bool { return id == *in.ClientID })
		return nil
	})
}

// TagOpenIDConnectProvider adds tags to a provider or changes them.
func (s *Service) TagOpenIDConnectProvider(ctx context.Context, in *api.TagOpenIDConnectProviderInput) (*api.TagOpenIDConnectProviderOutput, error) {
	return &api.TagOpenIDConnectProviderOutput{}, s.editOIDC(ctx, *in.OpenIDConnectProviderArn, addTags[*oidcProvider](ctx, oidcKind, in.Tags))
}

// UntagOpenIDConnectProvider removes tags by key.
func (s *Service) UntagOpenIDConnectProvider(ctx context.Context, in *api.UntagOpenIDConnectProviderInput) (*api.UntagOpenIDConnectProviderOutput, error) {
	return &api.UntagOpenIDConnectProviderOutput{}, s.editOIDC(ctx, *in.OpenIDConnectProviderArn, dropTags[*oidcProvider](oidcKind, in.TagKeys))
}

// ListOpenIDConnectProviderTags lists a provider's tags.
func (s *Service) ListOpenIDConnectProviderTags(ctx context.Context, in *api.ListOpenIDConnectProviderTagsInput) (*api.ListOpenIDConnectProviderTagsOutput, error) {
	pr, err := s.viewOIDC(ctx, *in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	p, err := tagPage(pr.Tags, in.Marker, in.MaxItems)
	return &api.ListOpenIDConnectProviderTagsOutput{Tags: someTags(p.items), IsTruncated: p.truncated, Marker: p.marker}, err
}
