package wire

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// Service is what a service package hands to the server.
type Service struct {
	Model      *model.Service
	Operations []Operation
	// Anonymous lets unsigned requests through to the authorizer (S3). Otherwise
	// they are answered with MissingAuthenticationToken.
	Anonymous bool
	// Invalid, where it is set, says in the service's own words what violates the
	// model's constraints; nil leaves it to the protocol's.
	Invalid func(op *model.Operation, violations []validate.Violation) error
	// Address names the member of inputs that the URL of a query request stands for
	// when its path is not the root and the parameter is left out (QueueUrl).
	Address string
	// Headers, where it is set, returns headers of an answer that the model knows
	// nothing of.
	Headers func(ctx context.Context, out any) http.Header
	// Web answers what reaches a REST service beside its operations; nil for none.
	Web Web
}

// Operation is one implemented operation. Op and FreeOp make it.
type Operation struct {
	Name   string
	Action string // IAM action, "" for a free operation
	Free   string // why no permission is needed, "" for the others
	// New returns a new *<Op>Input.
	New func() any
	// NewOutput returns a new *<Op>Output.
	NewOutput func() any
	// Checks returns the permissions that the input needs, at least one.
	Checks func(ctx context.Context, in any) ([]aws.Check, error)
	Invoke func(ctx context.Context, in any) (any, error)
	// Hold, where it is set, begins a call of a client that can wait without its
	// request; see Held. Invoke does the same for everybody else.
	Hold func(ctx context.Context, in any) (Held, error)
}

// Op is an operation under the IAM action. checks names the resources; nil means
// one check on "*". A check without an Action gets the operation's, and all get the
// condition keys of the input's Tags and TagKeys.
func Op[I, O any](name, action string, h func(context.Context, *I) (*O, error), checks func(context.Context, *I) ([]aws.Check, error)) Operation {
	op := FreeOp(name, "", h)
	op.Action = action
	tags := tagMembers(reflect.TypeFor[I]())
	op.Checks = func(ctx context.Context, in any) ([]aws.Check, error) {
		list, err := []aws.Check{{Resource: "*"}}, error(nil)
		if checks != nil {
			list, err = checks(ctx, in.(*I))
		}
		if len(tags) > 0 {
			addRequestTags(list, reflect.ValueOf(in).Elem(), tags)
		}
		for i := range list {
			if list[i].Action == "" {
				list[i].Action = action
			}
		}
		return list, err
	}
	return op
}

// Completed makes the operations show each of their checks to complete, which adds
// condition keys: what the service knows of the resource, its tags for example, and
// what it reads in every input.
func Completed(operations []Operation, complete func(ctx context.Context, in any, c *aws.Check) error) []Operation {
	for i := range operations {
		checks := operations[i].Checks
		if checks == nil {
			continue
		}
		operations[i].Checks = func(ctx context.Context, in any) ([]aws.Check, error) {
			list, err := checks(ctx, in)
			for i := 0; err == nil && i < len(list); i++ {
				err = complete(ctx, in, &list[i])
			}
			return list, err
		}
	}
	return operations
}

// FreeOp is an operation that needs no permission; why says so.
func FreeOp[I, O any](name, why string, h func(context.Context, *I) (*O, error)) Operation {
	return Operation{
		Name:      name,
		Free:      why,
		New:       func() any { return new(I) },
		NewOutput: func() any { return new(O) },
		Invoke: func(ctx context.Context, in any) (any, error) {
			input, ok := in.(*I)
			if !ok {
				return nil, fmt.Errorf("%s wants %T, got %T", name, new(I), in)
			}
			out, err := h(ctx, input)
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// Credential is an access key as the server looks it up.
type Credential struct {
	Secret    string
	Principal aws.Principal
}

// Credentials finds access keys. sessionToken is what the request carries, "" for
// none. A key that is unknown, deleted or inactive, and a token that is missing,
// foreign or expired, is refused with a *sigv4.Failure of the kind.
type Credentials interface {
	Lookup(ctx context.Context, accessKeyID, sessionToken string) (Credential, error)
}

// Authorizer decides whether the caller of ctx's Call may do what a Check says. It
// refuses with an error that is or wraps *aws.Denied.
type Authorizer interface {
	Authorize(ctx context.Context, c aws.Check) error
}

// Invoker is the in-process door to an operation, as the principal in ctx's
// Call: validated, authorized and audited as on the wire. in is *XInput, out is
// *XOutput; service is a signing name.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (out any, err error)
}

// Call invokes an operation and returns its output typed.
func Call[O any](ctx context.Context, inv Invoker, service, operation string, in any) (*O, error) {
	out, err := inv.Invoke(ctx, service, operation, in)
	if err != nil {
		return nil, err
	}
	o, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("%s %s answered %T, not %T", service, operation, out, o)
	}
	return o, nil
}

// Check reports what is wrong with a registration: an operation that the model
// lacks, a row twice, a row with neither action nor reason, types whose fields
// do not fit the table.
func (s Service) Check() error {
	seen := map[string]bool{}
	for _, op := range s.Operations {
		m := s.Model.Operations[op.Name]
		switch {
		case m == nil || !m.Modelled:
			return fmt.Errorf("%s has no modelled operation %s", s.Model.Name, op.Name)
		case seen[op.Name]:
			return fmt.Errorf("%s registers %s twice", s.Model.Name, op.Name)
		case (op.Action == "") == (op.Free == ""):
			return fmt.Errorf("%s:%s has neither an action nor a reason to be free, or both", s.Model.Name, op.Name)
		}
		seen[op.Name] = true
		if err := checkTypes(m, op); err != nil {
			return fmt.Errorf("%s:%s: %w", s.Model.Name, op.Name, err)
		}
	}
	return nil
}

// notImplemented is the answer to an operation of the model without a row.
func notImplemented(s *model.Service, operation string) *awserr.Error {
	return awserr.NotImplemented(s.Name, operation)
}
