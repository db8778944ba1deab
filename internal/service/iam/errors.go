package iam

import (
	"errors"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
)

func noSuch(format string, args ...any) error {
	return awserr.Status(http.StatusNotFound, "NoSuchEntity", format, args...)
}

func noEntity(kind, name string) error {
	return noSuch("The %s with name %s cannot be found.", kind, name)
}

func alreadyExists(format string, args ...any) error {
	return awserr.Status(http.StatusConflict, "EntityAlreadyExists", format, args...)
}

func conflict(text string) error {
	return awserr.Status(http.StatusConflict, "DeleteConflict", "%s", text)
}

func quota(format string, args ...any) error {
	return awserr.Status(http.StatusConflict, "LimitExceeded", format, args...)
}

func invalidInput(format string, args ...any) error {
	return awserr.New("InvalidInput", format, args...)
}

func validation(format string, args ...any) error {
	return awserr.New("ValidationError", format, args...)
}

func badARN(text string) error { return validation("ARN %s is not valid.", text) }

// malformed turns a refusal of the policy parser into IAM's error.
func malformed(err error) error {
	var bad *policy.Malformed
	if errors.As(err, &bad) {
		return awserr.New("MalformedPolicyDocument", "%s", bad.Message)
	}
	return err
}

// title writes a kind at the beginning of a sentence.
func title(kind string) string { return strings.ToUpper(kind[:1]) + kind[1:] }
