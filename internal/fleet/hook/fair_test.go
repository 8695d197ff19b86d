package hook

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// copyOf makes a webhook that waits, like another one.
const copyOf = `insert into hook (id, space, owner, thing, device, sealed, active, since_seq, next_event, queued, queued_bytes, next_at, tries, failing_since, disabled_at, last_at, last_status, last_result, delivered, dropped, dead, created_at)
	select $2, $3, owner, '', id || $2, sealed, true, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, '', 0, 0, 0, created_at from hook where id = $1`

// A space with many webhooks that wait hides none of another.
func TestNoSpaceHidesOthers(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a := h.thing("a", map[string]string{"x": "FLOAT"})
		h.hook(a, "/a")
		one := h.shown(a).ID
		h.stop()
		if err := h.needs.Store.(sqlStore).db.Write(t.Context(), func(tx *db.Tx) error {
			for n := range dueRows + 5 {
				if _, err := tx.Exec(t.Context(), copyOf, one, fmt.Sprintf("crowd %03d", n), "crowd"); err != nil {
					return err
				}
			}
			_, err := tx.Exec(t.Context(), copyOf, one, "zz alone", "alone")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		all, err := h.needs.Store.due(t.Context(), h.clock.Now().UnixMicro(), dueRows)
		if err != nil {
			t.Fatal(err)
		}
		crowd, alone := 0, false
		for _, o := range all {
			if o.space == "crowd" {
				crowd++
			}
			alone = alone || o.space == "alone"
		}
		if crowd != perSpace || !alone {
			t.Errorf("%d of the crowd are due, and the other one: %v", crowd, alone)
		}
	})
}

// What waits for the address of before goes to the one of now.
func TestChangedInTheMiddle(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a := h.thing("a", map[string]string{"x": "FLOAT"})
		h.hook(a, "/a")
		h.receiver.answers(func(string, int) int { return http.StatusServiceUnavailable })
		for _, value := range []string{"1", "2", "3"} {
			h.say(a, "x", value)
		}
		fleettest.Eventually(t, "a first try", func() bool { return len(h.receiver.all("/a")) > 0 })
		h.receiver.answers(func(path string, _ int) int {
			if path == "/a" {
				h.hook(a, "/b")
			}
			return http.StatusOK
		})
		h.passing(10*time.Second, "that all is told", func() bool { return h.receiver.values("/b") == "x=2 x=3" })
		if got := h.receiver.values("/a"); got != "x=1" {
			t.Errorf("the address of before was told %s", got)
		}
	})
}

func TestBacklogsAreQueuedInParts(t *testing.T) {
	commits := func(sizes ...int) (all []series.Tapped) {
		for _, n := range sizes {
			all = append(all, series.Tapped{Points: make([]series.Point, n)})
		}
		return all
	}
	for name, c := range map[string]struct {
		some []series.Tapped
		want int
	}{
		"one":               {commits(1), 1},
		"all that fit":      {commits(perPart/2, perPart/2), 2},
		"as many as fit":    {commits(perPart/2, perPart/2, 1), 2},
		"a large one alone": {commits(perPart+1, 1), 1},
	} {
		if got := part(c.some); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// An answer of the address of before does not turn the one of now off.
func TestAnswersOfBeforeTurnNothingOff(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a := h.thing("a", map[string]string{"x": "FLOAT"})
		h.hook(a, "/a")
		h.receiver.answers(func(path string, _ int) int {
			if path == "/a" {
				h.hook(a, "/b")
				return http.StatusGone
			}
			return http.StatusOK
		})
		h.say(a, "x", "1")
		h.passing(10*time.Second, "that the address of now is told", func() bool { return h.receiver.values("/b") == "x=1" })
		if all := h.carrier.all(); len(all) != 0 {
			t.Errorf("its owner is told that it is off: %v", all)
		}
		if w := h.shown(a); !w.Active || w.URI != h.receiver.URL+"/b" {
			t.Errorf("the webhook is %+v", w)
		}
	})
}
