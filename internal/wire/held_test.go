package wire_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/tlsca"
)

// waiting is an operation whose calls are answered when the test says so.
type waiting struct {
	mu      sync.Mutex
	wake    func()
	looks   int
	answer  any
	fail    error
	due     time.Duration
	entered chan struct{}
	left    chan bool
}

func newWaiting() *waiting {
	return &waiting{due: time.Hour, entered: make(chan struct{}, 100), left: make(chan bool, 100)}
}

func (w *waiting) Await(wake func()) { w.wake = wake }

func (w *waiting) Look(ctx context.Context) (any, time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	if w.looks == 1 {
		w.entered <- struct{}{}
	}
	if aws.CallFrom(ctx).Principal.ARN != testUser {
		return nil, time.Time{}, errors.New("the call was lost")
	}
	if w.answer == nil && w.looks > 1 && w.due == 0 {
		return w.Over(), time.Time{}, nil
	}
	return w.answer, time.Now().Add(w.due), w.fail
}

func (w *waiting) Over() any       { return &sts.GetCallerIdentityOutput{Account: aws.Ptr("over")} }
func (w *waiting) Leave(well bool) { w.left <- well }

// say sets the answer and wakes the call.
func (w *waiting) say(answer any, err error) {
	w.mu.Lock()
	w.answer, w.fail = answer, err
	w.mu.Unlock()
	w.wake()
}

// holder is a server with one operation that is held.
type holder struct {
	t        *testing.T
	url      string
	next     chan *waiting // what the next calls are held by
	held     func() wire.Held
	accepted atomic.Int32
	open     sync.WaitGroup
	end      context.CancelFunc
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	s := wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: &refuser{}, Account: "123456789012", Region: "us-east-1"})
	h := &holder{t: t, next: make(chan *waiting, 10)}
	op := wire.FreeOp("GetCallerIdentity", "AWS asks for no permission", func(context.Context, *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
		return &sts.GetCallerIdentityOutput{Account: aws.Ptr("with its request")}, nil
	})
	h.held = func() wire.Held { return <-h.next }
	op.Hold = func(context.Context, any) (wire.Held, error) { return h.held(), nil }
	if err := s.Register(wire.Service{Model: sts.Model(), Operations: []wire.Operation{op}}); err != nil {
		t.Fatal(err)
	}
	ca, err := tlsca.Open(t.TempDir(), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + inner.Addr().String()
	world, end := context.WithCancel(context.Background())
	h.end = end
	keep := func() (context.Context, func()) {
		h.open.Add(1)
		return world, h.open.Done
	}
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r.WithContext(wire.WithKeeper(r.Context(), keep)))
	})}
	go func() { _ = web.Serve(counted{ca.Listen(inner), &h.accepted}) }()
	t.Cleanup(func() { end(); h.open.Wait(); _ = web.Close() })
	return h
}

// counted counts what a server accepts, connections that come again among it.
type counted struct {
	net.Listener
	n *atomic.Int32
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

const whoAmI = "Action=GetCallerIdentity&Version=2011-06-15"

func (h *holder) request() *http.Request {
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+"/", strings.NewReader(whoAmI))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sign.Request(r, sign.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, "sts", "us-east-1", sign.Hash([]byte(whoAmI)), time.Now())
	return r
}

// begin sends a request by c, and returns when it is held.
func (h *holder) begin(c *http.Client, w *waiting) (answer <-chan string) {
	h.next <- w
	out := make(chan string, 1)
	r := h.request()
	go func() {
		res, err := c.Do(r)
		if err != nil {
			out <- err.Error()
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.Header.Get("X-Amzn-Requestid") == "" || res.Header.Get("Date") == "" {
			out <- "incomplete answer"
			return
		}
		out <- res.Status + " " + string(body)
	}()
	<-w.entered
	return out
}

func (h *holder) want(answer <-chan string, parts ...string) {
	h.t.Helper()
	got := <-answer
	for _, p := range parts {
		if !strings.Contains(got, p) {
			h.t.Errorf("answered %s\nwithout %s", got, p)
		}
	}
}

func identity(account string) *sts.GetCallerIdentityOutput {
	return &sts.GetCallerIdentityOutput{Account: &account}
}

// A held call is answered when it is woken; the client goes on by the same connection.
func TestHeldCallIsAnswered(t *testing.T) {
	h := newHolder(t)
	var dialed atomic.Int32
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}}
	defer c.CloseIdleConnections()
	for _, tc := range []struct {
		name  string
		begin func(w *waiting)
		want  []string
		well  bool
	}{
		{"woken", func(w *waiting) { w.say(identity("one"), nil) }, []string{"200 OK", "<Account>one</Account>"}, true},
		{"woken in vain, then again", func(w *waiting) { w.wake(); w.say(identity("two"), nil) }, []string{"200 OK", "two"}, true},
		{"fails", func(w *waiting) { w.say(nil, awserr.New("ValidationError", "It went wrong.")) }, []string{"400 Bad Request", "<Code>ValidationError</Code>", "It went wrong."}, false},
		{"fails by a fault of ours", func(w *waiting) { w.say(nil, errors.New("secret")) }, []string{"500 Internal Server Error", "InternalFailure"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWaiting()
			answer := h.begin(c, w)
			tc.begin(w)
			h.want(answer, tc.want...)
			if well := <-w.left; well != tc.well {
				t.Errorf("left well: %t", well)
			}
		})
	}
	if n := dialed.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestHeldCallHasItsAnswerAlready(t *testing.T) {
	h := newHolder(t)
	w := newWaiting()
	w.answer = identity("at once")
	h.want(h.begin(http.DefaultClient, w), "200 OK", "at once")
	if h.accepted.Load() != 1 || !<-w.left {
		t.Error("the connection was taken from its server")
	}
}

func TestHeldCallEnds(t *testing.T) {
	t.Run("when its time is over", func(t *testing.T) {
		h := newHolder(t)
		w := newWaiting()
		w.due = 0
		h.want(h.begin(http.DefaultClient, w), "200 OK", "over")
	})
	t.Run("when the world ends", func(t *testing.T) {
		h := newHolder(t)
		w := newWaiting()
		answer := h.begin(http.DefaultClient, w)
		h.end()
		h.want(answer, "200 OK", "over")
		h.open.Wait()
	})
	t.Run("when the client hangs up", func(t *testing.T) {
		h := newHolder(t)
		w := newWaiting()
		h.next <- w
		conn, _ := h.dial(h.request())
		<-w.entered
		conn.Close()
		if !<-w.left {
			t.Error("that is no failure")
		}
		h.open.Wait()
	})
}

// dial writes requests at once and returns the connection.
func (h *holder) dial(requests ...*http.Request) (net.Conn, *bufio.Reader) {
	h.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	var text strings.Builder
	for _, r := range requests {
		if err := r.Write(&text); err != nil {
			h.t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, text.String()); err != nil {
		h.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// A client that asks the next thing before it has its answer gets both answers: what
// waits does not wait any longer, and no byte of the next request is lost.
func TestHeldCallOfAnImpatientClient(t *testing.T) {
	h := newHolder(t)
	second := newWaiting()
	second.answer = identity("second")
	h.next <- newWaiting()
	h.next <- second
	_, r := h.dial(h.request(), h.request())
	for i := range 2 {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("answer %d: %s, %v", i, res.Status, err)
		}
	}
}

// Whoever closes the connection after the answer, and requests refused before, are not
// held.
func TestNotHeld(t *testing.T) {
	h := newHolder(t)
	closing := h.request()
	closing.Close = true
	foreign := h.request()
	foreign.Header.Set("Authorization", strings.Replace(foreign.Header.Get("Authorization"), testKey, "AKIAI44QH8DHBEXAMPLE", 1))
	for _, tc := range []struct {
		name string
		r    *http.Request
		want string
	}{
		{"connection closes", closing, "with its request"},
		{"unknown key", foreign, "InvalidClientTokenId"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, err := http.DefaultClient.Do(tc.r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if !strings.Contains(string(body), tc.want) {
				t.Errorf("%s %s", res.Status, body)
			}
		})
	}
}

// Wakes that come at any time, also when the call is being answered, do no harm to the
// next request on the connection.
func TestHeldCallsAreWokenAtAnyTime(t *testing.T) {
	h := newHolder(t)
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	for range 200 {
		w := newWaiting()
		answer := h.begin(c, w)
		var wakes sync.WaitGroup
		for range 3 {
			wakes.Go(func() { w.say(identity("answer"), nil) })
		}
		h.want(answer, "200 OK", "answer")
		wakes.Wait()
	}
}

// What a client may do around its request that is held.
func TestHeldCallHowever(t *testing.T) {
	expecting := func(r *http.Request) { r.Header.Set("Expect", "100-continue") }
	chunked := func(r *http.Request) { r.ContentLength, r.TransferEncoding = -1, []string{"chunked"} }
	for _, tc := range []struct {
		name   string
		change func(r *http.Request)
		half   bool // it closes its side
	}{{"expects to continue", expecting, false}, {"sends chunks", chunked, false}, {"closes its side", func(*http.Request) {}, true}} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHolder(t)
			w := newWaiting()
			h.next <- w
			r := h.request()
			tc.change(r)
			conn, in := h.dial(r)
			<-w.entered
			want := "answer"
			if tc.half {
				want = "over"
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			} else {
				w.say(identity("answer"), nil)
			}
			res, err := http.ReadResponse(in, nil)
			if err == nil && res.StatusCode == http.StatusContinue {
				res, err = http.ReadResponse(in, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), want) {
				t.Errorf("%s %s, %v", res.Status, body, err)
			}
			if !<-w.left {
				t.Error("that is no failure")
			}
			if tc.half {
				if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
					t.Errorf("then %v", err)
				}
			}
		})
	}
}

// panicking is a call whose look panics at last.
type panicking struct {
	*waiting
	at int
}

func (p *panicking) Look(ctx context.Context) (any, time.Time, error) {
	out, due, err := p.waiting.Look(ctx)
	if p.looks == p.at {
		panic("a fault of ours")
	}
	return out, due, err
}

// A call that panics is left all the same: what counts those who wait stays right.
func TestHeldCallPanics(t *testing.T) {
	for name, at := range map[string]int{"before it waits": 1, "when it is woken": 2} {
		t.Run(name, func(t *testing.T) {
			h := newHolder(t)
			w := newWaiting()
			h.held = func() wire.Held { return &panicking{w, at} }
			_, in := h.dial(h.request())
			<-w.entered
			if at > 1 {
				w.wake()
			}
			if <-w.left {
				t.Error("it ended well")
			}
			res, err := http.ReadResponse(in, nil)
			if at == 1 && (err != nil || res.StatusCode != http.StatusInternalServerError) || at == 2 && err == nil {
				t.Errorf("answered %v, %v", res, err)
			}
			h.open.Wait()
		})
	}
}

// Clients that speak HTTP/1.0 or TLS wait with their requests.
func TestWaitsWithItsRequest(t *testing.T) {
	h := newHolder(t)
	r := h.request()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var text strings.Builder
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.Replace(text.String(), "HTTP/1.1", "HTTP/1.0", 1)); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); err != nil || !strings.Contains(string(all), "with its request") {
		t.Errorf("HTTP/1.0: %s, %v", all, err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the test's own server
	defer tr.CloseIdleConnections()
	h.url = strings.Replace(h.url, "http://", "https://", 1)
	res, err := (&http.Client{Transport: tr}).Do(h.request())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), "with its request") {
		t.Errorf("TLS: %s %s, %v", res.Proto, body, err)
	}
}

// However many wait, all are answered when the world ends, and none is left.
func TestManyHeldCallsEnd(t *testing.T) {
	h := newHolder(t)
	const many = 1000
	w := newWaiting()
	w.left = make(chan bool, many)
	h.held = func() wire.Held { return &crowd{waiting: w} }
	in := make([]*bufio.Reader, many)
	for i := range in {
		_, in[i] = h.dial(h.request())
	}
	for range many {
		<-w.entered
	}
	h.end()
	h.open.Wait()
	for i, r := range in {
		if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(i, res, err)
		}
	}
	if len(w.left) != many {
		t.Errorf("%d have left", len(w.left))
	}
}

// crowd is one of many calls that nobody wakes.
type crowd struct{ *waiting }

func (c *crowd) Await(func()) {}

func (c *crowd) Look(context.Context) (any, time.Time, error) {
	c.entered <- struct{}{}
	return nil, time.Now().Add(time.Hour), nil
}
