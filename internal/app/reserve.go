package app

import (
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
)

// Go's collector lets memory grow to twice of what is in use, stacks included, which
// is cheap while that is little. Thousands of connections that wait, as agents'
// polls do, are in use for long and cause no garbage: from many of them on the
// collector keeps a small reserve only, until they are few again.
const (
	manyConnections = 4096
	fewConnections  = 2048
	usualReserve    = 100 // per cent of what is in use
	smallReserve    = 10
)

// reserve counts the connections of a server, held ones among them, and sets the collector's reserve. Whoever
// starts the server with GOGC has chosen for himself.
type reserve struct {
	mu    sync.Mutex
	open  int
	small bool
	most  int // connections when memory was given back last
	set   func(percent int)
	free  func()
}

func newReserve() *reserve {
	if os.Getenv("GOGC") != "" {
		return &reserve{set: func(int) {}, free: func() {}}
	}
	return &reserve{set: func(percent int) { debug.SetGCPercent(percent) }, free: debug.FreeOSMemory}
}

// note is the server's ConnState.
func (r *reserve) note(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		r.add(1)
	case http.StateClosed, http.StateHijacked:
		r.add(-1)
	}
}

// add counts connections, those that calls hold without the server too.
func (r *reserve) add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open += n
	switch {
	case !r.small && r.open >= manyConnections:
		r.small = true
		r.set(smallReserve)
	case r.small && r.open <= fewConnections:
		r.small, r.most = false, 0
		r.set(usualReserve)
	}
	// What connecting took more than waiting takes (stacks that have shrunk since) goes
	// back to the machine, each time that there are so many more.
	if r.open >= r.most+manyConnections {
		r.most = r.open
		go r.free()
	}
}
