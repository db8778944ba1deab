package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Judgement is a decision with all that explains it.
type Judgement struct {
	Request   Request
	Result    Result
	Statement *Statement // that decided; nil where none did
	Near      []Near
	Sources   []string // what was read, by Sources
}

// Explain is Evaluate for a reader: it decides req and gathers why.
func Explain(req Request, set Set) Judgement {
	r := Evaluate(req, set)
	return Judgement{Request: req, Result: r, Statement: set.Decided(r), Near: set.NearMisses(req, r), Sources: set.Sources()}
}

// Sentence says in one line what decided: for headers and logs.
func (j Judgement) Sentence() string {
	r := j.Result
	if r.Policy == "" {
		if r.Decision == Allowed {
			return "root is allowed everything"
		}
		return r.Reason(j.Request.Action)
	}
	text := fmt.Sprintf("%s by statement %d", r.Decision, r.Statement+1)
	if r.Sid != "" {
		text += " (" + r.Sid + ")"
	}
	return text + " of the " + string(r.Part) + " " + r.Policy
}

// Sources returns the policies of set in the order in which a decision reads
// them, as "identity-based policy NAME".
func (set Set) Sources() []string {
	var out []string
	for _, g := range set.groups() {
		for _, src := range g.sources {
			out = append(out, string(g.part)+" "+src.Name)
		}
	}
	return out
}

// Decided returns the statement that r names, nil where no statement decided.
func (set Set) Decided(r Result) *Statement {
	if r.Policy == "" || r.Statement < 0 {
		return nil
	}
	for _, g := range set.groups() {
		for _, src := range g.sources {
			if g.part == r.Part && src.Name == r.Policy && r.Statement < len(src.Document.Statements) {
				return &src.Document.Statements[r.Statement]
			}
		}
	}
	return nil
}

// Near is an allow statement that speaks of the action and yet did not allow the
// request.
type Near struct {
	Policy    string
	Statement int // index in its document
	// Why is a clause: "its resources leave out arn:...".
	Why string
}

// NearMisses returns the allow statements of the part that failed to allow
// (r.Part) which speak of the action, with what kept each from allowing. What a
// condition found in the request is said, so it is for eyes that may see both.
func (set Set) NearMisses(req Request, r Result) []Near {
	if r.Decision != ImplicitDeny {
		return nil
	}
	var out []Near
	for _, g := range set.groups() {
		if g.part != r.Part {
			continue
		}
		for _, src := range g.sources {
			for i := range src.Document.Statements {
				s := &src.Document.Statements[i]
				if s.Effect != Allow || !s.matchesAction(req.Action) {
					continue
				}
				if why := s.misses(req); why != "" {
					out = append(out, Near{src.Name, i, why})
				}
			}
		}
	}
	return out
}

// misses says why a statement that speaks of the action does not match.
func (s *Statement) misses(req Request) string {
	if !s.matchesResource(req) {
		return "its resources leave out " + req.Resource
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if c.holds(req.Context, s.Effect, s.variables) {
			continue
		}
		got := "the request has none"
		if v := req.Context[strings.ToLower(c.Key)]; len(v) > 0 {
			got = fmt.Sprintf("the request has %s", strings.Join(v, ", "))
		}
		return fmt.Sprintf("its condition %s on %s wants %s; %s", c.Operator, c.Key, strings.Join(c.Values, " or "), got)
	}
	if len(s.Principals) > 0 && name(s.Principals, req.Principal) == notNamed {
		return "it does not name the caller"
	}
	return ""
}

// MarshalJSON writes the statement as a document holds it; single values stand
// alone.
func (s Statement) MarshalJSON() ([]byte, error) {
	out := struct {
		Sid          string                    `json:",omitempty"`
		Effect       Effect                    `json:",omitempty"`
		Principal    any                       `json:",omitempty"`
		NotPrincipal any                       `json:",omitempty"`
		Action       any                       `json:",omitempty"`
		NotAction    any                       `json:",omitempty"`
		Resource     any                       `json:",omitempty"`
		NotResource  any                       `json:",omitempty"`
		Condition    map[string]map[string]any `json:",omitempty"`
	}{
		Sid: s.Sid, Effect: s.Effect, Principal: principals(s.Principals), NotPrincipal: principals(s.NotPrincipals),
		Action: oneOrMany(s.Actions), NotAction: oneOrMany(s.NotActions),
		Resource: oneOrMany(s.Resources), NotResource: oneOrMany(s.NotResources),
	}
	for _, c := range s.Conditions {
		if out.Condition == nil {
			out.Condition = map[string]map[string]any{}
		}
		if out.Condition[c.Operator] == nil {
			out.Condition[c.Operator] = map[string]any{}
		}
		out.Condition[c.Operator][c.Key] = oneOrMany(c.Values)
	}
	return json.Marshal(out)
}

func oneOrMany(list []string) any {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return list
}

func principals(refs []PrincipalRef) any {
	if len(refs) == 0 {
		return nil
	}
	if slices.Equal(refs, []PrincipalRef{{"AWS", "*"}}) {
		return "*"
	}
	byType := map[string][]string{}
	for _, r := range refs {
		byType[r.Type] = append(byType[r.Type], r.Value)
	}
	out := map[string]any{}
	for kind, values := range byType {
		out[kind] = oneOrMany(values)
	}
	return out
}
