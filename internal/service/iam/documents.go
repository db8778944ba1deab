package iam

import (
	"sync"

	"github.com/hardstand/hardstand/internal/policy"
)

// maxCached bounds the cache; a document takes a few kilobytes parsed.
const maxCached = 1024

// documentCache keeps parsed documents by their text, so that a request does not
// parse its policies again. The text is the key: a changed policy is another one.
type documentCache struct {
	mu   sync.RWMutex
	docs map[documentKey]*policy.Document
}

type documentKey struct {
	kind policy.Kind
	text string
}

func (c *documentCache) parse(text string, kind policy.Kind) (*policy.Document, error) {
	key := documentKey{kind, text}
	c.mu.RLock()
	doc := c.docs[key]
	c.mu.RUnlock()
	if doc != nil {
		return doc, nil
	}
	doc, err := policy.Parse(text, kind)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.docs == nil || len(c.docs) >= maxCached {
		c.docs = map[documentKey]*policy.Document{} // start over: what is in use comes back
	}
	c.docs[key] = doc
	return doc, nil
}
