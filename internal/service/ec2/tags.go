package ec2

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

const (
	maxTags     = 50
	maxTagKey   = 128 // Unicode characters
	maxTagValue = 256
)

// tagSpec returns the tags that specs ask for on kind. A kind that the operation
// does not make is refused: it makes kind and others.
func tagSpec(specs []api.TagSpecification, kind string, others ...string) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range specs {
		if string(s.ResourceType) != kind {
			if slices.Contains(others, string(s.ResourceType)) {
				continue
			}
			return nil, awserr.New("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", s.ResourceType)
		}
		for _, t := range s.Tags {
			if _, twice := out[aws.Val(t.Key)]; twice {
				return nil, awserr.New("InvalidParameterValue", "Duplicate tag key '%s' specified.", aws.Val(t.Key))
			}
			if err := mergeTags(out, []api.Tag{t}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// mergeTags sets tags in into, within EC2's limits. aws: keys are for AWS's own
// services, so callers from outside may not use them.
func mergeTags(into map[string]string, tags []api.Tag) error {
	for _, t := range tags {
		k := aws.Val(t.Key)
		switch {
		case k == "":
			return awserr.New("InvalidParameterValue", "Tag key cannot be null or empty.")
		case utf8.RuneCountInString(k) > maxTagKey:
			return awserr.New("InvalidParameterValue", "Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(aws.Val(t.Value)) > maxTagValue:
			return awserr.New("InvalidParameterValue", "Tag value exceeds the maximum length of %d characters", maxTagValue)
		}
		into[k] = aws.Val(t.Value)
	}
	if n := countOwn(into); n > maxTags {
		return awserr.New("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

func countOwn(tags map[string]string) int {
	n := 0
	for k := range tags {
		if !strings.HasPrefix(strings.ToLower(k), "aws:") {
			n++
		}
	}
	return n
}

// reservedTags refuses aws: keys from callers that are not one of AWS's services.
func reservedTags(c aws.Call, tags []api.Tag) error {
	if len(c.Via) > 0 || strings.Contains(c.Principal.RoleARN, ":role/aws-service-role/") {
		return nil
	}
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(aws.Val(t.Key)), "aws:") {
			return awserr.New("InvalidParameterValue", "Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", aws.Val(t.Key))
		}
	}
	return nil
}

func reservedSpecs(c aws.Call, specs []api.TagSpecification) error {
	for _, s := range specs {
		if err := reservedTags(c, s.Tags); err != nil {
			return err
		}
	}
	return nil
}

// apiTags returns tags ordered by key.
func apiTags(tags map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: aws.Ptr(k), Value: aws.Ptr(tags[k])})
	}
	return out
}

// requestTagContext fills the condition keys for tags in the request.
func requestTagContext(specs []api.TagSpecification, kind string) map[string][]string {
	out := map[string][]string{}
	for _, s := range specs {
		if string(s.ResourceType) != kind {
			continue
		}
		for _, t := range s.Tags {
			out["aws:RequestTag/"+aws.Val(t.Key)] = []string{aws.Val(t.Value)}
			out["aws:TagKeys"] = append(out["aws:TagKeys"], aws.Val(t.Key))
		}
	}
	return out
}

// createTagsChecks is the permission to tag while creating.
func createTagsChecks(c aws.Call, action string, specs []api.TagSpecification) []aws.Check {
	var out []aws.Check
	for _, s := range specs {
		if len(s.Tags) == 0 {
			continue
		}
		ctx := requestTagContext(specs, string(s.ResourceType))
		ctx["ec2:CreateAction"] = []string{action}
		out = append(out, aws.Check{
			Action: "ec2:CreateTags", Resource: ec2ARN(c, string(s.ResourceType)+"/*"), Context: ctx,
		})
	}
	return out
}
