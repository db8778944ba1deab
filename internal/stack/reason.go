package stack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
)

// Reason is the ResourceStatusReason of a failure of resourceType: the text of a
// PropertyError as it is, the message of a service's error with service, status
// and handler code as CloudFormation adds them, other errors by their text.
func Reason(resourceType string, err error) string {
	var property *PropertyError
	if errors.As(err, &property) {
		return property.Message
	}
	status, code, message := 400, "GeneralServiceException", ""
	var denied *aws.Denied
	if e := awserr.As(err); e != nil {
		status, code, message = e.HTTPStatus(), handlerCode(e.Code), e.Message
		if e.Code == "NotImplemented" {
			return e.Message
		}
	} else if errors.As(err, &denied) {
		status, code, message = 403, "AccessDenied", denied.Error()
	} else {
		return err.Error()
	}
	return fmt.Sprintf("Resource handler returned message: \"%s (Service: %s, Status Code: %d, Request ID: %s)\" (RequestToken: %s, HandlerErrorCode: %s)",
		message, serviceOf(resourceType), status, ids.UUID(), ids.UUID(), code)
}

// serviceOf names the service of a type as the SDK for Java does: Ec2, Iam,
// ElasticLoadBalancingV2.
func serviceOf(resourceType string) string {
	parts := strings.Split(resourceType, "::")
	if len(parts) != 3 || parts[1] == "" {
		return resourceType
	}
	if parts[1] != strings.ToUpper(parts[1]) {
		return parts[1]
	}
	return parts[1][:1] + strings.ToLower(parts[1][1:])
}

// handlerCode maps a service's error code to the code of a resource handler.
func handlerCode(code string) string {
	switch {
	case strings.Contains(code, "AccessDenied"), code == "UnauthorizedOperation":
		return "AccessDenied"
	case strings.Contains(code, "AlreadyExists"), strings.Contains(code, "Duplicate"), strings.Contains(code, "AlreadyOwned"):
		return "AlreadyExists"
	case strings.Contains(code, "NotFound"), strings.Contains(code, "NoSuch"), strings.Contains(code, "DoesNotExist"):
		return "NotFound"
	case strings.Contains(code, "Limit"):
		return "ServiceLimitExceeded"
	case strings.Contains(code, "Invalid"), strings.Contains(code, "Validation"), strings.Contains(code, "Malformed"), strings.Contains(code, "Missing"):
		return "InvalidRequest"
	}
	return "GeneralServiceException"
}
