package access

import (
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// refusal is a call that was refused, or would have been.
type refusal struct {
	RequestID   string      `json:"requestId"`
	Origin      string      `json:"origin,omitempty"` // the client's request, where it is another
	Time        time.Time   `json:"time"`
	Service     string      `json:"service"`
	Operation   string      `json:"operation"`
	Enforced    bool        `json:"enforced"`
	Explanation explanation `json:"explanation"`
}

// explanation is a policy.Judgement as it is kept: policies change, the words of
// the decision stay.
type explanation struct {
	Principal  string          `json:"principal"`
	Identity   string          `json:"identity"` // user or role behind the principal
	Action     string          `json:"action"`
	Resource   string          `json:"resource"`
	Decision   policy.Decision `json:"decision"`
	Reason     string          `json:"reason"`
	PolicyType string          `json:"policyType,omitempty"`
	Policy     string          `json:"policy,omitempty"`
	Number     int             `json:"number,omitempty"` // of the statement, from 1
	Statement  string          `json:"statement,omitempty"`
	Near       []string        `json:"near,omitempty"`
	Sources    []string        `json:"sources,omitempty"`
	Fix        string          `json:"fix,omitempty"`
}

// of reports whether a principal was refused, itself or in a session.
func (r *refusal) of(principal string) bool {
	who := r.Explanation.Principal
	return who == principal || Identity(who) == recordedAs(principal)
}

// use is what a principal was allowed to do with one resource.
type use struct {
	Principal string `json:"principal"` // by Identity
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	// Family tells that the resource stands for many.
	Family bool `json:"family,omitempty"`
	// PassedTo are the services a role was handed to, with iam:PassRole.
	PassedTo []string  `json:"passedTo,omitempty"`
	Count    int64     `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"` // at most a minute earlier than that
	written  int64     // the count that the row has
}

// passed adds services that a role was handed to, and reports whether any is new.
func (u *use) passed(services []string) bool {
	before := len(u.PassedTo)
	for _, s := range services {
		if !slices.Contains(u.PassedTo, s) {
			u.PassedTo = append(u.PassedTo, s)
		}
	}
	return len(u.PassedTo) > before
}

// Rows have the account of their principal and no region.
var (
	refusals = store.Table[refusal]{Name: "access.refusal", Version: 1, Indexes: []store.Index[refusal]{
		{Name: "request", Value: func(k store.Key, r *refusal) []string {
			ids := []string{k.Account + "\x00" + r.RequestID}
			if r.Origin != "" {
				ids = append(ids, k.Account+"\x00"+r.Origin)
			}
			return ids
		}},
		{Name: "age", Value: func(k store.Key, _ *refusal) []string { return []string{k.Account + "\x00" + k.ID} }},
	}}
	uses = store.Table[use]{Name: "access.use", Version: 1, Indexes: []store.Index[use]{
		{Name: "principal", Value: func(k store.Key, u *use) []string { return []string{k.Account + "\x00" + u.Principal} }},
	}}
)

// identityOf is under whom a call is recorded.
func identityOf(p aws.Principal) string {
	if p.RoleARN != "" {
		return Identity(p.ARN)
	}
	return p.ARN
}
