package ec2

import (
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// fields gives the values that a filter is compared with, by filter name.
type fields map[string][]string

// withTags adds tag:<key>, tag-key and tag-value.
func (f fields) withTags(tags map[string]string) fields {
	for k, v := range tags {
		f["tag:"+k] = []string{v}
		f["tag-key"] = append(f["tag-key"], k)
		f["tag-value"] = append(f["tag-value"], v)
	}
	return f
}

// checkFilters refuses a filter that the operation does not know. known are the
// names beside tag:<key>.
func checkFilters(filters []api.Filter, known ...string) error {
	for _, f := range filters {
		name := aws.Val(f.Name)
		ok := strings.HasPrefix(name, "tag:") || name == "tag-key" || name == "tag-value"
		for _, k := range known {
			ok = ok || k == name
		}
		if !ok {
			return awserr.New("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
	}
	return nil
}

// matches reports whether f passes all filters: AND over filters, OR over the
// values of one. Values may hold * and ?, escaped by a backslash.
func (f fields) matches(filters []api.Filter) bool {
	for _, want := range filters {
		if !anyMatch(want.Values, f[aws.Val(want.Name)]) {
			return false
		}
	}
	return true
}

func anyMatch(patterns, values []string) bool {
	for _, p := range patterns {
		for _, v := range values {
			if wildcard(p, v) {
				return true
			}
		}
	}
	return false
}

// wildcard matches s against p, where * is any run of characters and ? any one.
func wildcard(p, s string) bool {
	for len(p) > 0 {
		switch p[0] {
		case '*':
			for i := 0; i <= len(s); i++ {
				if wildcard(p[1:], s[i:]) {
					return true
				}
			}
			return false
		case '\\':
			if len(p) > 1 {
				p = p[1:]
			}
			fallthrough
		default:
			if s == "" || (p[0] != s[0]) {
				return false
			}
		case '?':
			if s == "" {
				return false
			}
		}
		p, s = p[1:], s[1:]
	}
	return s == ""
}
