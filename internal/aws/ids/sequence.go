package ids

import (
	"fmt"
	"sync"
	"time"
)

// Sequence gives numbers of 20 digits that grow with the time, as FIFO queues and
// topics give them. Those given one after another sort so, also by their text.
type Sequence struct {
	mu   sync.Mutex
	last int64
}

// Next returns the next number at a time.
func (s *Sequence) Next(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, now.UnixNano())
	return "1" + fmt.Sprintf("%019d", s.last)
}
