package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/outbound"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Each message is told, signed, with what the API says; in order, however often the receiver fails.
func TestValuesAreTold(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a := h.thing("a", map[string]string{"x": "FLOAT", "fleeting y": "STATUS"})
		b := h.thing("b", map[string]string{"x": "FLOAT"})
		h.say(a, "x", "1") // before anybody asked
		h.hook(a, "/a")
		h.say(b, "x", "2")
		h.receiver.answers(func(_ string, n int) int {
			if n%2 == 1 {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		})
		h.say(a, "x", "3.5")
		h.write(a, "fleeting y", "true")
		if err := h.Things.Report(t.Context(), editor, a.ID, []thing.Write{{Property: fleettest.PropertyID(a, "x"), JSON: json.RawMessage("4")}, {Property: fleettest.PropertyID(a, "fleeting y"), JSON: json.RawMessage("false")}}); err != nil {
			t.Fatal(err)
		}
		want := "x=3.5 fleeting y=true x=4 fleeting y=false"
		h.passing(100*time.Millisecond, "that all is told", func() bool { return h.receiver.values("/a") == want })
		secret := h.shown(a).Secret
		ids := map[string]bool{}
		var taken []wireEvent
		for _, c := range h.receiver.all("/a") {
			if c.taken {
				taken = append(taken, c.event)
			}
			ids[c.event.EventID] = true
			var seconds int64
			if _, err := fmt.Sscan(c.head.Get("Webhook-Timestamp"), &seconds); err != nil {
				t.Fatal(err)
			}
			if c.head.Get("Idempotency-Key") != c.event.EventID || c.head.Get("Webhook-Signature") != webhook.Sign(secret, c.event.EventID, time.Unix(seconds, 0), c.body) {
				t.Errorf("head %v", c.head)
			}
		}
		if len(taken) != 3 || len(ids) != 3 {
			t.Fatalf("%d events were taken, of %d", len(taken), len(ids))
		}
		e := taken[0]
		if e.ThingID != a.ID || e.DeviceID != a.Device || e.WebhookID != h.shown(a).ID || len(e.Values) != 1 {
			t.Errorf("event %+v", e)
		}
		if v := e.Values[0]; v.ID != fleettest.PropertyID(a, "x") || !v.Persist || v.CreatedBy != a.Device || v.UpdatedAt.Before(noon) {
			t.Errorf("value %+v", v)
		}
		if v := taken[1].Values[0]; v.Persist || v.CreatedBy != editor.ID {
			t.Errorf("what somebody wrote is %+v", v)
		}
		if len(taken[2].Values) != 2 {
			t.Errorf("a message of two values is %+v", taken[2])
		}
		fleettest.Eventually(t, "that what became of it is kept", func() bool { return h.shown(a).Health.Queued == 0 })
		if w := h.shown(a); w.Health.State != "ok" || w.Health.Delivered != 3 || w.Health.Queued != 0 || *w.Health.LastStatus != 200 {
			t.Errorf("health %+v", w.Health)
		}
		// Off is off, what is hidden is silent, and after a start it goes on.
		h.want(200, "editor", "POST", "/iot/v2/things/"+a.ID, map[string]any{"webhook_active": false}, nil)
		h.say(a, "x", "5")
		h.want(200, "editor", "POST", "/iot/v2/things/"+a.ID, map[string]any{"webhook_active": true}, nil)
		h.again()
		h.receiver.answers(nil)
		h.say(a, "x", "6")
		h.passing(0, "that it is told", func() bool { return h.receiver.values("/a") == want+" x=6" })
		id := h.shown(a).ID
		h.want(200, "editor", "POST", "/iot/v2/things/"+a.ID, map[string]any{"webhook_uri": ""}, nil)
		h.want(404, "editor", "GET", "/v1/things/"+a.ID+"/webhook", nil, nil)
		h.hook(a, "/b")
		if h.shown(a).ID == id {
			t.Error("a new webhook has the ID of the old one")
		}
		h.want(200, "editor", "DELETE", "/iot/v2/things/"+a.ID+"?force=true", nil, nil)
		fleettest.Eventually(t, "that nothing is left", func() bool { return h.rows("hook") == 0 && h.rows("hook_event") == 0 })
	})
}

func (h *house) rows(table string) (n int) {
	h.t.Helper()
	if err := h.set.Core.One(context.Background(), func(r db.Row) error { return r.Scan(&n) }, `select count(*) from `+table); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// What does not fit takes the place of the oldest, and is counted where people see it.
func TestQueuesAreBounded(t *testing.T) {
	t.Parallel()
	const most = 40
	eachHouse(t, func(t *testing.T, h *house) {
		a := h.thing("a", map[string]string{"x": "INT"})
		h.hook(a, "/a")
		h.receiver.answers(func(string, int) int { return http.StatusInternalServerError })
		const extra = 30
		done := make(chan error, most+extra)
		for n := range most + extra {
			p := series.Point{Series: fleettest.PropertyID(a, "x"), Thing: a.ID, Space: space, At: noon.Add(time.Duration(n) * time.Millisecond), Value: series.Value{Kind: series.Int, Int: int64(n)}}
			h.History.Enqueue([]series.Point{p}, func(err error) { done <- err })
		}
		for range most + extra {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		fleettest.Eventually(t, "that all is queued", func() bool { return h.Counts().Queued == most+extra })
		w := h.shown(a)
		if w.Health.Queued != most || w.Health.Dropped != extra || h.rows("hook_event") != most || h.Counts().Dropped != extra {
			t.Errorf("health %+v, %d rows", w.Health, h.rows("hook_event"))
		}
		fleettest.Eventually(t, "a try", func() bool { return h.shown(a).Health.State == "failing" })
		h.receiver.answers(nil)
		h.passing(time.Second, "that the rest is told", func() bool { return h.shown(a).Health.Queued == 0 })
		var first string
		for _, c := range h.receiver.all("/a") {
			if c.taken {
				first = string(c.event.Values[0].Value)
				break
			}
		}
		if first != fmt.Sprint(extra) || h.shown(a).Health.Delivered != most {
			t.Errorf("the first is %s, health %+v", first, h.shown(a).Health)
		}
	}, func(c *setting) { c.mostQueued = most })
}

// The bound in bytes holds as well, and the newest stays, however large it is.
func TestQueuesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite, func(c *setting) { c.mostBytes = 20 << 10 })
	a := h.thing("a", map[string]string{"x": "CHARSTRING"})
	h.hook(a, "/a")
	h.receiver.answers(func(string, int) int { return http.StatusInternalServerError })
	for n := range 5 {
		h.say(a, "x", strconv.Quote(fmt.Sprint(n)+strings.Repeat("x", 6<<10)))
	}
	fleettest.Eventually(t, "that all is queued", func() bool { return h.Counts().Queued == 5 })
	if w := h.shown(a); w.Health.Queued != 3 || w.Health.Dropped != 2 {
		t.Errorf("health %+v", w.Health)
	}
	h.say(a, "x", strconv.Quote(strings.Repeat("y", 16<<10)))
	fleettest.Eventually(t, "that it is queued", func() bool { return h.Counts().Queued == 6 })
	if w := h.shown(a); w.Health.Queued != 1 {
		t.Errorf("health %+v", w.Health)
	}
}

// Who takes nothing for three days, or wants no more, is not called any more, and its owner is told once.
func TestWebhooksThatNobodyTakesAreTurnedOff(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a, b := h.thing("greenhouse", map[string]string{"x": "FLOAT"}), h.thing("b", map[string]string{"x": "FLOAT"})
		h.hook(a, "/a")
		h.hook(b, "/gone")
		var dev Shown
		h.want(201, "editor", "PUT", "/iot/v2/devices/"+b.Device+"/webhooks", map[string]any{"uri": h.receiver.URL + "/device"}, &dev)
		h.receiver.answers(func(path string, _ int) int {
			if path == "/a" {
				return http.StatusInternalServerError
			}
			return http.StatusGone
		})
		h.say(a, "x", "1")
		h.say(b, "x", "1")
		state := func(th thing.Thing) string { return h.shown(th).Health.State }
		h.passing(time.Millisecond, "the end of those who want no more", func() bool {
			return state(b) == "disabled" && !h.shown(b).Active && h.devicesHook(b.Device).Health.State == "disabled"
		})
		h.passing(time.Millisecond, "a try", func() bool { return state(a) == "failing" })
		h.clock.Pass(25 * time.Hour)
		h.passing(time.Second, "the end of an event", func() bool { return h.shown(a).Health.Dead == 1 })
		h.say(a, "x", "2")
		h.clock.Pass(50 * time.Hour)
		h.say(a, "x", "3")
		h.passing(10*time.Minute, "the end of the webhook", func() bool { return state(a) == "disabled" })
		letters := func() map[string]bool { // one may be sent twice, as the clock jumps
			all := map[string]bool{}
			for _, m := range h.carrier.all() {
				all[m.ID] = true
			}
			return all
		}
		fleettest.Eventually(t, "letters", func() bool { return len(letters()) >= 3 })
		if all := letters(); len(all) != 3 {
			t.Errorf("letters %v", all)
		}
		if text := fmt.Sprint(h.carrier.all()); !strings.Contains(text, "greenhouse") || strings.Contains(text, "/a.") {
			t.Errorf("letters %s", text)
		}
		th, err := h.Things.Get(t.Context(), editor, a.ID, false)
		if err != nil || th.WebhookActive || h.shown(a).Health.DisabledAt == nil || h.rows("hook_event") != 0 {
			t.Errorf("the thing says %v: %v", th.WebhookActive, err)
		}
		// It begins anew where its owner turns it on.
		h.receiver.answers(nil)
		h.hook(a, "/a")
		h.say(a, "x", "4")
		h.passing(0, "a taken event", func() bool { return h.receiver.values("/a") == "x=4" })
		if state(a) != "ok" {
			t.Errorf("state %s", state(a))
		}
	})
}

func (h *house) devicesHook(id string) wireHook {
	h.t.Helper()
	var all []wireHook
	h.want(200, "editor", "GET", "/v1/devices/"+id+"/webhooks", nil, &all)
	if len(all) != 1 {
		h.t.Fatalf("the device has %+v", all)
	}
	return all[0]
}

// A device's webhooks hear of whatever thing it has.
func TestWebhooksOfDevices(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a, b := h.thing("a", map[string]string{"x": "FLOAT"}), h.thing("b", map[string]string{"x": "FLOAT"})
		path := "/iot/v2/devices/" + a.Device + "/webhooks"
		var one Shown
		h.want(201, "editor", "PUT", path, map[string]any{"uri": h.receiver.URL + "/d"}, &one)
		h.want(400, "editor", "PUT", path, map[string]any{"uri": "ftp://example.org"}, nil)
		h.want(400, "editor", "PUT", path, map[string]any{}, nil)
		h.want(403, "viewer", "PUT", path, map[string]any{"uri": "https://example.org"}, nil)
		h.want(403, "viewer", "GET", "/v1/devices/"+a.Device+"/webhooks", nil, nil)
		h.want(404, "stranger", "PUT", path, map[string]any{"uri": "https://example.org"}, nil)
		h.say(a, "x", "1")
		h.say(b, "x", "2")
		h.passing(0, "a value", func() bool { return h.receiver.values("/d") == "x=1" })
		// The device goes to the other thing.
		h.want(200, "editor", "POST", "/iot/v2/things/"+b.ID+"?force=true", map[string]any{"device_id": a.Device}, nil)
		h.say(a, "x", "3")
		h.say(b, "x", "4")
		h.passing(0, "a value", func() bool { return h.receiver.values("/d") == "x=1 x=4" })
		h.again()
		h.say(b, "x", "5")
		h.passing(0, "a value", func() bool { return h.receiver.values("/d") == "x=1 x=4 x=5" })
		var shown struct {
			Webhooks []Shown `json:"webhooks"`
		}
		h.want(200, "viewer", "GET", "/iot/v2/devices/"+a.Device, nil, &shown)
		if len(shown.Webhooks) != 0 {
			t.Errorf("who only looks is shown %+v", shown)
		}
		h.want(200, "editor", "GET", "/iot/v2/devices/"+a.Device, nil, &shown)
		if len(shown.Webhooks) != 1 || shown.Webhooks[0] != (Shown{true, one.ID, h.receiver.URL + "/d"}) {
			t.Errorf("the device says %+v", shown)
		}
		h.want(200, "editor", "POST", "/v1/devices/"+a.Device+"/webhooks/"+one.ID, map[string]any{"active": false}, nil)
		h.say(b, "x", "6")
		if s := h.devicesHook(a.Device).Health.State; s != "off" {
			t.Errorf("state %s", s)
		}
		h.want(400, "editor", "POST", "/v1/devices/"+a.Device+"/webhooks/"+one.ID, map[string]any{"uri": "ftp://example.org"}, nil)
		h.want(403, "viewer", "POST", "/v1/devices/"+a.Device+"/webhooks/"+one.ID, map[string]any{"uri": "https://example.org"}, nil)
		secret := h.devicesHook(a.Device).Secret
		h.want(200, "editor", "POST", "/v1/devices/"+a.Device+"/webhooks/"+one.ID, map[string]any{"uri": h.receiver.URL + "/e", "active": true}, nil)
		h.say(b, "x", "7")
		h.passing(0, "a value", func() bool { return h.receiver.values("/e") == "x=7" && h.receiver.values("/d") == "x=1 x=4 x=5" })
		if w := h.devicesHook(a.Device); w.Secret != secret || w.URI != h.receiver.URL+"/e" || w.Health.State != "ok" {
			t.Errorf("with another address it is %+v", w)
		}
		for range maxHooks - 1 {
			h.want(201, "editor", "PUT", path, map[string]any{"uri": "https://example.org", "active": false}, nil)
		}
		h.want(412, "editor", "PUT", path, map[string]any{"uri": "https://example.org"}, nil)
		h.want(404, "editor", "DELETE", "/iot/v2/devices/"+b.Device+"/webhooks/"+one.ID, nil, nil)
		h.want(200, "editor", "DELETE", path+"/"+one.ID, nil, nil)
		h.want(404, "editor", "DELETE", path+"/"+one.ID, nil, nil)
		h.want(404, "editor", "DELETE", path+"/x", nil, nil)
		for range 2 {
			if err := h.EraseSpace(t.Context(), access.Actor{Kind: access.System}, space); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.rows("hook"); n != 0 || h.Show(a.Device) != nil {
			t.Errorf("%d webhooks are left", n)
		}
	})
}

// A new secret signs beside the old one for a day.
func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite)
	a := h.thing("a", map[string]string{"x": "FLOAT"})
	h.hook(a, "/a")
	h.want(403, "viewer", "GET", "/v1/things/"+a.ID+"/webhook", nil, nil)
	h.want(404, "stranger", "GET", "/v1/things/"+a.ID+"/webhook", nil, nil)
	old := h.shown(a).Secret
	var w wireHook
	h.want(200, "editor", "POST", "/v1/things/"+a.ID+"/webhook/secret", nil, &w)
	if w.Secret == old || w.OldUntil == nil {
		t.Errorf("rotated to %+v", w)
	}
	check := func(n int, secrets ...string) {
		t.Helper()
		h.say(a, "x", fmt.Sprint(n))
		h.passing(0, "a value", func() bool { return len(h.receiver.all("/a")) == n })
		c := h.receiver.all("/a")[n-1]
		var want []string
		for _, s := range secrets {
			want = append(want, webhook.Sign(s, c.event.EventID, h.clock.Now(), c.body))
		}
		if got := c.head.Get("Webhook-Signature"); got != strings.Join(want, " ") {
			t.Errorf("signature %q, want %q", got, want)
		}
	}
	check(1, w.Secret, old)
	h.clock.Pass(25 * time.Hour)
	check(2, w.Secret)
	if h.shown(a).OldUntil != nil {
		t.Error("the old secret is still there")
	}
}

// Nobody makes this server call what stands beside it.
func TestWebhooksReachNobodysOwnMachines(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite, func(c *setting) { c.web = outbound.Client(outbound.Rule{Timeout: 5 * time.Second}) })
	a := h.thing("a", map[string]string{"x": "FLOAT"})
	h.hook(a, "/a")
	h.say(a, "x", "1")
	fleettest.Eventually(t, "a try", func() bool { return h.shown(a).Health.LastResult == "banned" })
	if n := len(h.receiver.all("/a")); n != 0 {
		t.Errorf("%d calls came", n)
	}
}

// Wherever the power is cut, each value is queued once and told with one ID, and none is missed.
func TestCutsMissNothing(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"looked", "queued", "told", "tried"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			var on atomic.Bool
			h := newHouse(t, db.SQLite, func(c *setting) {
				c.cut = func(at string) error {
					if on.Load() && at == step {
						return context.Canceled // as if the process ended: Run returns
					}
					return nil
				}
			})
			a := h.thing("a", map[string]string{"x": "FLOAT"})
			h.hook(a, "/a")
			on.Store(true)
			h.say(a, "x", "1")
			if step == "told" || step == "tried" {
				fleettest.Eventually(t, "a call", func() bool { return len(h.receiver.all("/a")) > 0 })
			} else {
				fleettest.Eventually(t, "that it is durable", func() bool { _, ok := h.History.Last(fleettest.PropertyID(a, "x")); return ok })
			}
			h.stop()
			on.Store(false)
			h.again()
			h.say(a, "x", "2")
			last := func() string {
				all := h.receiver.all("/a")
				if len(all) == 0 || len(all[len(all)-1].event.Values) == 0 {
					return ""
				}
				return string(all[len(all)-1].event.Values[0].Value)
			}
			h.passing(time.Second, "the second value", func() bool { return last() == "2" })
			ids := map[string]string{}
			for _, c := range h.receiver.all("/a") {
				v := string(c.event.Values[0].Value)
				if had, known := ids[v]; known && had != c.event.EventID {
					t.Errorf("the value %s has two IDs", v)
				}
				ids[v] = c.event.EventID
			}
			if len(ids) != 2 {
				t.Errorf("told %v", ids)
			}
			fleettest.Eventually(t, "that nothing waits", func() bool { return h.rows("hook_event") == 0 })
			if n := h.shown(a).Health.Queued; n != 0 {
				t.Errorf("%d events are said to wait", n)
			}
		})
	}
}

// What a write does not learn of having succeeded is not queued again.
func TestQueueIsRepeatable(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite)
	a := h.thing("a", map[string]string{"x": "FLOAT"})
	h.hook(a, "/a")
	h.stop()
	seq := h.tap.Seq() + 10
	rows := []event{{hook: h.shown(a).ID, id: "e1", space: space, thing: a.ID, sealed: []byte("x"), at: 1, seq: seq}}
	for range 2 {
		if _, err := h.needs.Store.queue(t.Context(), seq, rows); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.rows("hook_event"); n != 1 {
		t.Errorf("%d events are queued", n)
	}
	if err := h.needs.Store.tried(t.Context(), try{hook: rows[0].hook, event: "other", number: 1, taken: true}); err != nil {
		t.Fatal(err)
	}
	if n := h.rows("hook_event"); n != 1 {
		t.Error("a try of one event takes another away")
	}
	if _, err := h.needs.Store.find(t.Context(), space, "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("find = %v", err)
	}
}

// Messages are told apart by their writer, and by a property that comes twice.
func TestMessages(t *testing.T) {
	p := func(thing, id, by string) series.Point {
		return series.Point{Series: id, Thing: thing, At: noon, By: by}
	}
	all := messages([]series.Point{p("a", "1", "device:d"), p("b", "1", "device:e"), p("a", "2", "device:d"), p("a", "1", "device:d"), p("a", "3", "u"), p("a", "4", "u")})
	var got []string
	for _, m := range all {
		text := m.thing
		for _, p := range m.points {
			text += p.Series
		}
		got = append(got, text)
	}
	if fmt.Sprint(got) != "[a12 b1 a1 a34]" {
		t.Errorf("messages %v", got)
	}
}
