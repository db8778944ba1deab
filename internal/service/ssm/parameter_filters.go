package ssm

import (
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// test tells whether a parameter passes a filter.
type test func(*parameter) bool

var (
	optionsOfName = []string{"BeginsWith", "Equals", "Contains"}
	optionsOfPath = []string{"Recursive", "OneLevel"}
	optionsOfRest = []string{"BeginsWith", "Equals"}
)

// matcher makes one test of filters whose keys are among valid; tags are judged by
// those who allow them.
func matcher(filters []api.ParameterStringFilter, valid []string, tags bool) (test, error) {
	var tests []test
	var seen []string
	for _, f := range filters {
		k := aws.Val(f.Key)
		if !slices.Contains(valid, k) && !(k == "Label" && !tags) && !(tags && strings.HasPrefix(k, "tag:")) {
			return nil, awserr.New("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [%s].", k, strings.Join(valid, ", "))
		}
		if slices.Contains(seen, k) {
			return nil, awserr.New("InvalidFilterKey", "The following filter is duplicated in the request: %s. A request can contain only one occurrence of a specific filter.", k)
		}
		seen = append(seen, k)
		t, err := matcherOf(f, k)
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	return func(p *parameter) bool {
		return !slices.ContainsFunc(tests, func(t test) bool { return !t(p) })
	}, nil
}

func matcherOf(f api.ParameterStringFilter, k string) (test, error) {
	if len(f.Values) == 0 && !strings.HasPrefix(k, "tag:") {
		return nil, awserr.New("InvalidFilterValue", "The following filter values are missing : null for filter key %s", k)
	}
	options := optionsOfRest
	switch k {
	case "Path":
		return pathMatcher(f)
	case "Name":
		options = optionsOfName
	case "Type":
		if err := among(f.Values, "String", "StringList", "SecureString"); err != nil && aws.Val(f.Option) != "BeginsWith" {
			return nil, err
		}
	case "Tier":
		if err := among(f.Values, "Standard", "Advanced", "Intelligent-Tiering"); err != nil {
			return nil, err
		}
	}
	compare, err := comparison(aws.Val(f.Option), options)
	if err != nil {
		return nil, err
	}
	return func(p *parameter) bool {
		return slices.ContainsFunc(fieldOf(p, k), func(have string) bool {
			return len(f.Values) == 0 || slices.ContainsFunc(f.Values, func(v string) bool {
				if k == "Name" {
					return compare(strings.TrimPrefix(have, "/"), strings.TrimPrefix(v, "/")) || compare(have, v)
				}
				return compare(have, v)
			})
		})
	}, nil
}

func among(values []string, valid ...string) error {
	for _, v := range values {
		if !slices.Contains(valid, v) {
			return awserr.New("InvalidFilterValue", "The following filter value is not valid: %s. Valid values include: [%s].", v, strings.Join(valid, ", "))
		}
	}
	return nil
}

func comparison(option string, valid []string) (func(have, want string) bool, error) {
	if option == "" {
		option = "Equals"
	}
	if !slices.Contains(valid, option) {
		return nil, errOption(option, optionsOfRest) // AWS does not tell of Contains
	}
	switch option {
	case "BeginsWith":
		return strings.HasPrefix, nil
	case "Contains":
		return strings.Contains, nil
	}
	return func(have, want string) bool { return have == want }, nil
}

func errOption(option string, valid []string) error {
	return awserr.New("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [%s].", option, strings.Join(valid, ", "))
}

// pathMatcher is the test of being below one of several paths.
func pathMatcher(f api.ParameterStringFilter) (test, error) {
	option := aws.Val(f.Option)
	if option != "" && !slices.Contains(optionsOfPath, option) {
		return nil, errOption(option, optionsOfPath)
	}
	for _, v := range f.Values {
		if low := strings.ToLower(strings.Trim(v, "/")); strings.HasPrefix(low, "aws") || strings.HasPrefix(low, "ssm") {
			return nil, invalid(`Filters for common parameters can't be prefixed with "aws" or "ssm" (case-insensitive). When using global parameters, please specify within a global namespace.`)
		}
		if err := judgePath(v); err != nil {
			return nil, err
		}
	}
	return func(p *parameter) bool {
		return slices.ContainsFunc(f.Values, func(v string) bool { return isBelow(p.Name, v, option == "Recursive") })
	}, nil
}

// judgePath holds a path to its form.
func judgePath(path string) error {
	if path == "/" || strings.HasPrefix(path, "/") && !strings.Contains(path, "//") && nameForm.MatchString(path) {
		return nil
	}
	return invalid(`The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`)
}

// isBelow reports whether a name is below a path, on whatever level when recursive.
// A name without a slash is at the root.
func isBelow(name, path string, recursive bool) bool {
	rest, ok := strings.CutPrefix("/"+strings.TrimPrefix(name, "/"), strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(rest, "/"))
}

// fieldOf is what a filter's key stands for; it has no text where the parameter has
// nothing of the kind, and several where it has several.
func fieldOf(p *parameter, key string) []string {
	if tag, ok := strings.CutPrefix(key, "tag:"); ok {
		if v, ok := p.Tags[tag]; ok {
			return []string{v}
		}
		return nil
	}
	switch key {
	case "Name":
		return []string{p.Name}
	case "Type":
		return []string{p.Type}
	case "Tier":
		return []string{p.Tier}
	case "DataType":
		return []string{p.DataType}
	case "KeyId":
		if k := keyOf(p.Type); k != nil {
			return []string{*k}
		}
	case "Label":
		var labels []string
		for _, v := range p.Versions {
			labels = append(labels, v.Labels...)
		}
		return labels
	}
	return nil
}
