package access

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/access"
	"github.com/hardstand/hardstand/internal/aws/authref"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// maxPolicy is what IAM takes as a managed policy, in characters without spaces.
const maxPolicy = 6144

// SuggestPolicy writes the policy that allows what a principal was seen to do and
// nothing else. Ids that AWS invents (i-..., vpc-..., the end of a stack's ARN) are
// replaced by *, unless Exact is asked for: the next run has others.
func (s *Service) SuggestPolicy(ctx context.Context, in *api.SuggestPolicyInput) (*api.SuggestPolicyOutput, error) {
	if err := ownAccount(ctx, *in.PrincipalArn); err != nil {
		return nil, err
	}
	seen, err := s.recorder.usesOf(ctx, aws.CallFrom(ctx).Account, recordedAs(*in.PrincipalArn))
	if err != nil {
		return nil, err
	}
	if len(seen) == 0 {
		return nil, awserr.New("ResourceNotFoundException", "Nothing is recorded that %s was allowed to do.", *in.PrincipalArn)
	}
	document, err := json.Marshal(suggest(seen, aws.Val(in.Exact)))
	if err != nil {
		return nil, fmt.Errorf("write policy: %w", err)
	}
	out := &api.SuggestPolicyOutput{PolicyDocument: aws.Ptr(string(document)), Notes: notes(seen, len(document))}
	since, calls := seen[0].First, int64(0)
	for _, u := range seen {
		if u.First.Before(since) {
			since = u.First
		}
		calls += u.Count
	}
	out.Since, out.Calls = aws.Ptr(since), aws.Ptr(int32(min(calls, 1<<31-1))) //nolint:gosec // bounded in the same line
	return out, nil
}

// recordedAs is the name under which a principal's uses are recorded: roles have
// no path there.
func recordedAs(principal string) string {
	p := Identity(principal)
	if head, rest, ok := strings.Cut(p, ":role/"); ok {
		return head + ":role/" + rest[strings.LastIndexByte(rest, '/')+1:]
	}
	return p
}

// usesOf returns what a principal did, by action and resource.
func (r *Recorder) usesOf(ctx context.Context, account, principal string) ([]use, error) {
	r.settle(func(id useID) bool { return id.account == account && id.principal == principal })
	if err := r.write(ctx); err != nil {
		return nil, err
	}
	var out []use
	err := r.db.View(ctx, func(tx *store.Tx) error {
		rows, err := uses.Lookup(tx, "principal", account+"\x00"+principal)
		for _, row := range rows {
			out = append(out, *row.Value)
		}
		return err
	})
	slices.SortFunc(out, func(a, b use) int {
		return strings.Compare(a.Action+"\x00"+a.Resource, b.Action+"\x00"+b.Resource)
	})
	return out, err
}

// suggested is a policy document.
type suggested struct {
	Version   string
	Statement []suggestedStatement
}

type suggestedStatement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// suggest joins actions that have the same resources and conditions.
func suggest(seen []use, exact bool) suggested {
	type needs struct {
		resources map[string]bool
		passedTo  map[string]bool
	}
	actions := map[string]*needs{}
	for _, u := range seen {
		n := actions[u.Action]
		if n == nil {
			n = &needs{map[string]bool{}, map[string]bool{}}
			actions[u.Action] = n
		}
		resource := u.Resource
		if !exact {
			resource = general(u.Action, u.Resource)
		}
		n.resources[resource] = true
		for _, s := range u.PassedTo {
			n.passedTo[s] = true
		}
	}
	var out suggested
	out.Version = "2012-10-17"
	at := map[string]int{}
	for _, action := range slices.Sorted(maps.Keys(actions)) {
		n := actions[action]
		resources, passed := slices.Sorted(maps.Keys(n.resources)), slices.Sorted(maps.Keys(n.passedTo))
		same := strings.Join(resources, "\x00") + "\x01" + strings.Join(passed, "\x00")
		if i, ok := at[same]; ok {
			out.Statement[i].Action = append(out.Statement[i].Action, action)
			continue
		}
		at[same] = len(out.Statement)
		st := suggestedStatement{Effect: "Allow", Action: []string{action}, Resource: resources}
		if len(passed) > 0 {
			st.Condition = map[string]map[string][]string{"StringEquals": {"iam:PassedToService": passed}}
		}
		out.Statement = append(out.Statement, st)
	}
	return out
}

// general replaces what AWS invents in an ARN by *. Which part that is, the
// authorization reference says: its placeholders for such parts end in Id.
func general(action, resource string) string {
	a := authref.ActionOf(action)
	if a == nil {
		return resource
	}
	typ, ok := a.TypeOf(resource)
	if !ok || typ == "" {
		return resource
	}
	pattern := a.Pattern(typ)
	before, placeholder, ok := cutLast(pattern, "${")
	if !ok || !strings.HasSuffix(placeholder, "Id}") {
		return resource
	}
	separator := before[len(before)-1:]
	head, _, ok := cutLast(resource, separator)
	if !ok {
		return resource
	}
	return head + separator + "*"
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// notes are what the reader should know of the suggestion.
func notes(seen []use, size int) []string {
	var out []string
	if size > maxPolicy {
		out = append(out, fmt.Sprintf("The document has %d characters; a managed policy may have %d: split it.", size, maxPolicy))
	}
	for _, u := range seen {
		if u.Family {
			out = append(out, fmt.Sprintf("%s met more than %d resources; further ones are taken together as %s.", u.Action, exactResources, u.Resource))
			continue
		}
		out = append(out, unlisted(u)...)
	}
	return out
}

// unlisted says where a use differs from AWS's authorization reference: there the
// suggestion may not fit AWS. The end-to-end suite holds that nothing does.
func unlisted(u use) []string {
	a := authref.ActionOf(u.Action)
	if a == nil {
		return []string{u.Action + " is an action of hardstand's own."}
	}
	if _, ok := a.TypeOf(u.Resource); !ok {
		return []string{fmt.Sprintf("AWS's authorization reference does not list %s for %s.", u.Resource, u.Action)}
	}
	return nil
}
