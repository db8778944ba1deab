package lb

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// serverName is what a balancer's own answers call themselves.
const serverName = "awselb/2.0"

// reasons are the phrases in which AWS's balancers differ from net/http.
var reasons = map[int]string{
	http.StatusRequestTimeout:        "Request Time-out",
	http.StatusRequestEntityTooLarge: "Request Entity Too Large",
	http.StatusRequestURITooLong:     "Request-URI Too Large",
	http.StatusServiceUnavailable:    "Service Temporarily Unavailable",
	http.StatusGatewayTimeout:        "Gateway Time-out",
	http.StatusFound:                 "Moved Temporarily",
	463:                              "",
	464:                              "",
}

// classicReasons are those of the classic balancer.
var classicReasons = map[int]string{
	http.StatusBadRequest:         "BAD_REQUEST",
	http.StatusMethodNotAllowed:   "METHOD_NOT_ALLOWED",
	http.StatusRequestTimeout:     "REQUEST_TIMEOUT",
	http.StatusBadGateway:         "BAD_GATEWAY",
	http.StatusServiceUnavailable: "Service Unavailable: Back-end server is at capacity",
	http.StatusGatewayTimeout:     "GATEWAY_TIMEOUT",
}

func reasonOf(k Kind, status int) string {
	if k == Classic {
		if r, ok := classicReasons[status]; ok {
			return r
		}
	}
	if r, ok := reasons[status]; ok {
		return r
	}
	return http.StatusText(status)
}

// page is the body of an answer of the balancer's own; the classic balancer sends
// none.
func page(k Kind, status int) string {
	if k == Classic {
		return ""
	}
	title := strings.TrimSpace(strconv.Itoa(status) + " " + reasonOf(k, status))
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"
}

// rawAnswer is an answer in bytes, for what never reaches a handler.
func rawAnswer(k Kind, status int) []byte {
	body := page(k, status)
	server := "Server: " + serverName + "\r\n"
	if k == Classic {
		server = ""
	}
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\n%sDate: %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		statusLine(k, status), server, httpDate(), len(body), body)
}

func statusLine(k Kind, status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + reasonOf(k, status))
}

// fail answers with an error of the balancer's own.
func (x *exchange) fail(status int) {
	x.status(status)
	h := x.w.Header()
	if x.cfg.Kind != Classic {
		h.Set("Content-Type", "text/html")
	} else {
		h["Content-Type"] = nil
	}
	x.write(status, page(x.cfg.Kind, status))
}

// status has the answer's status line say what AWS's does.
func (x *exchange) status(status int) {
	text := http.StatusText(status) // net/http has a phrase of its own for those without
	if reason := reasonOf(x.cfg.Kind, status); (reason != text || text == "") && x.r.ProtoMajor == 1 {
		line := "HTTP/1.1 " + statusLine(x.cfg.Kind, status)
		x.front.line.Store(&line)
	}
}

func (x *exchange) write(status int, body string) {
	x.counts.own(status)
	h := x.w.Header()
	if x.cfg.Kind != Classic && !x.listener.Headers.HideServer {
		h.Set("Server", serverName)
	}
	for name, value := range x.listener.Headers.Response {
		h.Set(name, value)
	}
	x.keepAlive()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		io.WriteString(x.w, body) //nolint:errcheck // the client has gone
	}
}

// keepAlive says whether the connection lives on, as AWS's balancers do.
func (x *exchange) keepAlive() {
	h := x.w.Header()
	if x.r.ProtoMajor != 1 {
		if x.old() {
			h.Set("Connection", "close") // becomes GOAWAY
		}
		return
	}
	if x.r.Close || h.Get("Connection") == "close" || x.old() {
		h.Set("Connection", "close")
		return
	}
	h.Set("Connection", "keep-alive")
}

// fixed answers as the rule says.
func (x *exchange) fixed(f *FixedResponse) {
	h := x.w.Header()
	h["Content-Type"] = nil
	if f.ContentType != "" {
		h.Set("Content-Type", f.ContentType+"; charset=utf-8")
	}
	x.status(f.Status)
	x.write(f.Status, f.Body)
}

// redirect sends the client elsewhere. Query and path are as the client wrote them.
func (x *exchange) redirect(d *Redirect) {
	protocol := strings.ToLower(x.scheme())
	fill := strings.NewReplacer(
		"#{protocol}", protocol, "#{host}", hostOf(x.r), "#{port}", strconv.Itoa(int(x.front.port)),
		"#{path}", strings.TrimPrefix(x.r.URL.EscapedPath(), "/"), "#{query}", x.r.URL.RawQuery,
	).Replace
	to := url.URL{Scheme: strings.ToLower(fill(d.Protocol)), Host: fill(d.Host)}
	if port := fill(d.Port); port != "" {
		to.Host += ":" + port
	}
	location := to.Scheme + "://" + to.Host + fill(d.Path)
	if q := fill(d.Query); q != "" {
		location += "?" + q
	}
	h := x.w.Header()
	h.Set("Content-Type", "text/html")
	h.Set("Location", location)
	x.status(d.Status)
	x.write(d.Status, page(Application, d.Status))
}
