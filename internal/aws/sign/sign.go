// Package sign puts AWS Signature Version 4 on outgoing requests.
//
// It is the client's half, kept small for the guest binary, which links no SDK:
// agent signs host commands and bundle downloads with it, guest signs the
// helpers' calls. The server's half, which verifies, is in wire and shares no
// code with it, so that each checks the other. It owns no state and imports the
// standard library only.
package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// UnsignedPayload stands for the hash of a body that is not hashed. S3 accepts
// it over TLS and from hardstand's own endpoint.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

const (
	algorithm  = "AWS4-HMAC-SHA256"
	longFormat = "20060102T150405Z"
)

// Credentials are one access key, temporary or permanent.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // "" for permanent keys
	Expires         time.Time // zero for permanent keys
}

// Hash returns the lower-case hexadecimal SHA-256 of body, as Request wants it.
func Hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Request signs r for service in region as of now, replacing any signature it
// carries. payloadHash is Hash of the body, or UnsignedPayload. All headers that
// r has at this point are signed except User-Agent, Connection and the ones
// net/http adds by itself.
func Request(r *http.Request, c Credentials, service, region, payloadHash string, now time.Time) {
	now = now.UTC()
	r.Header.Del("Authorization")
	r.Header.Set("X-Amz-Date", now.Format(longFormat))
	r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	r.Header.Del("X-Amz-Security-Token")
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}
	names, signature := signature(r, c, service, region, payloadHash, now)
	r.Header.Set("Authorization", algorithm+" Credential="+c.AccessKeyID+"/"+scope(service, region, now)+
		", SignedHeaders="+names+", Signature="+signature)
}

// Presign puts a signature into the query of r's URL that is good for life from now
// on, for a request without headers and with any body.
func Presign(r *http.Request, c Credentials, service, region string, life time.Duration, now time.Time) {
	now = now.UTC()
	q := r.URL.Query()
	q.Set("X-Amz-Algorithm", algorithm)
	q.Set("X-Amz-Credential", c.AccessKeyID+"/"+scope(service, region, now))
	q.Set("X-Amz-Date", now.Format(longFormat))
	q.Set("X-Amz-Expires", strconv.Itoa(int(life/time.Second)))
	q.Set("X-Amz-SignedHeaders", "host")
	if c.SessionToken != "" {
		q.Set("X-Amz-Security-Token", c.SessionToken)
	}
	r.Header = http.Header{}
	r.URL.RawQuery = q.Encode()
	_, signature := signature(r, c, service, region, UnsignedPayload, now)
	r.URL.RawQuery += "&X-Amz-Signature=" + signature
}

func scope(service, region string, now time.Time) string {
	return now.Format("20060102") + "/" + region + "/" + service + "/aws4_request"
}

// signature is that of the request as it stands, with the names of the headers that
// it covers.
func signature(r *http.Request, c Credentials, service, region, payloadHash string, now time.Time) (names, hexadecimal string) {
	names, headers := canonicalHeaders(r)
	canonical := strings.Join([]string{
		method(r), canonicalPath(r.URL, service), canonicalQuery(r.URL), headers, names, payloadHash,
	}, "\n")
	toSign := algorithm + "\n" + now.Format(longFormat) + "\n" + scope(service, region, now) + "\n" + Hash([]byte(canonical))
	key := mac([]byte("AWS4"+c.SecretAccessKey), now.Format("20060102"))
	key = mac(mac(mac(key, region), service), "aws4_request")
	return names, hex.EncodeToString(mac(key, toSign))
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func method(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func canonicalHeaders(r *http.Request) (names, lines string) {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	values := map[string]string{"host": host}
	for name, vs := range r.Header {
		lower := strings.ToLower(name)
		switch lower {
		case "user-agent", "connection", "accept-encoding", "expect":
			continue
		}
		trimmed := make([]string, len(vs))
		for i, v := range vs {
			trimmed[i] = strings.Join(strings.Fields(v), " ")
		}
		values[lower] = strings.Join(trimmed, ",")
	}
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(k + ":" + values[k] + "\n")
	}
	return strings.Join(keys, ";"), b.String()
}

// canonicalPath is the path as sent for S3, and escaped once more for every
// other service.
func canonicalPath(u *url.URL, service string) string {
	p := u.EscapedPath()
	if p == "" {
		return "/"
	}
	if service == "s3" {
		return p
	}
	return Escape(p, true)
}

// canonicalQuery sorts by encoded name, then by encoded value, which
// url.Values.Encode does not.
func canonicalQuery(u *url.URL) string {
	type pair struct{ name, value string }
	var pairs []pair
	for name, vs := range u.Query() {
		for _, v := range vs {
			pairs = append(pairs, pair{Escape(name, false), Escape(v, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		parts[i] = p.name + "=" + p.value
	}
	return strings.Join(parts, "&")
}

// Escape percent-encodes s as SigV4 does: everything but letters, digits and
// -_.~, and the slash where keepSlash says so.
func Escape(s string, keepSlash bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-_.~", c) >= 0, c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			b.WriteString("%" + string(digits[c>>4]) + string(digits[c&15]))
		}
	}
	return b.String()
}
