package logs

import (
	"errors"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

var (
	errNoGroup      = awserr.New("ResourceNotFoundException", "The specified log group does not exist.")
	errNoStream     = awserr.New("ResourceNotFoundException", "The specified log stream does not exist.")
	errNoFilter     = awserr.New("ResourceNotFoundException", "The specified metric filter does not exist.")
	errNoResource   = awserr.New("ResourceNotFoundException", "The specified resource does not exist.")
	errGroupExists  = awserr.New("ResourceAlreadyExistsException", "The specified log group already exists")
	errStreamExists = awserr.New("ResourceAlreadyExistsException", "The specified log stream already exists")
	errToken        = awserr.New("InvalidParameterException", "The specified nextToken is invalid.")
	errLimit        = awserr.New("LimitExceededException", "Resource limit exceeded.")
)

func invalid(format string, args ...any) error {
	return awserr.New("InvalidParameterException", format, args...)
}

// notHonoured refuses a member of a request by name.
func notHonoured(what string) error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement %s of CloudWatch Logs.", what)
}

// or turns the store's ErrNotFound into AWS's error.
func or(err error, notFound error) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound
	}
	return err
}

// orGone takes ErrNotFound for success.
func orGone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
