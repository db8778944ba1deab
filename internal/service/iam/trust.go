package iam

import (
	"errors"
	"strings"
	"unicode"

	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// maxTrustSize is the quota of a trust policy, white space not counted.
const maxTrustSize = 2048

// bindTrust validates e's trust policy and notes which entities its ARNs mean.
// A user or role made later under the same name is another one.
func bindTrust(tx *store.Tx, e *entity) error {
	if documentSize(e.Trust) > maxTrustSize {
		return quota("Cannot exceed quota for ACLSizePerRole: %d", maxTrustSize)
	}
	doc, err := policy.Parse(e.Trust, policy.Trust)
	if err != nil {
		return malformed(err)
	}
	e.TrustIDs = nil
	for _, p := range doc.Principals() {
		id, known, err := principalID(tx, p)
		if err != nil {
			return err
		}
		if known && id == "" {
			return malformed(policy.InvalidPrincipal(p.Type, p.Value))
		}
		if id != "" {
			if e.TrustIDs == nil {
				e.TrustIDs = map[string]string{}
			}
			e.TrustIDs[p.Value] = id
		}
	}
	return nil
}

// principalID returns the unique id of the user or role that p names by ARN.
// known is false for all other principals and for accounts that are not ours.
func principalID(tx *store.Tx, p policy.PrincipalRef) (id string, known bool, err error) {
	a, parseErr := arn.Parse(p.Value)
	if p.Type != "AWS" || parseErr != nil || a.Service != "iam" || a.Resource == "root" {
		return "", false, nil
	}
	if _, err := accounts.Get(tx, keyRow(a.Account)); errors.Is(err, store.ErrNotFound) {
		return "", false, nil
	} else if err != nil {
		return "", false, err
	}
	kind, _, _ := strings.Cut(a.Resource, "/")
	e, err := entities.Get(tx, entityKey(a.Account, kind, arn.Name(p.Value)))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", true, nil
	case err != nil:
		return "", true, err
	case e.arn(a.Account) != p.Value:
		return "", true, nil
	}
	return e.ID, true, nil
}

// effectiveTrust is e's trust policy with the ARNs replaced by the unique ids
// they meant, as it is evaluated.
func (s *Service) effectiveTrust(e *entity) (*policy.Document, error) {
	doc, err := s.documents.parse(e.Trust, policy.Trust)
	if err != nil || len(e.TrustIDs) == 0 {
		return doc, err
	}
	bound := *doc
	bound.Statements = make([]policy.Statement, len(doc.Statements))
	for i, st := range doc.Statements {
		st.Principals = boundRefs(st.Principals, e.TrustIDs)
		st.NotPrincipals = boundRefs(st.NotPrincipals, e.TrustIDs)
		bound.Statements[i] = st
	}
	return &bound, nil
}

func boundRefs(refs []policy.PrincipalRef, ids map[string]string) []policy.PrincipalRef {
	out := make([]policy.PrincipalRef, len(refs))
	for i, ref := range refs {
		if id := ids[ref.Value]; id != "" {
			ref.Value = id
		}
		out[i] = ref
	}
	return out
}

// shownTrust is the text as written, except that the ARN of an entity that is
// gone has turned into its unique id, as on AWS.
func shownTrust(tx *store.Tx, e *entity) (string, error) {
	text := e.Trust
	for name, id := range e.TrustIDs {
		found, key, err := entityByID(tx, id)
		if err != nil {
			return "", err
		}
		now := id
		if found != nil {
			now = found.arn(key.Account)
		}
		if now != name {
			text = strings.ReplaceAll(text, `"`+name+`"`, `"`+now+`"`)
		}
	}
	return text, nil
}

// documentSize counts a document as IAM's quotas do: without white space.
func documentSize(text string) int {
	n := 0
	for _, c := range text {
		if !unicode.IsSpace(c) {
			n++
		}
	}
	return n
}
