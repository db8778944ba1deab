// Package awserr is the error that crosses an operation's boundary: AWS's code,
// AWS's message, the HTTP status. Below the boundary errors are plain and
// wrapped; wire renders an *Error in the protocol of the service and answers any
// other error as InternalFailure, without its text.
package awserr

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an error in AWS's form.
type Error struct {
	Code    string
	Message string
	// Status is the HTTP status; the zero value means 400.
	Status int
	// Extra holds further members of the error body, in order: S3's
	// BucketName, for example.
	Extra []Field
	// Headers accompany the error where its protocol is REST: S3's
	// x-amz-delete-marker.
	Headers []Field
	// Explanation says more than AWS would, to a caller who may know it; wire answers
	// it as a header. "" for nothing.
	Explanation string
}

// Field is one further member of an error body.
type Field struct{ Name, Value string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus returns the status to answer with.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// With returns a copy of e that also carries the member name=value.
func (e *Error) With(name, value string) *Error {
	c := *e
	c.Extra = append(append([]Field(nil), e.Extra...), Field{name, value})
	return &c
}

// WithHeader returns a copy of e that is answered with the header name: value.
func (e *Error) WithHeader(name, value string) *Error {
	c := *e
	c.Headers = append(append([]Field(nil), e.Headers...), Field{name, value})
	return &c
}

// New returns an error with status 400.
func New(code, format string, args ...any) *Error {
	return Status(http.StatusBadRequest, code, format, args...)
}

// Status returns an error with the HTTP status given.
func Status(status int, code, format string, args ...any) *Error {
	msg := format
	if len(args) > 0 {
		msg = fmt.Sprintf(format, args...)
	}
	return &Error{Code: code, Message: msg, Status: status}
}

// NotImplemented says that operation of service exists on AWS and not here.
func NotImplemented(service, operation string) *Error {
	return Status(http.StatusNotImplemented, "NotImplemented",
		"hardstand does not implement %s:%s.", service, operation)
}

// As returns the *Error in err's chain, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// Is reports whether err carries one of the codes.
func Is(err error, codes ...string) bool {
	e := As(err)
	if e == nil {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}
