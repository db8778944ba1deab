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

// RESTCall is a rest-xml request as a client is about to send it.
type RESTCall struct {
	Labels map[string]string
	Query  url.Values
	Header http.Header
	Body   []byte    // the document, nil for none
	Stream io.Reader // or the stream
}

// EncodeRESTCall lays out an operation's input.
func EncodeRESTCall(op *model.Operation, in any, namespace string) (RESTCall, error) {
	c := RESTCall{Labels: map[string]string{}, Query: url.Values{}, Header: http.Header{}}
	if op.Input == nil {
		return c, nil
	}
	p, v, err := value(op.Input, in)
	if err != nil {
		return c, err
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		switch f.Location {
		case model.URI, model.QueryString:
			c.bind(f, v)
		default:
			putHeader(c.Header, f, v)
		}
	}
	c.body(op, p, v, namespace)
	return c, nil
}

func (c *RESTCall) bind(f *plan.Field, v reflect.Value) {
	fv, ok := f.Get(v)
	if !ok {
		return
	}
	if f.Plan.Shape.Kind == model.List {
		for i := range fv.Len() {
			c.Query.Add(f.WireName(), string(appendText(nil, f.Plan.Elem.Shape, fv.Index(i), timeISO)))
		}
		return
	}
	text := string(appendText(nil, f.Plan.Shape, fv, timeISO))
	if f.Location == model.URI {
		c.Labels[f.WireName()] = text
		return
	}
	c.Query.Set(f.WireName(), text)
}

func (c *RESTCall) body(op *model.Operation, p *plan.Plan, v reflect.Value, namespace string) {
	payload := op.Input.Payload
	if payload == nil {
		if !hasBody(op.Input) {
			return
		}
		root := op.InputRoot
		if root == "" {
			root = op.Name + "Request"
		}
		x := XML{Buf: []byte(xmlHeader), Item: "member"}
		x.Open(root, namespace)
		x.structure(p, v, false)
		x.Close(root)
		c.Body = x.Buf
		return
	}
	f := field(p, payload)
	if payload.Streaming {
		c.Stream, _ = v.Field(f.Index).Interface().(io.Reader)
		return
	}
	var r RESTResponse
	r.payload(f, v, namespace)
	c.Body = r.Body
}

// DecodeRESTAnswer fills out from a successful answer. The body of a streaming
// output is handed over unread.
func DecodeRESTAnswer(op *model.Operation, out any, answer *http.Response) error {
	if op.Output == nil {
		return nil
	}
	p, v, err := value(op.Output, out)
	if err != nil {
		return err
	}
	r := RESTRequest{Header: answer.Header}
	for i := range p.Fields {
		if err := r.bind(&p.Fields[i], v); err != nil {
			return err
		}
	}
	payload := op.Output.Payload
	if payload != nil && payload.Streaming {
		v.Field(field(p, payload).Index).Set(reflect.ValueOf(&answer.Body).Elem())
		return nil
	}
	doc, err := io.ReadAll(answer.Body)
	if err != nil || len(doc) == 0 {
		return err
	}
	if payload != nil && payload.Shape.Kind != model.Structure {
		f := field(p, payload)
		return setRaw(f.Settable(v), f.Plan.Shape, doc)
	}
	root, err := ParseXML(doc)
	switch {
	case err != nil:
		return err
	case payload != nil:
		f := field(p, payload)
		return xmlReader{}.structure(root, f.Plan, f.Settable(v), "")
	case strings.EqualFold(root.Name, "LocationConstraint") && len(root.Kids) == 0:
		root = &Element{Kids: []*Element{root}}
	}
	return xmlReader{}.structure(root, p, v, "")
}
