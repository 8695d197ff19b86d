package trigger

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

func newForm(path, body string) *http.Request {
	q := httptest.NewRequest("POST", path, strings.NewReader(body))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return q
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

var errPower = errors.New("no power")

// cutOnce cuts the power once at a step.
func cutOnce(step string) func(string) error {
	var was atomic.Bool
	return func(at string) error {
		if at == step && was.CompareAndSwap(false, true) {
			return errPower
		}
		return nil
	}
}

func limitTo(triggers, notices int) func(context.Context, string) (int, int, error) {
	return func(context.Context, string) (int, int, error) { return triggers, notices, nil }
}

// last is the last value of a property as JSON; "" for none.
func (h *house) last(t thing.Thing, name string) string {
	for _, p := range t.Properties {
		if p.Name == name {
			if last, ok := h.Things.Last(p); ok {
				return string(thing.JSON(last.Value))
			}
		}
	}
	return ""
}

// points counts what history has of a property.
func (h *house) points(t thing.Thing, name string) int {
	h.t.Helper()
	all, err := h.History.Raw(h.t.Context(), series.Query{Series: fleettest.PropertyID(t, name), Space: space, From: time.Unix(0, 0)})
	if err != nil {
		h.t.Fatal(err)
	}
	return len(all)
}
