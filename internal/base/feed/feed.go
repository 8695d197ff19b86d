// Package feed tells many listeners of one thing that happened, inside one process.
//
// A slow listener never slows the publisher: when its queue is full it loses
// values and can ask how many, so that it knows to look at the whole again.
package feed

import "sync"

// A Feed carries values of type T from one publisher to any number of listeners.
// The zero value is ready. All methods may be called from any goroutine.
type Feed[T any] struct {
	mu   sync.RWMutex
	subs map[*Sub[T]]struct{} // guarded by mu
}

// A Sub is one listener's queue.
type Sub[T any] struct {
	feed *Feed[T]
	c    chan T

	mu   sync.Mutex
	lost int // guarded by mu: values dropped since Lost was last called
}

// Subscribe adds a listener whose queue holds n values.
func (f *Feed[T]) Subscribe(n int) *Sub[T] {
	s := &Sub[T]{feed: f, c: make(chan T, n)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.subs == nil {
		f.subs = make(map[*Sub[T]]struct{})
	}
	f.subs[s] = struct{}{}
	return s
}

// Publish hands v to every listener that has room for it.
func (f *Feed[T]) Publish(v T) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for s := range f.subs {
		select {
		case s.c <- v:
		default:
			s.mu.Lock()
			s.lost++
			s.mu.Unlock()
		}
	}
}

// C is where values arrive. It is never closed: select on a context beside it.
func (s *Sub[T]) C() <-chan T { return s.c }

// Lost says how many values this listener missed since it last asked.
func (s *Sub[T]) Lost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.lost
	s.lost = 0
	return n
}

// Close ends the subscription. It may be called twice.
func (s *Sub[T]) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.feed.subs, s)
}
