// Package sigv4 verifies the signatures of requests: Signature Version 4 and 4A in
// their header and presigned-query forms, with literal, unsigned and chunked payloads,
// and the Version 2 query form that some S3 tools still presign with.
//
// It owns no state and knows neither keys nor services: the caller brings the
// secret, the expected scope and the clock. It imports aws/awserr and clock.
//
// The flow: wire calls Parse to learn who signs for which service and region
// (enough to route), looks the key up, and calls Verifier.Verify, which answers
// with the body to read. A body that is verified while it is read fails with a
// *Failure on the last byte at the latest, never after it. Failure.For turns
// every refusal into the code and the words of the service's protocol.
package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"
	dayFormat  = "20060102"

	unsignedPayload        = "UNSIGNED-PAYLOAD"
	streamingSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsigned      = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	streamingA             = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
	streamingATrailer      = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"

	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	// maxExpires bounds a presigned URL's life.
	maxExpires = 7 * 24 * time.Hour
)

// Form tells where the signature stands.
type Form int

// The forms that Parse knows.
const (
	FormHeader  Form = iota // Authorization: AWS4-HMAC-SHA256 ...
	FormQuery               // ?X-Amz-Signature=...
	FormQueryV2             // ?AWSAccessKeyId=...&Signature=...&Expires=..., S3 only
)

// Signature is what a request says about its own signature. Nothing in it is
// to be trusted before Verify.
type Signature struct {
	Form          Form
	AccessKeyID   string
	Date          string // yyyymmdd of the scope
	Region        string // "" in FormQueryV2
	Service       string // signing name: "ec2"; "s3" in FormQueryV2
	SignedHeaders []string
	Time          time.Time
	// Expires is the life of a presigned request, counted from Time. In
	// FormQueryV2 Time is the end itself.
	Expires time.Duration
	// SessionToken is X-Amz-Security-Token, or "".
	SessionToken string

	// RegionSet is X-Amz-Region-Set of Version 4A, whose scope has no region.
	RegionSet []string

	algorithm string
	signature string
	payload   string // X-Amz-Content-Sha256, or ""
	terminal  string // the scope's last part
}

// Rules are what differs between S3 and the other services.
type Rules struct {
	// S3 signs the path as sent, escaped once, reads bodies as streams and
	// requires X-Amz-Content-Sha256; the others normalise the path, escape it
	// twice and hash the whole body.
	S3 bool
	// Skew is how far the request's time may lie from the server's.
	Skew time.Duration
}

// RulesFor returns the rules of a service by its signing name.
func RulesFor(service string) Rules {
	if service == "s3" {
		return Rules{S3: true, Skew: 15 * time.Minute}
	}
	return Rules{Skew: 5 * time.Minute}
}

// Check is what the caller knows about a request that is to be verified.
type Check struct {
	Rules  Rules
	Secret string
	// Region and Service are what the scope must name; "" accepts any.
	Region, Service string
	// Bucket is the bucket that the Host header names, which Version 2 signs.
	Bucket string
	// Body is the whole body where Rules.S3 is false. With S3 the request's own
	// Body is verified while it is read.
	Body []byte
}

// Verifier verifies requests against a clock.
type Verifier struct{ Clock clock.Clock }

// Verify checks time, scope, signed headers and signature, in this order, and
// returns the body to read. Errors are *Failure.
func (v Verifier) Verify(r *http.Request, s *Signature, c Check) (io.ReadCloser, error) {
	if s.Form == FormQueryV2 {
		return v.verifyV2(r, s, c)
	}
	if err := s.checkScope(c); err != nil {
		return nil, err
	}
	if err := v.checkTime(s, c.Rules); err != nil {
		return nil, err
	}
	if err := s.checkHeaders(r, c.Rules); err != nil {
		return nil, err
	}
	hash, err := s.payloadHash(c)
	if err != nil {
		return nil, err
	}
	key := s.key(c.Secret)
	var last signed
	for _, path := range canonicalPaths(rawPath(r), c.Rules.S3) {
		last = s.texts(r, path, hash)
		if _, ok := key.verify(last.toSign, s.signature); ok {
			return s.body(r, c, key)
		}
	}
	return nil, mismatch(s, last)
}

// signed are the two texts that a signature is computed from.
type signed struct{ canonical, toSign string }

func (s *Signature) texts(r *http.Request, path, hash string) signed {
	canonical := canonicalRequest(r, s, path, hash)
	sum := sha256.Sum256([]byte(canonical))
	return signed{canonical, s.algorithm + "\n" + s.timestamp() + "\n" + s.scope() + "\n" + hex.EncodeToString(sum[:])}
}

func (s *Signature) timestamp() string { return s.Time.Format(timeFormat) }

func (s *Signature) scope() string {
	if s.algorithm == algorithmA {
		return s.Date + "/" + s.Service + "/" + terminator
	}
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + terminator
}

func (s *Signature) checkScope(c Check) error {
	switch {
	case s.terminal != terminator:
		return scopeFailure("Credential should be scoped with a valid terminator: '%s', not '%s'.", terminator, s.terminal)
	case c.Service != "" && s.Service != c.Service:
		f := scopeFailure("Credential should be scoped to correct service: '%s'.", c.Service)
		f.s3 = "incorrect service \"" + s.Service + "\". This endpoint belongs to \"" + c.Service + "\"."
		return f
	case c.Region != "" && s.Region != c.Region:
		f := scopeFailure("Credential should be scoped to a valid region.")
		f.s3 = "the region '" + s.Region + "' is wrong; expecting '" + c.Region + "'"
		f.region = c.Region
		return f
	case s.Date != s.Time.Format(dayFormat):
		f := scopeFailure("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			s.Date, s.Time.Format(dayFormat), s.timestamp())
		f.s3 = "Invalid credential date \"" + s.Date + "\". This date is not the same as X-Amz-Date: \"" + s.Time.Format(dayFormat) + "\"."
		return f
	}
	return nil
}

func (v Verifier) checkTime(s *Signature, rules Rules) error {
	now := v.Clock.Now().UTC()
	skew := rules.Skew
	if s.Form == FormQuery && s.Expires > 0 {
		skew = s.Expires
	}
	if oldest := now.Add(-skew); s.Time.Before(oldest) {
		return &Failure{Kind: Expired, presigned: s.Form == FormQuery, at: s.Time, now: now, expires: s.Expires,
			Message: expiredText(s.Time, now, skew)}
	}
	if latest := now.Add(rules.Skew); s.Time.After(latest) {
		return &Failure{Kind: NotYetValid, presigned: s.Form == FormQuery, at: s.Time, now: now,
			Message: earlyText(s.Time, now, rules.Skew)}
	}
	return nil
}

// checkHeaders refuses a request whose signature leaves out a header that
// changes what the request means.
func (s *Signature) checkHeaders(r *http.Request, rules Rules) error {
	var unsigned []string
	if !slices.Contains(s.SignedHeaders, "host") {
		unsigned = append(unsigned, "host")
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(s.SignedHeaders, lower) {
			unsigned = append(unsigned, lower)
		}
	}
	if s.Form == FormHeader && r.Header.Get("X-Amz-Date") == "" && !slices.Contains(s.SignedHeaders, "date") {
		unsigned = append(unsigned, "date")
	}
	if len(unsigned) == 0 {
		return nil
	}
	slices.Sort(unsigned)
	return &Failure{Kind: HeadersNotSigned, headers: unsigned, s3Form: rules.S3,
		Message: "'" + unsigned[0] + "' must be a 'SignedHeader' in the AWS Authorization."}
}

// payloadHash returns what stands for the body in the canonical request.
func (s *Signature) payloadHash(c Check) (string, error) {
	if !c.Rules.S3 {
		sum := sha256.Sum256(c.Body)
		return hex.EncodeToString(sum[:]), nil
	}
	switch {
	case s.payload == "" && s.Form == FormQuery:
		return unsignedPayload, nil
	case strings.HasPrefix(s.payload, "STREAMING-AWS4-") && !strings.HasPrefix(s.payload, "STREAMING-"+s.algorithm+"-"):
		return "", &Failure{Kind: InvalidPayloadHash, Message: payloadChoices} // the chunks would be another algorithm's
	case s.payload == "":
		return "", &Failure{Kind: MissingPayloadHash, Message: "Missing required header for this request: x-amz-content-sha256"}
	case !validPayload(s.payload):
		return "", &Failure{Kind: InvalidPayloadHash, Message: payloadChoices}
	}
	return s.payload, nil
}

const payloadChoices = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, " +
	"STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, " +
	"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value."

func validPayload(p string) bool {
	switch p {
	case unsignedPayload, streamingSigned, streamingSignedTrailer, streamingUnsigned, streamingA, streamingATrailer:
		return true
	}
	b, err := hex.DecodeString(p)
	return err == nil && len(b) == sha256.Size
}

// body returns the reader that goes on verifying, once the signature holds.
func (s *Signature) body(r *http.Request, c Check, key key) (io.ReadCloser, error) {
	if !c.Rules.S3 {
		return io.NopCloser(bytes.NewReader(c.Body)), nil
	}
	seed := &chunkSigner{key: key, algorithm: s.algorithm, timestamp: s.timestamp(), scope: s.scope(), previous: s.signature}
	switch s.payload {
	case streamingSigned, streamingSignedTrailer, streamingUnsigned, streamingA, streamingATrailer:
		return newChunked(r, s.payload, seed)
	case "", unsignedPayload:
		return bodyOf(r), nil
	}
	return newHashed(bodyOf(r), r.ContentLength, strings.ToLower(s.payload))
}

// UnsignedBody returns the body of an S3 request without signature: chunked
// bodies are decoded and their trailing checksum is verified.
func UnsignedBody(r *http.Request) (io.ReadCloser, error) {
	if r.Header.Get("X-Amz-Content-Sha256") == streamingUnsigned {
		return newChunked(r, streamingUnsigned, nil)
	}
	return bodyOf(r), nil
}

func bodyOf(r *http.Request) io.ReadCloser {
	if r.Body == nil {
		return http.NoBody
	}
	return r.Body
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func signingKey(secret, date, region, service string) []byte {
	k := hmacSHA256([]byte("AWS4"+secret), date)
	k = hmacSHA256(k, region)
	k = hmacSHA256(k, service)
	return hmacSHA256(k, terminator)
}
