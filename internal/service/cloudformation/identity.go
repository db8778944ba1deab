package cloudformation

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// instancePrincipal is the service of principals that are an instance, proven by
// its identity document and nothing more. No policy of a user can name it.
const instancePrincipal = "instance-identity.hardstand.internal"

// Identities verifies instance identity documents.
type Identities interface {
	// VerifyIdentity checks the base64 signature of a document and returns the
	// account and id of the instance that it was made for.
	VerifyIdentity(ctx context.Context, document, signature []byte) (account, instanceID string, err error)
}

// IdentityScheme authenticates the scheme CFN_V1 of the helper scripts:
// Authorization: CFN_V1 <base64 of the document>:<signature without newlines>. It
// is a wire.Scheme.
type IdentityScheme struct{ Identities Identities }

// Authenticate implements wire.Scheme.
func (s IdentityScheme) Authenticate(r *http.Request, _ []byte) (aws.Principal, bool, error) {
	value, mine := strings.CutPrefix(r.Header.Get("Authorization"), "CFN_V1 ")
	if !mine {
		return aws.Principal{}, false, nil
	}
	encoded, signature, ok := strings.Cut(strings.TrimSpace(value), ":")
	document, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return aws.Principal{}, true, errIdentity()
	}
	account, id, err := s.Identities.VerifyIdentity(r.Context(), document, []byte(signature))
	if err != nil {
		return aws.Principal{}, true, errIdentity()
	}
	return aws.Principal{Type: aws.PrincipalService, Service: instancePrincipal, Account: account, InstanceID: id,
		ARN: "arn:aws:sts::" + account + ":instance-identity/" + id, UniqueID: id}, true, nil
}

func errIdentity() error {
	return awserr.Status(http.StatusForbidden, "AccessDenied", "The instance identity document or its signature is not valid.")
}
