package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

// maxBody bounds every body that is read into memory; S3's object bodies are not.
const maxBody = 4 << 20

// route finds the service and the operation: the signing name in the scope, then
// X-Amz-Target or Version; for unsigned requests X-Amz-Target, the Host's label,
// Action, and S3 as the last resort, whose paths are free.
func (e *exchange) route() error {
	if e.signature != nil {
		if err := e.bySignature(); err != nil {
			return err
		}
	} else if err := e.byLooks(); err != nil {
		return err
	}
	if e.service == nil {
		return awserr.New("InvalidRequest", "No service of this server is meant by the request.")
	}
	e.protocol = e.speaks()
	switch e.protocol {
	case model.RestXML:
		if e.service.paths != nil {
			return e.routePath()
		}
		return e.routeREST()
	case model.JSON:
		return e.routeTarget()
	case model.CBOR:
		return e.routeRPC()
	}
	return e.routeAction()
}

func (e *exchange) bySignature() error {
	candidates := e.server.bySigner[e.signature.Service]
	if len(candidates) == 0 {
		// Told apart from a wrong signature: the service is real, but not here.
		e.service = nil
		return awserr.Status(http.StatusNotImplemented, "NotImplemented",
			"hardstand does not implement the service %s.", printable(e.signature.Service))
	}
	e.service = candidates[0]
	if e.service.Model.Protocol == model.RestXML {
		return nil
	}
	if err := e.readForm(); err != nil {
		return err
	}
	e.service = ofVersion(candidates, e.form)
	return nil
}

// ofVersion is the one of the APIs of a name that the Version parameter means, the
// first when it means none.
func ofVersion(candidates []*service, form url.Values) *service {
	for _, c := range candidates {
		if c.Model.APIVersion == form.Get("Version") {
			return c
		}
	}
	return candidates[0]
}

// byLabel finds the service that a label of a host name means.
func (e *exchange) byLabel(label string) error {
	var candidates []*service
	for _, s := range e.server.services {
		if s.Model.Label() == label {
			candidates = append(candidates, s)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	e.service = candidates[0]
	if len(candidates) == 1 {
		return nil
	}
	if err := e.readForm(); err != nil {
		return err
	}
	e.service = ofVersion(candidates, e.form)
	return nil
}

func (e *exchange) byLooks() error {
	if target := e.r.Header.Get("X-Amz-Target"); target != "" {
		prefix, _, _ := strings.Cut(target, ".")
		for _, s := range e.server.services {
			for _, p := range s.Model.TargetPrefixes {
				if p == prefix {
					e.service = s
					return e.readForm()
				}
			}
		}
	}
	host := hostname(e.r.Host)
	if label, rest, ok := strings.Cut(host, "."); ok && strings.HasSuffix(rest, "amazonaws.com") {
		if err := e.byLabel(label); err != nil {
			return err
		}
	}
	s3 := e.server.byName["s3"]
	if e.service == nil && bucketOf(host) == "" && (e.r.URL.Query().Has("Action") || isForm(e.r)) {
		if err := e.readForm(); err != nil {
			return err
		}
		e.service = e.server.byAction(e.form)
	}
	if e.service == nil {
		e.service = s3
	}
	if e.service != nil && e.service.Model.Protocol != model.RestXML {
		return e.readForm()
	}
	return nil
}

// byAction finds the service by Version, whose dates differ between services, and
// Action.
func (s *Server) byAction(form url.Values) *service {
	for _, svc := range s.services {
		if !svc.Model.Speaks(model.Query) && !svc.Model.Speaks(model.EC2) {
			continue
		}
		if svc.Model.Operations[form.Get("Action")] != nil && (form.Get("Version") == svc.Model.APIVersion || form.Get("Version") == "") {
			return svc
		}
	}
	return nil
}

func isForm(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "application/x-www-form-urlencoded" && r.Method == http.MethodPost
}

// readForm reads the body and, unless it is JSON, the parameters in it and in the
// query string.
func (e *exchange) readForm() error {
	if e.form != nil {
		return nil
	}
	body, err := e.readBody()
	if err != nil {
		return err
	}
	e.body = body
	e.form = url.Values{}
	if e.plain, err = e.inflate(); err != nil {
		return err
	}
	query := e.r.URL.RawQuery
	if e.r.Header.Get("X-Amz-Target") == "" && !looksLike(model.CBOR, e.r) && e.r.Method == http.MethodPost {
		query += "&" + string(e.plain)
	}
	if strings.Count(query, "&") >= codec.MaxParameters {
		return awserr.New("MalformedQueryString", "The query string has more than %d parameters.", codec.MaxParameters)
	}
	if e.form, err = url.ParseQuery(strings.TrimSpace(strings.Trim(query, "&"))); err != nil {
		e.form = url.Values{}
		return awserr.Status(http.StatusNotFound, "MalformedQueryString", "The query string contains a syntax error.")
	}
	return nil
}

// readBody reads a body that is to be whole in memory. Mostly nothing is known yet
// of who sends it, so the time is bounded like the size.
func (e *exchange) readBody() ([]byte, error) {
	if e.r.Body == nil || e.r.ContentLength == 0 {
		return nil, nil
	}
	// Connections know the machine's clock only. A response writer without
	// deadlines, as in tests, has no connection to hold up.
	deadlines := http.NewResponseController(e.w)
	_ = deadlines.SetReadDeadline(clock.System{}.Now().Add(e.server.cfg.BodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(e.w, e.r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, awserr.Status(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
			"Request size exceeded the limit of %d bytes", maxBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, awserr.Status(http.StatusBadRequest, "RequestTimeout",
			"Your socket connection to the server was not read from or written to within the timeout period.")
	case err != nil:
		return nil, bodyError(err)
	}
	_ = deadlines.SetReadDeadline(time.Time{})
	return body, nil
}

func (e *exchange) routeTarget() error {
	prefix, name, ok := strings.Cut(e.r.Header.Get("X-Amz-Target"), ".")
	for _, p := range e.service.Model.TargetPrefixes {
		if ok && p == prefix && e.service.Model.Operations[name] != nil {
			e.operation = name
			return nil
		}
	}
	return awserr.New("UnknownOperationException", "The requested operation is not recognized by the service.")
}

// routeRPC reads /service/<prefix>/operation/<name>.
func (e *exchange) routeRPC() error {
	parts := strings.Split(e.r.URL.Path, "/")
	if len(parts) == 5 && parts[0] == "" && parts[1] == "service" && parts[3] == "operation" &&
		slices.Contains(e.service.Model.TargetPrefixes, parts[2]) && e.service.Model.Operations[parts[4]] != nil {
		e.operation = parts[4]
		return nil
	}
	return awserr.Status(http.StatusNotFound, "UnknownOperationException", "The requested operation is not recognized by the service.")
}

// inflate returns the body as it was before the client compressed it, as SDKs do
// with what is long. The signature is that of the compressed one.
func (e *exchange) inflate() ([]byte, error) {
	if e.r.Header.Get("Content-Encoding") != "gzip" {
		return e.body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(e.body))
	if err != nil {
		return nil, awserr.New("SerializationException", "The body is not compressed as its Content-Encoding says.")
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	switch {
	case err != nil:
		return nil, awserr.New("SerializationException", "The body is not compressed as its Content-Encoding says.")
	case len(plain) > maxBody:
		return nil, awserr.Status(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
			"Request size exceeded the limit of %d bytes", maxBody)
	}
	return plain, nil
}

func (e *exchange) routeAction() error {
	action, version := e.form.Get("Action"), e.form.Get("Version")
	m := e.service.Model
	switch {
	case action == "":
		return awserr.New("MissingAction", "The request is missing an action or operation parameter")
	case m.Operations[action] == nil && e.protocol == model.EC2:
		return awserr.New("InvalidAction", "The action %s is not valid for this web service.", printable(action))
	case m.Operations[action] == nil,
		e.protocol == model.Query && version != "" && version != m.APIVersion:
		return awserr.New("InvalidAction", "Could not find operation %s for version %s", printable(action), printable(version))
	}
	e.operation = action
	return nil
}

// printable bounds and cleans what an answer repeats of the request.
func printable(s string) string {
	if len(s) > 128 {
		s = s[:128]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}
