package sqs

import "sync"

// bells wake who waits for messages of a queue, by its serial. They ring after the
// commit that may have made one available; who waits takes the bell first, then looks.
type bells struct {
	mu sync.Mutex
	ch map[string]chan struct{}
}

func (b *bells) wait(serial string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := b.ch[serial]
	if ch == nil {
		if b.ch == nil {
			b.ch = map[string]chan struct{}{}
		}
		ch = make(chan struct{})
		b.ch[serial] = ch
	}
	return ch
}

func (b *bells) ring(serial string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ch := b.ch[serial]; ch != nil {
		close(ch)
		delete(b.ch, serial)
	}
}
