package lb

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// web serves HTTP on connections that were accepted, and decrypted, elsewhere. Its
// time-outs are fixed.
type web struct {
	idle         time.Duration
	http1, http2 *funnel
	servers      []*http.Server
}

// serveWeb makes the balancer serve with the time-outs of next. Connections of the
// server before are served to their ends.
func (b *balancer) serveWeb(next *config) {
	old := b.web.Load()
	if old != nil && old.idle == next.Attributes.IdleTimeout {
		return
	}
	b.web.Store(b.newWeb(next.Attributes.IdleTimeout))
	if old != nil {
		b.retiring.Add(1)
		b.running.Go(func() {
			defer b.retiring.Done()
			old.retire(b.life)
		})
	}
}

func (b *balancer) newWeb(idle time.Duration) *web {
	w := &web{idle: idle, http1: newFunnel(), http2: newFunnel()}
	for _, f := range []*funnel{w.http1, w.http2} {
		var p http.Protocols
		p.SetHTTP1(f == w.http1)
		p.SetUnencryptedHTTP2(f == w.http2) // TLS, if any, has ended before
		server := &http.Server{
			Handler: http.HandlerFunc(b.serveHTTP), Protocols: &p,
			DisableGeneralOptionsHandler: true, // OPTIONS * is the targets' to answer
			HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: idle},
			ReadHeaderTimeout:            idle, IdleTimeout: idle, MaxHeaderBytes: maxHeader,
			ErrorLog: slog.NewLogLogger(b.plane.cfg.Log.Handler(), slog.LevelDebug),
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, frontKey{}, c)
			},
		}
		w.servers = append(w.servers, server)
		b.running.Go(func() { server.Serve(f) }) //nolint:errcheck // returns when the funnel closes
	}
	return w
}

// take serves a connection; false says that the server is closed.
func (w *web) take(c *frontConn) bool {
	if c.tls != nil && c.tls.NegotiatedProtocol == "h2" {
		return w.http2.push(c)
	}
	return w.http1.push(c)
}

// retire lets what is under way end; when ctx does, at once.
func (w *web) retire(ctx context.Context) {
	var ending sync.WaitGroup
	for _, s := range w.servers {
		ending.Go(func() { s.Shutdown(ctx) }) //nolint:errcheck // then close does it
	}
	ending.Wait()
	w.close()
}

func (w *web) close() {
	for _, s := range w.servers {
		s.Close() //nolint:errcheck // connections end either way
	}
}

// funnel is a listener of connections that others have accepted.
type funnel struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newFunnel() *funnel { return &funnel{conns: make(chan net.Conn), closed: make(chan struct{})} }

// push hands a connection to whoever accepts; false says that nobody does any more.
func (f *funnel) push(c net.Conn) bool {
	select {
	case f.conns <- c:
		return true
	case <-f.closed:
		return false
	}
}

// Accept implements net.Listener.
func (f *funnel) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (f *funnel) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// Addr implements net.Listener; connections know their own addresses.
func (f *funnel) Addr() net.Addr { return &net.TCPAddr{} }
