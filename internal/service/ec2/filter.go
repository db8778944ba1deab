package ec2

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// fields gives the values that a filter is compared with, by filter name.
type fields map[string][]string

func (f fields) add(name, value string) { f[name] = append(f[name], value) }

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
		if !strings.HasPrefix(name, "tag:") && name != "tag-key" && name != "tag-value" && !slices.Contains(known, name) {
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

// wildcard matches s against p, where * is any run of characters and ? any one. It
// takes time in proportion to len(p)*len(s) at most: on a mismatch only the last *
// takes one more byte.
func wildcard(p, s string) bool {
	behind, from := "", "" // the pattern behind the last *, and what of s it was tried on
	starred := false
	for s != "" {
		if strings.HasPrefix(p, "*") {
			p = p[1:]
			behind, from, starred = p, s, true
			continue
		}
		if np, ns := matchOne(p, s); np > 0 {
			p, s = p[np:], s[ns:]
			continue
		}
		if !starred {
			return false
		}
		from = from[1:]
		p, s = behind, from
	}
	return strings.Trim(p, "*") == ""
}

// matchOne returns the lengths of the first element of p and of what it matches at
// the beginning of s, or zeros. A backslash takes the next character literally.
func matchOne(p, s string) (np, ns int) {
	switch {
	case p == "":
		return 0, 0
	case p[0] == '?':
		_, n := utf8.DecodeRuneInString(s)
		return 1, n
	case p[0] == '\\' && len(p) > 1:
		if p[1] == s[0] {
			return 2, 1
		}
		return 0, 0
	case p[0] == s[0]:
		return 1, 1
	}
	return 0, 0
}
