// Package imds is the instance metadata service: what answers inside an
// instance on http://169.254.169.254.
//
// It owns the paths, the session tokens and the formats. Who asks follows from
// the connection (network.InstanceFrom); what there is to say comes from a
// Source, which app makes of service/ec2 and service/iam. Nothing is kept but
// the credentials that were handed out, until it is time for new ones.
//
//	ServeHTTP -> who asks -> PUT /latest/api/token  -> tokens
//	                      -> token and options      -> 401, 403
//	                      -> tree of the instance   -> listing, value or 404
//
// It imports network for the identity of connections, and clock.
package imds

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/network"
)

// Config is what New needs.
type Config struct {
	Source Source
	Clock  clock.Clock
	// TokenKey signs session tokens. With the same key they stay valid over a
	// restart; one is made up when it is empty.
	TokenKey []byte
	// Signer signs identity documents with an RSA key; it is called when the
	// first signature is asked for. Without it there are no signatures.
	Signer func() (*x509.Certificate, crypto.Signer, error)
	// Log may be nil.
	Log *slog.Logger
}

// Handler is the metadata service of all instances.
type Handler struct {
	source Source
	clock  clock.Clock
	tokens tokens
	roles  *sessions
	signer func() (*x509.Certificate, crypto.Signer, error)
	log    *slog.Logger
}

// New makes the service.
func New(cfg Config) *Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if len(cfg.TokenKey) == 0 {
		cfg.TokenKey = []byte(rand.Text())
	}
	return &Handler{
		source: cfg.Source,
		clock:  cfg.Clock,
		tokens: tokens{key: cfg.TokenKey, clock: cfg.Clock},
		roles:  newSessions(cfg.Source, cfg.Clock),
		signer: cfg.Signer,
		log:    cfg.Log,
	}
}

// Hops that answers without a token may make: the usual number.
const defaultHops = 64

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "EC2ws")
	id, ok := network.InstanceFrom(r.Context())
	if !ok {
		fail(w, http.StatusForbidden)
		return
	}
	m, err := h.source.Metadata(r.Context(), id)
	switch {
	case errors.Is(err, ErrNoInstance):
		fail(w, http.StatusNotFound)
	case err != nil:
		h.log.Error("metadata of an instance", "instance", id, "error", err)
		fail(w, http.StatusInternalServerError)
	case m.Options.Endpoint == "disabled":
		fail(w, http.StatusForbidden)
	case strings.TrimRight(r.URL.Path, "/") == tokenPath:
		h.issue(w, r, m)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		fail(w, http.StatusMethodNotAllowed)
	case !h.admitted(r, m):
		fail(w, http.StatusUnauthorized)
	default:
		h.setHops(r, defaultHops)
		h.answer(w, r, m)
	}
}

// admitted says whether the request carries a valid token, or needs none.
func (h *Handler) admitted(r *http.Request, m Metadata) bool {
	if values, present := r.Header[tokenHeader]; present {
		return len(values) == 1 && h.tokens.valid(m.InstanceID, values[0])
	}
	return m.Options.Tokens != "required"
}

// setHops limits how far the answer may travel. It is set for every answer, as
// a connection carries many.
func (h *Handler) setHops(r *http.Request, hops int) {
	if err := network.ConnFrom(r.Context()).SetHopLimit(hops); err != nil {
		h.log.Debug("metadata connection", "error", err)
	}
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, m Metadata) {
	n := h.root(m).find(r.URL.Path)
	if n == nil {
		fail(w, http.StatusNotFound)
		return
	}
	if n.value == nil {
		writeText(w, n.listing())
		return
	}
	body, err := n.value(r.Context())
	if err != nil {
		h.log.Error("metadata value", "instance", m.InstanceID, "path", r.URL.Path, "error", err)
		fail(w, http.StatusInternalServerError)
		return
	}
	if n.name == "user-data" {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	writeText(w, body)
}

func writeText(w http.ResponseWriter, body string) {
	header := w.Header()
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "text/plain")
	}
	header.Set("Content-Length", fmt.Sprint(len(body)))
	// The instance has gone away when this fails.
	_, _ = io.WriteString(w, body)
}

// fail answers with the page that AWS's service sends.
func fail(w http.ResponseWriter, status int) {
	title := fmt.Sprintf("%d - %s", status, statusTitle(status))
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Length", fmt.Sprint(len(fmt.Sprintf(failPage, title))))
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, failPage, title)
}

func statusTitle(status int) string {
	if status == http.StatusMethodNotAllowed {
		return "Not Allowed"
	}
	return http.StatusText(status)
}

const failPage = `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>%[1]s</title>
 </head>
 <body>
  <h1>%[1]s</h1>
 </body>
</html>
`
