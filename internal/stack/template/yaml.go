package template

import (
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// shortTags are the functions that have a short form, by tag.
var shortTags = map[string]string{
	"!Ref": "Ref", "!Condition": "Condition", "!GetAtt": "Fn::GetAtt", "!Sub": "Fn::Sub",
	"!Join": "Fn::Join", "!Split": "Fn::Split", "!Select": "Fn::Select", "!FindInMap": "Fn::FindInMap",
	"!GetAZs": "Fn::GetAZs", "!Cidr": "Fn::Cidr", "!Base64": "Fn::Base64", "!ImportValue": "Fn::ImportValue", "!GetStackOutput": stackOutput,
	"!If": "Fn::If", "!Equals": "Fn::Equals", "!And": "Fn::And", "!Or": "Fn::Or", "!Not": "Fn::Not",
	"!Transform": "Fn::Transform", "!Contains": "Fn::Contains", "!EachMemberIn": "Fn::EachMemberIn",
	"!EachMemberEquals": "Fn::EachMemberEquals", "!RefAll": "Fn::RefAll", "!ValueOf": "Fn::ValueOf",
	"!ValueOfAll": "Fn::ValueOfAll",
}

var yamlLine = regexp.MustCompile(`line (\d+)(?:, column (\d+))?`)

func yamlError(line, column int) error {
	if line == 0 {
		return errorf("Template format error: YAML not well-formed.")
	}
	return errorf("Template format error: YAML not well-formed. (line %d, column %d)", line, max(column, 1))
}

func readYAML(body string) (any, error) {
	d := yaml.NewDecoder(strings.NewReader(body))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		m := yamlLine.FindStringSubmatch(err.Error())
		if m == nil {
			return nil, yamlError(0, 0)
		}
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		return nil, yamlError(line, column)
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, yamlError(more.Line, more.Column)
	}
	r := yamlReader{budget: maxNodes}
	return r.value(&doc, maxDepth)
}

// yamlReader turns nodes into values. Aliases are expanded, each time counting
// against budget.
type yamlReader struct{ budget int }

func (r *yamlReader) value(n *yaml.Node, depth int) (any, error) {
	if r.budget--; r.budget < 0 || depth == 0 {
		return nil, errorf("Template format error: unsupported structure.")
	}
	if n.Kind == yaml.AliasNode {
		return r.value(n.Alias, depth-1)
	}
	if name, ok := shortTags[n.Tag]; ok {
		arg, err := r.argument(n, name, depth-1)
		return map[string]any{name: arg}, err
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") && n.Tag != "!" {
		return nil, yamlError(n.Line, n.Column)
	}
	return r.plain(n, depth)
}

// argument is the value under a short tag. Of !GetAtt's text the first dot
// splits; other texts stay as they are.
func (r *yamlReader) argument(n *yaml.Node, name string, depth int) (any, error) {
	if n.Kind != yaml.ScalarNode {
		return r.plain(n, depth)
	}
	if name == "Fn::GetAtt" {
		if id, attr, ok := strings.Cut(n.Value, "."); ok {
			return []any{id, attr}, nil
		}
	}
	return n.Value, nil
}

func (r *yamlReader) plain(n *yaml.Node, depth int) (any, error) {
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) != 1 {
			return nil, nil
		}
		return r.value(n.Content[0], depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := r.value(c, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return r.mapping(n, depth)
	}
	return scalar(n), nil
}

func (r *yamlReader) mapping(n *yaml.Node, depth int) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return nil, yamlError(key.Line, key.Column)
		}
		// CloudFormation has no merge keys; read as a plain key, "<<" would be
		// accepted in Metadata and then mean nothing.
		if key.Value == "<<" && key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 {
			return nil, errorf("Template format error: unsupported structure.")
		}
		v, err := r.value(n.Content[i+1], depth-1)
		if err != nil {
			return nil, err
		}
		m[key.Value] = v
	}
	return m, nil
}

var (
	decimal  = regexp.MustCompile(`^[-+]?(0|[1-9][0-9_]*)$`)
	float    = regexp.MustCompile(`^[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?$|^[-+]?[0-9]+[eE][-+]?[0-9]+$`)
	jsonNum  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	radix    = regexp.MustCompile(`^[-+]?0[xb][0-9a-fA-F_]+$`)
	booleans = map[string]bool{"true": true, "yes": true, "on": true, "false": false, "no": false, "off": false}
)

// scalar gives the value of a scalar node by the rules of YAML 1.1, except that a
// date stays text (AWSTemplateFormatVersion), and so do a leading zero (account
// ids, file modes) and base 60 ("22:22", a pair of ports): templates mean text
// there.
func scalar(n *yaml.Node) any {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 ||
		n.Style&yaml.TaggedStyle != 0 && n.Tag == "!!str" {
		return n.Value
	}
	text := n.Value
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil
	}
	if b, ok := booleans[strings.ToLower(text)]; ok && (text == strings.ToLower(text) || text == strings.ToUpper(text) || text[1:] == strings.ToLower(text[1:])) {
		return b
	}
	clean := strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+")
	switch {
	case jsonNum.MatchString(text):
		return json.Number(text)
	case decimal.MatchString(text) && jsonNum.MatchString(clean):
		return json.Number(clean)
	case radix.MatchString(text):
		if i, ok := new(big.Int).SetString(clean, 0); ok {
			return json.Number(i.String())
		}
	case float.MatchString(text):
		if f, err := strconv.ParseFloat(clean, 64); err == nil {
			return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	return text
}
