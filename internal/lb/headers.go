package lb

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"
)

// discard is where net/http's proxies complain; what went wrong is in the answer.
var discard = log.New(io.Discard, "", 0)

func httpDate() string { return time.Now().UTC().Format(http.TimeFormat) }

// rewrite makes the request for the target out of the client's.
func (x *exchange) rewrite(p *httputil.ProxyRequest, t *target, spec TargetGroup) {
	out := p.Out
	out.URL.Scheme = "http"
	if spec.Protocol == HTTPS || spec.Protocol == SSL {
		out.URL.Scheme = "https"
	}
	out.URL.Host = t.addr().String()
	out.URL.RawQuery = p.In.URL.RawQuery // the proxy drops what it cannot parse
	out.Host = x.host()
	if x.upload != nil {
		out.Body = x.upload
	}
	if _, ok := p.In.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // or Go names itself
	}
	if x.cfg.Attributes.DropInvalidHeaders {
		dropInvalid(out.Header)
	}
	x.addForwarded(p)
	x.addTrace(out.Header)
	x.addTLS(out.Header)
}

// host is the Host header for the target. An application balancer on a port of its
// own adds it, unless it is to preserve what came.
func (x *exchange) host() string {
	if x.r.Host == "" { // of HTTP/1.0; it gets the node's address, as on AWS
		return x.front.node.Addr.String()
	}
	if x.cfg.Kind == Classic || x.cfg.Attributes.PreserveHost {
		return x.r.Host
	}
	if x.front.port == 80 || x.front.port == 443 || hostOf(x.r) != x.r.Host {
		return x.r.Host
	}
	return net.JoinHostPort(strings.Trim(x.r.Host, "[]"), strconv.Itoa(int(x.front.port)))
}

// addForwarded says who the client is.
func (x *exchange) addForwarded(p *httputil.ProxyRequest) {
	in, out := p.In.Header, p.Out.Header
	if forwarded, ok := in["Forwarded"]; ok {
		out["Forwarded"] = forwarded // the proxy removes it; AWS's balancers do not
	}
	client := x.client.Addr().String()
	if x.cfg.Attributes.ForwardedClientPort {
		client = x.client.String()
	}
	before := in["X-Forwarded-For"]
	switch x.cfg.Attributes.ForwardedFor {
	case "remove":
		out.Del("X-Forwarded-For")
	case "preserve":
		if before != nil {
			out["X-Forwarded-For"] = before
		}
	default:
		out.Set("X-Forwarded-For", strings.Join(append(append([]string(nil), before...), client), ", "))
	}
	out.Set("X-Forwarded-Proto", x.scheme())
	out.Set("X-Forwarded-Port", strconv.Itoa(int(x.front.port)))
	if hosts, ok := in["X-Forwarded-Host"]; ok {
		out["X-Forwarded-Host"] = hosts
	}
}

// addTrace names the request, as application balancers do: a new root where the
// client gave none, else the balancer's own part before what came.
func (x *exchange) addTrace(h http.Header) {
	if x.cfg.Kind != Application {
		return
	}
	const name = "X-Amzn-Trace-Id"
	part := traceID(x.front.node.balancer.plane.cfg.Clock.Now())
	switch before := h.Get(name); {
	case before == "":
		h.Set(name, "Root="+part)
	case strings.Contains(before, "Root="):
		h.Set(name, "Self="+part+";"+withoutSelf(before))
	default:
		h.Set(name, "Root="+part+";"+before)
	}
}

// withoutSelf leaves out the part of a balancer before this one.
func withoutSelf(trace string) string {
	var kept []string
	for f := range strings.SplitSeq(trace, ";") {
		if !strings.HasPrefix(strings.TrimSpace(f), "Self=") {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, ";")
}

// traceID names a request: the version, the second, and what nobody else has.
func traceID(now time.Time) string {
	var raw [16]byte
	binary.BigEndian.PutUint32(raw[:4], uint32(now.Unix())) //nolint:gosec // until 2106
	rand.Read(raw[4:])                                      //nolint:errcheck // never fails
	text := make([]byte, 0, 35)
	text = hex.AppendEncode(append(text, "1-"...), raw[:4])
	return string(hex.AppendEncode(append(text, '-'), raw[4:]))
}

// addTLS tells the target about the client's session. What the client says of it by
// the same names never reaches a target that relies on the balancer.
func (x *exchange) addTLS(h http.Header) {
	if !x.cfg.Attributes.TLSHeaders {
		return
	}
	const version, cipher = "X-Amzn-Tls-Version", "X-Amzn-Tls-Cipher-Suite"
	for _, name := range []string{version, cipher} {
		h.Del(name)
		h.Del(x.renamed(name))
	}
	if x.front.tls == nil {
		return
	}
	h.Set(x.renamed(version), strings.Replace(tls.VersionName(x.front.tls.Version), "TLS 1", "TLSv1", 1))
	h.Set(x.renamed(cipher), openSSLName(x.front.tls.CipherSuite))
}

// renamed is the name that the listener gives a header.
func (x *exchange) renamed(name string) string {
	if to := x.listener.Headers.Rename[name]; to != "" {
		return to
	}
	return name
}

// dropInvalid removes fields whose names AWS finds invalid.
func dropInvalid(h http.Header) {
	for name := range h {
		for i := range len(name) {
			c := name[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
				delete(h, name)
				break
			}
		}
	}
}

// modify makes the answer for the client out of the target's.
func (x *exchange) modify(answer *http.Response) {
	x.bindAnswer(answer)
	for _, c := range x.cookies {
		answer.Header.Add("Set-Cookie", c)
	}
	for name, value := range x.listener.Headers.Response {
		answer.Header.Set(name, value)
	}
	if x.r.ProtoMajor != 1 && x.old() {
		answer.Header.Set("Connection", "close") // becomes GOAWAY
	}
	if x.r.ProtoMajor == 1 && answer.StatusCode != http.StatusSwitchingProtocols {
		answer.Header.Set("Connection", "keep-alive")
		if x.r.Close || x.old() {
			answer.Header.Set("Connection", "close")
		}
	}
}
