package lb

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		fold, want    bool
	}{
		{"*.example.com", "a.example.com", true, true},
		{"*.example.com", "A.EXAMPLE.com", true, true},
		{"*.example.com", "example.com", true, false},
		{"/img/*", "/img/a/b.png", false, true},
		{"/img/*", "/IMG/a", false, false},
		{"/img/*", "/img", false, false},
		{"/a?c", "/abc", false, true},
		{"/a?c", "/ac", false, false},
		{"*a*b*", "xxaxxbxx", false, true},
		{"*a*b", "aXbXb", false, true},
		{"*a*b", "aXbX", false, false},
		{"", "", false, true},
		{"*", "", false, true},
		{"", "a", false, false},
		{`\*`, "*", false, true},
		{`\*`, "a", false, false},
		{`\?x`, "?x", false, true},
		{`a\b`, `a\b`, false, true},
	} {
		if got := wildcard(c.pattern, c.text, c.fold); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.text, got)
		}
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("*a*b?", "xaxbx")
	f.Add(`\*?**`, "***")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		got := wildcard(pattern, text, false)
		if !strings.ContainsAny(pattern, `*?\`) && got != (pattern == text) {
			t.Errorf("%q and %q", pattern, text)
		}
		if !wildcard("*"+strings.ReplaceAll(text, `\`, `\\`)+"*", text, false) && !strings.ContainsAny(text, `*?`) {
			t.Errorf("*%q* does not match itself", text)
		}
	})
}

func TestConditions(t *testing.T) {
	request := func(method, url string, headers ...string) *http.Request {
		r, err := http.NewRequest(method, "http://"+url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		return r
	}
	for _, c := range []struct {
		name      string
		condition Condition
		request   *http.Request
		want      bool
	}{
		{"host without port", Condition{Field: "host-header", Values: []string{"www.example.com"}}, request("GET", "WWW.example.com:8080/"), true},
		{"other host", Condition{Field: "host-header", Values: []string{"www.example.com", "b.*"}}, request("GET", "example.com/"), false},
		{"second host", Condition{Field: "host-header", Values: []string{"www.example.com", "b.*"}}, request("GET", "b.example/"), true},
		{"host by regex", Condition{Field: "host-header", Regex: []string{`^(.+)\.example\.com$`}}, request("GET", "x.example.com/"), true},
		{"path", Condition{Field: "path-pattern", Values: []string{"/a/*"}}, request("GET", "h/a/b?q=/c"), true},
		{"path without query", Condition{Field: "path-pattern", Values: []string{"/a"}}, request("GET", "h/a?x"), true},
		{"path's case counts", Condition{Field: "path-pattern", Values: []string{"/A"}}, request("GET", "h/a"), false},
		{"header", Condition{Field: "http-header", Header: "x-kind", Values: []string{"Ma*"}}, request("GET", "h/", "X-Kind", "mango"), true},
		{"one of several headers", Condition{Field: "http-header", Header: "x-kind", Values: []string{"b"}}, request("GET", "h/", "X-Kind", "a", "X-Kind", "b"), true},
		{"no header", Condition{Field: "http-header", Header: "x-kind", Values: []string{"*"}}, request("GET", "h/"), false},
		{"host as header", Condition{Field: "http-header", Header: "Host", Values: []string{"h"}}, request("GET", "h/"), true},
		{"method", Condition{Field: "http-request-method", Values: []string{"POST"}}, request("POST", "h/"), true},
		{"method's case counts", Condition{Field: "http-request-method", Values: []string{"post"}}, request("POST", "h/"), false},
		{"query pair", Condition{Field: "query-string", Query: []KeyValue{{"version", "v*"}}}, request("GET", "h/?a=b&Version=V1"), true},
		{"query value of any key", Condition{Field: "query-string", Query: []KeyValue{{"", "b"}}}, request("GET", "h/?a=b"), true},
		{"query escaped", Condition{Field: "query-string", Query: []KeyValue{{"a b", "c&d"}}}, request("GET", "h/?a+b=c%26d"), true},
		{"no query", Condition{Field: "query-string", Query: []KeyValue{{"a", "b"}}}, request("GET", "h/?a=c"), false},
		{"source", Condition{Field: "source-ip", Values: []string{"10.0.0.0/8"}}, request("GET", "h/"), true},
		{"other source", Condition{Field: "source-ip", Values: []string{"192.0.2.0/24"}}, request("GET", "h/"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ready, err := compileCondition(c.condition)
			if err != nil {
				t.Fatal(err)
			}
			if got := ready(c.request, netip.MustParseAddr("10.1.2.3")); got != c.want {
				t.Errorf("met: %v", got)
			}
		})
	}
	for _, bad := range []Condition{{Field: "weather"}, {Field: "source-ip", Values: []string{"x"}}, {Field: "host-header", Regex: []string{"("}}} {
		if _, err := compileCondition(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestSpecsThatContradictThemselves(t *testing.T) {
	listener := func(change func(*Listener)) Spec {
		l := Listener{Protocol: HTTP, Port: 80, Default: []Action{{Fixed: &FixedResponse{Status: 200}}}}
		change(&l)
		return Spec{Listeners: []Listener{l}}
	}
	for _, c := range []struct {
		name string
		spec Spec
		want string
	}{
		{"two groups", Spec{Groups: []TargetGroup{{ID: "g"}, {ID: "g"}}}, "target group g is there twice"},
		{"no action", listener(func(l *Listener) { l.Default = nil }), "listener on port 80: 0 actions where one decides"},
		{"unknown group", listener(func(l *Listener) { l.Default = forwardTo("g") }), `a forward to "g", which is none of the groups`},
		{"no group", listener(func(l *Listener) { l.Default = []Action{{Forward: &Forward{}}} }), "a forward to no group"},
		{"protocol", listener(func(l *Listener) { l.Protocol = "SCTP" }), `unknown protocol "SCTP"`},
		{"certificate", listener(func(l *Listener) { l.Protocol = HTTPS }), "no certificate"},
		{"rule", listener(func(l *Listener) { l.Rules = []Rule{{ID: "r", Conditions: []Condition{{Field: "x"}}}} }), `rule r: unknown condition "x"`},
		{"transform", listener(func(l *Listener) { l.Rules = []Rule{{ID: "r", Transforms: []Transform{{Regex: "("}}}} }), "rule r: error parsing regexp"},
		{"port twice", Spec{Listeners: []Listener{
			{Protocol: TCP, Port: 1, Default: []Action{{}}}, {Protocol: TCPUDP, Port: 1, Default: []Action{{}}},
		}}, "listener on port 1: the port has two listeners"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := New(Config{}).Apply(t.Context(), c.spec)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
