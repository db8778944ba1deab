package lb

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// two stands with two healthy targets, a and b.
func (s *stand) two() (a, b Key) {
	s.t.Helper()
	a, b = s.add("i-a", named(s.t, "a")), s.add("i-b", named(s.t, "b"))
	s.apply()
	s.await(a, Healthy)
	s.await(b, Healthy)
	return a, b
}

// cookiesOf are those that an answer sets, as a client sends them back.
func cookiesOf(answer *http.Response, only string) string {
	var out []string
	for _, c := range answer.Cookies() {
		if only == "" || c.Name == only {
			out = append(out, c.Name+"="+c.Value)
		}
	}
	return strings.Join(out, "; ")
}

func TestStickyByDuration(t *testing.T) {
	s := newStand(t)
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s.plane.cfg.Clock = now
	s.spec.Groups[0].Check.Disabled = true
	s.spec.Groups[0].Stickiness = Stickiness{Type: "lb_cookie", Duration: time.Minute}
	s.two()
	answer, first := s.get("/")
	set := answer.Header["Set-Cookie"]
	want := regexp.MustCompile(`^AWSALB=[A-Za-z0-9+/%]+; Expires=Fri, 09 Jan 2026 03:04:05 GMT; Path=/$`)
	cross := regexp.MustCompile(`^AWSALBCORS=[A-Za-z0-9+/%]+; Expires=Fri, 09 Jan 2026 03:04:05 GMT; Path=/; SameSite=None; Secure$`)
	if len(set) != 2 || !want.MatchString(set[0]) || !cross.MatchString(set[1]) {
		t.Fatalf("cookies %q", set)
	}
	for _, name := range []string{"AWSALB", "AWSALBCORS"} {
		for range 4 {
			if _, body := s.get("/", "Cookie", cookiesOf(answer, name)); body != first {
				t.Errorf("bound to %s by %s, answered by %s", first, name, body)
			}
		}
	}
	others := map[string]bool{}
	for range 4 {
		_, body := s.get("/", "Cookie", "AWSALB=forged")
		others[body] = true
	}
	now.Advance(time.Minute)
	for range 4 {
		_, body := s.get("/", "Cookie", cookiesOf(answer, ""))
		others[body+" later"] = true
	}
	if len(others) != 4 {
		t.Errorf("a forged cookie or an expired one binds: %v", others)
	}
}

// TestStickyTargetLeaves: a client whose target drains or fails is bound to another.
func TestStickyTargetLeaves(t *testing.T) {
	s := newStand(t)
	s.spec.Groups[0].Stickiness = Stickiness{Type: "lb_cookie", Duration: time.Hour}
	s.two()
	answer, first := s.get("/")
	cookie := cookiesOf(answer, "")
	for i := range s.spec.Groups[0].Targets {
		s.spec.Groups[0].Targets[i].Draining = s.spec.Groups[0].Targets[i].TargetID == "i-"+first
	}
	s.apply()
	answer, second := s.get("/", "Cookie", cookie)
	if second == first || len(answer.Cookies()) != 2 {
		t.Errorf("answered by %s with %v", second, answer.Cookies())
	}
}

func TestStickyByApplication(t *testing.T) {
	s := newStand(t)
	for _, name := range []string{"a", "b"} {
		s.add("i-"+name, serve(s.t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/login" {
				http.SetCookie(w, &http.Cookie{Name: "session", Value: "x"})
			}
			io.WriteString(w, name) //nolint:errcheck // the client tells
		}))
	}
	s.spec.Groups[0].Check.Disabled = true
	s.spec.Groups[0].Stickiness = Stickiness{Type: "app_cookie", Cookie: "session", Duration: time.Hour}
	s.apply()
	for _, target := range s.spec.Groups[0].Targets {
		s.await(target.Key(), Healthy)
	}
	if answer, _ := s.get("/"); len(answer.Cookies()) != 0 {
		t.Errorf("bound without the application's cookie: %v", answer.Cookies())
	}
	answer, first := s.get("/login")
	cookie := cookiesOf(answer, "")
	if !strings.Contains(cookie, "AWSALBAPP-0=") || !strings.Contains(cookie, "AWSALBAPPCORS-0=") {
		t.Fatalf("cookies %s", cookie)
	}
	for range 4 {
		if _, body := s.get("/", "Cookie", cookie); body != first {
			t.Errorf("bound to %s, answered by %s", first, body)
		}
	}
	answers := map[string]bool{}
	for range 4 {
		_, body := s.get("/", "Cookie", cookiesOf(answer, "AWSALBAPP-0"))
		answers[body] = true
	}
	if len(answers) != 2 {
		t.Error("bound after the application's cookie is gone")
	}
}

func TestWeightsAndStickyGroups(t *testing.T) {
	s := newStand(t)
	a := s.add("i-a", named(t, "a"))
	s.spec.Groups = append(s.spec.Groups, s.spec.Groups[0])
	s.spec.Groups[1].ID, s.spec.Groups[1].Targets = "other", nil
	at := addrPort(named(t, "b").Listener.Addr())
	s.spec.Groups[1].Targets = []Target{{TargetID: "i-b", Port: at.Port(), Addr: at.Addr(), Known: Healthy}}
	s.spec.Listeners[0].Default = []Action{{Forward: &Forward{Groups: []WeightedGroup{{"group", 1}, {"other", 3}}}}}
	s.apply()
	s.await(a, Healthy)
	counts := map[string]int{}
	for range 200 {
		_, body := s.get("/")
		counts[body]++
	}
	if counts["a"] < 20 || counts["a"] > 90 {
		t.Errorf("weights 1 to 3 give %v", counts)
	}
	s.spec.Listeners[0].Default[0].Forward.Sticky = time.Hour
	s.apply()
	answer, first := s.get("/")
	cookie := cookiesOf(answer, "AWSALBTG")
	for range 10 {
		if _, body := s.get("/", "Cookie", cookie); body != first {
			t.Errorf("bound to the group of %s, answered by %s", first, body)
		}
	}
	s.spec.Listeners[0].Default[0].Forward.Groups = []WeightedGroup{{"group", 0}, {"other", 0}}
	s.apply()
	if answer, _ := s.get("/"); answer.StatusCode != 503 {
		t.Errorf("groups without weight answer %d", answer.StatusCode)
	}
}

func TestClassicCookies(t *testing.T) {
	s := newStand(t)
	s.spec.Kind = Classic
	s.spec.Groups[0].Stickiness = Stickiness{Type: "lb_cookie"}
	s.two()
	answer, first := s.get("/")
	set := answer.Header["Set-Cookie"]
	if len(set) != 2 || !regexp.MustCompile(`^AWSELB=[0-9A-F]+;PATH=/$`).MatchString(set[0]) || !regexp.MustCompile(`^AWSELBCORS=[0-9A-F]+;PATH=/;SECURE;SAMESITE=None$`).MatchString(set[1]) {
		t.Fatalf("cookies %q", set)
	}
	for range 4 {
		answer, body := s.get("/", "Cookie", cookiesOf(answer, "AWSELB"))
		if body != first || len(answer.Cookies()) != 0 {
			t.Errorf("bound to %s, answered by %s with %v", first, body, answer.Cookies())
		}
	}
	s.spec.Groups[0].Stickiness.Duration = time.Minute
	s.apply()
	if answer, _ := s.get("/"); !strings.Contains(answer.Header.Get("Set-Cookie"), ";PATH=/;MAX-AGE=60") {
		t.Errorf("cookies %q", answer.Header["Set-Cookie"])
	}
}
