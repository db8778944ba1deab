package wire

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

// parseSignature reads the AWS signature. An Authorization header of another
// scheme is left to the schemes.
func (e *exchange) parseSignature() (*sigv4.Signature, error) {
	scheme, _, _ := strings.Cut(e.r.Header.Get("Authorization"), " ")
	if scheme != "" && !strings.HasPrefix(scheme, "AWS4-") && len(e.server.cfg.Schemes) > 0 {
		return nil, nil
	}
	return sigv4.Parse(e.r)
}

// regionForm is the form of regions' names. With another name, a slip of the pen,
// everything would be made, and be in no region that anybody looks into.
var regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

// authenticate sets the principal and makes the body safe to read.
func (e *exchange) authenticate() error {
	e.region = e.server.cfg.Region
	if e.signature == nil {
		return e.unsigned()
	}
	credential, err := e.server.cfg.Credentials.Lookup(e.r.Context(), e.signature.AccessKeyID, e.signature.SessionToken)
	if err != nil {
		return err
	}
	e.signature.Settle(e.region)
	check := sigv4.Check{Rules: sigv4.RulesFor(e.signature.Service), Secret: credential.Secret,
		Service: e.signature.Service, Body: e.body}
	if s := e.signature; s.Form != sigv4.FormQueryV2 && !regionForm.MatchString(s.Region) {
		check.Region = e.region // refused in AWS's words
	}
	if e.address.virtual {
		check.Bucket = e.address.bucket
	}
	body, err := e.server.verifier.Verify(e.r, e.signature, check)
	if err != nil {
		return err
	}
	e.r.Body = body
	e.principal = credential.Principal
	e.principal.AccessKeyID = e.signature.AccessKeyID
	if e.signature.Region != "" && !e.service.Model.Global {
		e.region = e.signature.Region
	}
	return nil
}

// unsigned asks the schemes, then lets anonymous callers in where the service or
// the operation takes them.
func (e *exchange) unsigned() error {
	for _, scheme := range e.server.cfg.Schemes {
		principal, mine, err := scheme.Authenticate(e.r, e.body)
		if mine || err != nil {
			e.principal = principal
			return err
		}
	}
	op := e.service.Model.Operations[e.operation]
	if !e.service.Anonymous && !op.Unsigned || e.r.Header.Get("Authorization") != "" {
		return &sigv4.Failure{Kind: sigv4.Missing}
	}
	e.principal = aws.Principal{Type: aws.PrincipalAnonymous}
	if e.service.Model.Protocol != model.RestXML {
		return nil
	}
	body, err := sigv4.UnsignedBody(e.r)
	e.r.Body = body
	return err
}

// bodyError returns what reading a verified body has failed with.
func bodyError(err error) error {
	var failure *sigv4.Failure
	if errors.As(err, &failure) {
		return failure
	}
	return awserr.Status(http.StatusBadRequest, "IncompleteBody",
		"You did not provide the number of bytes specified by the Content-Length HTTP header")
}
