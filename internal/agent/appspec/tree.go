package appspec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// MaxSize bounds the file: an appspec is a page of text.
const MaxSize = 1 << 20

// tree is one node of the file. The zero tree stands for an absent value.
type tree struct{ n *yaml.Node }

type pair struct {
	key   string
	value tree
}

// fail builds AWS's sentence.
func fail(format string, args ...any) error {
	return errors.New("The deployment failed because " + fmt.Sprintf(format, args...))
}

func parseTree(data []byte) (tree, error) {
	if len(data) > MaxSize {
		return tree{}, fail("the application specification file is larger than %d bytes.", MaxSize)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return tree{}, ErrEmpty
	}
	if err != nil {
		return tree{}, fail("the application specification file is not valid YAML or JSON: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	root := tree{&doc}
	if doc.Kind == yaml.DocumentNode {
		if len(doc.Content) == 0 {
			return tree{}, ErrEmpty
		}
		root = tree{doc.Content[0]}
	}
	if root.isNull() {
		return tree{}, ErrEmpty
	}
	if _, err := root.pairs("the file"); err != nil {
		return tree{}, err
	}
	return root, refuseAliases(root.n)
}

// refuseAliases keeps a small file from growing into a large one. AWS's 1.x
// agent refuses aliases too.
func refuseAliases(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return fail("the application specification file uses the YAML alias *%s (line %d). "+
			"Aliases are not supported; write the value out.", n.Value, n.Line)
	}
	for _, c := range n.Content {
		if err := refuseAliases(c); err != nil {
			return err
		}
	}
	return nil
}

func (t tree) isNull() bool {
	return t.n == nil || t.n.Kind == yaml.ScalarNode && t.n.ShortTag() == "!!null"
}

func (t tree) isPlain() bool {
	return t.n != nil && t.n.Kind == yaml.ScalarNode &&
		t.n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// text is the scalar as written, or "" for anything else.
func (t tree) text() string {
	if t.isNull() || t.n.Kind != yaml.ScalarNode {
		return ""
	}
	return t.n.Value
}

// isZeroNumber accepts 0.0 and 0, and refuses the string "0.0" as AWS does.
func (t tree) isZeroNumber() bool {
	if !t.isPlain() {
		return false
	}
	f, err := strconv.ParseFloat(t.n.Value, 64)
	return err == nil && f == 0
}

func (t tree) pairs(where string) ([]pair, error) {
	if t.n == nil || t.n.Kind != yaml.MappingNode {
		return nil, fail("the application specification file has no map where one is needed (%s%s). "+
			"Correct the AppSpec file, and then try again.", where, t.at())
	}
	seen := map[string]bool{}
	var out []pair
	for i := 0; i+1 < len(t.n.Content); i += 2 {
		k := t.n.Content[i]
		if seen[k.Value] {
			return nil, fail("the application specification file gives %q twice (line %d). "+
				"Remove one of them, and then try again.", k.Value, k.Line)
		}
		seen[k.Value] = true
		out = append(out, pair{k.Value, tree{t.n.Content[i+1]}})
	}
	return out, nil
}

func (t tree) at() string {
	if t.n == nil || t.n.Line == 0 {
		return ""
	}
	return ", line " + strconv.Itoa(t.n.Line)
}

func (t tree) get(key string) (tree, bool) {
	if t.n == nil || t.n.Kind != yaml.MappingNode {
		return tree{}, false
	}
	for i := 0; i+1 < len(t.n.Content); i += 2 {
		if t.n.Content[i].Value == key {
			return tree{t.n.Content[i+1]}, true
		}
	}
	return tree{}, false
}

func (t tree) field(key string) string {
	v, _ := t.get(key)
	return v.text()
}

// inspect writes a map of scalars as AWS's agent puts it into its sentences:
// {"name"=>"a", "range"=>nil}.
func (t tree) inspect() string {
	if t.n == nil || t.n.Kind != yaml.MappingNode {
		return t.text()
	}
	var out []string
	for i := 0; i+1 < len(t.n.Content); i += 2 {
		v := tree{t.n.Content[i+1]}
		text := v.text()
		switch {
		case v.isNull():
			text = "nil"
		case v.n.ShortTag() == "!!str":
			text = strconv.Quote(text)
		}
		out = append(out, strconv.Quote(t.n.Content[i].Value)+"=>"+text)
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// items returns the elements of a list of maps.
func (t tree) items(where string) ([]tree, error) {
	if t.n == nil || t.n.Kind != yaml.SequenceNode {
		return nil, fail("the application specification file has no list where one is needed (%s%s). "+
			"Correct the AppSpec file, and then try again.", where, t.at())
	}
	var out []tree
	for _, c := range t.n.Content {
		e := tree{c}
		if _, err := e.pairs(where); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// list returns the maps under key; an absent or null section is empty.
func (t tree) list(key string) ([]tree, error) {
	v, ok := t.get(key)
	if !ok || v.isNull() {
		return nil, nil
	}
	return v.items(key)
}

// strings returns the list of scalars under key; one scalar is a list of one.
func (t tree) strings(key string) ([]string, error) {
	v, ok := t.get(key)
	if !ok || v.isNull() {
		return nil, nil
	}
	if v.n.Kind == yaml.ScalarNode {
		return []string{v.n.Value}, nil
	}
	if v.n.Kind != yaml.SequenceNode {
		return nil, fail("the application specification file has no list where one is needed (%s%s). "+
			"Correct the AppSpec file, and then try again.", key, v.at())
	}
	out := []string{}
	for _, c := range v.n.Content {
		if c.Kind != yaml.ScalarNode {
			return nil, fail("the application specification file has a list inside %s where a value is needed (line %d).", key, c.Line)
		}
		out = append(out, c.Value)
	}
	return out, nil
}

// boolean reads YAML 1.1's words. A quoted word is refused: the 1.x agent takes
// "false" in quotes as true.
func (t tree) boolean(key string) (bool, error) {
	v, ok := t.get(key)
	if !ok || v.isNull() {
		return false, nil
	}
	if v.isPlain() {
		switch strings.ToLower(v.n.Value) {
		case "true", "yes", "on":
			return true, nil
		case "false", "no", "off":
			return false, nil
		}
	}
	return false, fail("the application specification file has the value %q for %s (line %d), which is not true or false. "+
		"Write it without quotes, and then try again.", v.text(), key, v.n.Line)
}

// leadingInt reads the integer that s begins with, 0 if there is none, as the
// 1.x agent reads time-outs.
func leadingInt(s string) int {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}
