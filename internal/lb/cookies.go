package lb

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Names of AWS's cookies. Each of an application balancer comes twice: browsers take
// the second one along in requests from other sites.
const (
	cookieTarget  = "AWSALB"
	cookieGroup   = "AWSALBTG"
	cookieApp     = "AWSALBAPP-0"
	cookieClassic = "AWSELB"
	crossSite     = "CORS"
)

// cookieTable is what cookies are sealed for, as secrets are for a table.
const cookieTable = "lb.cookie"

// cookieLife is how long browsers keep the cookies of application balancers; when
// stickiness ends is inside.
const cookieLife = 7 * 24 * time.Hour

// sealCookie hides value for the purpose, until expires (zero: for ever).
func (p *Plane) sealCookie(purpose, value string, expires time.Time) []byte {
	var until int64
	if !expires.IsZero() {
		until = expires.Unix()
	}
	sealed, err := p.cfg.Sealer.Seal(cookieTable, purpose, []byte(strconv.FormatInt(until, 10)+" "+value))
	if err != nil {
		p.cfg.Log.Error("seal a load balancer's cookie", "error", err)
	}
	return sealed
}

// openCookie returns what sealCookie hid, or "" for anything else and for what has
// expired.
func (p *Plane) openCookie(purpose string, sealed []byte) string {
	plain, err := p.cfg.Sealer.Open(cookieTable, purpose, sealed)
	if err != nil {
		return ""
	}
	until, value, _ := strings.Cut(string(plain), " ")
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || (seconds != 0 && p.cfg.Clock.Now().Unix() >= seconds) {
		return ""
	}
	return value
}

func (k Key) String() string { return strconv.Itoa(int(k.Port)) + " " + k.TargetID }

// readCookie opens the first cookie of one of the names that is ours.
func (x *exchange) readCookie(purpose string, names ...string) string {
	b := x.front.node.balancer
	for _, n := range names {
		for _, c := range x.r.CookiesNamed(n) {
			var sealed []byte
			var err error
			if x.cfg.Kind == Classic {
				sealed, err = hex.DecodeString(c.Value)
			} else {
				sealed, err = base64.StdEncoding.DecodeString(unescaped(c.Value))
			}
			if err != nil {
				continue
			}
			if v := b.plane.openCookie(purpose, sealed); v != "" {
				return v
			}
		}
	}
	return ""
}

// boundGroup is the group that the client's cookie names, if it is one of the
// action's.
func (x *exchange) boundGroup(f *Forward) *group {
	id := x.readCookie(x.purpose(cookieGroup), cookieGroup, cookieGroup+crossSite)
	for _, g := range f.Groups {
		if g.Group == id && g.Weight > 0 {
			return x.cfg.groups[id]
		}
	}
	return nil
}

// purpose keeps cookies of one balancer from being good for another.
func (x *exchange) purpose(cookie string) string { return cookie + " " + x.cfg.ID }

func (x *exchange) bindGroup(g *group, d time.Duration) {
	x.setCookies(cookieGroup, x.sealed(cookieGroup, g.id, d))
}

func (x *exchange) sealed(cookie, value string, d time.Duration) []byte {
	p := x.front.node.balancer.plane
	var expires time.Time
	if d > 0 {
		expires = p.cfg.Clock.Now().Add(d)
	}
	return p.sealCookie(x.purpose(cookie), value, expires)
}

// setCookies adds both forms of an application balancer's cookie.
func (x *exchange) setCookies(name string, sealed []byte) {
	value := cookieEscape.Replace(base64.StdEncoding.EncodeToString(sealed))
	tail := "; Expires=" + x.front.node.balancer.plane.cfg.Clock.Now().Add(cookieLife).UTC().Format(http.TimeFormat) + "; Path=/"
	x.cookies = append(x.cookies, name+"="+value+tail, crossName(name)+"="+value+tail+"; SameSite=None; Secure")
}

// cookieEscape keeps what base64 writes out of the hands of those who parse cookies
// strictly.
var cookieEscape = strings.NewReplacer("=", "%3D")

func crossName(name string) string {
	if base, n, ok := strings.Cut(name, "-"); ok {
		return base + crossSite + "-" + n
	}
	return name + crossSite
}

// bound is the target that the client's cookie names, while that may get requests.
func (x *exchange) bound(g *group, c *candidates) *target {
	var value string
	switch c.spec.Stickiness.Type {
	case "lb_cookie":
		name := x.targetCookie()
		value = x.readCookie(x.purpose(name)+g.id, name, crossName(name))
	case "app_cookie":
		if _, err := x.r.Cookie(c.spec.Stickiness.Cookie); err != nil {
			return nil // the application has ended the session
		}
		name := x.appCookie()
		value = x.readCookie(x.purpose(name)+g.id, name, crossName(name))
	}
	if value == "" {
		return nil
	}
	for k, t := range c.byKey {
		if k.String() == value {
			return t
		}
	}
	return nil
}

func (x *exchange) targetCookie() string {
	if x.cfg.Kind == Classic {
		return cookieClassic
	}
	return cookieTarget
}

func (x *exchange) appCookie() string {
	if x.cfg.Kind == Classic {
		return cookieClassic
	}
	return cookieApp
}

// bind has the answer say which target the client is bound to. A classic balancer
// says it once.
func (x *exchange) bind(t *target, spec TargetGroup) {
	if spec.Stickiness.Type != "lb_cookie" {
		return
	}
	if x.cfg.Kind != Classic {
		p := x.front.node.balancer.plane
		expires := p.cfg.Clock.Now().Add(spec.Stickiness.Duration)
		x.setCookies(cookieTarget, p.sealCookie(x.purpose(cookieTarget)+t.group.id, t.key.String(), expires))
		return
	}
	if x.readCookie(x.purpose(cookieClassic)+t.group.id, cookieClassic) == t.key.String() {
		return
	}
	x.setClassic(t, spec.Stickiness.Duration)
}

// setClassic adds both forms of a classic balancer's cookie.
func (x *exchange) setClassic(t *target, d time.Duration) {
	p := x.front.node.balancer.plane
	var expires time.Time
	tail := ";PATH=/"
	if d > 0 {
		expires = p.cfg.Clock.Now().Add(d)
		tail += ";MAX-AGE=" + strconv.Itoa(int(d/time.Second))
	}
	value := strings.ToUpper(hex.EncodeToString(p.sealCookie(x.purpose(cookieClassic)+t.group.id, t.key.String(), expires)))
	x.cookies = append(x.cookies, cookieClassic+"="+value+tail, cookieClassic+crossSite+"="+value+tail+";SECURE;SAMESITE=None")
}

// bindAnswer binds the client when the application has set its cookie.
func (x *exchange) bindAnswer(answer *http.Response) {
	t, _ := answer.Request.Context().Value(targetKey{}).(*target)
	if t == nil {
		return
	}
	sticky := t.group.chosen.Load().spec.Stickiness
	if sticky.Type != "app_cookie" {
		return
	}
	for _, c := range answer.Cookies() {
		if c.Name != sticky.Cookie {
			continue
		}
		if x.cfg.Kind == Classic {
			x.setClassic(t, time.Duration(c.MaxAge)*time.Second)
			return
		}
		p := x.front.node.balancer.plane
		expires := p.cfg.Clock.Now().Add(sticky.Duration)
		x.setCookies(cookieApp, p.sealCookie(x.purpose(cookieApp)+t.group.id, t.key.String(), expires))
		return
	}
}
