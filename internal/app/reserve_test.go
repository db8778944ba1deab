package app

import (
	"net/http"
	"slices"
	"testing"
)

func TestReserve(t *testing.T) {
	var set []int
	freed := make(chan struct{}, 9)
	r := &reserve{set: func(percent int) { set = append(set, percent) }, free: func() { freed <- struct{}{} }}
	change := func(n int, state http.ConnState) {
		for range n {
			r.note(nil, state)
		}
	}
	change(manyConnections-1, http.StateNew)
	change(9, http.StateActive)
	if len(set) != 0 {
		t.Errorf("set %v below the limit", set)
	}
	change(100, http.StateNew)
	<-freed
	change(200, http.StateClosed) // below the upper limit, above the lower one
	if want := []int{smallReserve}; !slices.Equal(set, want) {
		t.Errorf("set %v, want %v", set, want)
	}
	// Held calls count on when the server has given up their connections.
	c := newCalls(r)
	var left []func()
	for range manyConnections {
		change(1, http.StateHijacked)
		_, leave := c.keep()
		left = append(left, leave)
	}
	if want := []int{smallReserve}; !slices.Equal(set, want) {
		t.Errorf("set %v with held calls, want %v", set, want)
	}
	for _, leave := range left {
		leave()
	}
	if want := []int{smallReserve, usualReserve}; !slices.Equal(set, want) {
		t.Errorf("set %v, want %v", set, want)
	}
}
