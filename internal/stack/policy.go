package stack

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/stack/template"
)

// Policy is a stack policy. Once a stack has one, what it does not allow is
// denied.
type Policy struct{ statements []policyStatement }

type policyStatement struct {
	Effect                                   string
	Action, NotAction, Resource, NotResource oneOrMany
	Principal                                any
	Condition                                map[string]map[string]oneOrMany
}

// oneOrMany is a string or a list of strings.
type oneOrMany []string

// UnmarshalJSON implements json.Unmarshaler.
func (o *oneOrMany) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}

var policyActions = []string{"Update:Modify", "Update:Replace", "Update:Delete", "Update:*", "*"}

// ParsePolicy reads a stack policy. The empty document is no policy, nil.
func ParsePolicy(text string) (*Policy, error) {
	var doc struct{ Statement []policyStatement }
	invalid := propertyErrorf("Error validating stack policy: Invalid stack policy")
	var members map[string]any
	if json.Unmarshal([]byte(text), &members) == nil && members != nil && len(members) == 0 {
		return nil, nil // as good as none
	}
	if json.Unmarshal([]byte(text), &doc) != nil || len(doc.Statement) == 0 {
		return nil, invalid
	}
	for _, s := range doc.Statement {
		actions, resources := slices.Concat(s.Action, s.NotAction), slices.Concat(s.Resource, s.NotResource)
		if s.Effect != "Allow" && s.Effect != "Deny" || s.Principal != "*" || len(actions) == 0 || len(resources) == 0 {
			return nil, invalid
		}
		if slices.ContainsFunc(actions, func(a string) bool { return !slices.Contains(policyActions, a) }) ||
			slices.ContainsFunc(resources, func(r string) bool {
				return r != "*" && !strings.HasPrefix(r, "LogicalResourceId/")
			}) {
			return nil, invalid
		}
		for operator, keys := range s.Condition {
			if operator != "StringEquals" && operator != "StringLike" || len(keys) != 1 || keys["ResourceType"] == nil {
				return nil, invalid
			}
		}
	}
	return &Policy{doc.Statement}, nil
}

// Check refuses an action (Update:Modify, Update:Replace, Update:Delete) on a
// resource. A nil policy allows everything.
func (p *Policy) Check(action, logicalID, resourceType string) error {
	if p == nil {
		return nil
	}
	allowed := false
	for i, s := range p.statements {
		if !s.applies(action, logicalID, resourceType) {
			continue
		}
		if s.Effect == "Deny" {
			return propertyErrorf("Action denied by stack policy: Statement [#%d] does not allow [Update:*] for resource [%s]", i+1, logicalID)
		}
		allowed = true
	}
	if !allowed {
		return propertyErrorf("Action denied by stack policy: no statement allows [%s] for resource [%s]", action, logicalID)
	}
	return nil
}

func (s policyStatement) applies(action, logicalID, resourceType string) bool {
	if len(s.Action) > 0 && !matches(s.Action, action) || len(s.NotAction) > 0 && matches(s.NotAction, action) {
		return false
	}
	resource := "LogicalResourceId/" + logicalID
	if len(s.Resource) > 0 && !matches(s.Resource, resource) || len(s.NotResource) > 0 && matches(s.NotResource, resource) {
		return false
	}
	for operator, keys := range s.Condition {
		types := keys["ResourceType"]
		if operator == "StringEquals" && !slices.Contains(types, resourceType) || operator == "StringLike" && !matches(types, resourceType) {
			return false
		}
	}
	return true
}

func matches(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		// A slash is no separator in stack policies; path.Match takes it for one.
		ok, err := path.Match(strings.ReplaceAll(p, "/", "|"), strings.ReplaceAll(s, "/", "|"))
		return err == nil && ok
	})
}

// policy is the policy that holds for the update in progress.
func (r *run) policy() (*Policy, error) {
	text := r.stack.Policy
	if r.stack.PolicyDuringUpdate != "" {
		text = r.stack.PolicyDuringUpdate
	}
	if text == "" {
		return nil, nil
	}
	return ParsePolicy(text)
}

// mayRemove refuses an update that removes resources which the policy protects.
func (r *run) mayRemove(graph template.Graph) error {
	p, err := r.policy()
	if err != nil {
		return err
	}
	for id, m := range r.members {
		if _, stays := graph[id]; stays || !m.exists() {
			continue
		}
		if err := p.Check("Update:Delete", id, m.Type); err != nil {
			return err
		}
	}
	return nil
}
