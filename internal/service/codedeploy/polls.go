package codedeploy

import (
	"context"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// polls knows which agents are alive. A held poll is a heartbeat that lasts; the
// rows behind it, written at most every noteEvery, tell a restarted server who
// has ever polled.
type polls struct {
	mu      sync.Mutex
	started time.Time
	open    map[store.Key]int
	last    map[store.Key]time.Time
	noted   map[store.Key]time.Time
}

const noteEvery = 30 * time.Second

func newPolls(now time.Time) *polls {
	return &polls{started: now, open: map[store.Key]int{}, last: map[store.Key]time.Time{}, noted: map[store.Key]time.Time{}}
}

// begin notes that host k polls; note tells that its row is due.
func (p *polls) begin(k store.Key, now time.Time) (note bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[k]++
	p.last[k] = now
	if now.Sub(p.noted[k]) < noteEvery {
		return false
	}
	p.noted[k] = now
	return true
}

func (p *polls) end(k store.Key, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[k] = now
	if p.open[k]--; p.open[k] <= 0 {
		delete(p.open, k)
	}
}

// seen returns when this server last heard of k; zero for never.
func (p *polls) seen(k store.Key, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[k] > 0 {
		return now
	}
	return p.last[k]
}

// lastSeen returns what is known of the instance's agent, and when it was last
// alive; zero for never. While the server was down nobody could poll, so that
// its start counts as a sign of life of those who had polled before.
func (s *Service) lastSeen(tx *store.Tx, k store.Key, instance string) (*agent, time.Time, error) {
	k.ID = instance
	last := s.polls.seen(k, s.clock.Now())
	a, err := agents.Get(tx, k)
	if isNotFound(err) {
		return nil, last, nil
	}
	if err != nil {
		return nil, last, err
	}
	if !a.Last.IsZero() {
		last = later(last, later(a.Last, s.polls.started))
	}
	return a, last, nil
}

// notePoll writes the agent's row.
func (s *Service) notePoll(ctx context.Context, k store.Key) error {
	now := s.clock.Now()
	return s.editAgent(ctx, k, func(a *agent) {
		if a.First.IsZero() {
			a.First = now
		}
		a.Last, a.Refused = now, ""
	})
}

// noteRefusal keeps the reason why an agent is not let in: a deployment that
// waits for it can then say so.
func (s *Service) noteRefusal(ctx context.Context, k store.Key, refused error) {
	now := s.clock.Now()
	err := s.editAgent(ctx, k, func(a *agent) { a.Refused, a.RefusedAt = refused.Error(), now })
	if err != nil {
		s.log.Error("note a refused agent", "instance", k.ID, "error", err)
	}
}

func (s *Service) editAgent(ctx context.Context, k store.Key, edit func(a *agent)) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := agents.Get(tx, k)
		if isNotFound(err) {
			a, err = &agent{}, nil
			emit(tx, k, k.ID, "agent", "first contact")
		}
		if err != nil {
			return err
		}
		edit(a)
		return agents.Put(tx, k, a)
	})
}
