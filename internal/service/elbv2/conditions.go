package elbv2

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
)

// Fields of conditions.
const (
	fieldPath   = "path-pattern"
	fieldHost   = "host-header"
	fieldHeader = "http-header"
	fieldMethod = "http-request-method"
	fieldQuery  = "query-string"
	fieldSource = "source-ip"
)

var fields = []string{fieldPath, fieldHost, fieldHeader, fieldMethod, fieldQuery, fieldSource}

const (
	maxConditionValues = 5
	maxWildcards       = 5
	maxValue           = 128
	maxHeaderName      = 40
	maxMethod          = 40
)

// settleConditions judges a rule's conditions and completes those that have two forms,
// as AWS shows both.
func settleConditions(asked []api.RuleCondition) ([]api.RuleCondition, error) {
	if len(asked) == 0 {
		return nil, invalid("A condition must be specified")
	}
	list := slices.Clone(asked)
	values, wild := 0, 0
	for i := range list {
		if err := settleCondition(&list[i]); err != nil {
			return nil, err
		}
		for _, v := range valuesOf(&list[i]) {
			values++
			wild += strings.Count(v, "*") + strings.Count(v, "?")
		}
	}
	once := map[string]bool{}
	for i := range list {
		field := *list[i].Field
		if once[field] && field != fieldHeader && field != fieldQuery {
			return nil, invalid("The condition field '%s' can only be specified once", field)
		}
		once[field] = true
	}
	switch {
	case values > maxConditionValues:
		return nil, invalid("A rule can only have '%d' condition values", maxConditionValues)
	case wild > maxWildcards:
		return nil, invalid("A rule can only have '%d' condition wildcards", maxWildcards)
	}
	return list, nil
}

// valuesOf are all values of a condition, those of a query as one text each.
func valuesOf(c *api.RuleCondition) (out []string) {
	switch {
	case c.HostHeaderConfig != nil:
		out = append(slices.Clone(c.HostHeaderConfig.Values), c.HostHeaderConfig.RegexValues...)
	case c.PathPatternConfig != nil:
		out = append(slices.Clone(c.PathPatternConfig.Values), c.PathPatternConfig.RegexValues...)
	case c.HttpHeaderConfig != nil:
		out = append(slices.Clone(c.HttpHeaderConfig.Values), c.HttpHeaderConfig.RegexValues...)
	case c.HttpRequestMethodConfig != nil:
		out = c.HttpRequestMethodConfig.Values
	case c.SourceIpConfig != nil:
		out = c.SourceIpConfig.Values
	case c.QueryStringConfig != nil:
		for _, q := range c.QueryStringConfig.Values {
			out = append(out, aws.Val(q.Key)+aws.Val(q.Value))
		}
	}
	return out
}

func settleCondition(c *api.RuleCondition) error {
	field := aws.Val(c.Field)
	if !slices.Contains(fields, field) {
		return invalid("Condition field '%s' must be one of '[%s]'", field, strings.Join(fields, ","))
	}
	if (len(c.Values) > 0 || len(c.RegexValues) > 0) && field != fieldPath && field != fieldHost {
		return invalid("The 'Values' field is not compatible with '%s'", field)
	}
	for _, given := range []struct {
		there bool
		field string
		name  string
	}{
		{c.HostHeaderConfig != nil, fieldHost, "HostHeaderConfig"}, {c.PathPatternConfig != nil, fieldPath, "PathPatternConfig"},
		{c.HttpHeaderConfig != nil, fieldHeader, "HttpHeaderConfig"}, {c.HttpRequestMethodConfig != nil, fieldMethod, "HttpRequestMethodConfig"},
		{c.QueryStringConfig != nil, fieldQuery, "QueryStringConfig"}, {c.SourceIpConfig != nil, fieldSource, "SourceIpConfig"},
	} {
		if given.there && given.field != field {
			return invalid("The '%s' field is not compatible with '%s'", given.name, field)
		}
	}
	switch field {
	case fieldHost:
		return settleHost(c)
	case fieldPath:
		return settlePath(c)
	case fieldHeader:
		return judgeHeader(c.HttpHeaderConfig)
	case fieldMethod:
		return judgeMethods(c.HttpRequestMethodConfig)
	case fieldQuery:
		return judgeQuery(c.QueryStringConfig)
	}
	return judgeSources(c.SourceIpConfig)
}

func settleHost(c *api.RuleCondition) error {
	configured := c.HostHeaderConfig != nil
	if !configured {
		c.HostHeaderConfig = &api.HostHeaderConditionConfig{Values: c.Values, RegexValues: c.RegexValues}
	}
	if err := judgePatterns(c, configured, "HostHeaderConfig", c.HostHeaderConfig.Values, c.HostHeaderConfig.RegexValues); err != nil {
		return err
	}
	for _, v := range c.HostHeaderConfig.Values {
		if !hostPattern.MatchString(v) {
			return invalid("Condition value '%s' contains a character that is not valid", v)
		}
	}
	c.Values, c.RegexValues = c.HostHeaderConfig.Values, c.HostHeaderConfig.RegexValues
	return nil
}

func settlePath(c *api.RuleCondition) error {
	configured := c.PathPatternConfig != nil
	if !configured {
		c.PathPatternConfig = &api.PathPatternConditionConfig{Values: c.Values, RegexValues: c.RegexValues}
	}
	if err := judgePatterns(c, configured, "PathPatternConfig", c.PathPatternConfig.Values, c.PathPatternConfig.RegexValues); err != nil {
		return err
	}
	for _, v := range c.PathPatternConfig.Values {
		if !pathPattern.MatchString(v) {
			return invalid("Condition value '%s' contains a character that is not valid", v)
		}
	}
	c.Values, c.RegexValues = c.PathPatternConfig.Values, c.PathPatternConfig.RegexValues
	return nil
}

var (
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9.*?-]*$`)
	pathPattern = regexp.MustCompile(`^[A-Za-z0-9_.$/~"'@:+*?&;-]*$`)
	methodName  = regexp.MustCompile(`^[A-Z_-]+$`)
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// judgePatterns judges what host and path have in common: values of their own, one at
// most, or a config with several.
func judgePatterns(c *api.RuleCondition, configured bool, config string, values, regexes []string) error {
	field := *c.Field
	switch {
	case configured && (len(c.Values) > 0 || len(c.RegexValues) > 0) && (!slices.Equal(c.Values, values) || !slices.Equal(c.RegexValues, regexes)):
		return invalid("You cannot provide both Values and '%s' for a condition of type '%s'", config, field)
	case !configured && len(values) > 1:
		return invalid("The '%s' field contains too many values; the limit is '1'", field)
	case len(values) == 0 && len(regexes) == 0:
		return invalid("A condition value must be specified")
	case len(values) > 0 && len(regexes) > 0:
		return invalid("You cannot provide both values and regular expressions for a condition of type '%s'", field)
	}
	if err := judgeLengths(field, values); err != nil {
		return err
	}
	return judgeRegexes(field, regexes)
}

func judgeLengths(what string, values []string) error {
	for _, v := range values {
		if v == "" {
			return invalid("A condition value must be specified")
		}
		if len(v) > maxValue {
			return invalid("The '%s' value is too long; the limit is '%d'", what, maxValue)
		}
	}
	return nil
}

func judgeRegexes(what string, list []string) error {
	if err := judgeLengths(what, list); err != nil {
		return err
	}
	for _, v := range list {
		if _, err := regexp.Compile(v); err != nil {
			return invalid("The '%s' regular expression '%s' is not valid", what, v)
		}
	}
	return nil
}

func judgeHeader(h *api.HttpHeaderConditionConfig) error {
	switch {
	case h == nil:
		return invalid("A 'HttpHeaderConfig' must be specified with 'http-header'")
	case aws.Val(h.HttpHeaderName) == "":
		return invalid("A 'HttpHeaderName' must be specified in 'HttpHeaderConfig'")
	case len(*h.HttpHeaderName) > maxHeaderName:
		return invalid("The 'HttpHeaderName' value is too long; the limit is '%d'", maxHeaderName)
	case !headerName.MatchString(*h.HttpHeaderName), strings.EqualFold(*h.HttpHeaderName, "host"):
		return invalid("The 'HttpHeaderName' value '%s' is not valid", *h.HttpHeaderName)
	case len(h.Values) == 0 && len(h.RegexValues) == 0:
		return invalid("A 'http-header' value must be specified")
	}
	if err := judgeLengths(fieldHeader, h.Values); err != nil {
		return err
	}
	return judgeRegexes(fieldHeader, h.RegexValues)
}

func judgeMethods(m *api.HttpRequestMethodConditionConfig) error {
	if m == nil {
		return invalid("A 'HttpRequestMethodConfig' must be specified with 'http-request-method'")
	}
	if len(m.Values) == 0 {
		return invalid("A 'http-request-method' value must be specified")
	}
	for _, v := range m.Values {
		if len(v) > maxMethod {
			return invalid("The 'http-request-method' value is too long; the limit is '%d'", maxMethod)
		}
		if !methodName.MatchString(v) {
			return invalid("The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen and underscore")
		}
	}
	return nil
}

func judgeQuery(q *api.QueryStringConditionConfig) error {
	if q == nil {
		return invalid("A 'QueryStringConfig' must be specified with 'query-string'")
	}
	if len(q.Values) == 0 {
		return invalid("A 'query-string' value must be specified")
	}
	for _, v := range q.Values {
		switch {
		case v.Value == nil:
			return invalid("A 'Value' must be specified in 'QueryStringKeyValuePair'")
		case len(aws.Val(v.Key)) > maxValue:
			return invalid("The 'Key' value is too long; the limit is '%d'", maxValue)
		case len(*v.Value) > maxValue:
			return invalid("The 'Value' value is too long; the limit is '%d'", maxValue)
		}
	}
	return nil
}

func judgeSources(c *api.SourceIpConditionConfig) error {
	if c == nil {
		return invalid("A 'SourceIpConfig' must be specified with 'source-ip'")
	}
	if len(c.Values) == 0 {
		return invalid("A 'source-ip' value must be specified")
	}
	for _, v := range c.Values {
		if p, err := netip.ParsePrefix(v); err != nil || p.Masked() != p {
			return invalid("The 'source-ip' value '%s' must be a valid CIDR block", v)
		}
	}
	return nil
}
