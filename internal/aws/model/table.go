package model

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A table is text, one JSON object a line, in this order: the service, its
// operations by name, its shapes by name. References to shapes are names; the
// names of the scalar kinds stand for that kind without constraints.

// OperationLine is an operation's line.
type OperationLine struct {
	Name          string   `json:"op"`
	NameOnly      bool     `json:"nameOnly,omitempty"`
	Method        string   `json:"method,omitempty"` // "" = POST
	URI           string   `json:"uri,omitempty"`    // "" = /
	Status        int      `json:"status,omitempty"` // 0 = 200
	Input         string   `json:"in,omitempty"`
	Output        string   `json:"out,omitempty"`
	ResultWrapper string   `json:"wrapper,omitempty"`
	InputRoot     string   `json:"inRoot,omitempty"`
	OutputRoot    string   `json:"outRoot,omitempty"`
	Unsigned      bool     `json:"unsigned,omitempty"`
	Errors        []string `json:"errors,omitempty"`
}

// ShapeLine is a shape's line.
type ShapeLine struct {
	Name            string       `json:"shape"`
	Kind            Kind         `json:"is"`
	Members         []MemberCell `json:"members,omitempty"`
	Payload         string       `json:"payload,omitempty"`
	Element         *MemberCell  `json:"of,omitempty"`
	Key             *MemberCell  `json:"key,omitempty"`
	Value           *MemberCell  `json:"value,omitempty"`
	Flattened       bool         `json:"flat,omitempty"`
	Sensitive       bool         `json:"sensitive,omitempty"`
	Enum            []string     `json:"enum,omitempty"`
	Min             *float64     `json:"min,omitempty"`
	Max             *float64     `json:"max,omitempty"`
	Pattern         string       `json:"pattern,omitempty"`
	TimestampFormat string       `json:"time,omitempty"`
	Namespace       *Namespace   `json:"xmlns,omitempty"`
	ErrorCode       string       `json:"code,omitempty"`
	ErrorStatus     int          `json:"status,omitempty"`
	Fault           bool         `json:"fault,omitempty"`
	Capital         bool         `json:"capital,omitempty"`
}

// MemberCell is a member within a shape's line.
type MemberCell struct {
	Name         string     `json:"n,omitempty"`
	Shape        string     `json:"s"`
	Required     bool       `json:"req,omitempty"`
	Location     Location   `json:"in,omitempty"`
	LocationName string     `json:"as,omitempty"`
	QueryName    string     `json:"q,omitempty"`
	Flattened    bool       `json:"flat,omitempty"`
	Attribute    bool       `json:"attr,omitempty"`
	Streaming    bool       `json:"stream,omitempty"`
	Token        bool       `json:"token,omitempty"`
	Namespace    *Namespace `json:"xmlns,omitempty"`
}

// scalars are the shapes that a table refers to without defining them.
var scalars = []Kind{String, Integer, Long, Float, Double, Boolean, Timestamp, Blob}

// MustParse is Parse for a table that is compiled in; a broken one is a
// programming error.
func MustParse(table []byte) *Service {
	s, err := Parse(table)
	if err != nil {
		panic(err)
	}
	return s
}

// Parse reads a table.
func Parse(table []byte) (*Service, error) {
	head, rest, _ := bytes.Cut(table, []byte("\n"))
	s := &Service{Operations: map[string]*Operation{}, Shapes: map[string]*Shape{}}
	if err := json.Unmarshal(head, s); err != nil {
		return nil, fmt.Errorf("service table: %w", err)
	}
	for _, k := range scalars {
		s.Shapes[string(k)] = &Shape{Name: string(k), Kind: k}
	}
	var ops []OperationLine
	var shapes []ShapeLine
	for line := range bytes.Lines(rest) {
		var err error
		if bytes.HasPrefix(line, []byte(`{"op"`)) {
			ops = append(ops, OperationLine{})
			err = json.Unmarshal(line, &ops[len(ops)-1])
		} else {
			shapes = append(shapes, ShapeLine{})
			err = json.Unmarshal(line, &shapes[len(shapes)-1])
		}
		if err != nil {
			return nil, fmt.Errorf("table of %s: %w in %.60q", s.Name, err, line)
		}
	}
	return s, s.link(ops, shapes)
}

// link turns names into pointers.
func (s *Service) link(ops []OperationLine, shapes []ShapeLine) error {
	for i := range shapes {
		s.Shapes[shapes[i].Name] = shapes[i].shape()
	}
	l := linker{s: s}
	for i := range shapes {
		l.shape(&shapes[i])
	}
	for i := range ops {
		l.operation(&ops[i])
	}
	return l.err
}

func (l *ShapeLine) shape() *Shape {
	return &Shape{Name: l.Name, Kind: l.Kind, Flattened: l.Flattened, Sensitive: l.Sensitive,
		Enum: l.Enum, Min: l.Min, Max: l.Max, Pattern: l.Pattern, TimestampFormat: l.TimestampFormat,
		Namespace: l.Namespace, ErrorCode: l.ErrorCode, ErrorStatus: l.ErrorStatus, Fault: l.Fault, Capital: l.Capital}
}

// linker keeps the first unknown name.
type linker struct {
	s   *Service
	err error
}

func (l *linker) find(name string) *Shape {
	sh := l.s.Shapes[name]
	if sh == nil && l.err == nil {
		l.err = fmt.Errorf("table of %s: unknown shape %q", l.s.Name, name)
	}
	return sh
}

func (l *linker) shape(line *ShapeLine) {
	sh := l.s.Shapes[line.Name]
	sh.Members = make([]*Member, len(line.Members))
	for i := range line.Members {
		sh.Members[i] = l.member(&line.Members[i])
		if line.Payload != "" && line.Payload == line.Members[i].Name {
			sh.Payload = sh.Members[i]
		}
	}
	sh.Element, sh.Key, sh.Value = l.member(line.Element), l.member(line.Key), l.member(line.Value)
}

func (l *linker) member(c *MemberCell) *Member {
	if c == nil {
		return nil
	}
	return &Member{Name: c.Name, Shape: l.find(c.Shape), Required: c.Required, Location: c.Location,
		LocationName: c.LocationName, QueryName: c.QueryName, Flattened: c.Flattened,
		Attribute: c.Attribute, Streaming: c.Streaming, Token: c.Token, Namespace: c.Namespace}
}

func (l *linker) operation(line *OperationLine) {
	op := &Operation{Name: line.Name, Modelled: !line.NameOnly, Method: line.Method, URI: line.URI, Status: line.Status,
		ResultWrapper: line.ResultWrapper, InputRoot: line.InputRoot, OutputRoot: line.OutputRoot,
		Unsigned: line.Unsigned}
	if op.Method == "" {
		op.Method = "POST"
	}
	if op.URI == "" {
		op.URI = "/"
	}
	if op.Status == 0 {
		op.Status = 200
	}
	if line.Input != "" {
		op.Input = l.find(line.Input)
	}
	if line.Output != "" {
		op.Output = l.find(line.Output)
	}
	for _, e := range line.Errors {
		op.Errors = append(op.Errors, l.find(e))
	}
	l.s.Operations[op.Name] = op
}
