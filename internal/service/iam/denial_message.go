package iam

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
)

// denialTable names the seal of encoded denials. They are sealed for the caller's
// account: nobody reads what another account's policies say.
const denialTable = "iam.denial"

// The form of a decoded denial is the one that STS documents.
type (
	denialMessage struct {
		Allowed           bool                `json:"allowed"`
		ExplicitDeny      bool                `json:"explicitDeny"`
		MatchedStatements items[denialMatch]  `json:"matchedStatements"`
		Failures          items[denialValue]  `json:"failures"`
		Context           denialMessageCaller `json:"context"`
	}
	denialMessageCaller struct {
		Principal struct {
			ID   string `json:"id"`
			Name string `json:"name,omitempty"`
			ARN  string `json:"arn"`
		} `json:"principal"`
		Action     string                 `json:"action"`
		Resource   string                 `json:"resource"`
		Conditions items[denialCondition] `json:"conditions"`
	}
	denialMatch struct {
		StatementID     string                 `json:"statementId"`
		Effect          string                 `json:"effect"`
		Principals      items[denialValue]     `json:"principals"`
		PrincipalGroups items[denialValue]     `json:"principalGroups"`
		Actions         items[denialValue]     `json:"actions"`
		Resources       items[denialValue]     `json:"resources"`
		Conditions      items[denialCondition] `json:"conditions"`
	}
	denialCondition struct {
		Key    string             `json:"key"`
		Values items[denialValue] `json:"values"`
	}
	denialValue struct {
		Value string `json:"value"`
	}
	items[T any] struct {
		Items []T `json:"items"`
	}
)

func values(list []string) items[denialValue] {
	out := items[denialValue]{Items: []denialValue{}}
	for _, v := range list {
		out.Items = append(out.Items, denialValue{v})
	}
	return out
}

// encodeDenial seals what decided a denial.
func (s *Service) encodeDenial(j policy.Judgement) (string, error) {
	req := j.Request
	m := denialMessage{ExplicitDeny: j.Result.Decision == policy.ExplicitDeny, MatchedStatements: items[denialMatch]{Items: []denialMatch{}}, Failures: values(nil)}
	m.Context.Principal.ID, m.Context.Principal.ARN, m.Context.Principal.Name = req.Principal.UniqueID, req.Principal.ARN, req.Principal.SessionName
	if req.Principal.Type == aws.PrincipalUser {
		m.Context.Principal.Name = arn.Name(req.Principal.ARN)
	}
	m.Context.Action, m.Context.Resource = req.Action, req.Resource
	m.Context.Conditions.Items = []denialCondition{}
	for _, key := range slices.Sorted(maps.Keys(req.Context)) {
		m.Context.Conditions.Items = append(m.Context.Conditions.Items, denialCondition{key, values(req.Context[key])})
	}
	if j.Statement != nil {
		m.MatchedStatements.Items = append(m.MatchedStatements.Items, matchOf(j.Statement))
	}
	text, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	sealed, err := s.sealer.Seal(denialTable, req.Principal.Account, text)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

func matchOf(st *policy.Statement) denialMatch {
	m := denialMatch{StatementID: st.Sid, Effect: strings.ToUpper(string(st.Effect)), Principals: values(nil), PrincipalGroups: values(nil),
		Actions: values(append(slices.Clone(st.Actions), st.NotActions...)), Resources: values(append(slices.Clone(st.Resources), st.NotResources...)),
		Conditions: items[denialCondition]{Items: []denialCondition{}}}
	for _, p := range append(slices.Clone(st.Principals), st.NotPrincipals...) {
		m.Principals.Items = append(m.Principals.Items, denialValue{p.Value})
	}
	for _, c := range st.Conditions {
		m.Conditions.Items = append(m.Conditions.Items, denialCondition{c.Key, values(c.Values)})
	}
	return m
}

// DecodeDenial opens an encoded denial of the caller's account
// (sts:DecodeAuthorizationMessage).
func (s *Service) DecodeDenial(ctx context.Context, encoded string) (string, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err == nil {
		var text []byte
		if text, err = s.sealer.Open(denialTable, accountOf(ctx), sealed); err == nil {
			return string(text), nil
		}
	}
	return "", awserr.New("InvalidAuthorizationMessageException", "The authorization message is not valid.")
}
