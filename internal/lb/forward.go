package lb

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errDeregistered = errors.New("the target was deregistered")
	errSilentClient = errors.New("the client has gone silent in the midst of its request")
)

// group chooses between the groups of a forward: the one that the client's cookie
// names, or by weight.
func (x *exchange) group(f *Forward) *group {
	if f.Sticky > 0 {
		if g := x.boundGroup(f); g != nil {
			x.bindGroup(g, f.Sticky)
			return g
		}
	}
	g := x.cfg.groups[byWeight(f.Groups)]
	if g != nil && f.Sticky > 0 {
		x.bindGroup(g, f.Sticky)
	}
	return g
}

// byWeight returns the id of a group, or "" when all weigh nothing.
func byWeight(groups []WeightedGroup) string {
	if len(groups) == 1 {
		return groups[0].Group // weights compare, and there is nothing to compare with
	}
	sum := 0
	for _, g := range groups {
		sum += g.Weight
	}
	if sum == 0 {
		return ""
	}
	at := rand.IntN(sum) //nolint:gosec // no secret
	for _, g := range groups {
		if at -= g.Weight; at < 0 {
			return g.Group
		}
	}
	return ""
}

// carrier is the reverse proxy for one request.
func (x *exchange) carrier(t *target, spec TargetGroup, began time.Time) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:    func(p *httputil.ProxyRequest) { x.rewrite(p, t, spec) },
		Transport:  t.through(x.front.node, spec),
		BufferPool: buffers{},
		ModifyResponse: func(answer *http.Response) error {
			if x.upload != nil && x.upload.silent.Load() {
				return errSilentClient // what the target says of half a request
			}
			x.counts.answered(spec.ID, answer.StatusCode, time.Since(began))
			x.modify(answer)
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) { x.broken(r.Context(), err) },
		ErrorLog:     discard,
	}
}

// broken answers for a target that did not.
func (x *exchange) broken(ctx context.Context, err error) {
	if x.r.Context().Err() != nil && (x.upload == nil || !x.upload.silent.Load()) {
		return // the client has gone; AWS writes 460 into the access log
	}
	if x.upload != nil && x.upload.silent.Load() {
		x.w.Header().Set("Connection", "close")
		x.fail(http.StatusRequestTimeout)
		return
	}
	x.w.Header()["Content-Type"] = nil
	if silence(err) && !errors.Is(context.Cause(ctx), errDeregistered) {
		x.fail(http.StatusGatewayTimeout)
		return
	}
	x.fail(http.StatusBadGateway)
}

// silence tells a target that does not answer from one that refuses.
func silence(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout())
}

// upload is the body of a request. A client that goes silent in the midst of it is
// cut off.
type upload struct {
	io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
	silent  atomic.Bool
}

func (u *upload) Read(p []byte) (int, error) {
	u.control.SetReadDeadline(time.Now().Add(u.limit)) //nolint:errcheck // then without
	n, err := u.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		u.silent.Store(true)
	default:
		u.control.SetReadDeadline(time.Time{}) //nolint:errcheck // the server sets its own
	}
	return n, err
}

// buffers are shared by all proxies.
type buffers struct{}

var pool = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

func (buffers) Get() []byte  { return *pool.Get().(*[]byte) }
func (buffers) Put(b []byte) { pool.Put(&b) }
