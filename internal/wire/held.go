package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/clock"
)

// Held is a call that has no answer yet. Operations that thousands of clients wait in
// return one from their Hold: the client's connection is then taken from the HTTP
// server, with the goroutine, the stack, the buffers and the request that belong to
// it (some 35 KiB), and waits with a small goroutine (some 6 KiB). When it has been
// answered the connection goes back, for its next request.
//
//	exchange.hold    Operation.Hold, then Look: the usual way when there is an answer
//	                 hijack, exchange ends
//	parked.run       waits for: wake, a time, the client hanging up, the world's end
//	                 Look; answer; Leave; conn.Resume
type Held interface {
	// Await has wake called, until Leave, when there may be an answer. wake does not
	// wait for anything.
	Await(wake func())
	// Look returns the answer, if there is one, else when to look again at the latest.
	Look(ctx context.Context) (out any, due time.Time, err error)
	// Over is the answer when nobody can wait any longer.
	Over() any
	// Leave ends the call, which ended well or not.
	Leave(well bool)
}

// Resumer is a connection that can be served again, first the bytes given.
type Resumer interface{ Resume(first []byte) }

type keepKey struct{}

// WithKeeper lets calls of requests in ctx outlive them: keep counts one more call and
// returns its context, which ends when it must, and what is called when it has ended.
func WithKeeper(ctx context.Context, keep func() (context.Context, func())) context.Context {
	return context.WithValue(ctx, keepKey{}, keep)
}

// holdable returns what a call needs to outlive its request; nil for a call that waits
// with its request.
func (e *exchange) holdable(ctx context.Context, row *Operation) func() (context.Context, func()) {
	keep, _ := ctx.Value(keepKey{}).(func() (context.Context, func()))
	_, ok := e.w.(http.Hijacker)
	if row.Hold == nil || !ok || e.r.TLS != nil || e.r.Close || e.r.ProtoMajor != 1 || e.r.ProtoMinor == 0 {
		return nil
	}
	return keep
}

// hold begins a call that may wait, and answers it if it need not.
//
//go:noinline
func (e *exchange) hold(ctx context.Context, row *Operation, in any, keep func() (context.Context, func())) error {
	p := &parked{server: e.server, service: e.service, protocol: e.protocol, row: row, id: e.id, began: e.server.cfg.Clock.Now()}
	out, err := p.enter(ctx, in)
	if err != nil || out != nil {
		if err = e.server.audit(ctx, e.service, p.began, err); err != nil {
			return err
		}
		return e.answer(ctx, row, out)
	}
	conn, buffered, err := http.NewResponseController(e.w).Hijack()
	if err != nil { // nothing has been written: as if it had not been tried
		p.held.Leave(true)
		return fmt.Errorf("hold a call: %w", err)
	}
	e.written = true
	first, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	base, leave := keep()
	p.park(aws.WithCall(base, aws.CallFrom(ctx)), conn, bytes.Clone(first), leave)
	return nil
}

// parked is a held call and the connection that it is answered on.
type parked struct {
	server   *Server
	service  *service
	protocol model.Protocol
	row      *Operation
	id       string
	began    time.Time
	ctx      context.Context
	held     Held
	due      time.Time // when to look again though nobody wakes it
	leave    func()
	unwatch  func() bool

	mu    sync.Mutex
	conn  net.Conn // nil before the call is parked, and when it is answered
	woken bool
	over  bool   // the world ends
	early []byte // what the client has sent since
	one   [1]byte
}

// enter does what comes before the wait.
func (p *parked) enter(ctx context.Context, in any) (out any, err error) {
	if err := p.server.admit(ctx, p.service, p.row, in); err != nil {
		return nil, err
	}
	if p.held, err = p.row.Hold(ctx, in); err != nil {
		return nil, err
	}
	ended := true // so it is when Look does not return
	defer func() {
		if ended {
			p.held.Leave(out != nil)
		}
	}()
	p.held.Await(p.wake)
	out, p.due, err = p.held.Look(ctx)
	ended = err != nil || out != nil
	return out, err
}

func (p *parked) park(ctx context.Context, conn net.Conn, early []byte, leave func()) {
	p.mu.Lock()
	p.ctx, p.conn, p.early, p.leave = ctx, conn, early, leave
	p.mu.Unlock()
	p.unwatch = context.AfterFunc(ctx, p.end)
	go p.run()
}

// wake lets the call look for its answer.
func (p *parked) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.woken = true
	if p.conn != nil {
		_ = p.conn.SetReadDeadline(time.Unix(1, 0)) // a connection that is gone says so itself
	}
}

// end lets the call be answered now.
func (p *parked) end() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.wake()
}

// run waits and answers, and serves the client on.
func (p *parked) run() {
	conn := p.conn
	if p.finish(conn) {
		conn.(Resumer).Resume(p.early)
		return
	}
	_ = conn.Close()
}

// finish waits and answers; again tells that the client may ask the next thing.
func (p *parked) finish(conn net.Conn) (again bool) {
	defer p.leave()
	defer p.unwatch()
	defer func() {
		if r := recover(); r != nil {
			p.server.cfg.Log.Error("panic in a held call", "request_id", p.id, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			if again = false; p.conn != nil {
				p.held.Leave(false)
			}
		}
	}()
	out, gone, err := p.wait()
	p.held.Leave(err == nil)
	p.mu.Lock()
	p.conn = nil // from here on its deadline is the next request's
	p.mu.Unlock()
	err = p.server.audit(p.ctx, p.service, p.began, err)
	return p.answer(conn, out, err) && !gone
}

// wait returns the answer; gone tells that the client will send nothing more, and
// perhaps hears nothing either.
func (p *parked) wait() (out any, gone bool, err error) {
	for {
		gone, over := p.listen()
		if gone || over {
			return p.held.Over(), gone, nil
		}
		if out, p.due, err = p.held.Look(p.ctx); err != nil || out != nil {
			return out, false, err
		}
	}
}

// listen returns when there is something to look at. The client is to say nothing
// meanwhile: one that does gets its answer.
func (p *parked) listen() (gone, over bool) {
	p.mu.Lock()
	if p.woken || p.over || len(p.early) > 0 {
		p.woken, over = false, p.over || len(p.early) > 0
		p.mu.Unlock()
		return false, over
	}
	// The kernel knows the machine's time only.
	_ = p.conn.SetReadDeadline(clock.System{}.Now().Add(p.due.Sub(p.server.cfg.Clock.Now())))
	p.mu.Unlock()
	n, err := p.conn.Read(p.one[:])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.woken = false
	if n > 0 {
		p.early = append(p.early, p.one[0])
		return false, true
	}
	return !errors.Is(err, os.ErrDeadlineExceeded), p.over
}

// answerTimeout is how long a client may take no answers: those who end the world wait
// for it.
const answerTimeout = 5 * time.Second

// answer writes the answer and says whether the connection can be served again.
func (p *parked) answer(conn net.Conn, out any, failed error) (again bool) {
	_, ok := conn.(Resumer)
	w := &page{header: http.Header{"Date": {p.server.cfg.Clock.Now().UTC().Format(http.TimeFormat)}}}
	if !ok {
		w.header.Set("Connection", "close")
	}
	e := &exchange{server: p.server, service: p.service, protocol: p.protocol, operation: p.row.Name, id: p.id, began: p.began,
		w: w, r: &http.Request{Method: http.MethodPost, Header: http.Header{}}, audited: true}
	e.setRequestID()
	if failed == nil {
		failed = e.answer(p.ctx, p.row, out)
	}
	if failed != nil {
		e.fail(failed)
	}
	_ = conn.SetReadDeadline(time.Time{})
	_ = conn.SetWriteDeadline(clock.System{}.Now().Add(answerTimeout))
	_, err := conn.Write(w.bytes())
	_ = conn.SetWriteDeadline(time.Time{}) // a connection that is gone says so itself
	return ok && err == nil
}

// page is an answer that is written as a whole.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *page) Header() http.Header         { return w.header }
func (w *page) WriteHeader(status int)      { w.status = status }
func (w *page) Write(b []byte) (int, error) { return w.body.Write(b) }

func (w *page) bytes() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(&out) // a buffer takes everything
	out.WriteString("\r\n")
	out.Write(w.body.Bytes())
	return out.Bytes()
}
