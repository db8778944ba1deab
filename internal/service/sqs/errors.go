package sqs

import (
	"errors"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// Errors have the names of the JSON protocol; wire knows the codes that the query
// protocol has for them.

func errNoQueue() error {
	return awserr.New("QueueDoesNotExist", "The specified queue does not exist.")
}

func orNoQueue(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return errNoQueue()
	}
	return err
}

func errAddress(url string) error {
	return awserr.Status(404, "InvalidAddress", "The address %s is not valid for this endpoint.", url)
}

func errMissing(parameter string) error {
	return awserr.New("MissingRequiredParameterException", "The request must contain the parameter %s.", parameter)
}

func errValue(format string, args ...any) error {
	return awserr.New("InvalidParameterValueException", format, args...)
}

// errParameter says why a parameter's value will not do.
func errParameter(value any, parameter, reason string) error {
	return errValue("Value %v for parameter %s is invalid. Reason: %s", value, parameter, reason)
}

func errQueueType(value any, parameter string) error {
	return errParameter(value, parameter, "The request include parameter that is not valid for this queue type.")
}

func errAttributeName(name string) error {
	return awserr.New("InvalidAttributeName", "Unknown Attribute %s.", name)
}

func errAttributeValue(name string) error {
	return awserr.New("InvalidAttributeValue", "Invalid value for the parameter %s.", name)
}

func errReceiptHandle(handle string) error {
	return awserr.Status(404, "ReceiptHandleIsInvalid", "The input receipt handle \"%s\" is not a valid receipt handle.", handle)
}

func errNotImplemented(what string) error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement %s.", what)
}

// invalidInput words violations of the model: what is missing, and names of
// attributes that no queue and no message has.
func invalidInput(_ *model.Operation, list []validate.Violation) error {
	v := list[0]
	if v.Kind == validate.Required {
		return errMissing(v.Member.Name)
	}
	if v.Key != "" {
		return errAttributeName(v.Key)
	}
	return errValue("%s", validate.Message(list))
}
