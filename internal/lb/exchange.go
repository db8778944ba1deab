package lb

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// AWS's limits of a request's size. Single header fields and the request line may
// have 16 kB, all header fields together 64 kB.
const (
	maxLine   = 16 << 10
	maxHeader = 64 << 10
	// maxStreams is how many requests a connection of HTTP/2 may have under way.
	maxStreams = 128
	// maxMethod is the length of a method for a classic balancer.
	maxMethod = 127
	// maxForwarded is how many addresses X-Forwarded-For may hold.
	maxForwarded = 30
)

// exchange is one request and its answer.
type exchange struct {
	w        http.ResponseWriter
	r        *http.Request
	front    *frontConn
	cfg      *config
	listener *listener
	client   netip.AddrPort
	// cookies are what the answer sets besides what the target says.
	cookies []string
	upload  *upload
	counts  *counts
}

// serveHTTP answers a request by the listener's rules as they are now.
func (b *balancer) serveHTTP(w http.ResponseWriter, r *http.Request) {
	front := frontOf(r.Context())
	cfg := b.current.Load()
	w = newPatient(w, cfg.Attributes.IdleTimeout)
	x := &exchange{w: w, r: r, front: front, cfg: cfg, listener: cfg.streams[front.port], client: front.client(), counts: b.counts}
	if x.listener == nil { // deleted while the connection lived on
		x.listener = &listener{}
		w.Header().Set("Connection", "close")
		x.fail(http.StatusServiceUnavailable)
		return
	}
	if status := x.refused(); status != 0 {
		w.Header().Set("Connection", "close")
		x.fail(status)
		return
	}
	matched := x.listener.rule(r, x.client.Addr())
	matched.transform(r)
	switch a := matched.actions[0]; {
	case a.Redirect != nil:
		x.redirect(a.Redirect)
	case a.Fixed != nil:
		x.fixed(a.Fixed)
	default:
		x.forward(a.Forward)
	}
}

// refused is the status of requests that are too large, or that no target gets, or 0.
func (x *exchange) refused() int {
	if len(x.r.RequestURI)+len(x.r.Method) > maxLine {
		return http.StatusRequestURITooLong
	}
	if classic := x.cfg.Kind == Classic; classic && len(x.r.Method) > maxMethod || !classic && x.r.Method == http.MethodTrace {
		return http.StatusMethodNotAllowed
	}
	addresses := 0
	for name, values := range x.r.Header {
		for _, v := range values {
			if len(name)+len(v) > maxLine {
				return http.StatusBadRequest
			}
			if name == "X-Forwarded-For" {
				addresses += strings.Count(v, ",") + 1
			}
		}
	}
	if addresses > maxForwarded {
		return 463
	}
	return 0
}

// transform rewrites the request as a rule says.
func (r *rule) transform(req *http.Request) {
	for _, t := range r.transforms {
		if t.host {
			req.Host = t.regex.ReplaceAllString(req.Host, t.replace)
			continue
		}
		target := t.regex.ReplaceAllString(req.URL.RequestURI(), t.replace)
		if u, err := req.URL.Parse(target); err == nil {
			req.URL.Path, req.URL.RawPath, req.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
		}
	}
}

// scheme is what the client speaks to the balancer.
func (x *exchange) scheme() string {
	if x.front.tls != nil {
		return "https"
	}
	return "http"
}

// old says that the connection has lived as long as it may.
func (x *exchange) old() bool {
	return x.front.node.balancer.ending.Load() || time.Since(x.front.since) > x.cfg.Attributes.ClientKeepAlive
}

// forward sends the request to a target of the group that the action chooses.
func (x *exchange) forward(f *Forward) {
	g := x.group(f)
	if g == nil {
		x.fail(http.StatusServiceUnavailable)
		return
	}
	chosen := g.chosen.Load()
	if !x.speaks(chosen.spec) {
		x.fail(464)
		return
	}
	t := x.bound(g, chosen)
	if t == nil {
		if t = g.pick(x.front.node); t == nil {
			x.fail(http.StatusServiceUnavailable)
			return
		}
	}
	x.bind(t, chosen.spec)
	x.send(t, chosen.spec)
}

// speaks says whether a group's targets can take the request's protocol.
func (x *exchange) speaks(g TargetGroup) bool {
	switch g.Version {
	case "GRPC":
		return x.r.ProtoMajor == 2 && x.r.Method == http.MethodPost
	case "HTTP2":
		return x.r.ProtoMajor == 2
	}
	return true
}

// send carries the request to the target and the answer back.
func (x *exchange) send(t *target, spec TargetGroup) {
	t.begin()
	defer t.done()
	x.counts.sent(spec.ID)
	began := time.Now()
	// The target may leave the spec while it works.
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	defer context.AfterFunc(t.life, func() { cancel(errDeregistered) })()
	if x.r.Body != nil && x.r.Body != http.NoBody {
		x.upload = &upload{ReadCloser: x.r.Body, control: http.NewResponseController(x.w), limit: x.cfg.Attributes.IdleTimeout}
	}
	x.w.Header()["Content-Type"] = nil // or net/http guesses one
	x.carrier(t, spec, began).ServeHTTP(x.w, x.r.WithContext(withTarget(ctx, t)))
}
