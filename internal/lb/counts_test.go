package lb

import (
	"net/http"
	"testing"
)

func TestCounts(t *testing.T) {
	s := newStand(t)
	a := s.add("i-a", named(t, "a"))
	s.apply()
	s.await(a, Healthy)
	before, _ := s.plane.Counts(s.spec.ID)
	for range 3 {
		if answer, body := s.get("/"); answer.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", answer.StatusCode, body)
		}
	}
	after, ok := s.plane.Counts(s.spec.ID)
	for id, g := range after.Groups {
		was := before.Groups[id]
		if g.Requests-was.Requests != 3 || g.Answers[2]-was.Answers[2] != 3 || g.Time <= was.Time {
			t.Errorf("the group has %+v, had %+v", g, was)
		}
	}
	if !ok || len(after.Groups) != 1 {
		t.Errorf("the counts are %+v, %v", after, ok)
	}
	s.spec.Listeners[0].Default, s.spec.Groups[0].ID = forwardTo("next"), "next"
	s.apply()
	for _, want := range []int{1, 0} {
		if left, ok := s.plane.Counts(s.spec.ID); !ok || len(left.Groups) != want {
			t.Errorf("%d groups are told of after one has left: %+v", len(left.Groups), left)
		}
	}
	if _, ok := s.plane.Counts("nobody"); ok {
		t.Error("a balancer that does not run has counts")
	}
}
