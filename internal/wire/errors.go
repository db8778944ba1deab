package wire

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/codec"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// deniedError is a refusal of the authorizer or of the signature in the words of
// a protocol, nil for any other error.
func deniedError(err error, protocol model.Protocol) *awserr.Error {
	var failure *sigv4.Failure
	if errors.As(err, &failure) {
		return failure.For(string(protocol))
	}
	var denied *aws.Denied
	if !errors.As(err, &denied) {
		return nil
	}
	e := accessDenied(denied, protocol)
	e.Explanation = denied.Explanation
	return e
}

// accessDenied is the authorizer's refusal in the words of a protocol.
func accessDenied(denied *aws.Denied, protocol model.Protocol) *awserr.Error {
	switch protocol {
	case model.EC2:
		return awserr.Status(http.StatusForbidden, "UnauthorizedOperation",
			"You are not authorized to perform this operation. %s", denied.Error()+encodedMessage(denied))
	case model.JSON:
		return awserr.New("AccessDeniedException", "%s", denied.Error())
	case model.RestXML:
		if denied.Principal == "" {
			return awserr.Status(http.StatusForbidden, "AccessDenied", "Access Denied")
		}
	}
	return awserr.Status(http.StatusForbidden, "AccessDenied", "%s", denied.Error())
}

func encodedMessage(d *aws.Denied) string {
	if d.Encoded == "" {
		return ""
	}
	return ". Encoded authorization failure message: " + d.Encoded
}

// decodeError is a codec's error in the words of the service's protocol.
func (e *exchange) decodeError(err error) error {
	var bad *codec.Error
	if !errors.As(err, &bad) {
		return err
	}
	switch e.protocol {
	case model.EC2:
		return ec2DecodeError(bad)
	case model.JSON, model.CBOR:
		return jsonDecodeError(bad)
	case model.RestXML:
		if e.service.paths != nil {
			return awserr.New("InvalidInput", "Invalid request: %s", printable(bad.Text))
		}
		if bad.Problem == codec.BadValue && !strings.Contains(bad.Path, ".") {
			return awserr.New("InvalidArgument", "Provided argument is not valid.").
				With("ArgumentName", bad.Path).With("ArgumentValue", printable(bad.Value))
		}
		return awserr.New("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	return queryDecodeError(bad)
}

func ec2DecodeError(bad *codec.Error) error {
	switch bad.Problem {
	case codec.BadValue:
		if bad.Value == "" {
			return awserr.New("MissingParameter", "The request must contain the parameter %s", printable(bad.Path))
		}
		return awserr.New("InvalidParameterValue", "Invalid value '%s' for %s. It must be a valid %s.",
			printable(bad.Value), printable(bad.Path), bad.Want)
	case codec.Unknown:
		return awserr.New("UnknownParameter", "The parameter %s is not recognized", printable(bad.Path))
	}
	return awserr.New("InvalidParameterValue", "%s", bad.Text)
}

func jsonDecodeError(bad *codec.Error) error {
	switch bad.Problem {
	case codec.Unknown:
		// AWS ignores members it does not know. Here that would accept what is then
		// not done, so it is refused.
		return awserr.New("ValidationException", "hardstand does not know the member %s of this operation.", printable(bad.Path))
	case codec.BadValue:
		return awserr.New("SerializationException", "%s can not be converted to %s at %s",
			printable(bad.Value), article(bad.Want), printable(bad.Path))
	}
	return awserr.New("SerializationException", "%s", bad.Text)
}

func article(k model.Kind) string {
	name := string(k)
	name = strings.ToUpper(name[:1]) + name[1:]
	if name == "Integer" {
		return "an " + name
	}
	return "a " + name
}

func queryDecodeError(bad *codec.Error) error {
	switch bad.Problem {
	case codec.Unknown:
		return awserr.New("ValidationError", "hardstand does not know the parameter %s of this operation.", printable(bad.Path))
	case codec.BadValue:
		return awserr.New("MalformedInput", "%s must be a valid %s, not '%s'", printable(bad.Path), bad.Want, printable(bad.Value))
	}
	return awserr.New("MalformedInput", "%s", bad.Text)
}

// violationError turns violated constraints into the service's error.
func (s *service) violationError(op *model.Operation, list []validate.Violation) error {
	if s.Invalid != nil {
		if err := s.Invalid(op, list); err != nil {
			return err
		}
	}
	switch s.Model.Protocol {
	case model.EC2:
		return ec2Violation(list[0])
	case model.RestXML:
		if s.paths != nil {
			return awserr.New("InvalidInput", "%s", validate.Message(list))
		}
		return s3Violation(list[0])
	case model.JSON:
		if e := ownViolation(op, list[0]); e != nil {
			return e
		}
		return awserr.New("ValidationException", "%s", validate.Message(list))
	}
	return awserr.New("ValidationError", "%s", validate.Message(list))
}

// ec2Violation: EC2 reports the first fault only, in its own words.
func ec2Violation(v validate.Violation) error {
	name := wirePath(v)
	switch v.Kind {
	case validate.Required:
		return awserr.New("MissingParameter", "The request must contain the parameter %s", name)
	case validate.Range:
		bound := "greater than or equal to"
		if v.Over {
			bound = "less than or equal to"
		}
		return awserr.New("InvalidParameterValue", "Value ( %s ) for parameter %s is invalid. Expecting a value %s %v.",
			printable(v.Value), v.Path, bound, v.Limit)
	case validate.Enum:
		return awserr.New("InvalidParameterValue", "Invalid value '%s' for %s.", printable(v.Value), name)
	}
	return awserr.New("InvalidParameterValue", "Value (%s) for parameter %s is invalid. %s.", printable(v.Value), v.Path, v.Must)
}

// wirePath is the violation's place with the names that EC2 requests use.
func wirePath(v validate.Violation) string {
	parts := strings.Split(v.Path, ".")
	for i, p := range parts {
		parts[i] = model.Exported(p)
	}
	return strings.ReplaceAll(strings.Join(parts, "."), ".Member", "")
}

// s3Refusals are S3's words about values of headers that are none of those there
// are.
var s3Refusals = map[string]string{
	"x-amz-object-lock-mode":       "Unknown wormMode directive.",
	"x-amz-object-lock-legal-hold": "Legal Hold must be either of 'ON' or 'OFF'",
	"x-amz-server-side-encryption": "The encryption method specified is not supported",
	"x-amz-object-attributes":      "Invalid attribute name specified.",
	"x-amz-metadata-directive":     "Unknown metadata directive.",
	"x-amz-tagging-directive":      "Unknown tagging directive.",
	"encoding-type":                "Invalid Encoding Method specified in Request",
	"x-amz-acl":                    "", // S3 says nothing
}

func s3Violation(v validate.Violation) error {
	if v.Member.Location == model.Body {
		if strings.HasPrefix(strings.ToLower(v.Path), "accesscontrolpolicy") {
			return awserr.New("MalformedACLError", "The XML you provided was not well-formed or did not validate against our published schema")
		}
		return awserr.New("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	if v.Kind == validate.Required {
		return awserr.New("InvalidArgument", "Missing required argument %s", v.Member.WireName()).With("ArgumentName", v.Member.WireName())
	}
	switch v.Member.WireName() {
	case "x-amz-checksum-algorithm":
		return awserr.New("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	case "x-amz-sdk-checksum-algorithm":
		return awserr.New("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
	case "x-amz-object-ownership":
		return awserr.New("InvalidArgument", "Invalid x-amz-object-ownership header: %s", printable(v.Value)).With("ArgumentName", v.Member.WireName())
	case "x-amz-storage-class":
		return awserr.New("InvalidStorageClass", "The storage class you specified is not valid").With("StorageClassRequested", printable(v.Value))
	}
	if text, ok := s3Refusals[v.Member.WireName()]; ok {
		return awserr.New("InvalidArgument", "%s", text).With("ArgumentName", v.Member.WireName()).With("ArgumentValue", printable(v.Value))
	}
	return awserr.New("InvalidArgument", "Provided argument is not valid: %s", v.Must).
		With("ArgumentName", v.Member.WireName()).With("ArgumentValue", printable(v.Value))
}

// ownViolation finds the operation's own exception for a member, as CodeDeploy
// has them: ApplicationNameRequiredException, InvalidApplicationNameException.
func ownViolation(op *model.Operation, v validate.Violation) *awserr.Error {
	name := v.Member.FieldName()
	code := "Invalid" + name + "Exception"
	text := fmt.Sprintf("The value '%s' of %s is not valid: %s.", printable(v.Value), v.Path, v.Must)
	if v.Kind == validate.Required {
		code = name + "RequiredException"
		text = fmt.Sprintf("The parameter %s is required.", v.Path)
	}
	for _, sh := range op.Errors {
		if sh.ErrorCode == code {
			return awserr.New(code, "%s", text)
		}
	}
	return nil
}
