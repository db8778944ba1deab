package lb

import (
	"net/http"
	"time"
)

// patient writes an answer to a client that takes something at least as often as its
// connection may be silent. Others are cut off.
type patient struct {
	http.ResponseWriter
	control  *http.ResponseController
	idle     time.Duration
	extended time.Time
}

// newPatient also gives what the server writes by itself its time, 100 Continue for
// example: the connection has the deadline of the request before.
func newPatient(w http.ResponseWriter, idle time.Duration) *patient {
	p := &patient{ResponseWriter: w, control: http.NewResponseController(w), idle: idle}
	p.extend(time.Now())
	return p
}

func (p *patient) extend(now time.Time) {
	p.extended = now
	p.control.SetWriteDeadline(now.Add(p.idle)) //nolint:errcheck // then without
}

// WriteHeader implements http.ResponseWriter.
func (p *patient) WriteHeader(status int) {
	p.extend(time.Now()) // the target may have taken as long as it may
	p.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter. The deadline moves as that of a backConn does.
func (p *patient) Write(b []byte) (int, error) {
	if now := time.Now(); now.Sub(p.extended) >= p.idle/16 {
		p.extend(now)
	}
	return p.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush and hijack.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }
