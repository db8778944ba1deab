// Package codec turns the inputs and outputs of operations into the bytes of
// AWS's protocols and back, in both directions: the server decodes inputs and
// encodes outputs, the client (wire/client) does the opposite.
//
// It owns the layouts: query and EC2 forms (form.go, formwrite.go), XML
// (xmlread.go, xmlwrite.go), JSON (jsonread.go, jsonwrite.go), CBOR (cbor.go, which
// reads through JSON's reader), and the bindings of
// rest-xml to path, query, headers and body (rest.go, restclient.go). The
// envelopes around outputs and the errors are wire's. It imports aws/model and
// wire/plan and walks both with reflection; the plans are compiled once, and
// writers append to a buffer that the caller may reuse.
package codec

import (
	"fmt"
	"reflect"

	"github.com/hardstand/hardstand/internal/wire/plan"

	"github.com/hardstand/hardstand/internal/aws/model"
)

// Limits on what is decoded. AWS has similar ones; they bound the memory that a
// small request can claim.
const (
	MaxParameters = 10_000
	MaxDepth      = 32
)

// Problem is what is wrong with an input that cannot be decoded.
type Problem int

// The problems.
const (
	Malformed Problem = iota // not the format at all
	BadValue                 // a value of the wrong type
	Unknown                  // a member that the operation does not have
	TooLarge                 // beyond a limit
)

// Error says why an input could not be decoded.
type Error struct {
	Problem Problem
	Path    string // wire name of the member, "" when the whole is at fault
	Value   string
	Want    model.Kind // BadValue: the kind expected
	Text    string     // the cause in words
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Text
	}
	return e.Path + ": " + e.Text
}

func malformed(format string, args ...any) *Error {
	return &Error{Problem: Malformed, Text: fmt.Sprintf(format, args...)}
}

func unknown(path string) *Error {
	return &Error{Problem: Unknown, Path: path, Text: "unknown member"}
}

func tooLarge(text string) *Error { return &Error{Problem: TooLarge, Text: text} }

func badValue(path, value string, want model.Kind) *Error {
	if len(value) > 200 {
		value = value[:200]
	}
	return &Error{Problem: BadValue, Path: path, Value: value, Want: want,
		Text: fmt.Sprintf("%q is not a valid %s", value, want)}
}

// value returns the plan and the struct behind ptr.
func value(shape *model.Shape, ptr any) (*plan.Plan, reflect.Value, error) {
	v := reflect.ValueOf(ptr)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, v, fmt.Errorf("want a pointer to a struct, got %T", ptr)
	}
	p, err := plan.Of(shape, v.Type())
	return p, v.Elem(), err
}
