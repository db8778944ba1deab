package sigv4

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Version 2 is defined with SHA-1
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func parseV2(q pairs) (*Signature, error) {
	for _, name := range []string{"AWSAccessKeyId", "Signature", "Expires"} {
		if len(q.all(name)) != 1 || q.get(name) == "" {
			return nil, &Failure{Kind: MissingV2Parameter,
				Message: "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"}
		}
	}
	end, err := strconv.ParseInt(q.get("Expires"), 10, 64)
	if err != nil || end < 0 || end > 1<<40 {
		return nil, &Failure{Kind: MissingV2Parameter, Message: "Invalid date (should be seconds since epoch): " + printable(q.get("Expires"))}
	}
	return &Signature{Form: FormQueryV2, AccessKeyID: q.get("AWSAccessKeyId"), Service: "s3", Time: time.Unix(end, 0).UTC(),
		SessionToken: q.get("x-amz-security-token"), signature: q.get("Signature")}, nil
}

func (v Verifier) verifyV2(r *http.Request, s *Signature, c Check) (io.ReadCloser, error) {
	if !c.Rules.S3 {
		return nil, malformed("Query-string authentication version 2 is for S3 only.")
	}
	now := v.Clock.Now().UTC()
	if now.After(s.Time) {
		return nil, &Failure{Kind: Expired, presigned: true, at: s.Time, now: now, Message: "Request has expired"}
	}
	toSign := stringToSignV2(r, s, c.Bucket)
	h := hmac.New(sha1.New, []byte(c.Secret))
	h.Write([]byte(toSign))
	want := base64.StdEncoding.EncodeToString(h.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(want), []byte(s.signature)) != 1 {
		return nil, mismatch(s, signed{toSign: toSign})
	}
	return UnsignedBody(r)
}

func stringToSignV2(r *http.Request, s *Signature, bucket string) string {
	q, err := rawPairs(r)
	if err != nil {
		return "" // Parse has refused the request
	}
	// A presigner moves the headers it signed into the query.
	field := func(name string) string {
		if v := r.Header.Get(name); v != "" {
			return strings.TrimSpace(v)
		}
		return q.get(strings.ToLower(name))
	}
	resource := rawPath(r)
	if bucket != "" {
		resource = "/" + bucket + resource
	}
	return r.Method + "\n" + field("Content-MD5") + "\n" + field("Content-Type") + "\n" +
		strconv.FormatInt(s.Time.Unix(), 10) + "\n" + amzHeadersV2(r, q) + resource + subresources(q)
}

func amzHeadersV2(r *http.Request, q pairs) string {
	values := map[string]string{}
	for name, v := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			values[lower] = collapse(strings.Join(v, ","))
		}
	}
	for _, p := range q {
		if lower := strings.ToLower(p.name); strings.HasPrefix(lower, "x-amz-") {
			values[lower] = collapse(p.value)
		}
	}
	lines := make([]string, 0, len(values))
	for name, v := range values {
		lines = append(lines, name+":"+v+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// signedV2 are the query parameters that Version 2 counts to the resource.
var signedV2 = strings.Fields(`accelerate acl analytics cors defaultObjectAcl delete inventory lifecycle location logging metrics
	notification object-lock partNumber policy replication requestPayment response-cache-control response-content-disposition
	response-content-encoding response-content-language response-content-type response-expires restore select select-type
	storageClass tagging torrent uploadId uploads versionId versioning versions website`)

func subresources(q pairs) string {
	var parts []string
	for _, p := range q {
		switch {
		case !slices.Contains(signedV2, p.name):
		case p.value == "":
			parts = append(parts, p.name)
		default:
			parts = append(parts, p.name+"="+p.value)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return "?" + strings.Join(parts, "&")
}
