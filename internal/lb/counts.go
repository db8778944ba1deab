package lb

import (
	"maps"
	"sync"
	"time"
)

// Counts are what a balancer has done since it was started. Classes of statuses are
// indexes: Own[4] counts 4XX.
type Counts struct {
	// Own are the balancer's own answers.
	Own    [6]int64
	Groups map[string]GroupCounts // by TargetGroup.ID
}

// GroupCounts are what a group's targets have done.
type GroupCounts struct {
	// Requests were sent to a target, Answers came back, after Time altogether.
	Requests int64
	Answers  [6]int64
	Time     time.Duration
}

// counts adds up.
type counts struct {
	mu  sync.Mutex
	sum Counts
}

func newCounts() *counts { return &counts{sum: Counts{Groups: map[string]GroupCounts{}}} }

func class(status int) int { return min(max(status/100, 0), 5) }

// own counts an answer of the balancer's own.
func (c *counts) own(status int) {
	c.mu.Lock()
	c.sum.Own[class(status)]++
	c.mu.Unlock()
}

// sent counts a request to a target of a group.
func (c *counts) sent(group string) {
	c.mu.Lock()
	g := c.sum.Groups[group]
	g.Requests++
	c.sum.Groups[group] = g
	c.mu.Unlock()
}

// answered counts the answer of a target.
func (c *counts) answered(group string, status int, after time.Duration) {
	c.mu.Lock()
	g := c.sum.Groups[group]
	g.Answers[class(status)]++
	g.Time += after
	c.sum.Groups[group] = g
	c.mu.Unlock()
}

// Counts returns what a balancer has done; false when the plane does not run it. A group
// that has left is told of once more.
func (p *Plane) Counts(balancer string) (Counts, bool) {
	b := p.find(balancer)
	if b == nil {
		return Counts{}, false
	}
	b.counts.mu.Lock()
	defer b.counts.mu.Unlock()
	sum := b.counts.sum
	sum.Groups = maps.Clone(sum.Groups)
	maps.DeleteFunc(b.counts.sum.Groups, func(id string, _ GroupCounts) bool {
		c := b.current.Load()
		return c == nil || c.groups[id] == nil
	})
	return sum, true
}
