package imds

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// The session of IMDSv2. Header names are in canonical form.
const (
	tokenPath   = "/latest/api/token"
	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	maxTTL      = 21600 // seconds
)

// issue answers PUT /latest/api/token.
func (h *Handler) issue(w http.ResponseWriter, r *http.Request, m Metadata) {
	if r.Method != http.MethodPut {
		w.Header().Set("Allow", "OPTIONS, PUT")
		fail(w, http.StatusMethodNotAllowed)
		return
	}
	// A request that a proxy passed on may come from anybody.
	if _, forwarded := r.Header["X-Forwarded-For"]; forwarded {
		fail(w, http.StatusForbidden)
		return
	}
	ttl, err := strconv.Atoi(strings.TrimSpace(r.Header.Get(ttlHeader)))
	if err != nil || ttl < 1 || ttl > maxTTL {
		fail(w, http.StatusBadRequest)
		return
	}
	h.setHops(r, min(max(m.Options.HopLimit, 1), defaultHops))
	w.Header().Set(ttlHeader, strconv.Itoa(ttl))
	writeText(w, h.tokens.issue(m.InstanceID, time.Duration(ttl)*time.Second))
}

// tokens makes and checks session tokens: the time of expiry and a MAC over it
// and the instance, so that none needs to be remembered and none works in
// another instance. They have the length of AWS's.
type tokens struct {
	key   []byte
	clock clock.Clock
}

func (t tokens) issue(instance string, ttl time.Duration) string {
	expiry := binary.BigEndian.AppendUint64(nil, uint64(t.clock.Now().Add(ttl).UnixNano()))
	return base64.URLEncoding.EncodeToString(append(expiry, t.mac(instance, expiry)...))
}

func (t tokens) valid(instance, token string) bool {
	raw, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(raw) != 8+sha256.Size {
		return false
	}
	expiry, sum := raw[:8], raw[8:]
	return hmac.Equal(sum, t.mac(instance, expiry)) &&
		t.clock.Now().UnixNano() < int64(binary.BigEndian.Uint64(expiry))
}

func (t tokens) mac(instance string, expiry []byte) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte("imds token\x00" + instance + "\x00"))
	h.Write(expiry)
	return h.Sum(nil)
}
