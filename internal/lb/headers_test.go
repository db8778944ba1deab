package lb

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// echo is a target that answers with the request as it came.
func echo(t testing.TB) *httptest.Server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From", "target")
		json.NewEncoder(w).Encode(map[string]any{"host": r.Host, "uri": r.RequestURI, "header": r.Header}) //nolint:errcheck // the client tells
	})
}

type seen struct {
	Host, URI string
	Header    http.Header
}

func (s *stand) seen(path string, headers ...string) seen {
	s.t.Helper()
	_, body := s.get(path, headers...)
	var out seen
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		s.t.Fatalf("%v: %s", err, body)
	}
	return out
}

func TestForwardedHeaders(t *testing.T) {
	for _, c := range []struct {
		name       string
		attributes Attributes
		send       []string
		want       map[string]string
	}{
		{"new", Attributes{}, nil, map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "PORT"}},
		{"appended", Attributes{ForwardedFor: "append"}, []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-For", "192.0.2.2", "X-Forwarded-Proto", "https"},
			map[string]string{"X-Forwarded-For": "192.0.2.1, 192.0.2.2, 127.0.0.1", "X-Forwarded-Proto": "http"}},
		{"preserved", Attributes{ForwardedFor: "preserve"}, []string{"X-Forwarded-For", "192.0.2.1"}, map[string]string{"X-Forwarded-For": "192.0.2.1"}},
		{"nothing to preserve", Attributes{ForwardedFor: "preserve"}, nil, map[string]string{"X-Forwarded-For": ""}},
		{"removed", Attributes{ForwardedFor: "remove"}, []string{"X-Forwarded-For", "192.0.2.1"}, map[string]string{"X-Forwarded-For": ""}},
		{"host kept", Attributes{}, []string{"X-Forwarded-Host", "a", "Forwarded", "for=b"}, map[string]string{"X-Forwarded-Host": "a", "Forwarded": "for=b"}},
		{"invalid kept", Attributes{}, []string{"X_y", "1"}, map[string]string{"X_y": "1"}},
		{"invalid dropped", Attributes{DropInvalidHeaders: true}, []string{"X_y", "1", "X-Y", "2"}, map[string]string{"X_y": "", "X-Y": "2"}},
		{"no agent of ours", Attributes{}, []string{"User-Agent", ""}, map[string]string{"User-Agent": ""}},
		{"hop by hop", Attributes{}, []string{"Connection", "x-secret", "X-Secret", "1"}, map[string]string{"X-Secret": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			s.spec.Attributes = c.attributes
			k := s.add("i-a", echo(t))
			s.apply()
			s.await(k, Healthy)
			got := s.seen("/a%2Fb;c?x=%zz&y;z", c.send...)
			if got.URI != "/a%2Fb;c?x=%zz&y;z" {
				t.Errorf("the target saw %s", got.URI)
			}
			for name, want := range c.want {
				want = strings.ReplaceAll(want, "PORT", fmt.Sprint(s.spec.Listeners[0].Port))
				if have := strings.Join(got.Header[name], "|"); have != want {
					t.Errorf("%s is %q, want %q", name, have, want)
				}
			}
		})
	}
}

// TestTLSHeadersAreTheBalancers: where it adds them, clients cannot.
func TestTLSHeadersAreTheBalancers(t *testing.T) {
	for _, c := range []struct {
		name   string
		adds   bool
		rename map[string]string
		want   string
	}{
		{"not added", false, nil, "TLSv1.3"},
		{"added", true, nil, ""},
		{"renamed", true, map[string]string{"X-Amzn-Tls-Version": "X-Version"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			s.spec.Attributes.TLSHeaders, s.spec.Listeners[0].Headers.Rename = c.adds, c.rename
			k := s.add("i-a", echo(t))
			s.apply()
			s.await(k, Healthy)
			sent := []string{"X-Amzn-Tls-Version", "X-Amzn-Tls-Cipher-Suite"}
			for _, name := range c.rename {
				sent = append(sent, name)
			}
			var headers []string
			for _, name := range sent {
				headers = append(headers, name, "TLSv1.3")
			}
			got := s.seen("/", headers...)
			for _, name := range sent {
				if got.Header.Get(name) != c.want {
					t.Errorf("%s is %q, want %q", name, got.Header.Get(name), c.want)
				}
			}
		})
	}
}

func TestForwardedClientPort(t *testing.T) {
	s := newStand(t)
	s.spec.Attributes.ForwardedClientPort = true
	k := s.add("i-a", echo(t))
	s.apply()
	s.await(k, Healthy)
	if got := s.seen("/").Header.Get("X-Forwarded-For"); !regexp.MustCompile(`^127\.0\.0\.1:\d+$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func TestHostHeader(t *testing.T) {
	s := newStand(t)
	k := s.add("i-a", echo(t))
	s.apply()
	s.await(k, Healthy)
	port := fmt.Sprint(s.spec.Listeners[0].Port)
	if got := s.seen("/", "Host", "www.example.com").Host; got != "www.example.com:"+port {
		t.Errorf("host without port became %s", got)
	}
	if got := s.seen("/", "Host", "www.example.com:99").Host; got != "www.example.com:99" {
		t.Errorf("host with port became %s", got)
	}
	s.spec.Attributes.PreserveHost = true
	s.apply()
	if got := s.seen("/", "Host", "www.example.com").Host; got != "www.example.com" {
		t.Errorf("preserved host became %s", got)
	}
}

func TestTraceHeader(t *testing.T) {
	const id = `1-[0-9a-f]{8}-[0-9a-f]{24}`
	for _, c := range []struct {
		name string
		kind Kind
		send string
		want string
	}{
		{"new", Application, "", "^Root=" + id + "$"},
		{"root of the client", Application, "Root=1-67891234-abc;Custom=x", "^Self=" + id + ";Root=1-67891234-abc;Custom=x$"},
		{"self of another balancer", Application, "Self=1-1-1;Root=1-2-2", "^Self=" + id + ";Root=1-2-2$"},
		{"without root", Application, "Custom=x", "^Root=" + id + ";Custom=x$"},
		{"classic", Classic, "", "^$"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			s.spec.Kind = c.kind
			k := s.add("i-a", echo(t))
			s.apply()
			s.await(k, Healthy)
			var send []string
			if c.send != "" {
				send = []string{"X-Amzn-Trace-Id", c.send}
			}
			if got := s.seen("/", send...).Header.Get("X-Amzn-Trace-Id"); !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("got %q, want %s", got, c.want)
			}
		})
	}
}

func TestHeadersOfAnswers(t *testing.T) {
	s := newStand(t)
	s.spec.Listeners[0].Headers = HeaderChanges{Response: map[string]string{"Strict-Transport-Security": "max-age=1", "X-From": "balancer"}, HideServer: true}
	k := s.add("i-a", echo(t))
	s.apply()
	s.await(k, Healthy)
	answer, _ := s.get("/")
	if answer.Header.Get("X-From") != "balancer" || answer.Header.Get("Strict-Transport-Security") != "max-age=1" {
		t.Errorf("headers %v", answer.Header)
	}
	if _, ok := answer.Header["Content-Type"]; !ok {
		t.Log("the target's encoder sets no type; none was made up")
	}
	s.spec.Groups[0].Targets = nil
	s.apply()
	answer, _ = s.get("/")
	if answer.StatusCode != 503 || answer.Header["Server"] != nil || answer.Header.Get("X-From") != "balancer" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
}

func TestTransforms(t *testing.T) {
	s := newStand(t)
	s.spec.Attributes.PreserveHost = true
	k := s.add("i-a", echo(t))
	s.spec.Listeners[0].Rules = []Rule{{
		Conditions: []Condition{{Field: "path-pattern", Values: []string{"/old/*"}}}, Actions: forwardTo("group"),
		Transforms: []Transform{{Type: "url-rewrite", Regex: `^/old/(.*)$`, Replace: "/new/$1"}, {Type: "host-header-rewrite", Regex: `^www\.`, Replace: "app."}},
	}}
	s.apply()
	s.await(k, Healthy)
	if got := s.seen("/old/a%20b?x=1", "Host", "www.example.com"); got.URI != "/new/a%20b?x=1" || got.Host != "app.example.com" {
		t.Errorf("the target saw %s %s", got.Host, got.URI)
	}
}
