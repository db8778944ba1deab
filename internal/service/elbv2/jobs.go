package elbv2

import (
	"context"
	"sync"

	"github.com/hardstand/hardstand/internal/store"
)

// jobs are the balancers that are to be brought up to date: each once at a time, and
// again when something happened meanwhile.
type jobs struct {
	mu      sync.Mutex
	waiting []store.Key
	queued  map[store.Key]bool
	running map[store.Key]bool
	again   map[store.Key]bool
	resting map[store.Key]bool // failed, and to be tried again after a pause
	bell    chan struct{}
}

func newJobs() *jobs {
	return &jobs{queued: map[store.Key]bool{}, running: map[store.Key]bool{}, again: map[store.Key]bool{},
		resting: map[store.Key]bool{}, bell: make(chan struct{}, 1)}
}

func (j *jobs) ring() {
	select {
	case j.bell <- struct{}{}:
	default:
	}
}

// add wants a balancer done.
func (j *jobs) add(k store.Key) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.running[k]:
		j.again[k] = true
	case !j.queued[k]:
		j.queued[k] = true
		j.waiting = append(j.waiting, k)
		j.ring()
	}
}

// next waits for a balancer to do; ok is false when ctx has ended.
func (j *jobs) next(ctx context.Context) (k store.Key, ok bool) {
	for {
		j.mu.Lock()
		if len(j.waiting) > 0 {
			k, j.waiting = j.waiting[0], j.waiting[1:]
			delete(j.queued, k)
			j.running[k] = true
			if len(j.waiting) > 0 {
				j.ring() // for another worker
			}
			j.mu.Unlock()
			return k, true
		}
		j.mu.Unlock()
		select {
		case <-ctx.Done():
			return k, false
		case <-j.bell:
		}
	}
}

// done gives a balancer back.
func (j *jobs) done(k store.Key) {
	j.mu.Lock()
	again := j.again[k]
	delete(j.running, k)
	delete(j.again, k)
	j.mu.Unlock()
	if again {
		j.add(k)
	}
}

// rest begins the pause after a failure; false says that one has begun already: each
// balancer has one at a time, however often it fails meanwhile.
func (j *jobs) rest(k store.Key) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.resting[k] {
		return false
	}
	j.resting[k] = true
	return true
}

// wake ends the pause.
func (j *jobs) wake(k store.Key) {
	j.mu.Lock()
	delete(j.resting, k)
	j.mu.Unlock()
	j.add(k)
}
