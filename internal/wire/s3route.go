package wire

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
)

// s3Address is what a request's host and path name.
type s3Address struct {
	bucket, key string
	virtual     bool // the bucket stood in the host name
}

// s3Host matches AWS's host names of S3, bucket first: b.s3.amazonaws.com,
// b.s3.us-east-1.amazonaws.com, s3-us-west-2.amazonaws.com. The bucket may itself
// contain dots, even ".s3.".
var s3Host = regexp.MustCompile(`^(?:(.+)\.)?s3(?:\.dualstack)?(?:[.-][a-z]{2}(?:-[a-z]+)+-\d+)?\.amazonaws\.com(?:\.cn)?$`)

// hostname strips the port and folds the case.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// bucketOf returns the bucket that a host name carries, "" for path style.
func bucketOf(host string) string {
	if m := websiteHost.FindStringSubmatch(host); m != nil {
		return m[1]
	}
	if m := s3Host.FindStringSubmatch(host); m != nil {
		return m[1]
	}
	if name, ok := strings.CutSuffix(host, ".localhost"); ok && name != "s3" {
		return strings.TrimSuffix(name, ".s3")
	}
	return ""
}

// parseS3Address splits host and path. The key is everything after the bucket's
// slash, doubled slashes and dots included: S3 normalises nothing.
func parseS3Address(r *http.Request) (s3Address, error) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	a := s3Address{bucket: bucketOf(hostname(r.Host))}
	rawKey := path
	if a.bucket != "" {
		a.virtual = true
	} else {
		raw, rest, _ := strings.Cut(path, "/")
		bucket, err := url.PathUnescape(raw)
		if err != nil {
			return a, awserr.New("InvalidURI", "Couldn't parse the specified URI.")
		}
		a.bucket, rawKey = bucket, rest
	}
	key, err := url.PathUnescape(rawKey)
	if err != nil {
		return a, awserr.New("InvalidURI", "Couldn't parse the specified URI.")
	}
	a.key = key
	return a, nil
}

// restRoute is an operation as the router matches it.
type restRoute struct {
	name    string
	method  string
	level   int // 0: service, 1: bucket, 2: object
	path    string
	literal url.Values // query keys that the URI names, with "" for any value
	query   []string   // required query members
	headers []string   // required header members
}

// compileRoutes reads the routes off the URIs, the most specific first.
func compileRoutes(m *model.Service) []restRoute {
	var out []restRoute
	for _, name := range m.OperationNames() {
		op := m.Operations[name]
		path, query, _ := strings.Cut(op.URI, "?")
		r := restRoute{name: name, method: op.Method, path: path}
		r.literal, _ = url.ParseQuery(query)
		switch {
		case strings.Contains(path, "{Key+}"):
			r.level = 2
		case strings.Contains(path, "{Bucket}"):
			r.level = 1
		}
		if op.Input != nil {
			for _, member := range op.Input.Members {
				if member.Required && member.Location == model.QueryString {
					r.query = append(r.query, member.WireName())
				}
				// A query that names the operation needs no header beside: one that
				// lacks it must be refused, not taken for another operation.
				if member.Required && member.Location == model.Header && len(r.literal) == 0 {
					r.headers = append(r.headers, member.WireName())
				}
			}
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b restRoute) int { return b.weight() - a.weight() })
	return out
}

func (r *restRoute) weight() int { return len(r.literal) + len(r.query) + len(r.headers) }

func (r *restRoute) matches(req *http.Request, query url.Values, level int) bool {
	if r.method != req.Method || r.level != level {
		return false
	}
	if level == 0 && r.path != req.URL.Path {
		return false
	}
	for key, values := range r.literal {
		if !query.Has(key) || (values[0] != "" && query.Get(key) != values[0]) {
			return false
		}
	}
	for _, key := range r.query {
		if !query.Has(key) {
			return false
		}
	}
	for _, key := range r.headers {
		if req.Header.Get(key) == "" {
			return false
		}
	}
	return true
}

func (e *exchange) routeREST() error {
	address, err := parseS3Address(e.r)
	if err != nil {
		return err
	}
	e.address = address
	level := 0
	switch {
	case address.key != "":
		level = 2
	case address.bucket != "":
		level = 1
	}
	if e.service.Web != nil && level > 0 && e.r.Method == http.MethodOptions {
		e.operation = preflight
		return nil
	}
	query := e.r.URL.Query()
	for i := range e.service.routes {
		if e.service.routes[i].matches(e.r, query, level) {
			e.operation = e.service.routes[i].name
			return nil
		}
	}
	if e.service.operations["PutObject"] != nil && level == 1 && e.r.Method == http.MethodPost && e.signature == nil && e.r.URL.RawQuery == "" {
		e.operation = postObject
		return nil
	}
	return awserr.Status(http.StatusMethodNotAllowed, "MethodNotAllowed",
		"The specified method is not allowed against this resource.").With("Method", e.r.Method)
}
