package blob

import "sync"

// groupSync lets those who want a file on the disk at the same time share one sync.
// A sync covers who came before it began; who comes while it runs waits for the next
// one, with all the others that do.
type groupSync struct {
	sync func() error

	mu             sync.Mutex
	ended          *sync.Cond
	running        bool
	begun, covered uint64
	// failed stays: after a sync that failed nobody knows what is on the disk, and a
	// later one that succeeds does not tell.
	failed error
}

func newGroupSync(do func() error) *groupSync {
	g := &groupSync{sync: do}
	g.ended = sync.NewCond(&g.mu)
	return g
}

// wait returns when a sync has ended that began after the call.
func (g *groupSync) wait() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	want := g.begun + 1
	for g.covered < want && g.failed == nil {
		if g.running {
			g.ended.Wait()
			continue
		}
		g.running = true
		g.begun++
		this := g.begun
		g.mu.Unlock()
		err := g.sync()
		g.mu.Lock()
		g.running = false
		if err != nil {
			g.failed = err
		} else {
			g.covered = this
		}
		g.ended.Broadcast()
	}
	return g.failed
}
