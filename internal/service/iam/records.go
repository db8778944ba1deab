package iam

import (
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// The kinds of entity, as they stand in ARNs.
const (
	userKind  = "user"
	groupKind = "group"
	roleKind  = "role"
)

// entity is a user, a group or a role.
type entity struct {
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	ID      string    `json:"id"` // AIDA, AGPA or AROA...
	Created time.Time `json:"created"`
	// Inline policies by name; Attached are ARNs in the order attached.
	Inline   map[string]string `json:"inline,omitempty"`
	Attached []string          `json:"attached,omitempty"`
	Boundary string            `json:"boundary,omitempty"`
	Tags     []tag             `json:"tags,omitempty"`
	Token    string            `json:"token,omitempty"`

	// Groups are the unique ids of a user's groups.
	Groups []string `json:"groups,omitempty"`

	// Trust is a role's; TrustIDs are the unique ids that its principals' ARNs
	// meant when it was written.
	Trust       string            `json:"trust,omitempty"`
	TrustIDs    map[string]string `json:"trustIds,omitempty"`
	Description *string           `json:"description,omitempty"`
	MaxSession  int32             `json:"maxSession,omitempty"` // seconds
	// Linked is the service that a service-linked role belongs to.
	Linked string `json:"linked,omitempty"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (e *entity) arn(account string) string { return iamARN(account, e.Kind, e.Path, e.Name) }

func joined(parts ...string) string { return strings.Join(parts, "\x00") }

func entityKey(account, kind, name string) store.Key {
	return store.Key{Account: account, ID: kind + "/" + strings.ToLower(name)}
}

var entities = store.Table[entity]{
	Name: "iam.entity", Version: 1,
	Indexes: []store.Index[entity]{
		{Name: "name", Value: func(k store.Key, e *entity) []string {
			return []string{joined(k.Account, e.Kind, strings.ToLower(e.Name))}
		}},
		{Name: "id", Unique: true, Value: func(_ store.Key, e *entity) []string { return []string{e.ID} }},
		{Name: "attached", Value: func(k store.Key, e *entity) []string { return inAccount(k, e.Attached) }},
		{Name: "boundary", Value: func(k store.Key, e *entity) []string { return inAccount(k, nonEmpty(e.Boundary)) }},
		{Name: "group", Value: func(_ store.Key, e *entity) []string { return e.Groups }},
		{Name: "token", Unique: true, Value: func(k store.Key, e *entity) []string { return inAccount(k, nonEmpty(e.Token)) }},
	},
}

// managed is a customer managed policy. Its name is unique in the account,
// whatever its path.
type managed struct {
	Name        string    `json:"name"`
	Path        string    `json:"path"`
	ID          string    `json:"id"` // ANPA...
	Description *string   `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
	Versions    []version `json:"versions"` // oldest first
	Default     string    `json:"default"`  // "v1"
	Next        int       `json:"next"`     // number of the next version
	Tags        []tag     `json:"tags,omitempty"`
	Token       string    `json:"token,omitempty"`
}

type version struct {
	ID       string    `json:"id"`
	Document string    `json:"document"`
	Created  time.Time `json:"created"`
}

func (m *managed) arn(account string) string { return iamARN(account, "policy", m.Path, m.Name) }

// document returns the default version's.
func (m *managed) document() string {
	for _, v := range m.Versions {
		if v.ID == m.Default {
			return v.Document
		}
	}
	return ""
}

func nameKey(account, name string) store.Key {
	return store.Key{Account: account, ID: strings.ToLower(name)}
}

var policies = store.Table[managed]{
	Name: "iam.policy", Version: 1,
	Indexes: []store.Index[managed]{
		{Name: "token", Unique: true, Value: func(k store.Key, m *managed) []string { return inAccount(k, nonEmpty(m.Token)) }},
	},
}

// profile is an instance profile; it holds one role at most.
type profile struct {
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	ID      string    `json:"id"` // AIPA...
	Created time.Time `json:"created"`
	Role    string    `json:"role,omitempty"` // role name
	Tags    []tag     `json:"tags,omitempty"`
	Token   string    `json:"token,omitempty"`
}

func (p *profile) arn(account string) string {
	return iamARN(account, "instance-profile", p.Path, p.Name)
}

var profiles = store.Table[profile]{
	Name: "iam.profile", Version: 1,
	Indexes: []store.Index[profile]{
		{Name: "role", Value: func(k store.Key, p *profile) []string { return inAccount(k, nonEmpty(strings.ToLower(p.Role))) }},
		{Name: "token", Unique: true, Value: func(k store.Key, p *profile) []string { return inAccount(k, nonEmpty(p.Token)) }},
	},
}

// accessKey is a long-term key. Owner is the user's unique id, or the account id
// for root. The key id is the row's.
type accessKey struct {
	Account string    `json:"account"`
	Owner   string    `json:"owner"`
	Sealed  []byte    `json:"sealed"`
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`
	Token   string    `json:"token,omitempty"`
}

var keys = store.Table[accessKey]{
	Name: "iam.key", Version: 1,
	Indexes: []store.Index[accessKey]{
		{Name: "owner", Value: func(_ store.Key, k *accessKey) []string { return []string{k.Owner} }},
		{Name: "token", Unique: true, Value: func(_ store.Key, k *accessKey) []string {
			if k.Token == "" {
				return nil
			}
			return []string{joined(k.Account, k.Token)}
		}},
	},
}

func keyRow(id string) store.Key { return store.Key{ID: id} }

// accountRow is an account of this server; its id is the row's.
type accountRow struct {
	Created time.Time `json:"created"`
	Alias   string    `json:"alias,omitempty"`
	RootKey string    `json:"rootKey"` // the key that `hardstand env` prints
}

var accounts = store.Table[accountRow]{
	Name: "iam.account", Version: 1,
	Indexes: []store.Index[accountRow]{
		{Name: "alias", Unique: true, Value: func(_ store.Key, a *accountRow) []string { return nonEmpty(a.Alias) }},
	},
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func inAccount(k store.Key, values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = joined(k.Account, v)
	}
	return out
}
