package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// drive has n clients of h do what work gives each of them, one after the other and as fast as they can, and
// measures the part of it after the warm-up.
func (b *bench) drive(h *house, n int, work func(client int) (one func() error, end func())) (result, error) {
	var phase atomic.Int32
	var counted atomic.Int64
	var lat histogram
	var failed errs
	var wg sync.WaitGroup
	for i := range n {
		one, end := work(i)
		wg.Go(func() {
			defer end()
			for phase.Load() != ending && failed.first() == nil {
				began := time.Now()
				if err := one(); err != nil {
					failed.add(err)
					return
				}
				if phase.Load() == measuring {
					counted.Add(1)
					lat.add(time.Since(began))
				}
			}
		})
	}
	sleep(b.warm)
	m := meter(h.pid)
	made := h.allocated()
	phase.Store(measuring)
	sleep(b.last)
	phase.Store(ending)
	took, done := time.Since(m.at), counted.Load()
	wg.Wait()
	if err := failed.first(); err != nil {
		return result{}, err
	}
	after := h.allocated()
	r := m.result(done, took, &lat)
	r.p95 = lat.at(0.95)
	r.alloc(made, after, done)
	return r, nil
}
