package sigv4

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

var testTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// signedPut returns a correctly signed S3 upload.
func signedPut(t *testing.T, payload, body string) *http.Request {
	t.Helper()
	r := request(t, "PUT /bucket/key?partNumber=1 HTTP/1.1\nHost: s3.example\nX-Amz-Date: "+testTime.Format(timeFormat)+"\nX-Amz-Meta-A: b\n\n")
	r.Header.Set("X-Amz-Content-Sha256", payload)
	r.Header.Set("X-Amz-Security-Token", "token")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	sealHeader(r, "s3")
	return r
}

// sealHeader signs r over all its x-amz-* headers and the host, with this
// package's own canonical form; the independent signers have proved that one.
func sealHeader(r *http.Request, service string) *Signature {
	s := &Signature{Date: testTime.Format(dayFormat), Region: "us-east-1", Service: service, Time: testTime, SignedHeaders: []string{"host"}}
	for _, name := range []string{"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Decoded-Content-Length", "X-Amz-Meta-A", "X-Amz-Security-Token", "X-Amz-Trailer"} {
		if r.Header.Get(name) != "" {
			s.SignedHeaders = append(s.SignedHeaders, strings.ToLower(name))
		}
	}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		hash = emptySHA256
	}
	s.algorithm = algorithm
	s.signature, _ = s.key(testSecret).verify(s.texts(r, rawPath(r), hash).toSign, "")
	r.Header.Set("Authorization", algorithm+" Credential="+testKey+"/"+s.scope()+", SignedHeaders="+strings.Join(s.SignedHeaders, ";")+", Signature="+s.signature)
	return s
}

func verifyAt(r *http.Request, now time.Time, c Check) ([]byte, error) {
	s, err := Parse(r)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, &Failure{Kind: Missing}
	}
	c.Secret = testSecret
	body, err := Verifier{Clock: clock.NewManual(now)}.Verify(r, s, c)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}

func setAuth(old, replacement string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, replacement, 1))
	}
}

func setHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// TestOneThingChanged changes one thing of a valid request at a time.
func TestOneThingChanged(t *testing.T) {
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	minutes := func(n int) time.Time { return testTime.Add(time.Duration(n)*time.Minute + time.Second) }
	cases := []struct {
		name   string
		change func(*http.Request)
		now    time.Time
		check  Check
		kind   Kind // checked unless ok
		ok     bool
		code   string // S3's
	}{
		{name: "nothing", ok: true},
		{name: "method", change: func(r *http.Request) { r.Method = "DELETE" }, kind: Mismatch, code: "SignatureDoesNotMatch"},
		{name: "path", change: func(r *http.Request) { r.RequestURI = "/bucket/key2?partNumber=1" }, kind: Mismatch},
		{name: "query value", change: func(r *http.Request) { r.RequestURI = "/bucket/key?partNumber=2" }, kind: Mismatch},
		{name: "query added", change: func(r *http.Request) { r.RequestURI = "/bucket/key?partNumber=1&acl" }, kind: Mismatch},
		{name: "host", change: func(r *http.Request) { r.Host = "other.example" }, kind: Mismatch},
		{name: "signed header", change: setHeader("X-Amz-Meta-A", "c"), kind: Mismatch},
		{name: "signed header gone", change: func(r *http.Request) { r.Header.Del("X-Amz-Meta-A") }, kind: Mismatch},
		{name: "token", change: setHeader("X-Amz-Security-Token", "foreign"), kind: Mismatch},
		{name: "x-amz header added", change: setHeader("X-Amz-Acl", "public-read"), kind: HeadersNotSigned, code: "AccessDenied"},
		{name: "plain header added", change: setHeader("X-Forwarded-For", "1.2.3.4"), ok: true},
		{name: "host unsigned", change: setAuth("SignedHeaders=host;", "SignedHeaders="), kind: HeadersNotSigned},
		{name: "headers out of order", change: setAuth("host;x-amz-content-sha256", "x-amz-content-sha256;host"), kind: Malformed, code: "AuthorizationHeaderMalformed"},
		{name: "region in scope", change: setAuth("us-east-1", "eu-west-1"), check: Check{Region: "us-east-1"}, kind: WrongScope, code: "AuthorizationHeaderMalformed"},
		{name: "region in scope, any accepted", change: setAuth("us-east-1", "eu-west-1"), kind: Mismatch},
		{name: "service in scope", change: setAuth("/s3/", "/ec2/"), check: Check{Service: "s3"}, kind: WrongScope},
		{name: "date in scope", change: setAuth("20260304", "20260303"), kind: WrongScope},
		{name: "terminator", change: setAuth("aws4_request", "aws5_request"), kind: WrongScope},
		{name: "signature", change: setAuth("Signature=", "Signature=0"), kind: Mismatch},
		{name: "signature missing", change: setAuth("Signature=", "Sig="), kind: Malformed},
		{name: "algorithm", change: setAuth(algorithm, "AWS4-HMAC-SHA512"), kind: Unsupported, code: "InvalidRequest"},
		{name: "version 2 header", change: setHeader("Authorization", "AWS "+testKey+":sig"), kind: Unsupported},
		{name: "no authorization", change: func(r *http.Request) { r.Header.Del("Authorization") }, kind: Missing, code: "AccessDenied"},
		{name: "two authorizations", change: func(r *http.Request) { r.Header.Add("Authorization", "x") }, kind: TwoSignatures, code: "InvalidArgument"},
		{name: "header and query", change: func(r *http.Request) { r.RequestURI += "&X-Amz-Signature=1" }, kind: TwoSignatures},
		{name: "date header", change: setHeader("X-Amz-Date", "20260304T050608Z"), kind: Mismatch},
		{name: "date not ISO", change: setHeader("X-Amz-Date", "yesterday"), kind: Malformed},
		{name: "15 minutes late", now: minutes(15), kind: Expired, code: "RequestTimeTooSkewed"},
		{name: "14 minutes late", now: minutes(14), ok: true},
		{name: "16 minutes early", now: minutes(-16), kind: NotYetValid, code: "RequestTimeTooSkewed"},
		{name: "payload hash not one", change: setHeader("X-Amz-Content-Sha256", "zz"), kind: InvalidPayloadHash, code: "InvalidArgument"},
		{name: "payload hash gone", change: func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, kind: MissingPayloadHash, code: "InvalidRequest"},
		{name: "payload hash unsigned", change: setHeader("X-Amz-Content-Sha256", unsignedPayload), kind: Mismatch},
		{name: "body", change: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("hellO")) }, kind: PayloadMismatch, code: "XAmzContentSHA256Mismatch"},
		{name: "body empty", change: func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 }, kind: PayloadMismatch},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := signedPut(t, hello, "hello")
			if c.change != nil {
				c.change(r)
			}
			if c.now.IsZero() {
				c.now = testTime
			}
			c.check.Rules = RulesFor("s3")
			_, err := verifyAt(r, c.now, c.check)
			wantFailure(t, err, c.ok, c.kind, c.code)
		})
	}
}

func wantFailure(t *testing.T, err error, ok bool, kind Kind, code string) {
	t.Helper()
	if ok {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a Failure", err)
	}
	if f.Kind != kind {
		t.Fatalf("kind %d (%v), want %d", f.Kind, f, kind)
	}
	if got := f.For("rest-xml").Code; code != "" && got != code {
		t.Fatalf("S3 code %s, want %s", got, code)
	}
	for _, protocol := range []string{"query", "ec2", "json"} {
		if e := f.For(protocol); e.Code == "" || e.Message == "" || e.HTTPStatus() < 400 {
			t.Errorf("%s answers %+v", protocol, e)
		}
	}
}

// TestBodyIsHashed proves that a service other than S3 goes by the body itself,
// whatever X-Amz-Content-Sha256 says or not.
func TestBodyIsHashed(t *testing.T) {
	for _, c := range []struct {
		name, hash, body string
		ok               bool
	}{
		{"no header, empty body", "", "", true},
		{"no header, other body", "", "x", false},
		{"literal", emptySHA256, "", true},
		{"literal, other body", emptySHA256, "x", false},
		{"unsigned payload", unsignedPayload, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, "POST / HTTP/1.1\nHost: ec2.example\nX-Amz-Date: "+testTime.Format(timeFormat)+"\n\n")
			if c.hash != "" {
				r.Header.Set("X-Amz-Content-Sha256", c.hash)
			}
			sealHeader(r, "ec2")
			_, err := verifyAt(r, testTime, Check{Rules: RulesFor("ec2"), Body: []byte(c.body)})
			wantFailure(t, err, c.ok, Mismatch, "")
			if c.ok {
				_, err = verifyAt(r, testTime.Add(5*time.Minute+time.Second), Check{Rules: RulesFor("ec2"), Body: []byte(c.body)})
				want := "Signature expired: 20260304T050607Z is now earlier than 20260304T050608Z (20260304T051108Z - 5 min.)"
				if err == nil || err.Error() != want {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
		})
	}
}

func TestPresignedLimits(t *testing.T) {
	link := func(expires string) string {
		return "GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + url.QueryEscape(testKey+"/20260304/us-east-1/s3/aws4_request") +
			"&X-Amz-Date=20260304T050607Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0" + expires + " HTTP/1.1\nHost: h\n\n"
	}
	for _, c := range []struct {
		name, query string
		now         time.Time
		kind        Kind
		message     string
	}{
		{"absent", "", testTime, MalformedQuery, "Query-string authentication version 4 requires"},
		{"not a number", "&X-Amz-Expires=soon", testTime, MalformedQuery, "X-Amz-Expires should be a number"},
		{"negative", "&X-Amz-Expires=-1", testTime, MalformedQuery, "X-Amz-Expires must be non-negative"},
		{"more than a week", "&X-Amz-Expires=604801", testTime, MalformedQuery, "X-Amz-Expires must be less than a week"},
		{"zero", "&X-Amz-Expires=0", testTime.Add(time.Second), Expired, ""},
		{"over", "&X-Amz-Expires=60", testTime.Add(61 * time.Second), Expired, ""},
		{"within", "&X-Amz-Expires=60", testTime.Add(59 * time.Second), Mismatch, ""},
		{"twice", "&X-Amz-Expires=60&X-Amz-Date=20260304T050607Z", testTime, MalformedQuery, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := verifyAt(request(t, link(c.query)), c.now, Check{Rules: RulesFor("s3")})
			wantFailure(t, err, false, c.kind, "")
			if !strings.HasPrefix(err.Error(), c.message) {
				t.Errorf("message %q, want %q", err, c.message)
			}
		})
	}
}

// chunkedPut signs body in chunks of 4 bytes, with a trailing checksum where
// payload wants one.
func chunkedPut(t *testing.T, payload, alg, body string) (*http.Request, string) {
	t.Helper()
	r := request(t, "PUT /bucket/key HTTP/1.1\nHost: s3.example\nX-Amz-Date: "+testTime.Format(timeFormat)+"\n\n")
	r.Header.Set("X-Amz-Content-Sha256", payload)
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(body)))
	if payload != streamingSigned {
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-"+alg)
	}
	s := sealHeader(r, "s3")
	chain := &chunkSigner{key: hmacKey(signingKey(testSecret, s.Date, s.Region, s.Service)), algorithm: algorithm, timestamp: s.timestamp(), scope: s.scope(), previous: s.signature}
	var out strings.Builder
	for rest := body; ; {
		n := min(4, len(rest))
		fmt.Fprintf(&out, "%x", n)
		if payload != streamingUnsigned {
			out.WriteString(";chunk-signature=" + chain.next("PAYLOAD", emptySHA256+"\n"+hexSum(rest[:n])))
		}
		out.WriteString("\r\n" + rest[:n])
		if n == 0 {
			break
		}
		out.WriteString("\r\n")
		rest = rest[n:]
	}
	if payload != streamingSigned {
		sum := NewChecksum(alg)
		sum.Write([]byte(body))
		value := base64.StdEncoding.EncodeToString(sum.Sum(nil))
		out.WriteString("x-amz-checksum-" + alg + ":" + value + "\r\n")
		if payload == streamingSignedTrailer {
			out.WriteString("x-amz-trailer-signature:" + chain.next("TRAILER", hexSum("x-amz-checksum-"+alg+":"+value+"\n")) + "\r\n")
		}
	}
	out.WriteString("\r\n")
	return r, out.String()
}

func (c *chunkSigner) next(kind, rest string) string {
	text := algorithm + "-" + kind + "\n" + c.timestamp + "\n" + c.scope + "\n" + c.previous + "\n" + rest
	c.previous, _ = c.key.verify(text, "")
	return c.previous
}

func hexSum(s string) string {
	h := NewChecksum("sha256")
	h.Write([]byte(s))
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestChunkedForms(t *testing.T) {
	for _, payload := range []string{streamingSigned, streamingSignedTrailer, streamingUnsigned} {
		for _, alg := range []string{"crc32", "crc32c", "crc64nvme", "sha1", "sha256"} {
			for _, body := range []string{"", "four", "hello world"} {
				t.Run(payload+"/"+alg+"/"+body, func(t *testing.T) {
					r, wire := chunkedPut(t, payload, alg, body)
					r.Body = io.NopCloser(iotest.OneByteReader(strings.NewReader(wire)))
					got, err := verifyAt(r, testTime, Check{Rules: RulesFor("s3")})
					if err != nil || string(got) != body {
						t.Fatalf("read %q, %v", got, err)
					}
				})
			}
		}
	}
}

func TestChunkedTampering(t *testing.T) {
	const body = "hello world"
	replace := func(old, replacement string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, replacement, 1) }
	}
	for _, c := range []struct {
		name, payload string
		change        func(string) string
		kind          Kind
	}{
		{"data of a signed chunk", streamingSigned, replace("hell", "HELL"), Mismatch},
		{"signature of a chunk", streamingSigned, replace("chunk-signature=", "chunk-signature=0"), Mismatch},
		{"signature missing", streamingSigned, replace(";chunk-signature=", ";x="), IncompleteBody},
		{"cut in the data", streamingSigned, func(s string) string { return s[:92] }, IncompleteBody},
		{"last chunk cut off", streamingSigned, func(s string) string { return s[:strings.LastIndex(s, "0;chunk")] }, IncompleteBody},
		{"size not hex", streamingUnsigned, replace("4\r\n", "x\r\n"), IncompleteBody},
		{"size too large", streamingUnsigned, replace("4\r\n", "ffffffff\r\n"), IncompleteBody},
		{"endless size line", streamingUnsigned, func(string) string { return strings.Repeat("0", 5000) }, IncompleteBody},
		{"data under a checksum", streamingUnsigned, replace("hell", "HELL"), BadChecksum},
		{"checksum", streamingUnsigned, replace("crc32:", "crc32:A"), BadChecksum},
		{"checksum missing", streamingUnsigned, func(s string) string { return s[:strings.Index(s, "x-amz-checksum")] }, MalformedTrailer},
		{"another trailer", streamingUnsigned, replace("x-amz-checksum-crc32:", "x-amz-meta-a:"), MalformedTrailer},
		{"signed trailer changed", streamingSignedTrailer, replace("crc32:", "crc32:A"), Mismatch},
		{"trailer signature missing", streamingSignedTrailer, func(s string) string { return s[:strings.Index(s, "x-amz-trailer")] }, Mismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, wire := chunkedPut(t, c.payload, "crc32", body)
			r.Body = io.NopCloser(strings.NewReader(c.change(wire)))
			_, err := verifyAt(r, testTime, Check{Rules: RulesFor("s3")})
			wantFailure(t, err, false, c.kind, "")
		})
	}
}

// TestVerifiedByLength proves that a reader that stops at the known length has
// seen every check.
func TestVerifiedByLength(t *testing.T) {
	const body = "hello world"
	literal := signedPut(t, hexSum(body), "HELLO world")
	chunked, wire := chunkedPut(t, streamingUnsigned, "crc32", body)
	chunked.Body = io.NopCloser(strings.NewReader(strings.Replace(wire, "rld", "rLD", 1)))
	for name, r := range map[string]*http.Request{"literal": literal, "chunked": chunked} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			rd, err := Verifier{Clock: clock.NewManual(testTime)}.Verify(r, s, Check{Rules: RulesFor("s3"), Secret: testSecret})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			_, err = io.Copy(&got, io.LimitReader(rd, int64(len(body))))
			var f *Failure
			if !errors.As(err, &f) {
				t.Errorf("read %q with error %v, want a Failure", got.String(), err)
			}
		})
	}
}

func TestChecksumCRC64NVME(t *testing.T) {
	h := NewChecksum("crc64nvme")
	h.Write([]byte("123456789"))
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != "ae8b14860a799888" {
		t.Errorf("check value %s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/", algorithm+" Credential=a/20260304/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0", "20260304T050607Z")
	f.Add("/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260304%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20260304T050607Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0&X-Amz-Expires=1", "", "")
	f.Add("/b/k?AWSAccessKeyId=a&Signature=b&Expires=99999999999", "", "")
	f.Fuzz(func(t *testing.T, uri, authorization, date string) {
		r := &http.Request{Method: "GET", RequestURI: uri, URL: &url.URL{Path: "/"}, Host: "h", Header: http.Header{}, Body: http.NoBody}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		r.Header.Set("X-Amz-Date", date)
		s, err := Parse(r)
		if err != nil || s == nil {
			return
		}
		if _, err := (Verifier{Clock: clock.NewManual(testTime)}).Verify(r, s, Check{Rules: RulesFor(s.Service), Secret: "guess"}); err == nil {
			t.Fatalf("verified %q %q", uri, authorization)
		}
	})
}

func FuzzChunked(f *testing.F) {
	f.Add("4\r\nhell\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n", int64(4))
	f.Fuzz(func(t *testing.T, wire string, length int64) {
		r := &http.Request{Header: http.Header{"X-Amz-Decoded-Content-Length": {fmt.Sprint(length)}, "X-Amz-Trailer": {"x-amz-checksum-crc32"}},
			Body: io.NopCloser(strings.NewReader(wire))}
		body, err := newChunked(r, streamingUnsigned, nil)
		if err != nil {
			return
		}
		if got, err := io.ReadAll(body); err == nil && int64(len(got)) != length {
			t.Fatalf("accepted %d bytes of %d", len(got), length)
		}
	})
}
