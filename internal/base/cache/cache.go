// Package cache remembers a bounded number of values by key.
//
// It forgets in two generations: values go into the young one; when that is full
// it becomes the old one and what was old is dropped. A value that is asked for is
// young again. So at most twice the bound is held, nothing is ever sorted, and
// what is used often stays.
package cache

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Map remembers between n and 2n values. Make it with New. All methods may be
// called from any goroutine.
type Map[K comparable, V any] struct {
	n int

	mu         sync.Mutex
	young, old map[K]V // guarded by mu
}

// New returns a Map that remembers at least the n values used last, n > 0.
func New[K comparable, V any](n int) *Map[K, V] {
	return &Map[K, V]{n: n, young: make(map[K]V)}
}

// Get returns what Set or Add kept under k.
func (m *Map[K, V]) Get(k K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.get(k)
}

func (m *Map[K, V]) get(k K) (V, bool) {
	if v, ok := m.young[k]; ok {
		return v, true
	}
	v, ok := m.old[k]
	if ok {
		delete(m.old, k)
		m.set(k, v)
	}
	return v, ok
}

// Set keeps v under k.
func (m *Map[K, V]) Set(k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.old, k)
	m.set(k, v)
}

func (m *Map[K, V]) set(k K, v V) {
	if _, known := m.young[k]; !known && len(m.young) >= m.n {
		m.old, m.young = m.young, make(map[K]V, m.n)
	}
	m.young[k] = v
}

// Add returns what is kept under k; when there is nothing it keeps what v makes.
// v runs under the lock: it must be quick and must not use the Map.
func (m *Map[K, V]) Add(k K, v func() V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	if kept, ok := m.get(k); ok {
		return kept
	}
	made := v()
	m.set(k, made)
	return made
}

// Delete forgets what is kept under k.
func (m *Map[K, V]) Delete(k K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, k)
	delete(m.old, k)
}

// Clear forgets everything.
func (m *Map[K, V]) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.young, m.old = make(map[K]V), nil
}

// Len is how many values are remembered now.
func (m *Map[K, V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.young) + len(m.old)
}

// A Fresh remembers what was loaded for a short while, and nothing that was
// loaded before the last Changed. All methods may be called from any goroutine.
type Fresh[K comparable, V any] struct {
	all *Map[K, loaded[V]]
	ttl time.Duration
	now func() time.Time
	gen atomic.Uint64 // rises with every change
}

type loaded[V any] struct {
	value V
	at    time.Time
	gen   uint64 // before loading began
}

// NewFresh returns a Fresh that remembers at least the n values used last, each
// for ttl by the clock now.
func NewFresh[K comparable, V any](n int, ttl time.Duration, now func() time.Time) *Fresh[K, V] {
	return &Fresh[K, V]{all: New[K, loaded[V]](n), ttl: ttl, now: now}
}

// Get returns what load answered for k not long ago, or asks it now. Errors are
// not remembered. Several goroutines may load one k at a time.
func (f *Fresh[K, V]) Get(k K, load func() (V, error)) (V, error) {
	gen, now := f.gen.Load(), f.now()
	if kept, ok := f.all.Get(k); ok && kept.gen == gen {
		if age := now.Sub(kept.at); age >= 0 && age < f.ttl {
			return kept.value, nil
		}
	}
	v, err := load()
	if err != nil {
		return v, err
	}
	f.all.Set(k, loaded[V]{v, now, gen})
	return v, nil
}

// Changed says that what load answers may be another now. Call it after the
// change: whoever was loading meanwhile keeps nothing.
func (f *Fresh[K, V]) Changed() { f.gen.Add(1) }
