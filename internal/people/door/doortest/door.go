package doortest

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// Handler serves routes behind a door without limits, to which actors come with their names as tokens. Each is in the space
// that it has.
func Handler(t testing.TB, log *slog.Logger, now func() time.Time, policy *access.Policy, actors map[string]access.Actor, routes []door.Route) http.Handler {
	t.Helper()
	free := door.Rate{PerMinute: -1}
	d, err := door.New(door.Config{KeyRate: free, OpenRate: free, GuessRate: free}, door.Needs{
		Log: log, Now: now, Policy: policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			who, ok := actors[token]
			if !ok {
				return access.Actor{}, door.ErrToken
			}
			return who, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) { return who, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Handler(routes)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
