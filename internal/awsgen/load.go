package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// api is a model file, with the members that are used here.
type api struct {
	Metadata   metadata              `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`

	wanted map[string]bool // operations whose shapes are generated; nil = all
}

type metadata struct {
	APIVersion       string    `json:"apiVersion"`
	EndpointPrefix   string    `json:"endpointPrefix"`
	GlobalEndpoint   string    `json:"globalEndpoint"`
	Name             string    `json:"name"` // of an API that shares its endpoint with another
	JSONVersion      string    `json:"jsonVersion"`
	Protocol         string    `json:"protocol"`
	Protocols        []string  `json:"protocols"`
	QueryCompatible  *struct{} `json:"awsQueryCompatible"`
	ServiceFullName  string    `json:"serviceFullName"`
	ServiceID        string    `json:"serviceId"`
	SigningName      string    `json:"signingName"`
	SigningNames     []string  `json:"signingNames"` // of our own models
	TargetPrefix     string    `json:"targetPrefix"`
	TargetPrefixes   []string  `json:"targetPrefixes"` // of our own models
	XMLNamespaceText string    `json:"xmlNamespace"`
}

type operation struct {
	HTTP struct {
		Method     string `json:"method"`
		RequestURI string `json:"requestUri"`
		Status     int    `json:"responseCode"`
	} `json:"http"`
	Input    *reference  `json:"input"`
	Output   *reference  `json:"output"`
	Errors   []reference `json:"errors"`
	AuthType string      `json:"authtype"`
}

// reference is a use of a shape.
type reference struct {
	Shape         string        `json:"shape"`
	ResultWrapper string        `json:"resultWrapper"`
	Location      string        `json:"location"`
	LocationName  string        `json:"locationName"`
	QueryName     string        `json:"queryName"`
	Flattened     bool          `json:"flattened"`
	XMLAttribute  bool          `json:"xmlAttribute"`
	Streaming     bool          `json:"streaming"`
	Token         bool          `json:"idempotencyToken"`
	XMLNamespace  *xmlNamespace `json:"xmlNamespace"`
}

type xmlNamespace struct {
	Prefix string `json:"prefix"`
	URI    string `json:"uri"`
}

type shape struct {
	Type            string        `json:"type"`
	Required        []string      `json:"required"`
	Members         members       `json:"members"`
	Member          *reference    `json:"member"`
	Key             *reference    `json:"key"`
	Value           *reference    `json:"value"`
	Payload         string        `json:"payload"`
	Enum            []string      `json:"enum"`
	Min             *float64      `json:"min"`
	Max             *float64      `json:"max"`
	Pattern         string        `json:"pattern"`
	Sensitive       bool          `json:"sensitive"`
	Flattened       bool          `json:"flattened"`
	LocationName    string        `json:"locationName"`
	TimestampFormat string        `json:"timestampFormat"`
	XMLNamespace    *xmlNamespace `json:"xmlNamespace"`
	EventStream     bool          `json:"eventstream"`
	Exception       bool          `json:"exception"`
	Fault           bool          `json:"fault"`
	Error           struct {
		Code           string `json:"code"`
		HTTPStatusCode int    `json:"httpStatusCode"`
	} `json:"error"`

	capital bool // an exception with a member Message: it goes when errors are pruned
	ours    bool // from the overrides: kept even when no operation names it
}

// members keeps the order of the model: answers are written in it.
type members struct {
	names []string
	refs  map[string]*reference
}

func (m *members) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &m.refs); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		m.names = append(m.names, name.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
	}
	return nil
}

// load reads the model of a package, its overrides and its list of operations.
func load(data, tool, name string) (*api, error) {
	text, err := readModel(data, tool, name)
	if err != nil {
		return nil, err
	}
	a := &api{}
	if err := json.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if err := a.override(filepath.Join(tool, "overrides", name+".json")); err != nil {
		return nil, err
	}
	return a, a.readWanted(filepath.Join(tool, "operations", name+".txt"))
}

// readModel returns our own model of the package or botocore's newest.
func readModel(data, tool, name string) ([]byte, error) {
	own, err := os.ReadFile(filepath.Join(tool, "models", name+".json"))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return own, err
	}
	found, err := filepath.Glob(filepath.Join(data, name, "*", "service-2.json.gz"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no model in %s", filepath.Join(data, name))
	}
	f, err := os.Open(slices.Max(found))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// override merges a file of the model's own form: name, protocols and namespace are
// replaced, shapes that are new are added, of shapes that exist the members given
// are replaced, or added where the model is older, and keys, values and errors get the names given, an operation's
// output gets the root element given, its success the status given, and an operation that is null is dropped.
func (a *api) override(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var o api
	if err := json.Unmarshal(text, &o); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if o.Metadata.Protocols != nil {
		a.Metadata.Protocols = o.Metadata.Protocols
	}
	if o.Metadata.Name != "" {
		a.Metadata.Name = o.Metadata.Name
	}
	if o.Metadata.XMLNamespaceText != "" {
		a.Metadata.XMLNamespaceText = o.Metadata.XMLNamespaceText
	}
	for name, s := range o.Shapes {
		if err := a.overrideShape(name, s); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	for name, op := range o.Operations {
		if op == nil {
			delete(a.Operations, name)
			continue
		}
		old := a.Operations[name]
		if old == nil || op.Output != nil && old.Output == nil {
			return fmt.Errorf("%s: no output of %s", file, name)
		}
		if op.Output != nil {
			old.Output.LocationName = op.Output.LocationName
		}
		if op.HTTP.Status != 0 {
			old.HTTP.Status = op.HTTP.Status
		}
	}
	return nil
}

// overrideShape replaces the shape, or what s says of its members, key, value and
// error.
func (a *api) overrideShape(name string, s *shape) error {
	old := a.Shapes[name]
	switch {
	case s.Error.Code != "" && old != nil:
		old.Error = s.Error
	case s.Key != nil && old != nil:
		old.Key.LocationName, old.Value.LocationName = s.Key.LocationName, s.Value.LocationName
	case len(s.Members.refs) == 0, old == nil && s.Type != "":
		s.ours = true
		a.Shapes[name] = s
		return nil
	case old == nil:
		return fmt.Errorf("there is no shape %s, and none is made without a type", name)
	}
	for _, member := range s.Members.names {
		ref, was := s.Members.refs[member], old.Members.refs[member]
		if was == nil && ref.Shape == "" {
			return fmt.Errorf("%s has no member %s", name, member)
		}
		if was == nil { // newer than the model
			old.Members.names = append(old.Members.names, member)
			old.Members.refs[member] = ref
			continue
		}
		if ref.Shape != "" {
			was.Shape = ref.Shape
		}
		if ref.QueryName != "" {
			was.QueryName = ref.QueryName
		}
	}
	return nil
}

// readWanted reads the list of operations; without a file all are wanted.
func (a *api) readWanted(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	a.wanted = map[string]bool{}
	for _, name := range strings.Fields(string(text)) {
		if a.Operations[name] == nil {
			return fmt.Errorf("%s: the model has no operation %s", file, name)
		}
		a.wanted[name] = true
	}
	return nil
}

// sorted returns the keys of m in order.
func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
