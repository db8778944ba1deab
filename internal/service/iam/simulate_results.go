package iam

import (
	"encoding/json"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/policy"
)

// The types of source that answers name; the model's own enumeration has others.
const (
	identitySource api.PolicySourceType = "IAM Policy"
	resourceSource api.PolicySourceType = "Resource Policy"
)

// results answers for each action on each resource.
func (sim *simulation) results(actions, resources []string) []api.EvaluationResult {
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	missing := sim.missing()
	var out []api.EvaluationResult
	for _, action := range actions {
		for _, resource := range resources {
			req := policy.Request{Principal: sim.principal, Action: action, Resource: resource, Account: sim.owner, Context: sim.context}
			res := policy.Evaluate(req, sim.set)
			r := api.EvaluationResult{EvalActionName: aws.Ptr(action), EvalResourceName: aws.Ptr(resource), EvalDecision: api.PolicyEvaluationDecisionType(res.Decision),
				MissingContextValues: missing, MatchedStatements: sim.matched(req, res.Decision), EvalDecisionDetails: sim.details(req)}
			if sim.set.Boundary != nil {
				r.PermissionsBoundaryDecisionDetail = &api.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: aws.Ptr(sim.allows(req, *sim.set.Boundary))}
			}
			out = append(out, r)
		}
	}
	return out
}

// allows reports whether a boundary, taken alone, lets the request through.
func (sim *simulation) allows(req policy.Request, boundary policy.Source) bool {
	req.Account = ""
	return policy.Evaluate(req, policy.Set{Identity: []policy.Source{boundary}}).Decision == policy.Allowed
}

// details tell how the caller's policies and the resource's came out where two
// accounts have to agree.
func (sim *simulation) details(req policy.Request) map[string]api.PolicyEvaluationDecisionType {
	if sim.set.Resource == nil || sim.owner == "" || sim.owner == sim.principal.Account {
		return nil
	}
	own := req
	own.Account = ""
	identity := policy.Evaluate(own, policy.Set{Identity: sim.set.Identity, Boundary: sim.set.Boundary})
	resource := policy.Evaluate(req, policy.Set{Identity: []policy.Source{everything}, Resource: sim.set.Resource})
	return map[string]api.PolicyEvaluationDecisionType{string(identitySource): api.PolicyEvaluationDecisionType(identity.Decision),
		string(resourceSource): api.PolicyEvaluationDecisionType(resource.Decision)}
}

// everything stands for an identity's policies where only the resource's matter.
var everything = policy.Source{Name: "everything", Document: func() *policy.Document {
	doc, err := policy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, policy.Identity)
	if err != nil {
		panic(err) // the text is ours
	}
	return doc
}()}

// matched lists the statements that made the decision: all that allow, or all that
// deny.
func (sim *simulation) matched(req policy.Request, decision policy.Decision) []api.Statement {
	out := []api.Statement{}
	if decision == policy.ImplicitDeny {
		return out
	}
	own := req
	own.Account = ""
	sources := sim.set.Identity
	if decision == policy.ExplicitDeny && sim.set.Boundary != nil {
		sources = append(append([]policy.Source(nil), sources...), *sim.set.Boundary)
	}
	for _, src := range sources {
		for i, one := range singles(src) {
			if policy.Evaluate(own, policy.Set{Identity: []policy.Source{one}}).Decision == decision {
				out = append(out, sim.statement(src, i, identitySource))
			}
		}
	}
	if sim.set.Resource == nil {
		return out
	}
	for i, one := range singles(*sim.set.Resource) {
		if policy.Evaluate(req, policy.Set{Identity: []policy.Source{everything}, Resource: &one, Trust: true}).Decision == decision {
			out = append(out, sim.statement(*sim.set.Resource, i, resourceSource))
		}
	}
	return out
}

// singles takes a document apart into documents of one statement.
func singles(src policy.Source) []policy.Source {
	out := make([]policy.Source, len(src.Document.Statements))
	for i := range src.Document.Statements {
		doc := *src.Document
		doc.Statements = src.Document.Statements[i : i+1]
		out[i] = policy.Source{Name: src.Name, Document: &doc}
	}
	return out
}

func (sim *simulation) statement(src policy.Source, i int, kind api.PolicySourceType) api.Statement {
	out := api.Statement{SourcePolicyId: aws.Ptr(src.Name), SourcePolicyType: kind}
	if strings.HasPrefix(src.Name, "arn:") {
		out.SourcePolicyId = aws.Ptr(arn.Name(src.Name))
	}
	text := sim.texts[src.Document]
	if spans := statementSpans(text); i < len(spans) {
		out.StartPosition, out.EndPosition = position(text, spans[i].start), position(text, spans[i].end)
	}
	return out
}

// span is where a statement stands in its text, in bytes. As in IAM's answers it
// begins where the token before it ended, unless it stands alone, and ends behind its
// bracket.
type span struct{ start, end int }

func statementSpans(text string) []span {
	dec := json.NewDecoder(strings.NewReader(text))
	if _, err := dec.Token(); err != nil { // {
		return nil
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil
		}
		if name == "Statement" {
			return spansAt(dec, text)
		}
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return nil
		}
	}
	return nil
}

func spansAt(dec *json.Decoder, text string) []span {
	rest := strings.TrimLeft(text[dec.InputOffset():], ": \t\r\n")
	var raw json.RawMessage
	if !strings.HasPrefix(rest, "[") {
		if dec.Decode(&raw) != nil {
			return nil
		}
		end := int(dec.InputOffset())
		return []span{{end - len(raw), end}}
	}
	if _, err := dec.Token(); err != nil { // [
		return nil
	}
	var out []span
	for start := int(dec.InputOffset()); dec.More(); {
		if dec.Decode(&raw) != nil {
			return nil
		}
		end := int(dec.InputOffset())
		out = append(out, span{start, end})
		start = end
	}
	return out
}

// position counts lines and columns from one.
func position(text string, offset int) *api.Position {
	before := text[:offset]
	return &api.Position{Line: aws.Ptr(int32(strings.Count(before, "\n") + 1)), Column: aws.Ptr(int32(offset - strings.LastIndexByte(before, '\n')))}
}
