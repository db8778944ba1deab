package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/codec"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

// exchange is one request and its answer. The fields fill in from top to bottom
// as serve learns them; an error is answered with what is known by then.
type exchange struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	id     string // request id
	began  time.Time

	signature *sigv4.Signature  // nil: unsigned
	body      []byte            // of all but S3's requests
	plain     []byte            // body, no longer compressed
	form      url.Values        // of query and EC2 requests
	service   *service          // nil: no service is meant
	protocol  model.Protocol    // of the service, the one that the request speaks
	address   s3Address         // of S3's requests
	labels    map[string]string // of the path, by name
	operation string
	principal aws.Principal
	region    string

	status     int // answered with
	code       string
	identified bool // the request id is in the headers
	written    bool // the status line has gone out
	audited    bool // the call itself has written the log line
}

// serve runs the request to its answer, or returns the error to answer with.
//
// Thousands of calls may wait in their operations, agents' polls above all. A stack
// that holds less than 3 KiB there shrinks to 8 KiB, so what needs room before and
// after the operation is in functions of its own, here and in Server.run.
func (e *exchange) serve() error {
	ctx, row, in, err := e.prepare()
	if err != nil || row == nil {
		return e.brokenOff(err)
	}
	if keep := e.holdable(ctx, row); keep != nil {
		return e.hold(ctx, row, in, keep)
	}
	out, err := e.server.run(ctx, e.service, row, in)
	if err != nil {
		return err
	}
	return e.answer(ctx, row, out)
}

// brokenOff tells what has gone wrong with a request from what this server, which stops,
// has broken off itself: a body that it reads no further and a key that it cannot look up
// are not the caller's fault, and agents that are told so stay away for long.
func (e *exchange) brokenOff(err error) error {
	if err != nil && errors.Is(context.Cause(e.r.Context()), ErrStopping) {
		return errStopping()
	}
	return err
}

// prepare finds the operation, who calls it and with what; no operation for a
// request that is answered already.
//
//go:noinline
func (e *exchange) prepare() (ctx context.Context, row *Operation, in any, err error) {
	if done, err := e.website(); done {
		return nil, nil, nil, err
	}
	signature, signErr := e.parseSignature()
	e.signature = signature
	if err := e.route(); err != nil {
		return nil, nil, nil, err
	}
	if e.wantsLanding() {
		e.written = true
		e.server.cfg.Landing.ServeHTTP(e.w, e.r)
		return nil, nil, nil, nil
	}
	if e.operation == preflight {
		return nil, nil, nil, e.preflight()
	}
	e.allowOrigin()
	if signErr != nil {
		return nil, nil, nil, signErr
	}
	e.setRequestID()
	if e.operation == postObject {
		return nil, nil, nil, e.postForm()
	}
	if err := e.authenticate(); err != nil {
		return nil, nil, nil, err
	}
	return e.understand()
}

// understand decodes the input of an authentic request.
func (e *exchange) understand() (ctx context.Context, row *Operation, in any, err error) {
	op := e.service.Model.Operations[e.operation]
	row = e.service.operations[e.operation]
	if row == nil {
		return nil, nil, nil, notImplemented(e.service.Model, e.operation)
	}
	in = row.New()
	if err := e.decode(op, in); err != nil {
		return nil, nil, nil, e.decodeError(err)
	}
	call := e.call()
	if e.signature != nil && e.server.cfg.Used != nil {
		e.server.cfg.Used(call)
	}
	e.audited = true
	return aws.WithCall(e.r.Context(), call), row, in, nil
}

//go:noinline
func (e *exchange) answer(ctx context.Context, row *Operation, out any) error {
	if f := e.service.Headers; f != nil {
		maps.Copy(e.w.Header(), f(ctx, out))
	}
	return e.respond(e.service.Model.Operations[row.Name], out)
}

func (e *exchange) call() aws.Call {
	c := aws.Call{Principal: e.principal, Account: e.principal.Account, Region: e.region, RequestID: e.id,
		Service: e.service.Model.Label(), Operation: e.operation, SourceIP: remoteAddr(e.r), Secure: e.r.TLS != nil,
		UserAgent: e.r.UserAgent(), Referer: e.r.Referer(), Endpoint: endpoint(e.r),
		Gateway: aws.VPCEndpointFrom(e.r.Context(), e.service.Model.Label())}
	if e.signature != nil {
		c.SigningName, c.SignedRegion = e.signature.Service, e.signature.Region
		c.Signed = e.signed()
	}
	if e.r.TLS != nil {
		c.Signed.TLS = strings.TrimPrefix(tls.VersionName(e.r.TLS.Version), "TLS ")
	}
	if c.Account == "" {
		c.Account = e.server.cfg.Account
	}
	return c
}

// signed describes the signature for conditions on it.
func (e *exchange) signed() aws.Signed {
	out := aws.Signed{Type: "REST-HEADER", Version: e.signature.Algorithm(), At: e.signature.Time, Payload: e.r.Header.Get("X-Amz-Content-Sha256")}
	switch e.signature.Form {
	case sigv4.FormQuery:
		out.Type = "REST-QUERY-STRING"
	case sigv4.FormQueryV2:
		// Such a request tells when it ends, not when it was signed.
		out.Type, out.Version, out.At = "REST-QUERY-STRING", "AWS", time.Time{}
	}
	return out
}

// wantsLanding recognises a person with a browser.
func (e *exchange) wantsLanding() bool {
	return e.server.cfg.Landing != nil && e.signature == nil && e.r.Method == http.MethodGet && e.r.URL.Path == "/" &&
		e.r.URL.RawQuery == "" && strings.Contains(e.r.Header.Get("Accept"), "text/html")
}

// decode fills in from the request.
func (e *exchange) decode(op *model.Operation, in any) error {
	switch e.protocol {
	case model.JSON:
		return codec.DecodeJSON(e.plain, op.Input, in, true)
	case model.CBOR:
		return codec.DecodeCBOR(e.plain, op.Input, in)
	case model.RestXML:
		return e.decodeREST(op, in)
	}
	e.takeAddress(op)
	form, err := codec.NewForm(e.form)
	if err != nil {
		return err
	}
	return form.Decode(op.Input, in, e.protocol == model.EC2)
}

func (e *exchange) decodeREST(op *model.Operation, in any) error {
	if e.labels == nil {
		e.labels = map[string]string{"Bucket": e.address.bucket, "Key": e.address.key}
	}
	req := codec.RESTRequest{Labels: e.labels, Query: e.r.URL.Query(), Header: e.r.Header}
	if codec.Streams(op) {
		req.Stream = e.r.Body
	} else {
		doc, err := e.readBody()
		if err != nil {
			return err
		}
		if err := e.verifyDocument(doc); err != nil {
			return err
		}
		req.Document = doc
	}
	// net/http takes the length out of the headers; the model wants it there.
	length := e.r.Header.Get("X-Amz-Decoded-Content-Length")
	if length == "" && e.r.ContentLength >= 0 {
		length = strconv.FormatInt(e.r.ContentLength, 10)
	}
	if length != "" {
		req.Header = e.r.Header.Clone()
		req.Header.Set("Content-Length", length)
	}
	return codec.DecodeREST(op, in, req)
}

// setRequestID chooses the id's form by the service. S3 sends a second one, opaque
// to everyone, that clients print in their errors.
func (e *exchange) setRequestID() {
	if e.identified {
		return
	}
	e.identified = true
	h := e.w.Header()
	if e.service != nil && e.service.routes != nil && e.protocol == model.RestXML {
		e.id = ids.Upper(16)
		h["x-amz-request-id"] = []string{e.id}
		h["x-amz-id-2"] = []string{e.hostID()}
		h["Server"] = []string{"AmazonS3"}
		return
	}
	h["x-amzn-RequestId"] = []string{e.id}
}

func (e *exchange) hostID() string { return strings.ToLower(e.id) + "=hardstand" }

// finish turns a panic into an answer and writes the log line of a request that
// did not get as far as a call.
func (e *exchange) finish() {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			panic(p)
		}
		e.server.cfg.Log.Error("panic in a request", "request_id", e.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if e.written {
			panic(http.ErrAbortHandler) // the client must not take the half for the whole
		}
		e.fail(errInternal(e.spoken()))
	}
	if e.audited || e.status == 0 {
		return
	}
	name := ""
	if e.service != nil {
		name = e.service.Model.Label()
	}
	e.server.cfg.Log.LogAttrs(e.r.Context(), slog.LevelInfo, "refused", slog.String("service", name),
		slog.String("operation", e.operation), slog.String("principal", e.principal.ARN), slog.String("code", e.code),
		slog.Duration("duration", e.server.cfg.Clock.Now().Sub(e.began)), slog.String("request_id", e.id))
}

// asAWS returns the error that the caller sees. What is not AWS's becomes
// InternalFailure; its own text goes to the log only.
func (s *Server) asAWS(err error, protocol model.Protocol, svc *service, requestID string) *awserr.Error {
	if denied := deniedError(err, protocol); denied != nil {
		return denied
	}
	if e := awserr.As(err); e != nil {
		if svc != nil && e.HTTPStatus() == http.StatusBadRequest && svc.statuses[e.Code] != 0 {
			withStatus := *e
			withStatus.Status = svc.statuses[e.Code]
			return &withStatus
		}
		return e
	}
	if errors.Is(err, context.Canceled) { // the server stops, or nobody hears the answer
		return errStopping()
	}
	s.cfg.Log.Error("internal failure", "request_id", requestID, "error", err.Error())
	return errInternal(protocol)
}
