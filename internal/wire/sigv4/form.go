package sigv4

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Version 2 is defined with SHA-1
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

// FormSignature is what an HTML form that posts an object says of who signed its
// policy.
type FormSignature struct {
	AccessKeyID, SessionToken string
	Region                    string    // "" in Version 2
	Algorithm                 string    // AWS4-HMAC-SHA256, or AWS for Version 2
	Time                      time.Time // zero in Version 2
	// date, service and signature as the form has them.
	date, service, signature string
}

// ParseForm reads the fields of a form, whose names are in lower case. It returns nil
// for a form without a signature, and the name of a field that is missing.
func ParseForm(field func(name string) string) (sig *FormSignature, missing string, err error) {
	if field("x-amz-algorithm") == "" && field("x-amz-credential") == "" && field("x-amz-signature") == "" {
		if field("awsaccesskeyid") == "" && field("signature") == "" {
			return nil, "", nil
		}
		for _, name := range []string{"AWSAccessKeyId", "Signature", "policy"} {
			if field(strings.ToLower(name)) == "" {
				return nil, name, nil
			}
		}
		return &FormSignature{AccessKeyID: field("awsaccesskeyid"), SessionToken: field("x-amz-security-token"),
			Algorithm: "AWS", service: "s3", signature: field("signature")}, "", nil
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "policy"} {
		if field(strings.ToLower(name)) == "" {
			return nil, name, nil
		}
	}
	if field("x-amz-algorithm") != algorithm {
		return nil, "", &Failure{Kind: Unsupported, Message: "Only AWS4-HMAC-SHA256 is supported"}
	}
	var s Signature
	if err := s.setCredential(field("x-amz-credential")); err != nil {
		return nil, "", err
	}
	at, err := isoTime(field("x-amz-date"))
	if err != nil {
		return nil, "", err
	}
	return &FormSignature{AccessKeyID: s.AccessKeyID, SessionToken: field("x-amz-security-token"), Region: s.Region,
		Algorithm: algorithm, Time: at, date: s.Date, service: s.Service, signature: field("x-amz-signature")}, "", nil
}

// Verify compares the signature with the one of policy, as the form has it: base64.
func (f *FormSignature) Verify(policy, secret string) error {
	var want string
	if f.Algorithm == algorithm {
		if f.service != "s3" {
			return scopeFailure("Credential should be scoped to correct service: 's3'.")
		}
		want = hex.EncodeToString(hmacSHA256(signingKey(secret, f.date, f.Region, f.service), policy))
	} else {
		h := hmac.New(sha1.New, []byte(secret))
		h.Write([]byte(policy))
		want = base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(f.signature)) != 1 {
		return mismatchText(f.AccessKeyID, signed{toSign: policy}, f.signature)
	}
	return nil
}
