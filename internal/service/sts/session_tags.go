package sts

import (
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// sessionTags reads tags, whose keys are unique without case.
func sessionTags(list []api.Tag) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // no tags are no tags
	}
	out, seen := map[string]string{}, map[string]bool{}
	for _, t := range list {
		lower := strings.ToLower(aws.Val(t.Key))
		if seen[lower] {
			return nil, awserr.New("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		if strings.HasPrefix(lower, "aws:") {
			return nil, awserr.New("ValidationError", "Caller does not have permission to set system tags")
		}
		seen[lower] = true
		out[aws.Val(t.Key)] = aws.Val(t.Value)
	}
	return out, nil
}

// checkTransitive applies the rules of tags that sessions hand on: what the caller's
// session handed on stays as it is, and what is to be handed on must be passed.
func checkTransitive(caller aws.Principal, tags map[string]string, transitive []string) error {
	has := func(list []string, key string) bool {
		return slices.ContainsFunc(list, func(k string) bool { return strings.EqualFold(k, key) })
	}
	for key := range tags {
		if has(caller.TransitiveTags, key) {
			return awserr.New("InvalidParameterValue",
				"One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
	}
	var keys []string
	for key := range tags {
		keys = append(keys, key)
	}
	for _, key := range transitive {
		if !has(keys, key) {
			return awserr.New("InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

// tagKeys adds the condition keys of tags that are passed.
func tagKeys(keys map[string][]string, tags []api.Tag) map[string][]string {
	for _, t := range tags {
		keys["aws:RequestTag/"+aws.Val(t.Key)] = []string{aws.Val(t.Value)}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], aws.Val(t.Key))
	}
	return keys
}
