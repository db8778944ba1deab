package codec

import (
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// RESTRequest is a rest-xml request, taken apart.
type RESTRequest struct {
	Labels   map[string]string // the variable parts of the path: Bucket, Key
	Query    url.Values
	Header   http.Header
	Stream   io.Reader // the body of an operation that Streams
	Document []byte    // the body of any other
}

// Streams reports whether the operation's body must not be read before the
// operation itself reads it.
func Streams(op *model.Operation) bool {
	return op.Input != nil && op.Input.Payload != nil && op.Input.Payload.Streaming
}

// DecodeREST fills in, a pointer to an operation's input.
func DecodeREST(op *model.Operation, in any, r RESTRequest) error {
	if op.Input == nil {
		return nil
	}
	p, v, err := value(op.Input, in)
	if err != nil {
		return err
	}
	for i := range p.Fields {
		if err := r.bind(&p.Fields[i], v); err != nil {
			return err
		}
	}
	return r.body(op, p, v, in)
}

// bind stores a member that travels outside the body.
func (r RESTRequest) bind(f *plan.Field, v reflect.Value) error {
	name := f.WireName()
	switch f.Location {
	case model.URI:
		return setText(f.Settable(v), f.Plan.Shape, r.Labels[name], name)
	case model.QueryString:
		if values, ok := r.Query[name]; ok {
			return setValues(f, v, values)
		}
	case model.Header:
		if values := r.Header.Values(name); len(values) > 0 {
			return setHeader(f, v, values)
		}
	case model.Headers:
		if m := prefixed(r.Header, name); m != nil {
			f.Settable(v).Set(reflect.ValueOf(m))
		}
	}
	return nil
}

func setValues(f *plan.Field, v reflect.Value, values []string) error {
	if f.Plan.Shape.Kind != model.List {
		return setText(f.Settable(v), f.Plan.Shape, values[0], f.WireName())
	}
	out := reflect.MakeSlice(f.Plan.Type, len(values), len(values))
	for i, s := range values {
		if err := setText(out.Index(i), f.Plan.Elem.Shape, s, f.WireName()); err != nil {
			return err
		}
	}
	f.Settable(v).Set(out)
	return nil
}

func setHeader(f *plan.Field, v reflect.Value, values []string) error {
	switch {
	case f.Plan.Shape.Kind == model.List:
		var items []string
		for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
			items = append(items, strings.TrimSpace(part))
		}
		return setValues(f, v, items)
	case f.Plan.Shape.Kind == model.Timestamp:
		if _, err := parseTime(values[0]); err != nil {
			return nil // HTTP: a date that cannot be read is as if it were absent
		}
	}
	return setText(f.Settable(v), f.Plan.Shape, strings.TrimSpace(values[0]), f.WireName())
}

// prefixed collects headers by prefix, names in lower case and without it.
func prefixed(h http.Header, prefix string) map[string]string {
	var out map[string]string
	for name, values := range h {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			if out == nil {
				out = map[string]string{}
			}
			out[strings.ToLower(name[len(prefix):])] = strings.Join(values, ",")
		}
	}
	return out
}

func (r RESTRequest) body(op *model.Operation, p *plan.Plan, v reflect.Value, in any) error {
	payload := op.Input.Payload
	if payload == nil {
		if len(r.Document) == 0 || !hasBody(op.Input) {
			return nil
		}
		root, err := ParseXML(r.Document)
		if err != nil {
			return err
		}
		return root.Decode(op.Input, in, true)
	}
	f := field(p, payload)
	switch {
	case payload.Streaming:
		v.Field(f.Index).Set(reflect.ValueOf(&r.Stream).Elem())
		return nil
	case len(r.Document) == 0:
		return nil
	case payload.Shape.Kind == model.Structure:
		root, err := ParseXML(r.Document)
		if err != nil {
			return err
		}
		return xmlReader{strict: true}.structure(root, f.Plan, f.Settable(v), "")
	}
	return setRaw(f.Settable(v), f.Plan.Shape, r.Document)
}

func setRaw(v reflect.Value, sh *model.Shape, doc []byte) error {
	if sh.Kind == model.Blob {
		v.SetBytes(doc)
		return nil
	}
	return setText(v, sh, string(doc), "")
}

func field(p *plan.Plan, m *model.Member) *plan.Field {
	for i := range p.Fields {
		if p.Fields[i].Member == m {
			return &p.Fields[i]
		}
	}
	return nil
}

// hasBody reports whether some member travels in an XML body.
func hasBody(sh *model.Shape) bool { return len(bodyMembers(sh)) > 0 }

func bodyMembers(sh *model.Shape) []*model.Member {
	var out []*model.Member
	for _, m := range sh.Members {
		if m.Location == model.Body && !m.Streaming {
			out = append(out, m)
		}
	}
	return out
}

// RESTResponse is an answer, laid out.
type RESTResponse struct {
	Status int
	Body   []byte        // the document, nil for none
	Stream io.ReadCloser // or a stream to copy and close
	Type   string        // Content-Type of Body, if the output does not say
}

// EncodeREST lays out an operation's output. Header members go into h.
func EncodeREST(op *model.Operation, out any, namespace string, h http.Header) (RESTResponse, error) {
	r := RESTResponse{Status: op.Status}
	if op.Output == nil {
		return r, nil
	}
	p, v, err := value(op.Output, out)
	if err != nil {
		return r, err
	}
	for i := range p.Fields {
		putHeader(h, &p.Fields[i], v)
	}
	if payload := op.Output.Payload; payload != nil {
		r.payload(field(p, payload), v, namespace)
		return r, nil
	}
	members := bodyMembers(op.Output)
	if len(members) == 0 {
		return r, nil
	}
	root := op.OutputRoot
	if root == "" {
		root = op.Name + "Result"
	}
	x := XML{Buf: []byte(xmlHeader), Item: "member"}
	x.Open(root, namespace)
	if len(members) == 1 && members[0].WireName() == root {
		// GetBucketLocation: the document is the one member itself.
		if fv, ok := field(p, members[0]).Get(v); ok {
			x.Buf = appendXML(x.Buf, fv.String())
		}
	} else {
		// S3 writes wrapped lists even when they are empty (Buckets); Route 53 leaves
		// out what there is not (the VPCs of a public zone).
		x.structure(p, v, strings.Contains(namespace, "//s3."))
	}
	x.Close(root)
	r.Body, r.Type = x.Buf, "application/xml"
	return r, nil
}

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func (r *RESTResponse) payload(f *plan.Field, v reflect.Value, namespace string) {
	if f.Streaming {
		if fv := v.Field(f.Index); !fv.IsNil() {
			r.Stream, _ = fv.Interface().(io.ReadCloser)
		}
		return
	}
	fv, ok := f.Get(v)
	if !ok {
		return
	}
	switch f.Plan.Shape.Kind {
	case model.Structure:
		root := f.LocationName
		if root == "" {
			root = f.Plan.Shape.Name
		}
		x := XML{Buf: []byte(xmlHeader), Item: "member"}
		x.Open(root, namespace)
		x.structure(f.Plan, fv, false)
		x.Close(root)
		r.Body, r.Type = x.Buf, "application/xml"
	case model.Blob:
		r.Body, r.Type = fv.Bytes(), "application/octet-stream"
	default:
		r.Body = []byte(fv.String())
		r.Type = "text/plain"
		if len(r.Body) > 0 && r.Body[0] == '{' {
			r.Type = "application/json"
		}
	}
}

// putHeader writes a member that travels in the headers. Metadata goes out in
// lower case, as S3 sends it; some clients compare it by case.
func putHeader(h http.Header, f *plan.Field, v reflect.Value) {
	if f.Location != model.Header && f.Location != model.Headers {
		return
	}
	fv, ok := f.Get(v)
	if !ok {
		return
	}
	if f.Location == model.Headers {
		for _, key := range sortedMap(fv) {
			h[strings.ToLower(f.WireName()+key.String())] = []string{headerValue(fv.MapIndex(key).String())}
		}
		return
	}
	if f.Plan.Shape.Kind == model.List {
		var parts []string
		for i := range fv.Len() {
			parts = append(parts, string(appendText(nil, f.Plan.Elem.Shape, fv.Index(i), timeHTTP)))
		}
		h.Set(f.WireName(), headerValue(strings.Join(parts, ",")))
		return
	}
	h.Set(f.WireName(), headerValue(string(appendText(nil, f.Plan.Shape, fv, timeHTTP))))
}

// headerValue takes out what would end the header.
func headerValue(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return ' '
		}
		return r
	}, s)
}
