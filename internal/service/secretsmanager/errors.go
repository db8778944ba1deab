package secretsmanager

import (
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// violated is what the service says of an input that the model refuses.
func violated(_ *model.Operation, list []validate.Violation) error {
	if v := list[0]; v.Path == "clientRequestToken" && v.Kind == validate.Length {
		return invalidParameter("ClientRequestToken must be 32-64 characters long.")
	}
	return awserr.New("ValidationException", "%s", validate.Message(list))
}

func errNotFound() *awserr.Error {
	return awserr.New("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func errNoValue(kind, id string) *awserr.Error {
	return awserr.New("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for %s: %s", kind, id)
}

func errName() *awserr.Error {
	return awserr.New("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
}

func errDeleted() *awserr.Error {
	return awserr.New("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
}

func errTokenUsed(token, arn string) *awserr.Error {
	return awserr.New("ResourceExistsException",
		"You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", token, arn)
}

func errNoToken() *awserr.Error {
	return awserr.New("InvalidRequestException", "You must provide a ClientRequestToken value. We recommend a UUID-type value.")
}

func invalidParameter(format string, args ...any) *awserr.Error {
	return awserr.New("InvalidParameterException", format, args...)
}

func invalidRequest(format string, args ...any) *awserr.Error {
	return awserr.New("InvalidRequestException", format, args...)
}

func errPageToken() *awserr.Error {
	return awserr.New("InvalidNextTokenException", "The NextToken value is invalid.")
}

func notImplemented(format string, args ...any) *awserr.Error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement "+format, args...)
}
