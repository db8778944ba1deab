package s3

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// visit is one request to a website and its answer.
type visit struct {
	ctx    context.Context
	inv    wire.Invoker
	w      http.ResponseWriter
	r      *http.Request
	bucket *bucket
	key    string
}

// Website answers a request to the website of a bucket. Objects are read as nobody:
// what the bucket's policy does not show to everybody is not shown.
func (s *Service) Website(ctx context.Context, inv wire.Invoker, bucketName, key string, w http.ResponseWriter, r *http.Request) {
	v := &visit{ctx: ctx, inv: inv, w: w, r: r, key: key}
	if err := v.serve(s, bucketName); err != nil {
		v.fail(err)
	}
}

func (v *visit) serve(s *Service, bucketName string) error {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return awserr.Status(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.").
			With("Method", v.r.Method).With("ResourceType", "OBJECT")
	}
	b, err := s.lookup(v.ctx, bucketName)
	if err != nil {
		return err
	}
	if b.Website == nil {
		return errNoSuchWebsite(b.Name)
	}
	v.bucket = b
	if all := b.Website.RedirectAllRequestsTo; all != nil {
		v.redirect(http.StatusMovedPermanently, v.url(all.Protocol, *all.HostName, v.key))
		return nil
	}
	if rule := v.rule(0); rule != nil {
		v.follow(rule)
		return nil
	}
	return v.object()
}

// object answers with the object that the path means: the index document for a
// folder.
func (v *visit) object() error {
	suffix := aws.Val(v.bucket.Website.IndexDocument.Suffix)
	key := v.key
	if key == "" || strings.HasSuffix(key, "/") {
		key += suffix
	}
	out, err := v.get(key)
	if err == nil {
		return v.send(http.StatusOK, out)
	}
	if key == v.key && isAWS(err, http.StatusNotFound, http.StatusForbidden) {
		// A folder without its slash is sent to the one with it.
		if folder, indexErr := v.get(key + "/" + suffix); indexErr == nil {
			v.redirect(http.StatusFound, "/"+urlEncode(key)+"/")
			return folder.Body.Close()
		}
	}
	return err
}

func (v *visit) get(key string) (*s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: &v.bucket.Name, Key: &key}
	if r := v.r.Header.Get("Range"); r != "" {
		in.Range = &r
	}
	if etag := v.r.Header.Get("If-None-Match"); etag != "" {
		in.IfNoneMatch = &etag
	}
	if at, err := http.ParseTime(v.r.Header.Get("If-Modified-Since")); err == nil {
		in.IfModifiedSince = &at
	}
	return wire.Call[s3.GetObjectOutput](v.ctx, v.inv, "s3", "GetObject", in)
}

// send writes an object, or the redirection that it stands for.
func (v *visit) send(status int, out *s3.GetObjectOutput) error {
	defer out.Body.Close()
	h := v.w.Header()
	if to := aws.Val(out.WebsiteRedirectLocation); to != "" && status == http.StatusOK {
		v.redirect(http.StatusMovedPermanently, to)
		return nil
	}
	for name, value := range map[string]*string{
		"Content-Type": out.ContentType, "Cache-Control": out.CacheControl, "Content-Disposition": out.ContentDisposition,
		"Content-Encoding": out.ContentEncoding, "Content-Language": out.ContentLanguage, "Expires": out.Expires, "ETag": out.ETag,
		"Content-Range": out.ContentRange,
	} {
		if value != nil {
			h.Set(name, *value)
		}
	}
	for name, value := range out.Metadata {
		h.Set("X-Amz-Meta-"+name, value)
	}
	h.Set("Last-Modified", out.LastModified.UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.FormatInt(aws.Val(out.ContentLength), 10))
	if out.ContentRange != nil && status == http.StatusOK {
		status = http.StatusPartialContent
	}
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		if _, err := io.Copy(v.w, out.Body); err != nil {
			panic(http.ErrAbortHandler) // the length was announced
		}
	}
	return nil
}

// rule is the first routing rule that applies: with status 0 before the object is
// looked for, else when looking for it has failed so.
func (v *visit) rule(status int) *s3.RoutingRule {
	for i := range v.bucket.Website.RoutingRules {
		r := &v.bucket.Website.RoutingRules[i]
		prefix, code := "", ""
		if r.Condition != nil {
			prefix, code = aws.Val(r.Condition.KeyPrefixEquals), aws.Val(r.Condition.HttpErrorCodeReturnedEquals)
		}
		if strings.HasPrefix(v.key, prefix) && (code == "" && status == 0 || code != "" && code == strconv.Itoa(status)) {
			return r
		}
	}
	return nil
}

// follow answers with the redirection of a rule.
func (v *visit) follow(r *s3.RoutingRule) {
	to := r.Redirect
	key := v.key
	switch {
	case to.ReplaceKeyWith != nil:
		key = *to.ReplaceKeyWith
	case to.ReplaceKeyPrefixWith != nil:
		prefix := ""
		if r.Condition != nil {
			prefix = aws.Val(r.Condition.KeyPrefixEquals)
		}
		key = *to.ReplaceKeyPrefixWith + strings.TrimPrefix(key, prefix)
	}
	status := http.StatusMovedPermanently
	if n, err := strconv.Atoi(aws.Val(to.HttpRedirectCode)); err == nil {
		status = n
	}
	host := aws.Val(to.HostName)
	if host == "" {
		host = v.r.Host
	}
	v.redirect(status, v.url(to.Protocol, host, key))
}

// url is an address on a host; the protocol is the request's when none is given. The
// key's query, where a rule gives it one, stays a query.
func (v *visit) url(p s3.Protocol, host, key string) string {
	if p == "" {
		p = s3.ProtocolHttp
		if v.r.TLS != nil {
			p = s3.ProtocolHttps
		}
	}
	path, query, found := strings.Cut(key, "?")
	path = urlEncode(path)
	if found {
		path += "?" + query
	}
	return fmt.Sprintf("%s://%s/%s", p, host, path)
}

func (v *visit) redirect(status int, to string) {
	v.w.Header().Set("Location", to)
	v.w.Header().Set("Content-Length", "0")
	v.w.WriteHeader(status)
}

func isAWS(err error, statuses ...int) bool {
	e := awsError(err)
	for _, status := range statuses {
		if e.HTTPStatus() == status {
			return true
		}
	}
	return false
}

// awsError is the error that a visitor is told.
func awsError(err error) *awserr.Error {
	var denied *aws.Denied
	e := awserr.As(err)
	switch {
	case errors.As(err, &denied), e != nil && e.Code == "AccessDenied":
		return errAccessDenied
	case e == nil:
		return awserr.Status(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
	}
	return e
}

// fail answers an error: by a rule, by the bucket's error document, or by S3's page.
func (v *visit) fail(err error) {
	e := awsError(err)
	status := e.HTTPStatus()
	if status == http.StatusNotModified {
		v.w.WriteHeader(status)
		return
	}
	var second *awserr.Error
	if v.bucket != nil && v.bucket.Website.RedirectAllRequestsTo == nil {
		if rule := v.rule(status); rule != nil {
			v.follow(rule)
			return
		}
		if doc := v.bucket.Website.ErrorDocument; doc != nil && status < http.StatusInternalServerError {
			v.r.Header.Del("Range")
			out, err := v.get(aws.Val(doc.Key))
			if err == nil {
				v.errorHeaders(e)
				_ = v.send(status, out) // the answer has begun
				return
			}
			second = awsError(err)
		}
	}
	v.page(e, second)
}

func (v *visit) errorHeaders(e *awserr.Error) {
	h := v.w.Header()
	h.Set("X-Amz-Error-Code", e.Code)
	h.Set("X-Amz-Error-Message", e.Message)
	for _, f := range e.Extra {
		h.Set("X-Amz-Error-Detail-"+f.Name, strings.Map(func(c rune) rune {
			if c < ' ' || c > '~' {
				return '?'
			}
			return c
		}, f.Value))
	}
}

// sent is a header that the wire has set for the answer, in whatever case.
func (v *visit) sent(name string) string {
	for have, values := range v.w.Header() {
		if strings.EqualFold(have, name) {
			return strings.Join(values, "")
		}
	}
	return ""
}

// page is S3's own page for an error; second is why the error document is not shown.
func (v *visit) page(e, second *awserr.Error) {
	v.errorHeaders(e)
	title := fmt.Sprintf("%d %s", e.HTTPStatus(), http.StatusText(e.HTTPStatus()))
	var b strings.Builder
	fmt.Fprintf(&b, "<html>\n<head><title>%s</title></head>\n<body>\n<h1>%s</h1>\n<ul>\n", title, title)
	items := func(e *awserr.Error) {
		fmt.Fprintf(&b, "<li>Code: %s</li>\n<li>Message: %s</li>\n", html.EscapeString(e.Code), html.EscapeString(e.Message))
		for _, f := range e.Extra {
			fmt.Fprintf(&b, "<li>%s: %s</li>\n", html.EscapeString(f.Name), html.EscapeString(f.Value))
		}
	}
	items(e)
	fmt.Fprintf(&b, "<li>RequestId: %s</li>\n<li>HostId: %s</li>\n</ul>\n",
		v.sent("x-amz-request-id"), v.sent("x-amz-id-2"))
	if second != nil {
		b.WriteString("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n")
		items(second)
		b.WriteString("</ul>\n")
	}
	b.WriteString("<hr/>\n</body>\n</html>\n")
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	v.w.WriteHeader(e.HTTPStatus())
	if v.r.Method != http.MethodHead {
		_, _ = io.WriteString(v.w, b.String()) // a visitor who has gone away
	}
}
