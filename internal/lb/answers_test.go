package lb

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// raw sends bytes and returns everything that comes back until the connection ends.
func (s *stand) raw(text string) string {
	s.t.Helper()
	c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", s.spec.Listeners[0].Port))
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, text)                         //nolint:errcheck // the answer tells
	c.SetDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // the answer tells
	all, err := io.ReadAll(c)
	if err != nil && len(all) == 0 {
		s.t.Fatal(err)
	}
	return string(all)
}

func nginxPage(title string) string {
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"
}

func TestAnswersOfItsOwn(t *testing.T) {
	s := newStand(t)
	s.spec.Listeners[0].Rules = []Rule{
		{Conditions: []Condition{{Field: "path-pattern", Values: []string{"/fixed"}}}, Actions: []Action{{Fixed: &FixedResponse{Status: 418, ContentType: "text/plain", Body: "short"}}}},
		{Conditions: []Condition{{Field: "path-pattern", Values: []string{"/empty"}}}, Actions: []Action{{Fixed: &FixedResponse{Status: 200}}}},
		{Conditions: []Condition{{Field: "path-pattern", Values: []string{"/busy"}}}, Actions: []Action{{Fixed: &FixedResponse{Status: 503}}}},
	}
	s.apply()
	for _, c := range []struct {
		name, request, status string
		headers               []string
		body                  string
	}{
		{"fixed", "GET /fixed HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 418 I'm a teapot",
			[]string{"Server: awselb/2.0", "Content-Type: text/plain; charset=utf-8", "Content-Length: 5", "Connection: close"}, "short"},
		{"fixed without type", "GET /empty HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK", []string{"Server: awselb/2.0", "Content-Length: 0"}, ""},
		{"fixed 503", "GET /busy HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 503 Service Temporarily Unavailable", nil, ""},
		{"head", "HEAD /fixed HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 418 I'm a teapot", []string{"Content-Length: 5"}, ""},
		{"no target", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 503 Service Temporarily Unavailable",
			[]string{"Server: awselb/2.0", "Content-Type: text/html", "Content-Length: 162"}, nginxPage("503 Service Temporarily Unavailable")},
		{"no request", "NONSENSE\r\n\r\n", "HTTP/1.1 400 Bad Request", []string{"Server: awselb/2.0", "Content-Type: text/html", "Content-Length: 122", "Connection: close"}, nginxPage("400 Bad Request")},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request", []string{"Server: awselb/2.0"}, nginxPage("400 Bad Request")},
		{"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400 Bad Request", nil, nginxPage("400 Bad Request")},
		{"long URL", "GET /" + strings.Repeat("a", 17<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 414 Request-URI Too Large", nil, nginxPage("414 Request-URI Too Large")},
		{"long header", "GET / HTTP/1.1\r\nHost: h\r\nX-A: " + strings.Repeat("a", 17<<10) + "\r\n\r\n", "HTTP/1.1 400 Bad Request", nil, nginxPage("400 Bad Request")},
		{"too many addresses", "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: " + strings.Repeat("192.0.2.1, ", 30) + "192.0.2.1\r\n\r\n", "HTTP/1.1 463", nil, nginxPage("463")},
	} {
		t.Run(c.name, func(t *testing.T) {
			head, body, _ := strings.Cut(s.raw(c.request), "\r\n\r\n")
			lines := strings.Split(head, "\r\n")
			if strings.TrimSpace(lines[0]) != c.status {
				t.Errorf("status line %q, want %q", lines[0], c.status)
			}
			for _, h := range c.headers {
				if !strings.Contains(head+"\r\n", "\r\n"+h+"\r\n") {
					t.Errorf("no %q in\n%s", h, head)
				}
			}
			if body != c.body {
				t.Errorf("body %q, want %q", body, c.body)
			}
		})
	}
}

// TestAnswersKeepTheConnection: an answer of the balancer's own is no reason to end it.
func TestAnswersKeepTheConnection(t *testing.T) {
	s := newStand(t)
	s.apply()
	got := s.raw("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if n := strings.Count(got, "HTTP/1.1 503 Service Temporarily Unavailable"); n != 2 {
		t.Errorf("%d answers:\n%s", n, got)
	}
	if !strings.Contains(got, "\r\nConnection: keep-alive\r\n") {
		t.Errorf("no keep-alive in\n%s", got)
	}
}

func TestClassicAnswers(t *testing.T) {
	s := newStand(t)
	s.spec.Kind = Classic
	s.apply()
	got := s.raw("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 503 Service Unavailable: Back-end server is at capacity\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("got %q", got)
	}
	if strings.Contains(got, "awselb") {
		t.Errorf("a classic balancer names itself: %q", got)
	}
	if got := s.raw("NONSENSE\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 BAD_REQUEST\r\n") {
		t.Errorf("got %q", got)
	}
}

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		name     string
		redirect Redirect
		want     string
	}{
		{"to https", Redirect{Protocol: "HTTPS", Host: "#{host}", Port: "443", Path: "/#{path}", Query: "#{query}", Status: 301}, "https://www.example.com:443/a/b%20c?x=y&z"},
		{"elsewhere", Redirect{Protocol: "#{protocol}", Host: "new.#{host}", Port: "#{port}", Path: "/old/#{path}", Query: "from=#{host}", Status: 302},
			"http://new.www.example.com:PORT/old/a/b%20c?from=www.example.com"},
		{"without query", Redirect{Protocol: "HTTP", Host: "h", Port: "80", Path: "/", Status: 302}, "http://h:80/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			s.spec.Listeners[0].Default = []Action{{Redirect: &c.redirect}}
			s.apply()
			answer, body := s.get("/a/b%20c?x=y&z", "Host", "www.example.com")
			want := strings.ReplaceAll(c.want, "PORT", fmt.Sprint(s.spec.Listeners[0].Port))
			if answer.StatusCode != c.redirect.Status || answer.Header.Get("Location") != want || answer.Header.Get("Server") != "awselb/2.0" {
				t.Errorf("%d to %s", answer.StatusCode, answer.Header.Get("Location"))
			}
			if title := map[int]string{301: "301 Moved Permanently", 302: "302 Moved Temporarily"}[c.redirect.Status]; body != nginxPage(title) {
				t.Errorf("body %q", body)
			}
		})
	}
}

// TestTargetsThatFail: what a target does wrong, and the answer for it.
func TestTargetsThatFail(t *testing.T) {
	for _, c := range []struct {
		name   string
		serve  func(net.Conn)
		status int
	}{
		{"closes", func(c net.Conn) {}, 502},
		{"speaks nonsense", func(c net.Conn) { io.WriteString(c, "what?\r\n\r\n") }, 502}, //nolint:errcheck // the client tells
		{"is silent", func(c net.Conn) { io.Copy(io.Discard, c) }, 504},                   //nolint:errcheck // the client tells
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						http.ReadRequest(bufio.NewReader(conn)) //nolint:errcheck // the client tells
						c.serve(conn)
					}()
				}
			}()
			s := newStand(t)
			s.spec.Attributes.IdleTimeout = 200 * time.Millisecond
			s.spec.Groups[0].Check.Disabled = true
			k := s.add("i-bad", &httptest.Server{Listener: l})
			s.apply()
			s.await(k, Healthy)
			if answer, _ := s.get("/"); answer.StatusCode != c.status {
				t.Errorf("status %d, want %d", answer.StatusCode, c.status)
			}
		})
	}
}

// TestClientThatIsSilent: half of a request is answered with 408.
// TestClientThatReadsNothing of its answer is cut off.
func TestClientThatReadsNothing(t *testing.T) {
	s := newStand(t)
	s.spec.Attributes.IdleTimeout = 200 * time.Millisecond
	ended := make(chan struct{})
	k := s.add("i-a", serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		page := make([]byte, 64<<10)
		for {
			if _, err := w.Write(page); err != nil {
				close(ended)
				return
			}
		}
	}))
	s.apply()
	s.await(k, Healthy)
	c, _ := s.dial()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n") //nolint:errcheck // the target tells
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the target still writes")
	}
}

// TestMethods that the balancer answers itself, and one that only servers do.
func TestMethods(t *testing.T) {
	s := newStand(t)
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Host", r.Host) }))
	target.Config.DisableGeneralOptionsHandler = true
	target.Start()
	defer target.Close()
	k := s.add("i-a", target)
	s.apply()
	s.await(k, Healthy)
	ask := func(text, status, host string) {
		t.Helper()
		c, r := s.dial()
		io.WriteString(c, text) //nolint:errcheck // the answer tells
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.Status != status || answer.Header.Get("X-Host") != host {
			t.Errorf("%.20q: %s from %q", text, answer.Status, answer.Header.Get("X-Host"))
		}
	}
	ask("OPTIONS * HTTP/1.1\r\nHost: a:1\r\n\r\n", "200 OK", "a:1")
	ask("GET / HTTP/1.0\r\n\r\n", "200 OK", "127.0.0.1")
	ask("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed", "")
	s.spec.Kind = Classic
	s.apply()
	ask("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "a")
	ask(strings.Repeat("M", 128)+" / HTTP/1.1\r\nHost: a\r\n\r\n", "405 METHOD_NOT_ALLOWED", "")
}

func TestClientThatIsSilent(t *testing.T) {
	s := newStand(t)
	s.spec.Attributes.IdleTimeout = 200 * time.Millisecond
	k := s.add("i-a", serve(s.t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // it is cut off
	}))
	s.apply()
	s.await(k, Healthy)
	if got := s.raw("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf"); !strings.HasPrefix(got, "HTTP/1.1 408 Request Time-out\r\n") {
		t.Errorf("got %q", got)
	}
}
