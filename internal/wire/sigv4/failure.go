package sigv4

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// Kind is why a request was refused.
type Kind int

// The kinds of refusal. The first four come from the lookup of the key, the
// others from this package.
const (
	UnknownKey   Kind = iota // no such key, deleted or inactive
	InvalidToken             // session token missing, forged or of another key
	ExpiredToken
	Missing // no signature where one is required
	Malformed
	MalformedQuery
	MissingV2Parameter
	TwoSignatures
	Unsupported
	WrongScope
	Expired
	NotYetValid
	HeadersNotSigned
	Mismatch
	MissingPayloadHash
	InvalidPayloadHash
	PayloadMismatch
	MissingLength
	IncompleteBody
	BadChecksum
	InvalidTrailer
	MalformedTrailer
)

// Failure is a refused request. It holds no secret.
type Failure struct {
	Kind    Kind
	Message string // the words of the query protocol
	// AccessKeyID is named by S3 in its answer.
	AccessKeyID string

	s3             string // S3's words after "The authorization header is malformed; "
	region         string
	headers        []string
	s3Form         bool
	presigned      bool
	at, now        time.Time
	expires        time.Duration
	signed         signed
	provided       string
	client, server string
}

func (f *Failure) Error() string { return f.Message }

func malformed(text string) *Failure { return &Failure{Kind: Malformed, Message: text} }

func queryFailure(text string) *Failure { return &Failure{Kind: MalformedQuery, Message: text} }

func scopeFailure(format string, args ...any) *Failure {
	return &Failure{Kind: WrongScope, Message: fmt.Sprintf(format, args...)}
}

const mismatchMessage = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

func mismatch(s *Signature, want signed) *Failure {
	return mismatchText(s.AccessKeyID, want, s.signature)
}

func mismatchText(key string, want signed, provided string) *Failure {
	return &Failure{Kind: Mismatch, Message: mismatchMessage, AccessKeyID: key, signed: want, provided: provided}
}

func expiredText(at, now time.Time, skew time.Duration) string {
	return fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %s.)",
		at.Format(timeFormat), now.Add(-skew).Format(timeFormat), now.Format(timeFormat), minutes(skew))
}

func earlyText(at, now time.Time, skew time.Duration) string {
	return fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + %s.)",
		at.Format(timeFormat), now.Add(skew).Format(timeFormat), now.Format(timeFormat), minutes(skew))
}

func minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min"
	}
	return strconv.Itoa(int(d/time.Second)) + " s"
}

// For returns the answer in the words of a protocol, named as in the model:
// query, ec2, json, rest-json, rest-xml (S3).
func (f *Failure) For(protocol string) *awserr.Error {
	switch protocol {
	case "ec2":
		return f.ec2()
	case "rest-xml":
		return f.restXML()
	case "json", "rest-json":
		return f.json()
	}
	return f.query()
}

func (f *Failure) query() *awserr.Error {
	forbidden := func(code string) *awserr.Error { return awserr.Status(http.StatusForbidden, code, "%s", f.text()) }
	switch f.Kind {
	case UnknownKey, InvalidToken:
		return forbidden("InvalidClientTokenId")
	case ExpiredToken:
		return forbidden("ExpiredToken")
	case Missing:
		return forbidden("MissingAuthenticationToken")
	case WrongScope, Expired, NotYetValid, Mismatch, HeadersNotSigned:
		return forbidden("SignatureDoesNotMatch")
	}
	return awserr.New("IncompleteSignature", "%s", f.text())
}

func (f *Failure) json() *awserr.Error {
	code := "IncompleteSignatureException"
	switch f.Kind {
	case UnknownKey, InvalidToken:
		code = "UnrecognizedClientException"
	case ExpiredToken:
		code = "ExpiredTokenException"
	case Missing:
		code = "MissingAuthenticationTokenException"
	case WrongScope, Expired, NotYetValid, Mismatch, HeadersNotSigned:
		code = "InvalidSignatureException"
	}
	return awserr.New(code, "%s", f.text())
}

func (f *Failure) ec2() *awserr.Error {
	switch f.Kind {
	case ExpiredToken, Expired, NotYetValid:
		return awserr.New("RequestExpired", "Request has expired.")
	case Missing:
		return awserr.Status(http.StatusForbidden, "MissingAuthenticationToken", "%s", f.text())
	case UnknownKey, InvalidToken, WrongScope, Mismatch, HeadersNotSigned:
		return awserr.Status(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	}
	return awserr.New("IncompleteSignature", "%s", f.text())
}

// text is the message, or AWS's own for the kinds that the lookup reports.
func (f *Failure) text() string {
	switch f.Kind {
	case UnknownKey, InvalidToken:
		return "The security token included in the request is invalid."
	case ExpiredToken:
		return "The security token included in the request is expired"
	case Missing:
		return "Request is missing Authentication Token"
	}
	return f.Message
}

// restXML is S3's table.
func (f *Failure) restXML() *awserr.Error {
	bad := func(code, text string) *awserr.Error { return awserr.New(code, "%s", text) }
	switch f.Kind {
	case UnknownKey:
		return awserr.Status(http.StatusForbidden, "InvalidAccessKeyId",
			"The AWS Access Key Id you provided does not exist in our records.").With("AWSAccessKeyId", f.AccessKeyID)
	case InvalidToken:
		return bad("InvalidToken", "The provided token is malformed or otherwise invalid.")
	case ExpiredToken:
		return bad("ExpiredToken", "The provided token has expired.")
	case MalformedQuery:
		return bad("AuthorizationQueryParametersError", f.Message)
	case TwoSignatures, InvalidPayloadHash:
		return bad("InvalidArgument", f.Message)
	case Unsupported:
		return bad("InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	case MissingPayloadHash, InvalidTrailer:
		return bad("InvalidRequest", f.Message)
	case PayloadMismatch:
		return bad("XAmzContentSHA256Mismatch", f.Message).
			With("ClientComputedContentSHA256", f.client).With("S3ComputedContentSHA256", f.server)
	case MissingLength:
		return awserr.Status(http.StatusLengthRequired, "MissingContentLength", "%s", f.Message)
	case IncompleteBody:
		return bad("IncompleteBody", f.Message)
	case BadChecksum:
		return bad("BadDigest", f.Message)
	case MalformedTrailer:
		return bad("MalformedTrailerError", f.Message)
	case Malformed, WrongScope:
		return f.headerMalformed()
	}
	return f.forbiddenXML()
}

func (f *Failure) headerMalformed() *awserr.Error {
	text := f.s3
	if text == "" {
		text = f.Message
	}
	e := awserr.New("AuthorizationHeaderMalformed", "%s", "The authorization header is malformed; "+text)
	if f.region != "" {
		return e.With("Region", f.region)
	}
	return e
}

// forbiddenXML answers what S3 answers with 403.
func (f *Failure) forbiddenXML() *awserr.Error {
	denied := func(text string) *awserr.Error {
		return awserr.Status(http.StatusForbidden, "AccessDenied", "%s", text)
	}
	switch f.Kind {
	case Expired, NotYetValid:
		return f.skewXML()
	case HeadersNotSigned:
		return denied("There were headers present in the request which were not signed").With("HeadersNotSigned", strings.Join(f.headers, ", "))
	case MissingV2Parameter:
		return denied(f.Message)
	case Mismatch:
		e := awserr.Status(http.StatusForbidden, "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided. Check your key and signing method.").
			With("AWSAccessKeyId", f.AccessKeyID).With("StringToSign", f.signed.toSign).With("SignatureProvided", f.provided)
		if f.signed.canonical != "" {
			e = e.With("CanonicalRequest", f.signed.canonical)
		}
		return e
	}
	return denied("Access Denied")
}

func (f *Failure) skewXML() *awserr.Error {
	const form = "2006-01-02T15:04:05Z"
	switch {
	case f.presigned && f.Kind == NotYetValid:
		return awserr.Status(http.StatusForbidden, "AccessDenied", "Request is not yet valid").With("ServerTime", f.now.Format(form))
	case f.presigned:
		e := awserr.Status(http.StatusForbidden, "AccessDenied", "Request has expired")
		if f.expires > 0 {
			e = e.With("X-Amz-Expires", strconv.Itoa(int(f.expires/time.Second)))
		}
		return e.With("Expires", f.at.Add(f.expires).Format(form)).With("ServerTime", f.now.Format(form))
	}
	return awserr.Status(http.StatusForbidden, "RequestTimeTooSkewed",
		"The difference between the request time and the current time is too large.").
		With("RequestTime", f.at.Format(timeFormat)).With("ServerTime", f.now.Format(form)).With("MaxAllowedSkewMilliseconds", "900000")
}
