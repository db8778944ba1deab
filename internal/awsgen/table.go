package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/model"
)

// table renders the package's table (package model describes the format).
func (g *generator) table() ([]byte, error) {
	lines := []any{g.serviceLine()}
	for _, name := range sorted(g.api.Operations) {
		lines = append(lines, g.operationLine(name))
	}
	for _, name := range sorted(g.api.Shapes) {
		if s := g.api.Shapes[name]; !plain(s) {
			lines = append(lines, g.shapeLine(name, s))
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (g *generator) serviceLine() model.Service {
	m := g.api.Metadata
	s := model.Service{Name: strings.TrimPrefix(m.EndpointPrefix, "api."), SigningNames: m.SigningNames, ServiceID: m.ServiceID,
		FullName: m.ServiceFullName, APIVersion: m.APIVersion, Protocol: model.Protocol(m.Protocol),
		JSONVersion: m.JSONVersion, TargetPrefixes: m.TargetPrefixes, Namespace: m.XMLNamespaceText,
		QueryCompatible: m.QueryCompatible != nil, Global: m.GlobalEndpoint != "" && m.EndpointPrefix == "iam"}
	if m.Name != "" {
		s.Name, s.Endpoint = m.Name, m.EndpointPrefix
	}
	for _, p := range m.Protocols {
		if p != m.Protocol {
			s.Also = append(s.Also, model.Protocol(p))
		}
	}
	if s.SigningNames == nil {
		s.SigningNames = []string{m.EndpointPrefix}
		if m.SigningName != "" {
			s.SigningNames[0] = m.SigningName
		}
	}
	if m.TargetPrefix != "" {
		s.TargetPrefixes = []string{m.TargetPrefix}
	}
	if s.Protocol == model.RestXML {
		s.Namespace = restNamespace(g.api)
	}
	return s
}

// restNamespace is that of answers. S3's model does not say its own; others say it
// at each request's body.
func restNamespace(a *api) string {
	for _, name := range sorted(a.Operations) {
		if in := a.Operations[name].Input; in != nil && in.XMLNamespace != nil && in.XMLNamespace.URI != "" {
			return in.XMLNamespace.URI
		}
	}
	return "http://s3.amazonaws.com/doc/2006-03-01/"
}

func (g *generator) operationLine(name string) model.OperationLine {
	op := g.api.Operations[name]
	l := model.OperationLine{Name: name, NameOnly: !g.api.wanted[name], Unsigned: op.AuthType == "none"}
	if op.HTTP.Status != 200 {
		l.Status = op.HTTP.Status
	}
	if op.HTTP.Method != "POST" {
		l.Method = op.HTTP.Method
	}
	if op.HTTP.RequestURI != "/" {
		l.URI = op.HTTP.RequestURI
	}
	if l.NameOnly {
		return l
	}
	if op.Input != nil {
		l.Input, l.InputRoot = op.Input.Shape, op.Input.LocationName
	}
	if op.Output != nil {
		l.Output, l.ResultWrapper, l.OutputRoot = op.Output.Shape, op.Output.ResultWrapper, op.Output.LocationName
		if l.OutputRoot == "" && g.api.Metadata.Protocol == string(model.RestXML) && g.api.Metadata.EndpointPrefix != "s3" {
			l.OutputRoot = op.Output.Shape
		}
		if l.ResultWrapper == "" && slices.Contains(g.api.Metadata.Protocols, string(model.Query)) {
			l.ResultWrapper = name + "Result"
		}
	}
	for _, e := range op.Errors {
		l.Errors = append(l.Errors, e.Shape)
	}
	return l
}

// plain reports whether references to s can say its kind instead of its name.
func plain(s *shape) bool {
	switch s.Type {
	case "structure", "list", "map":
		return false
	}
	return s.Enum == nil && s.Min == nil && s.Max == nil && s.Pattern == "" && !s.Sensitive && s.TimestampFormat == ""
}

func (g *generator) shapeLine(name string, s *shape) model.ShapeLine {
	l := model.ShapeLine{Name: name, Kind: model.Kind(s.Type), Payload: s.Payload, Flattened: s.Flattened,
		Sensitive: s.Sensitive, Enum: s.Enum, Min: s.Min, Max: s.Max, Pattern: s.Pattern,
		TimestampFormat: s.TimestampFormat, Namespace: (*model.Namespace)(s.XMLNamespace),
		Element: g.cell("", s.Member), Key: g.cell("", s.Key), Value: g.cell("", s.Value)}
	if s.Exception {
		l.Kind, l.ErrorCode, l.ErrorStatus, l.Fault = model.Exception, name, s.Error.HTTPStatusCode, s.Fault
		if s.Error.Code != "" {
			l.ErrorCode = s.Error.Code
		}
		l.Capital = s.capital && g.api.Metadata.Protocol == "json"
	}
	for _, m := range s.Members.names {
		c := g.cell(m, s.Members.refs[m])
		c.Required = slices.Contains(s.Required, m)
		l.Members = append(l.Members, *c)
	}
	return l
}

func (g *generator) cell(name string, r *reference) *model.MemberCell {
	if r == nil {
		return nil
	}
	target := r.Shape
	s := g.api.Shapes[r.Shape]
	if plain(s) {
		target = s.Type
	}
	c := &model.MemberCell{Name: name, Shape: target, Location: model.Location(r.Location),
		LocationName: r.LocationName, QueryName: r.QueryName, Flattened: r.Flattened, Attribute: r.XMLAttribute,
		Streaming: r.Streaming, Token: r.Token, Namespace: (*model.Namespace)(r.XMLNamespace)}
	if c.LocationName == "" {
		c.LocationName = s.LocationName
	}
	if c.LocationName == name {
		c.LocationName = ""
	}
	return c
}
