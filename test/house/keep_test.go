package house

import (
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A space that keeps values for a day tells none that are older, from the moment on at
// which that is said; another space goes on telling all.
func TestOldValuesAreNotTold(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, h *servertest.House) {
		anna, annas := h.Person("anna@example.org")
		_, boris := h.Person("boris@example.org")
		ids := map[string]map[string]string{"anna": belongings(t, h, annas), "boris": belongings(t, h, boris)}
		h.Pass(72 * time.Hour)
		told := func(key servertest.Key, own map[string]string) (n int, days float64) {
			t.Helper()
			c := h.Client(key)
			var batch struct {
				Responses []struct {
					Count int `json:"count_values"`
				} `json:"responses"`
			}
			if err := c.Do(t.Context(), "POST", "/iot/v2/series/batch_query_raw", map[string]any{"resp_version": 1, "requests": []any{map[string]any{
				"q": "property." + own["property"], "from": "2020-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z"}}}, &batch); err != nil {
				t.Fatal(err)
			}
			var list struct {
				Days float64 `json:"data_retention_days"`
			}
			if err := c.Do(t.Context(), "GET", "/iot/v2/devices/"+own["device"]+"/properties", nil, &list); err != nil {
				t.Fatal(err)
			}
			return batch.Responses[0].Count, list.Days
		}
		if n, days := told(annas, ids["anna"]); n != 1 || days < 30_000 {
			t.Errorf("%d values are told, kept for %v days, before anything was said", n, days)
		}
		var users []struct{ ID, Space string }
		h.Admin("user.list", struct{}{}, &users)
		for _, u := range users {
			if u.ID == anna {
				h.Admin("space.keep", map[string]any{"space": u.Space, "days": 1}, nil)
			}
		}
		if n, days := told(annas, ids["anna"]); n != 0 || days != 1 {
			t.Errorf("%d values are told, kept for %v days, want none older than a day", n, days)
		}
		if n, _ := told(boris, ids["boris"]); n != 1 {
			t.Errorf("another space tells %d values, want 1", n)
		}
		var th client.Thing
		if err := h.Client(annas).Do(t.Context(), "GET", "/iot/v2/things/"+ids["anna"]["thing"], nil, &th); err != nil {
			t.Fatal(err)
		}
		if th.Properties[0].LastValue != 4711.25 {
			t.Errorf("the last value is %v, want 4711.25: it stays", th.Properties[0].LastValue)
		}
	})
}
