package wire

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

// buffers are reused between answers: growing them costs more than filling them.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// keepBuffer bounds what the pool holds on to.
const keepBuffer = 1 << 20

// respond writes an operation's output.
func (e *exchange) respond(op *model.Operation, out any) error {
	if e.protocol == model.RestXML {
		return e.respondREST(op, out)
	}
	pooled := buffers.Get().(*[]byte)
	buf, mime, err := e.encode((*pooled)[:0], op, out)
	if err != nil {
		return err
	}
	e.write(http.StatusOK, mime, buf)
	if cap(buf) <= keepBuffer {
		*pooled = buf
		buffers.Put(pooled)
	}
	return nil
}

const (
	mimeXML  = "text/xml;charset=UTF-8"
	mimeJSON = "application/json"
	mimeCBOR = "application/cbor"
)

// encode appends the answer in the service's protocol.
func (e *exchange) encode(buf []byte, op *model.Operation, out any) ([]byte, string, error) {
	m, lists := e.service.Model, listsAlways(op.Name)
	switch {
	case e.protocol == model.JSON:
		buf, err := codec.AppendJSON(buf, op.Output, out, lists)
		return buf, "application/x-amz-json-" + m.JSONVersion, err
	case e.protocol == model.CBOR:
		e.w.Header().Set(protocolHeader, rpcCBOR)
		buf, err := codec.AppendCBOR(buf, op.Output, out, lists)
		return buf, mimeCBOR, err
	case e.protocol == model.EC2:
		x := codec.XML{Buf: append(buf, xmlHeader...), Item: "item", AllLists: lists}
		x.Open(op.Name+"Response", m.Namespace)
		x.Text("requestId", e.id)
		if op.Output == nil {
			x.Text("return", "true")
		}
		err := x.Members(op.Output, out)
		x.Close(op.Name + "Response")
		return x.Buf, mimeXML, err
	case e.form.Get("ContentType") == "JSON":
		return e.encodeQueryJSON(buf, op, out, lists)
	}
	x := codec.XML{Buf: buf, Item: "member", AllLists: lists, QueryNames: true}
	x.Open(op.Name+"Response", m.Namespace)
	var err error
	if op.ResultWrapper != "" {
		x.Open(op.ResultWrapper, "")
		err = x.Members(op.Output, out)
		x.Close(op.ResultWrapper)
	}
	x.Open("ResponseMetadata", "")
	x.Text("RequestId", e.id)
	x.Close("ResponseMetadata")
	x.Close(op.Name + "Response")
	return x.Buf, mimeXML, err
}

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// listsAlways names the operations whose answers always hold their lists, empty
// or not: clients index them without asking.
func listsAlways(name string) bool {
	if name == "DescribeSecret" || name == "DescribeChangeSet" { // of one thing, which AWS describes without what it lacks
		return false
	}
	return strings.HasPrefix(name, "Describe") || strings.HasPrefix(name, "List") || strings.HasPrefix(name, "BatchGet")
}

// encodeQueryJSON writes what ContentType=JSON asks for; the CloudFormation helper
// scripts do.
func (e *exchange) encodeQueryJSON(buf []byte, op *model.Operation, out any, lists bool) ([]byte, string, error) {
	buf = append(codec.AppendJSONString(append(buf, '{'), op.Name+"Response"), ":{"...)
	var err error
	if op.ResultWrapper != "" {
		buf = append(codec.AppendJSONString(buf, op.ResultWrapper), ':')
		if buf, err = codec.AppendJSON(buf, op.Output, out, lists); err != nil {
			return buf, "", err
		}
		buf = append(buf, ',')
	}
	buf = append(buf, `"ResponseMetadata":{"RequestId":`...)
	buf = append(codec.AppendJSONString(buf, e.id), "}}}"...)
	return buf, mimeJSON, nil
}

func (e *exchange) respondREST(op *model.Operation, out any) error {
	answer, err := codec.EncodeREST(op, out, e.service.Model.Namespace, e.w.Header())
	if answer.Stream != nil {
		defer answer.Stream.Close()
	}
	if err != nil {
		return err
	}
	h := e.w.Header()
	if h.Get("Content-Range") != "" {
		answer.Status = http.StatusPartialContent
	}
	if answer.Stream == nil {
		if e.r.Method == http.MethodHead {
			e.begin(answer.Status)
			return nil
		}
		if h.Get("Content-Type") == "" && answer.Type != "" {
			h.Set("Content-Type", answer.Type)
		}
		e.write(answer.Status, "", answer.Body)
		return nil
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "binary/octet-stream")
	}
	e.begin(answer.Status)
	if _, err := io.Copy(e.w, answer.Stream); err != nil {
		e.server.cfg.Log.Warn("answer cut short", "request_id", e.id, "error", err.Error())
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (e *exchange) begin(status int) {
	e.status, e.written = status, true
	e.w.WriteHeader(status)
}

func (e *exchange) write(status int, mime string, body []byte) {
	h := e.w.Header()
	if mime != "" {
		h.Set("Content-Type", mime)
	}
	if status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	e.begin(status)
	if e.r.Method != http.MethodHead && status != http.StatusNoContent && status != http.StatusNotModified {
		_, _ = e.w.Write(body) // a client that has gone away
	}
}

// fail answers with an error, in the protocol as far as it is known.
func (e *exchange) fail(err error) {
	a := e.server.asAWS(err, e.spoken(), e.service, e.id)
	e.setRequestID()
	if e.service != nil {
		a = e.inBothWords(a)
	}
	e.code = a.Code
	if a.Explanation != "" {
		e.w.Header().Set("x-hardstand-explanation", a.Explanation)
	}
	switch e.spoken() {
	case model.JSON:
		e.w.Header().Set("x-amzn-ErrorType", a.Code)
		e.write(a.HTTPStatus(), e.jsonType(), jsonError(a, e.service))
	case model.CBOR:
		e.w.Header().Set(protocolHeader, rpcCBOR)
		e.write(a.HTTPStatus(), mimeCBOR, cborError(a, e.service))
	case model.EC2:
		e.write(a.HTTPStatus(), mimeXML, ec2Error(a, e.id))
	case model.RestXML:
		if e.service != nil && e.service.paths != nil {
			e.failQuery(a) // the document that query services answer with
			return
		}
		e.failREST(a)
	default:
		e.failQuery(a)
	}
}

// spoken is the protocol, guessed for a request of no service.
func (e *exchange) spoken() model.Protocol {
	switch {
	case e.service != nil && e.protocol == "":
		return e.speaks() // the request failed on its way to a route
	case e.service != nil:
		return e.protocol
	case e.r.Header.Get("X-Amz-Target") != "":
		return model.JSON
	}
	return model.Query
}

// jsonType is the media type of JSON errors, in the service's version where there
// is a service.
func (e *exchange) jsonType() string {
	if e.service == nil || e.service.Model.JSONVersion == "" {
		return "application/x-amz-json-1.1"
	}
	return "application/x-amz-json-" + e.service.Model.JSONVersion
}

func jsonError(a *awserr.Error, svc *service) []byte {
	b := codec.AppendJSONString([]byte(`{"__type":`), errorType(a.Code, svc))
	text := `,"message":`
	if svc != nil && svc.capital[a.Code] {
		text = `,"Message":`
	}
	b = codec.AppendJSONString(append(b, text...), a.Message)
	for _, f := range a.Extra {
		b = codec.AppendJSONString(append(b, ','), f.Name)
		b = codec.AppendJSONString(append(b, ':'), f.Value)
	}
	return append(b, '}')
}

func cborError(a *awserr.Error, svc *service) []byte {
	fields := []awserr.Field{{Name: "__type", Value: errorType(a.Code, svc)}, {Name: "message", Value: a.Message}}
	return codec.AppendCBORStrings(nil, append(fields, a.Extra...))
}

func ec2Error(a *awserr.Error, id string) []byte {
	x := codec.XML{Buf: []byte(xmlHeader)}
	x.Open("Response", "")
	x.Open("Errors", "")
	errorElement(&x, a, "")
	x.Close("Errors")
	x.Text("RequestID", id)
	x.Close("Response")
	return x.Buf
}

// errorElement appends <Error>; kind is Sender or Receiver where the protocol has
// it.
func errorElement(x *codec.XML, a *awserr.Error, kind string) {
	x.Open("Error", "")
	if kind != "" {
		x.Text("Type", kind)
	}
	x.Text("Code", a.Code)
	x.Text("Message", a.Message)
	for _, f := range a.Extra {
		x.Text(f.Name, f.Value)
	}
	x.Close("Error")
}

func (e *exchange) failQuery(a *awserr.Error) {
	kind := fault(a)
	if e.form.Get("ContentType") == "JSON" {
		b := codec.AppendJSONString([]byte(`{"Error":{"Code":`), a.Code)
		b = codec.AppendJSONString(append(b, `,"Message":`...), a.Message)
		b = codec.AppendJSONString(append(b, `,"Type":`...), kind)
		b = codec.AppendJSONString(append(b, `},"RequestId":`...), e.id)
		e.write(a.HTTPStatus(), mimeJSON, append(b, '}'))
		return
	}
	x := codec.XML{}
	namespace := ""
	if e.service != nil {
		namespace = e.service.Model.Namespace
	}
	x.Open("ErrorResponse", namespace)
	errorElement(&x, a, kind)
	x.Text("RequestId", e.id)
	x.Close("ErrorResponse")
	e.write(a.HTTPStatus(), mimeXML, x.Buf)
}

// failREST writes S3's error document; none with HEAD and 304, where the further
// members become headers (ETag).
func (e *exchange) failREST(a *awserr.Error) {
	for _, f := range a.Headers {
		e.w.Header().Set(f.Name, f.Value)
	}
	if a.HTTPStatus() == http.StatusNotModified {
		for _, f := range a.Extra {
			e.w.Header().Set(f.Name, f.Value)
		}
		e.begin(http.StatusNotModified)
		return
	}
	x := codec.XML{Buf: []byte(xmlHeader)}
	x.Open("Error", "")
	x.Text("Code", a.Code)
	x.Text("Message", a.Message)
	for _, f := range a.Extra {
		x.Text(f.Name, f.Value)
	}
	x.Text("RequestId", e.id)
	x.Text("HostId", e.hostID())
	x.Close("Error")
	e.write(a.HTTPStatus(), "application/xml", x.Buf)
}
