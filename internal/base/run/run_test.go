package run

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestPartsStopInReverse(t *testing.T) {
	var mu sync.Mutex
	var stopped []string
	part := func(name string) Part {
		return Part{name, func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			stopped = append(stopped, name)
			return ctx.Err()
		}}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := Parts(ctx, slog.New(slog.DiscardHandler), part("data"), part("rooms"), part("doors")); err != nil {
		t.Errorf("Parts = %v, want nil", err)
	}
	if want := []string{"doors", "rooms", "data"}; !slices.Equal(stopped, want) {
		t.Errorf("stopped %v, want %v", stopped, want)
	}
}

func TestPartThatFailsStopsTheOthers(t *testing.T) {
	broken := errors.New("disk gone")
	waited := false
	err := Parts(t.Context(), slog.New(slog.DiscardHandler),
		Part{"data", func(ctx context.Context) error { <-ctx.Done(); waited = true; return ctx.Err() }},
		Part{"history", func(context.Context) error { return broken }},
	)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "history") {
		t.Errorf("Parts = %v, want the error of history", err)
	}
	if !waited {
		t.Error("returned before data had stopped")
	}
}

func TestPartThatEndsByItselfIsAnError(t *testing.T) {
	err := Parts(t.Context(), slog.New(slog.DiscardHandler), Part{"doors", func(context.Context) error { return nil }})
	if err == nil || !strings.Contains(err.Error(), "doors") {
		t.Errorf("Parts = %v, want an error that names doors", err)
	}
}

func TestErrorWhileStoppingIsKept(t *testing.T) {
	dirty := errors.New("not flushed")
	ctx, stop := context.WithCancel(context.Background())
	stop()
	err := Parts(ctx, slog.New(slog.DiscardHandler), Part{"data", func(ctx context.Context) error { <-ctx.Done(); return dirty }})
	if !errors.Is(err, dirty) {
		t.Errorf("Parts = %v, want %v", err, dirty)
	}
}
