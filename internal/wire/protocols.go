package wire

import (
	"net/http"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
)

// protocolHeader names the protocol of those that clients of Smithy speak; answers
// repeat it.
const (
	protocolHeader = "Smithy-Protocol"
	rpcCBOR        = "rpc-v2-cbor"
)

// looks tells for each protocol that shares a service with others whether a
// request speaks it.
var looks = map[model.Protocol]func(*http.Request) bool{
	model.CBOR:  func(r *http.Request) bool { return r.Header.Get(protocolHeader) == rpcCBOR },
	model.JSON:  func(r *http.Request) bool { return r.Header.Get("X-Amz-Target") != "" },
	model.Query: func(r *http.Request) bool { return r.URL.Query().Has("Action") || isForm(r) },
}

// speaks returns which of the service's protocols the request is in: the usual one
// unless it looks like another.
func (e *exchange) speaks() model.Protocol {
	m := e.service.Model
	if len(m.Also) == 0 || looksLike(m.Protocol, e.r) {
		return m.Protocol
	}
	for _, p := range m.Also {
		if looksLike(p, e.r) {
			return p
		}
	}
	return m.Protocol
}

func looksLike(p model.Protocol, r *http.Request) bool {
	look := looks[p]
	return look != nil && look(r)
}

// takeAddress fills in the parameter that the request's URL stands for.
func (e *exchange) takeAddress(op *model.Operation) {
	name := e.service.Address
	if name != "" && e.r.URL.Path != "/" && e.r.URL.Path != "" && op.Input.Member(name) != nil && !e.form.Has(name) {
		e.form.Set(name, endpoint(e.r)+e.r.URL.Path)
	}
}

// readErrors makes the tables of the model's errors.
func (s *service) readErrors() {
	s.codes, s.names, s.capital = map[string]string{}, map[string]string{}, map[string]bool{}
	for _, sh := range s.Model.Shapes {
		if sh.Kind != model.Exception {
			continue
		}
		s.capital[sh.ErrorCode] = sh.Capital
		if sh.ErrorStatus != 0 {
			s.statuses[sh.ErrorCode] = sh.ErrorStatus
		}
		if !s.Model.QueryCompatible {
			continue
		}
		if sh.ErrorStatus != 0 {
			s.statuses[sh.Name] = sh.ErrorStatus
		}
		s.codes[sh.Name] = sh.ErrorCode
		if s.names[sh.ErrorCode] == "" || sh.Name == sh.ErrorCode {
			s.names[sh.ErrorCode] = sh.Name
		}
	}
}

// inBothWords names an error of a query-compatible service as its protocol does:
// by its code in query answers, by its shape in others, where a header tells the
// code. Clients of these services know both.
func (e *exchange) inBothWords(a *awserr.Error) *awserr.Error {
	s := e.service
	if !s.Model.QueryCompatible {
		return a
	}
	code, name := a.Code, a.Code
	if c := s.codes[a.Code]; c != "" {
		code = c
	} else if n := s.names[a.Code]; n != "" {
		name = n
	}
	named := *a
	named.Code = code
	if e.protocol != model.Query {
		named.Code = name
		e.w.Header().Set("x-amzn-query-error", code+";"+fault(a))
	}
	return &named
}

// fault is whose fault an error is, as query answers tell.
func fault(a *awserr.Error) string {
	if a.HTTPStatus() >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// errorType is an error's __type: query-compatible services write the namespace
// that AWS's clients cut off.
func errorType(code string, s *service) string {
	if s == nil || !s.Model.QueryCompatible {
		return code
	}
	return "com.amazonaws." + s.Model.Name + "#" + code
}
