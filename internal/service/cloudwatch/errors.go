package cloudwatch

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

var errToken = awserr.New("InvalidNextToken", "Invalid next token")

// Codes are those of the query protocol; wire gives clients of the others the names
// of the shapes too.

func invalidValue(format string, args ...any) error {
	return awserr.New("InvalidParameterValue", format, args...)
}

func invalidCombination(format string, args ...any) error {
	return awserr.New("InvalidParameterCombination", format, args...)
}

func missing(format string, args ...any) error {
	return awserr.New("MissingParameter", format, args...)
}

func violation(format string, args ...any) error {
	return awserr.New("ValidationError", format, args...)
}

// notHonoured refuses a member of a request by name.
func notHonoured(what string) error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement %s of CloudWatch.", what)
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// ended is nil when the work was stopped.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
