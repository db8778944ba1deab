package lb

import (
	"net/http"
	"testing"
)

func TestForwardTakesTurns(t *testing.T) {
	s := newStand(t)
	a, b := s.add("i-a", named(t, "a")), s.add("i-b", named(t, "b"))
	s.apply()
	s.await(a, Healthy)
	s.await(b, Healthy)
	seen := map[string]int{}
	for range 10 {
		answer, body := s.get("/")
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", answer.StatusCode, body)
		}
		seen[body]++
	}
	if seen["a"] != 5 || seen["b"] != 5 {
		t.Fatalf("requests went to %v", seen)
	}
}
