package codedeploy

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// polls knows which agents are alive, and wakes a host's held polls when there is
// something for that host: thousands wait, and a command concerns one. A held
// poll is a heartbeat that lasts; the rows behind it, written at most every
// noteEvery, tell a restarted server who has ever polled.
type polls struct {
	mu      sync.Mutex
	started time.Time // when this server may have handed out its first command
	since   time.Time // when agents could poll, from which their silence counts
	hosts   map[store.Key]*polling
}

// polling is what is known of one host's agent.
type polling struct {
	open        int       // polls that are held
	last, noted time.Time // last sign of life, and the last that was written
	ours        bool      // the agent is one of ours
	notedOurs   bool      // and so its row says
	gone        bool      // the host has ended: forgotten with its last poll
	offered     offer
	wake        chan struct{} // nil when nobody waits for it
	held        []*heldPoll
}

// offer is the command that a host was handed last.
type offer struct {
	id    string
	at    time.Time
	times int
}

// noteEvery bounds the writes that agents cause by merely being there.
const noteEvery = 10 * time.Minute

func newPolls(now time.Time) *polls {
	return &polls{started: now, since: now, hosts: map[store.Key]*polling{}}
}

// agentProduct begins the User-Agent of our own agent, which always has a poll
// open: its silence means something much sooner than that of AWS's agents.
const agentProduct = "hardstand-agent/"

func ours(c aws.Call) bool { return strings.HasPrefix(c.UserAgent, agentProduct) }

// begin notes that host k polls.
func (p *polls) begin(k store.Key, ours bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	if h == nil {
		h = &polling{}
		p.hosts[k] = h
	}
	h.open++
	h.last, h.ours = now, ours
}

// restart begins to count the silence of agents that a server before this one knew:
// from now on they can poll.
func (p *polls) restart(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = now
}

// recall takes over what a server before this one knew of an agent: how soon its
// silence means something, and that it has polled before.
func (p *polls) recall(k store.Key, a *agent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hosts[k] == nil && !a.Last.IsZero() {
		p.hosts[k] = &polling{last: a.Last, noted: a.Last, ours: a.Ours, notedOurs: a.Ours}
	}
}

// forget drops what is known of a host that has ended.
func (p *polls) forget(k store.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[k]; h != nil && h.open > 0 {
		h.gone = true
		return
	}
	delete(p.hosts, k)
}

// due reports whether the row of k, which polls, is to be written, and takes it for
// done.
func (p *polls) due(k store.Key, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	if now.Sub(h.noted) < noteEvery && h.ours == h.notedOurs {
		return false
	}
	h.noted, h.notedOurs = now, h.ours
	return true
}

// end notes the answer. An agent that got an error may stay away for longer than
// it usually does.
func (p *polls) end(k store.Key, now time.Time, well bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	h.last = now
	h.ours = h.ours && well
	h.open--
	if h.gone && h.open == 0 {
		delete(p.hosts, k)
	}
}

// changed returns a channel that is closed when there may be a command for k,
// which polls.
func (p *polls) changed(k store.Key) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	if h.wake == nil {
		h.wake = make(chan struct{})
	}
	return h.wake
}

// hold has p woken like those who wait for changed, until release.
func (p *polls) hold(k store.Key, held *heldPoll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	h.held = append(h.held, held)
}

func (p *polls) release(k store.Key, held *heldPoll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	h.held = slices.DeleteFunc(h.held, func(other *heldPoll) bool { return other == held })
	if len(h.held) == 0 {
		h.held = nil
	}
}

// wake lets the polls of k look again; all of them without an ID.
func (p *polls) wake(k store.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.ID != "" {
		p.hosts[k].signal()
		return
	}
	for _, h := range p.hosts {
		h.signal()
	}
}

func (h *polling) signal() {
	if h == nil {
		return
	}
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
	for _, held := range h.held {
		held.wake()
	}
}

// offer notes that command id, which is due since ready, is handed to k now, or
// returns until when it must not be. A server that has just started does not know
// what its predecessor has handed out: AWS's agents, unlike ours, run twice what
// they get twice, so they get it a lease later.
func (p *polls) offer(k store.Key, id string, ready, now time.Time) (notBefore time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	if h.offered.id != id {
		h.offered = offer{id: id}
		if !h.ours && ready.Before(p.started) {
			h.offered.at = p.started
		}
	}
	if due := h.offered.at.Add(lease); now.Before(due) {
		return due
	}
	h.offered.at = now
	h.offered.times++
	return time.Time{}
}

// offers returns how often command id was handed to k.
func (p *polls) offers(k store.Key, id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[k]; h != nil && h.offered.id == id {
		return h.offered.times
	}
	return 0
}

// seen returns since when k has been silent, zero for one that has never polled, and
// after how long a silence its agent counts as lost. While no server ran nobody could
// poll: silence begins with this server at the earliest.
func (p *polls) seen(k store.Key, now time.Time) (last time.Time, limit time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	limit = lostTimeout
	switch {
	case h == nil:
		return time.Time{}, limit
	case h.open > 0:
		last = now
	default:
		last = later(h.last, p.since)
	}
	if h.ours {
		limit = lostOurs
	}
	return last, limit
}

// lastPoll says when k polled last, for those who read about it. What servers before
// this one knew is up to noteEvery old.
func (p *polls) lastPoll(k store.Key, now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	switch {
	case h == nil:
		return "is unknown"
	case h.open > 0:
		return "is open since before " + now.UTC().Format(time.RFC3339)
	case h.last.Before(p.since):
		return "was at " + h.last.UTC().Format(time.RFC3339) + " or soon after, before the server started at " + p.since.UTC().Format(time.RFC3339)
	}
	return "was at " + h.last.UTC().Format(time.RFC3339)
}

// wakePolls wakes the hosts that a deployment begins with, until ctx ends. What
// follows within a host comes of its own completions, which wake it themselves.
func (s *Service) wakePolls(ctx context.Context) error {
	from := s.db.LastSeq()
	s.polls.wake(store.Key{}) // for what was committed before
	for e, err := range s.db.Watch(ctx, from, store.Filter{Service: "codedeploy", Kind: "command"}) {
		if err != nil {
			return err
		}
		s.polls.wake(store.Key{Account: e.Account, Region: e.Region, ID: e.Resource})
	}
	return nil
}

// recallAgents reads what the server before this one knew of agents.
func (s *Service) recallAgents(ctx context.Context) error {
	rows, err := view(ctx, s, func(tx *store.Tx) ([]store.Row[agent], error) { return agents.List(tx, store.Scope{}, "", 0) })
	for _, r := range rows {
		s.polls.recall(r.Key, r.Value)
	}
	return err
}

// notePoll writes the agent's row.
func (s *Service) notePoll(ctx context.Context, k store.Key, ours bool) error {
	now := s.clock.Now()
	return s.editAgent(ctx, k, func(a *agent) {
		if a.First.IsZero() {
			a.First = now
		}
		a.Last, a.Ours, a.Refused = now, ours, ""
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
