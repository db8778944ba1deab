package ec2

import (
	"errors"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

func boolText(b bool) string { return strconv.FormatBool(b) }

// notFound and malformed are the two answers to an id that names nothing. kind is
// the stem of the code ("InstanceID"), word the noun of the sentence.
func notFound(code, word, id string) error {
	return awserr.New(code+".NotFound", "The %s '%s' does not exist", word, id)
}

func malformed(code, id string) error {
	return awserr.New(code+".Malformed", "Invalid id: \"%s\"", id)
}

func missing(param string) error {
	return awserr.New("MissingParameter", "The request must contain the parameter %s", param)
}

func invalidValue(value, param string) error {
	return awserr.New("InvalidParameterValue", "Invalid value '%s' for %s.", value, param)
}

// unsupported refuses a parameter that AWS knows and hardstand does not act on:
// nothing is accepted and ignored.
func unsupported(param string) error {
	return awserr.New("UnsupportedOperation", "The parameter %s is not supported by hardstand.", param)
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
