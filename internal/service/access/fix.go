package access

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/policy"
)

// grant is a statement that would allow what was refused.
type grant struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    string
	Resource  string                       `json:",omitempty"`
	Condition map[string]map[string]string `json:",omitempty"`
}

// fix says what would let the request pass: the narrowest statement and where it
// goes, or which statement stands in the way. "" for what is allowed.
func fix(j policy.Judgement) string {
	switch j.Result.Decision {
	case policy.Allowed:
		return ""
	case policy.ExplicitDeny:
		return fmt.Sprintf("narrow or remove statement %d of the %s %s", j.Result.Statement+1, j.Result.Part, j.Result.Policy)
	}
	g := grant{Effect: string(policy.Allow), Action: j.Request.Action, Resource: j.Request.Resource}
	if passed := j.Request.Context["iam:passedtoservice"]; len(passed) == 1 {
		g.Condition = map[string]map[string]string{"StringEquals": {"iam:PassedToService": passed[0]}}
	}
	where := "add to a policy of " + bearer(j.Request.Principal)
	switch j.Result.Part {
	case policy.BoundaryPart:
		where = "add to its permissions boundary"
	case policy.SessionPart:
		where = "add to the policy that the session was made with"
	case policy.EndpointPart:
		where, g.Principal = "add to the policy of the VPC endpoint", named(j.Request.Principal)
	case policy.TrustPart:
		where, g.Resource, g.Principal = "add to the trust policy of "+j.Request.Resource, "", named(j.Request.Principal)
	case policy.ResourcePart:
		where, g.Principal = "add to the policy of the resource", named(j.Request.Principal)
	}
	b, err := json.Marshal(g)
	if err != nil {
		return where
	}
	return where + ": " + string(b)
}

// bearer is the identity that policies are attached to.
func bearer(p aws.Principal) string {
	if p.RoleARN != "" {
		return p.RoleARN
	}
	return p.ARN
}

// named is the Principal element for the caller.
func named(p aws.Principal) map[string]string {
	switch {
	case p.Type == aws.PrincipalAnonymous:
		return map[string]string{"AWS": "*"}
	case p.Type == aws.PrincipalService:
		return map[string]string{"Service": p.Service}
	}
	return map[string]string{"AWS": bearer(p)}
}

// family is the wildcard under which a resource is recorded when an action has met
// too many: all objects of a bucket, all roles.
func family(resource string) string {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 {
		return resource
	}
	head := strings.Join(parts[:5], ":") + ":"
	if i := strings.IndexByte(parts[5], '/'); i >= 0 {
		return head + parts[5][:i+1] + "*"
	}
	if i := strings.LastIndexByte(parts[5], ':'); i >= 0 {
		return head + parts[5][:i+1] + "*"
	}
	return head + "*"
}
