package s3

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

var (
	errIncompleteBody = awserr.New("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	errMalformedXML   = awserr.New("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	errBucketNotEmpty = awserr.Status(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	errNotModified    = awserr.Status(http.StatusNotModified, "NotModified", "Not Modified")
	errAccessDenied   = awserr.Status(http.StatusForbidden, "AccessDenied", "Access Denied")
	errNoSuchUpload   = awserr.Status(http.StatusNotFound, "NoSuchUpload",
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	errIllegalVersioning = awserr.New("IllegalVersioningConfigurationException", "The Versioning element must be specified")
	errACLNotSupported   = awserr.New("AccessControlListNotSupported", "The bucket does not allow ACLs")
	errEntityTooLarge    = awserr.New("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
)

func errNoSuchBucket(name string) error {
	return awserr.Status(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist").With("BucketName", name)
}

func errNoSuchKey(key string) *awserr.Error {
	return awserr.Status(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.").With("Key", key)
}

func errPrecondition(condition string) error {
	return awserr.Status(http.StatusPreconditionFailed, "PreconditionFailed",
		"At least one of the pre-conditions you specified did not hold").With("Condition", condition)
}

func errInvalidArgument(message, name, value string) error {
	return awserr.New("InvalidArgument", "%s", message).With("ArgumentName", name).With("ArgumentValue", value)
}

// isDenied reports whether the authorizer has refused.
func isDenied(err error) bool {
	var denied *aws.Denied
	return errors.As(err, &denied)
}

func errInvalidRequest(format string, args ...any) *awserr.Error {
	return awserr.New("InvalidRequest", format, args...)
}

// invalid is S3's answer to what violates the model where it is not the usual one.
func invalid(_ *model.Operation, violations []validate.Violation) error {
	switch v := violations[0]; v.Member.WireName() {
	case "LocationConstraint":
		return awserr.New("InvalidLocationConstraint", "The specified location-constraint is not valid").With("LocationConstraint", fmt.Sprint(v.Value))
	case "Protocol":
		return errInvalidRequest("Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.")
	case "Policy":
		return errPolicyNotJSON
	}
	return nil
}

// orNoSuchBucket turns the store's answer about a bucket into S3's.
func orNoSuchBucket(err error, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return errNoSuchBucket(name)
	}
	return err
}

// unbuilt are request members whose meaning is not implemented. A request that
// sets one is refused, not served as if it had not.
var unbuilt = []string{
	"SSEKMSEncryptionContext", "WriteOffsetBytes", "MFA", "BucketNamespace",
	"IfMatchInitiatedTime", "ChecksumXXHASH64", "ChecksumXXHASH3", "ChecksumXXHASH128",
}

// refuseUnbuilt returns NotImplemented when in, a pointer to an input, asks for
// what is not built.
func refuseUnbuilt(operation string, in any) error {
	v := reflect.ValueOf(in).Elem()
	for _, name := range unbuilt {
		if f := v.FieldByName(name); f.IsValid() && !f.IsZero() {
			return notBuilt(operation, name)
		}
	}
	if !managedKey(member(in, "SSEKMSKeyId")) {
		return notBuilt(operation, "SSEKMSKeyId other than alias/aws/s3")
	}
	if f := v.FieldByName("ServerSideEncryption"); f.IsValid() {
		if sse := s3.ServerSideEncryption(f.String()); sse != "" && sse != s3.ServerSideEncryptionAes256 && sse != s3.ServerSideEncryptionAwsKms {
			return notBuilt(operation, "ServerSideEncryption "+f.String())
		}
	}
	if f := v.FieldByName("StorageClass"); f.IsValid() {
		_, err := classFor(s3.StorageClass(f.String()))
		return err
	}
	return nil
}

func notBuilt(operation, what string) error {
	return awserr.Status(http.StatusNotImplemented, "NotImplemented", "hardstand does not implement %s of s3:%s.", what, operation)
}
