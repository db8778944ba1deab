package wire

import (
	"context"
	"maps"
	"net/http"
	"regexp"

	"github.com/hardstand/hardstand/internal/aws"
)

// Web is what a REST service answers beside the operations of its model: browsers'
// questions and websites.
type Web interface {
	// Preflight returns the headers that answer an OPTIONS request.
	Preflight(ctx context.Context, bucket, key string, r *http.Request) (http.Header, error)
	// CORS returns the headers that the answer to a page's request gets, nil for none.
	CORS(ctx context.Context, bucket string, r *http.Request) http.Header
	// Website answers a request to the website of a bucket, which reads through inv as
	// nobody.
	Website(ctx context.Context, inv Invoker, bucket, key string, w http.ResponseWriter, r *http.Request)
}

// The names under which requests without an operation of the model are logged.
const (
	preflight  = "Preflight"
	postObject = "PostObject"
)

// websiteHost matches the names of website endpoints, bucket first, with either
// separator before the region; and, for browsers on this machine, *.localhost.
var websiteHost = regexp.MustCompile(`^(.+)\.s3-website(?:[.-][a-z]{2}(?:-[a-z]+)+-\d+)?\.(?:amazonaws\.com(?:\.cn)?|localhost)$`)

// website answers a request to a website's host; false for any other.
func (e *exchange) website() (bool, error) {
	m := websiteHost.FindStringSubmatch(hostname(e.r.Host))
	s3 := e.server.byName["s3"]
	if m == nil || s3 == nil || s3.Web == nil {
		return false, nil
	}
	e.service, e.protocol = s3, s3.Model.Protocol
	address, err := parseS3Address(e.r)
	if err != nil {
		return true, err
	}
	e.address = address
	e.setRequestID()
	if e.r.Method == http.MethodOptions {
		return true, e.preflight()
	}
	e.allowOrigin()
	e.region = e.server.cfg.Region
	e.principal = aws.Principal{Type: aws.PrincipalAnonymous}
	call := e.call()
	call.Service = "" // the visitor's own call, not one that S3 makes for somebody
	e.written = true
	s3.Web.Website(aws.WithCall(e.r.Context(), call), e.server, address.bucket, address.key, e.w, e.r)
	return true, nil
}

func (e *exchange) preflight() error {
	e.operation = preflight
	e.setRequestID()
	h, err := e.service.Web.Preflight(e.r.Context(), e.address.bucket, e.address.key, e.r)
	if err != nil {
		return err
	}
	maps.Copy(e.w.Header(), h)
	e.write(http.StatusOK, "", nil)
	return nil
}

// allowOrigin gives the answer the headers that let the page of another origin read
// it, errors included.
func (e *exchange) allowOrigin() {
	if e.service.Web != nil && e.address.bucket != "" && e.r.Header.Get("Origin") != "" {
		maps.Copy(e.w.Header(), e.service.Web.CORS(e.r.Context(), e.address.bucket, e.r))
	}
}
