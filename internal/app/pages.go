package app

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/hardstand/hardstand/internal/network"
)

const (
	healthPath = "/_hardstand/health"
	resetPath  = "/_hardstand/reset"
	clockPath  = "/_hardstand/clock"
)

// own returns the handler of a path that is hardstand's own, or nil. What is not
// switched on is not there.
func (s *System) own(r *http.Request) http.HandlerFunc {
	switch r.URL.Path {
	case healthPath:
		return s.health
	case adminPath:
		return outsideOnly(s.admin)
	case resetPath:
		if s.cfg.AllowReset {
			return outsideOnly(s.serveReset)
		}
	case clockPath:
		if s.cfg.AllowReset {
			return outsideOnly(s.moveClock)
		}
	}
	return nil
}

// outsideOnly keeps instances and web pages away from what changes the server.
func outsideOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, inside := network.InstanceFrom(r.Context())
		if inside || r.Header.Get("Origin") != "" {
			http.Error(w, "not from here", http.StatusForbidden)
			return
		}
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "use POST", http.StatusMethodNotAllowed)
			return
		}
		h(w, r)
	}
}

// health answers 200 as soon as the server does.
func (s *System) health(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"status": "ok", "instances": s.cfg.Instances, "region": s.cfg.Region, "account": s.cfg.AccountID})
}

// maxAdvance keeps the clock where years have four digits and times fit an int64 of
// nanoseconds, however often it is moved within a test.
const maxAdvance = 10 * 365 * 24 * time.Hour

// moveClock moves the server's clock forward: {"advance": "90m"}.
func (s *System) moveClock(w http.ResponseWriter, r *http.Request) {
	mover, ok := s.cfg.Clock.(interface{ Advance(time.Duration) })
	if !ok {
		http.Error(w, "this server's clock cannot be moved", http.StatusConflict)
		return
	}
	var in struct{ Advance string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&in)
	d, derr := time.ParseDuration(in.Advance)
	if err != nil || derr != nil || d < 0 || d > maxAdvance {
		http.Error(w, `the body must be {"advance": "90m"}, with a duration of at most 87600h`, http.StatusBadRequest)
		return
	}
	mover.Advance(d)
	reply(w, map[string]any{"now": s.cfg.Clock.Now().UTC()})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone; nobody is left to tell then.
	_ = json.NewEncoder(w).Encode(v)
}

const landingPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>hardstand</title></head>
<body><h1>hardstand</h1>
<p>This is the endpoint of a small AWS on your own machine: CloudFormation, EC2, CodeDeploy, S3, IAM and STS.
It is meant for the aws CLI, the SDKs and Terraform.</p>
<pre>eval "$(sudo hardstand env)"
aws sts get-caller-identity</pre>
</body></html>
`

// landing tells a browser what it has found.
func landing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	_, _ = w.Write([]byte(landingPage))
}
