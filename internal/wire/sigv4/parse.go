package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads the signature that r carries. It returns nil and no error for a
// request without any. It does not touch the body.
func Parse(r *http.Request) (*Signature, error) {
	header := r.Header.Get("Authorization")
	query, err := rawPairs(r)
	if err != nil {
		return nil, malformed("The query string is not well formed.")
	}
	v4 := query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature") || query.has("X-Amz-Credential")
	key, signature, expires := query.has("AWSAccessKeyId"), query.has("Signature"), query.has("Expires")
	v2 := key && signature || expires && (key || signature)
	switch {
	case header != "" && (v4 || v2), len(r.Header.Values("Authorization")) > 1:
		return nil, &Failure{Kind: TwoSignatures, Message: "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, " +
			"Signature query string parameter or the Authorization header should be specified"}
	case header != "":
		return parseHeader(r, header)
	case v4:
		return parseQuery(query, r)
	case v2:
		return parseV2(query)
	}
	return nil, nil
}

func parseHeader(r *http.Request, header string) (*Signature, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != algorithm && scheme != algorithmA {
		return nil, &Failure{Kind: Unsupported, Message: "Unsupported AWS 'algorithm': '" + printable(scheme) + "'."}
	}
	params, err := authorizationParams(rest)
	if err != nil {
		return nil, err
	}
	s := &Signature{Form: FormHeader, algorithm: scheme, signature: params["Signature"],
		payload:      r.Header.Get("X-Amz-Content-Sha256"),
		SessionToken: r.Header.Get("X-Amz-Security-Token"),
	}
	if err := s.setCredential(params["Credential"]); err != nil {
		return nil, err
	}
	if s.SignedHeaders, err = signedHeaders(params["SignedHeaders"]); err != nil {
		return nil, err
	}
	if scheme == algorithmA {
		if err := s.setRegions(r.Header.Get("X-Amz-Region-Set")); err != nil {
			return nil, err
		}
	}
	s.Time, err = headerTime(r.Header)
	return s, err
}

// authorizationParams splits "Credential=.., SignedHeaders=.., Signature=..".
func authorizationParams(rest string) (map[string]string, error) {
	params := make(map[string]string, 3)
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return nil, malformed("'" + printable(part) + "' not a valid key=value pair (missing equal-sign) in Authorization header.")
		}
		if _, twice := params[name]; twice {
			return nil, malformed("Authorization header gives '" + printable(name) + "' more than once.")
		}
		params[name] = value
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if params[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if len(missing) > 0 {
		return nil, malformed(strings.Join(missing, " "))
	}
	return params, nil
}

// setCredential splits AKID/date/region/service/aws4_request from the right.
func (s *Signature) setCredential(credential string) error {
	if s.algorithm == algorithmA {
		return s.setCredentialA(credential)
	}
	parts := strings.Split(credential, "/")
	n := len(parts)
	if n < 5 || slices.Contains(parts[n-5:], "") {
		return malformed("Credential must have at least 5 slash-delimited elements, i.e. 'access-key/yyyymmdd/region/service/aws4_request', got '" +
			printable(credential) + "'.")
	}
	s.AccessKeyID = strings.Join(parts[:n-4], "/")
	s.Date, s.Region, s.Service, s.terminal = parts[n-4], parts[n-3], parts[n-2], parts[n-1]
	return nil
}

// setCredentialA splits AKID/date/service/aws4_request from the right.
func (s *Signature) setCredentialA(credential string) error {
	parts := strings.Split(credential, "/")
	n := len(parts)
	if n < 4 || slices.Contains(parts[n-4:], "") {
		return malformed("Credential must have at least 4 slash-delimited elements, i.e. 'access-key/yyyymmdd/service/aws4_request', got '" +
			printable(credential) + "'.")
	}
	s.AccessKeyID = strings.Join(parts[:n-3], "/")
	s.Date, s.Service, s.terminal = parts[n-3], parts[n-2], parts[n-1]
	return nil
}

func signedHeaders(list string) ([]string, error) {
	names := strings.Split(list, ";")
	if slices.Contains(names, "") || !slices.IsSorted(names) || strings.ToLower(list) != list {
		return nil, malformed("SignedHeaders must be lower case, sorted and separated by ';'.")
	}
	return names, nil
}

func headerTime(h http.Header) (time.Time, error) {
	if v := h.Get("X-Amz-Date"); v != "" {
		return isoTime(v)
	}
	v := h.Get("Date")
	if v == "" {
		return time.Time{}, malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if t, err := time.Parse(timeFormat, v); err == nil {
		return t, nil
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return time.Time{}, badTime(v)
	}
	return t.UTC(), nil
}

func isoTime(v string) (time.Time, error) {
	t, err := time.Parse(timeFormat, v)
	if err != nil {
		return time.Time{}, badTime(v)
	}
	return t, nil
}

func badTime(v string) error {
	return malformed("Date must be in ISO-8601 'basic format'. Got '" + printable(v) + "'. See http://en.wikipedia.org/wiki/ISO_8601")
}

var queryParams = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders"}

func parseQuery(q pairs, r *http.Request) (*Signature, error) {
	for _, name := range queryParams {
		if len(q.all(name)) != 1 || q.get(name) == "" {
			return nil, queryFailure("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, " +
				"X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	used := q.get("X-Amz-Algorithm")
	if used != algorithm && used != algorithmA {
		return nil, queryFailure("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"")
	}
	s := &Signature{Form: FormQuery, algorithm: used, signature: q.get("X-Amz-Signature"), SessionToken: q.get("X-Amz-Security-Token"), payload: q.get("X-Amz-Content-Sha256")}
	if s.payload == "" {
		s.payload = r.Header.Get("X-Amz-Content-Sha256")
	}
	if s.SessionToken == "" {
		s.SessionToken = r.Header.Get("X-Amz-Security-Token")
	}
	err := s.setCredential(q.get("X-Amz-Credential"))
	if err != nil {
		return nil, queryFailure("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
	}
	if s.SignedHeaders, err = signedHeaders(q.get("X-Amz-SignedHeaders")); err != nil {
		return nil, err
	}
	if s.Time, err = isoTime(q.get("X-Amz-Date")); err != nil {
		return nil, queryFailure("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	if used == algorithmA {
		if err := s.setRegions(q.get("X-Amz-Region-Set")); err != nil {
			return nil, queryFailure("Query-string authentication with Signature Version 4A requires the X-Amz-Region-Set parameter.")
		}
	}
	s.Expires, err = expiry(q, s.Service == "s3")
	return s, err
}

func expiry(q pairs, required bool) (time.Duration, error) {
	v := q.get("X-Amz-Expires")
	if v == "" && !required {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	switch {
	case v == "":
		return 0, queryFailure("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, " +
			"X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
	case err != nil:
		return 0, queryFailure("X-Amz-Expires should be a number")
	case n < 0:
		return 0, queryFailure("X-Amz-Expires must be non-negative")
	case n > int64(maxExpires/time.Second):
		return 0, queryFailure("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case n == 0:
		return time.Nanosecond, nil // expires at once, and is not "no expiry given"
	}
	return time.Duration(n) * time.Second, nil
}

// printable bounds and cleans what a refusal repeats of the request.
func printable(s string) string {
	if len(s) > 128 {
		s = s[:128]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}

// pair is one query parameter, decoded.
type pair struct{ name, value string }

type pairs []pair

// rawPairs decodes the query as sent, in order.
func rawPairs(r *http.Request) (pairs, error) {
	var out pairs
	for part := range strings.SplitSeq(rawQuery(r), "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		out = append(out, pair{n, v})
	}
	return out, nil
}

func (p pairs) all(name string) []string {
	var out []string
	for _, q := range p {
		if q.name == name {
			out = append(out, q.value)
		}
	}
	return out
}

func (p pairs) has(name string) bool { return len(p.all(name)) > 0 }

func (p pairs) get(name string) string {
	if all := p.all(name); len(all) > 0 {
		return all[0]
	}
	return ""
}
