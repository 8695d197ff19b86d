package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// What the histogram says lies above the exact figure, by at most a bucket's width.
func TestHistogram(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 100_000 {
		d := time.Duration(1 << (6 + r.IntN(32)))
		d += time.Duration(r.Int64N(int64(d)))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, share := range []float64{0.001, 0.1, 0.5, 0.9, 0.99, 0.999} {
		got, want := h.at(share), all[int(share*float64(len(all)))-1]
		if got < want || float64(got) > float64(want)*(1+1.1/steps)+64 {
			t.Errorf("at(%v) = %v, want %v or a little more", share, got, want)
		}
	}
	if got := time.Duration(h.worst.Load()); got != all[len(all)-1] {
		t.Errorf("worst = %v, want %v", got, all[len(all)-1])
	}
}

// Two messages of one board are never alike, and each has the size that was asked for.
func TestPayload(t *testing.T) {
	for _, n := range []int{50, 200} {
		seen := map[string]bool{}
		make := payloadOf(n)
		for number := range int64(10_000) {
			p := string(make(nil, number+1))
			if len(p) != n || seen[p] {
				t.Fatalf("message %d has %d bytes, want %d; seen before: %v", number+1, len(p), n, seen[p])
			}
			seen[p] = true
		}
	}
}
