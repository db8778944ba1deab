package sigv4

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest builds the text whose hash is signed.
func canonicalRequest(r *http.Request, s *Signature, path, hash string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n")
	b.WriteString(canonicalQuery(r, s.Form) + "\n")
	for _, name := range s.SignedHeaders {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.SignedHeaders, ";") + "\n" + hash)
	return b.String()
}

// rawPath returns the path as it came over the wire; the router may have
// rewritten r.URL.
func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(target(r), "?")
	if path == "" {
		return "/"
	}
	return path
}

func rawQuery(r *http.Request) string {
	if r.RequestURI == "" && r.URL != nil {
		return r.URL.RawQuery
	}
	_, query, _ := strings.Cut(target(r), "?")
	return query
}

// target returns path and query of the request line, without the scheme and
// host of a proxy's absolute form.
func target(r *http.Request) string {
	t := r.RequestURI
	if t == "" {
		return r.URL.EscapedPath()
	}
	if i := strings.Index(t, "://"); i > 0 && !strings.HasPrefix(t, "/") {
		rest := t[i+3:]
		if j := strings.IndexAny(rest, "/?"); j >= 0 {
			return rest[j:]
		}
		return "/"
	}
	return t
}

// canonicalPaths returns the forms under which the path may have been signed,
// most likely first. S3 clients sign the path as they send it or, when their
// HTTP library leaves characters such as "(" alone, as they would escape it;
// both name the same key.
func canonicalPaths(raw string, s3 bool) []string {
	if !s3 {
		return []string{escape(normalise(raw), true)}
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return []string{raw}
	}
	if escaped := escape(decoded, true); escaped != raw {
		return []string{escaped, raw}
	}
	return []string{raw}
}

// normalise removes dot segments and repeated slashes.
func normalise(path string) string {
	var out []string
	parts := strings.Split(path, "/")
	for _, part := range parts {
		switch part {
		case "", ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, part)
		}
	}
	clean := "/" + strings.Join(out, "/")
	if last := parts[len(parts)-1]; clean != "/" && (last == "" || last == "." || last == "..") {
		clean += "/"
	}
	return clean
}

// canonicalQuery sorts by encoded name, then encoded value; sorting the decoded
// names would differ where one name is a prefix of another.
func canonicalQuery(r *http.Request, form Form) string {
	params, err := rawPairs(r)
	if err != nil {
		return "" // Parse has refused the request
	}
	encoded := make(pairs, 0, len(params))
	for _, p := range params {
		if form == FormQuery && p.name == "X-Amz-Signature" {
			continue
		}
		encoded = append(encoded, pair{escape(p.name, false), escape(p.value, false)})
	}
	slices.SortFunc(encoded, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value))
	})
	var b strings.Builder
	for i, p := range encoded {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}

// headerValue joins and trims the values of a header. net/http keeps some
// headers outside the map.
func headerValue(r *http.Request, name string) string {
	values := r.Header.Values(name)
	switch {
	case name == "host":
		return r.Host
	case name == "content-length" && len(values) == 0 && r.ContentLength >= 0:
		return strconv.FormatInt(r.ContentLength, 10)
	case name == "transfer-encoding" && len(values) == 0:
		values = r.TransferEncoding
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = collapse(v)
	}
	return strings.Join(trimmed, ",")
}

// collapse trims v and turns runs of spaces into one.
func collapse(v string) string {
	v = strings.TrimSpace(v)
	if !strings.Contains(v, "  ") {
		return v
	}
	var b strings.Builder
	for i := range len(v) {
		if v[i] == ' ' && v[i-1] == ' ' {
			continue
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

const hexDigits = "0123456789ABCDEF"

// escape percent-encodes everything but RFC 3986's unreserved characters and,
// where keepSlash is set, the slash.
func escape(s string, keepSlash bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}
