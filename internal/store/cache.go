package store

import (
	"bytes"
	"sync"
)

// maxCached bounds the decoded rows that one table keeps.
const maxCached = 4096

// cache remembers what documents decoded to: decoding takes longer than reading.
// An entry counts only while the row still holds the same document, byte for byte,
// so nothing has to be invalidated, and one cache serves every database of the
// process.
type cache[T any] struct {
	mu      sync.Mutex
	entries map[Key]cached[T]
}

type cached[T any] struct {
	doc   []byte
	value *T
}

// get returns the value that doc decoded to, or nil. It is shared: copy it.
func (c *cache[T]) get(k Key, doc []byte) *T {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[k]; ok && bytes.Equal(e.doc, doc) {
		return e.value
	}
	return nil
}

// put keeps v, which belongs to the cache from then on. A full cache drops any
// other entry.
func (c *cache[T]) put(k Key, doc []byte, v *T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[Key]cached[T]{}
	}
	if _, replaced := c.entries[k]; !replaced && len(c.entries) >= maxCached {
		for other := range c.entries {
			delete(c.entries, other)
			break
		}
	}
	c.entries[k] = cached[T]{bytes.Clone(doc), v}
}
