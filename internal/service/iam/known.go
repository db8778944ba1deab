package iam

import (
	"sync"

	"github.com/hardstand/hardstand/internal/wire"
)

// maxKnown bounds the callers, and the keys, that are kept.
const maxKnown = 4096

// known keeps what was read about callers until anything in IAM changes: every
// request asks for the same few rows again. Who reads takes the generation before
// its snapshot and hands it in with the result; what a change has overtaken by then
// is not kept. A change forgets everything before its caller learns that it is
// done, so that whoever has seen an answer is judged by it.
type known struct {
	mu         sync.RWMutex
	generation uint64
	callers    map[string]caller          // by unique id
	keys       map[keyAndToken]credential // sessions too
}

type keyAndToken struct{ id, token string }

// credential is a key that holds, as Lookup answers it.
type credential = wire.Credential

// forget drops everything.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.generation++
	k.callers, k.keys = nil, nil
}

func (k *known) caller(id string) (who caller, found bool, generation uint64) {
	return look(k, &k.callers, id)
}

func (k *known) keepCaller(generation uint64, id string, who caller) {
	keep(k, &k.callers, generation, id, who)
}

func (k *known) key(id keyAndToken) (c credential, found bool, generation uint64) {
	return look(k, &k.keys, id)
}

func (k *known) keepKey(generation uint64, id keyAndToken, c credential) {
	keep(k, &k.keys, generation, id, c)
}

// look finds an entry in one of the maps of k.
func look[K comparable, V any](k *known, m *map[K]V, id K) (v V, found bool, generation uint64) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	v, found = (*m)[id]
	return v, found, k.generation
}

// keep adds an entry to one of the maps of k unless something has changed meanwhile.
func keep[K comparable, V any](k *known, m *map[K]V, generation uint64, id K, v V) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if generation == k.generation {
		*m = kept(*m, id, v)
	}
}

// kept adds an entry to a map that starts over when it is full: what is in use
// comes back.
func kept[K comparable, V any](m map[K]V, key K, v V) map[K]V {
	if m == nil || len(m) >= maxKnown {
		m = map[K]V{}
	}
	m[key] = v
	return m
}
