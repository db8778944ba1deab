package cloudformation

import (
	"errors"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
)

func invalid(format string, args ...any) *awserr.Error {
	return awserr.New("ValidationError", format, args...)
}

// The same absence reads differently from one operation to the next.
func noStackWithID(name string) error { return invalid("Stack with id %s does not exist", name) }
func noStack(name string) error       { return invalid("Stack [%s] does not exist", name) }
func noQuotedStack(name string) error { return invalid("Stack '%s' does not exist", name) }

// asAWS turns errors of templates and properties into ValidationError. Others
// pass: awserr of other services as they are, the rest as internal failures.
func asAWS(err error) error {
	if err == nil || awserr.As(err) != nil {
		return err
	}
	if text, ok := template.Message(err); ok {
		return invalid("%s", text)
	}
	var property *stack.PropertyError
	if errors.As(err, &property) {
		return invalid("%s", property.Message)
	}
	return err
}

func cannotUpdate(st *stack.Stack) error {
	return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
}

func requiresCapabilities(names []string) error {
	return awserr.New("InsufficientCapabilitiesException", "Requires capabilities : [%s]", strings.Join(names, ", "))
}

// unbuilt says that a parameter of a request is known and not implemented, so that
// nothing is accepted and ignored.
func unbuilt(what string) error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement %s of CloudFormation.", what)
}

// notBuilt refuses the given parameters, if any is set.
func notBuilt(given map[string]bool) error {
	var names []string
	for name, set := range given {
		if set {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return unbuilt(strings.Join(names, ", "))
}
