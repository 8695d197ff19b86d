package trigger

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
)

// Every kind of condition fires when it comes to hold, once, and again after it did not.
func TestConditions(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		th := h.thing("pond", "", map[string]string{"lamp": "STATUS", "temperature": "FLOAT", "count": "INT", "mode": "CHARSTRING", "fleeting lamp": "STATUS"})
		type step struct {
			on        string
			condition any
			say, want []string
		}
		for name, c := range map[string]step{
			"flag":           {"lamp", nil, []string{"false", "true", "true", "false", "true"}, []string{"true", "true"}},
			"flag, false":    {"lamp", map[string]any{"operator": "EQ", "value": false}, []string{"true", "false", "false"}, []string{"false"}},
			"without memory": {"fleeting lamp", nil, []string{"true", "false", "true"}, []string{"true", "true"}},
			"above":          {"temperature", map[string]any{"operator": "GT", "value": 30}, []string{"30", "30.5", "31", "30", "40"}, []string{"30.5", "40"}},
			"hysteresis": {"temperature", map[string]any{"operator": "GT", "value": 30, "hysteresis": 2}, []string{"31", "29.5", "31", "28", "31"},
				[]string{"31", "31"}},
			"below":         {"count", map[string]any{"operator": "LTE", "value": 5, "hysteresis": 1}, []string{"7", "5", "6", "4", "7", "3"}, []string{"5", "3"}},
			"between":       {"count", map[string]any{"operator": "BETWEEN", "value": 5, "upper": 7}, []string{"4", "5", "7", "8", "6"}, []string{"5", "6"}},
			"outside":       {"count", map[string]any{"operator": "OUTSIDE", "value": 5, "upper": 7, "hysteresis": 1}, []string{"6", "8", "7", "6", "4"}, []string{"8", "4"}},
			"not":           {"count", map[string]any{"operator": "NEQ", "value": 5}, []string{"5", "6", "7", "5", "4"}, []string{"6", "4"}},
			"text":          {"mode", map[string]any{"operator": "EQ", "value": "on"}, []string{`"off"`, `"on"`, `"on"`, `"off"`, `"on"`}, []string{`"on"`, `"on"`}},
			"any text":      {"mode", nil, []string{`"a1"`, `"a1"`, `"b1"`, `"a1"`}, []string{`"a1"`, `"b1"`, `"a1"`}},
			"an empty text": {"mode", map[string]any{"operator": "NEQ", "value": ""}, []string{`""`, `"x"`, `""`}, []string{`"x"`}},
		} {
			body := map[string]any{"property_id": fleettest.PropertyID(th, c.on), "actions": []any{h.hook("/" + strings.ReplaceAll(name, " ", ""))}}
			if c.condition != nil {
				body["condition"] = c.condition
			}
			// Others are on the same property, and see its values too: each is heard alone.
			h.report(th, c.on, c.say[len(c.say)-1])
			h.report(th, c.on, map[string]string{"lamp": "false", "fleeting lamp": "false", "temperature": "0", "count": "6", "mode": `"zero"`}[c.on])
			if name == "flag, false" {
				h.report(th, c.on, "true")
			}
			if name == "not" {
				h.report(th, c.on, "5")
			}
			if name == "an empty text" {
				h.report(th, c.on, `""`)
			}
			tr := h.trigger(body)
			for _, v := range c.say {
				h.report(th, c.on, v)
			}
			h.settled()
			got := h.values("/" + strings.ReplaceAll(name, " ", ""))
			slices.Sort(got) // deliveries have no order
			slices.Sort(c.want)
			if !same(got, c.want) {
				t.Errorf("%s: fires at %v, want %v", name, got, c.want)
			}
			h.want(200, "editor", "DELETE", "/iot/v1/triggers/"+tr.ID+"?force=true", nil, nil)
		}
	})
}

// A webhook is signed, bears its key, and is tried until it is taken or dead; what is dead can be had tried again.
func TestWebhooksAreTriedUntilTaken(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		th := h.thing("pond", "", map[string]string{"lamp": "STATUS"})
		tr := h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp"), "actions": []any{h.hook("/hook")}})
		secret := tr.Actions[0].Webhook.Secret
		var again wireAction
		h.want(200, "editor", "GET", "/iot/v1/actions/"+tr.Actions[0].ID, nil, &again)
		if secret == "" || again.Webhook.Secret != "" || again.Webhook.URL != h.hooks.URL+"/hook" {
			t.Errorf("secrets are told: %q, then %+v", secret, again.Webhook)
		}
		h.hooks.answers(func(_ string, n int) int {
			if n < 3 {
				return http.StatusServiceUnavailable
			}
			return http.StatusNoContent
		})
		h.report(th, "lamp", "true")
		for range 2 {
			n := len(h.hooks.all("/hook"))
			h.passing(time.Second, "a call", func() bool { return len(h.hooks.all("/hook")) > n })
		}
		h.passing(time.Second, "that it is taken", func() bool { return h.waiting() == 0 })
		calls := h.hooks.all("/hook")
		if len(calls) != 3 {
			t.Fatalf("%d calls, want 3", len(calls))
		}
		for _, c := range calls {
			at, err := time.Parse(time.RFC3339, noon.Format(time.RFC3339))
			if err != nil || c.head.Get("Idempotency-Key") == "" || c.head.Get("Idempotency-Key") != calls[0].head.Get("Idempotency-Key") {
				t.Errorf("keys %q and %q, %v", c.head.Get("Idempotency-Key"), calls[0].head.Get("Idempotency-Key"), at)
			}
			var seconds int64
			if err := json.Unmarshal([]byte(c.head.Get("Webhook-Timestamp")), &seconds); err != nil {
				t.Fatal(err)
			}
			if want := webhook.Sign(secret, c.head.Get("Webhook-Id"), time.Unix(seconds, 0), c.body); want == "" || c.head.Get("Webhook-Signature") != want {
				t.Errorf("signature %q, want %q", c.head.Get("Webhook-Signature"), want)
			}
		}
		h.hooks.answers(func(string, int) int { return http.StatusInternalServerError })
		h.report(th, "lamp", "false")
		h.report(th, "lamp", "true")
		h.passing(time.Hour, "that it is given up", func() bool { return h.Counts().Dead == 1 && h.waiting() == 0 })
		var all []wireDelivery
		path := "/v1/actions/" + tr.Actions[0].ID + "/deliveries"
		h.want(200, "viewer", "GET", path, nil, &all)
		if len(all) != 2 || all[0].Outcome != dead || all[0].Answer == nil || *all[0].Answer != 500 || all[1].Outcome != done || all[1].Tries != 3 {
			t.Fatalf("deliveries %+v", all)
		}
		h.want(404, "stranger", "POST", path+"/retry", nil, nil)
		h.want(403, "viewer", "POST", path+"/retry", nil, nil)
		h.hooks.answers(nil)
		for _, want := range []int64{1, 0} {
			var again wireRetried
			if h.want(200, "editor", "POST", path+"/retry", nil, &again); again.Retried != want {
				t.Errorf("%d are tried again, want %d", again.Retried, want)
			}
		}
		h.settled()
		calls = h.hooks.all("/hook")
		last := calls[len(calls)-1]
		if last.head.Get("Idempotency-Key") != all[0].ID {
			t.Errorf("the key is another: %s, want %s", last.head.Get("Idempotency-Key"), all[0].ID)
		}
		var e wireEvent
		if err := json.Unmarshal(last.body, &e); err != nil || !e.Timestamp.Equal(all[0].At) {
			t.Errorf("it fired at %v, want %v; %v", e.Timestamp, all[0].At, err)
		}
		// Another day of tries begins with that.
		h.hooks.answers(func(string, int) int { return http.StatusInternalServerError })
		h.report(th, "lamp", "false")
		h.report(th, "lamp", "true")
		h.passing(time.Hour, "that it is given up", func() bool { return h.Counts().Dead == 2 && h.waiting() == 0 })
		h.clock.Pass(2 * tryFor)
		failed := h.Counts().Failed
		h.want(200, "editor", "POST", path+"/retry", nil, nil)
		fleettest.Eventually(t, "a try", func() bool { return h.Counts().Failed > failed })
		h.passing(time.Hour, "that it is given up again", func() bool { return h.Counts().Dead == 3 && h.waiting() == 0 })
	})
}

// Letters have what people asked for filled in, go to members alone, and end with one click.
func TestLettersAndTheirEnd(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		th := h.thing("pond", "", map[string]string{"temperature": "FLOAT"})
		email := map[string]any{"kind": "NOTIFY-EMAIL", "name": "mail", "email": map[string]any{
			"subject":  map[string]any{"expression": "{thing.name}: {t}", "variables": []any{map[string]any{"placeholder": "t", "entity": "PROPERTY", "attribute": "VALUE"}}},
			"body":     map[string]any{"expression": "Dear {recipient.name},\n{variable.name} is {variable.value} since {variable.timestamp}.\nhttps://evil.example {other}"},
			"delivery": map[string]any{"to": []any{map[string]any{"id": editor.ID, "email": "x@example.org"}}, "bcc": []any{map[string]any{"id": viewer.ID}}}}}
		tr := h.trigger(map[string]any{"name": "Too warm", "property_id": fleettest.PropertyID(th, "temperature"), "condition": map[string]any{"operator": "GT", "value": 30}, "actions": []any{email}})
		h.report(th, "temperature", "31.5")
		fleettest.Eventually(t, "two letters", func() bool { return len(h.carrier.all()) == 2 })
		got := map[string]string{}
		links := map[string]string{}
		for _, m := range h.carrier.all() {
			got[m.To.Addr], links[m.To.Addr] = m.Subject+"\n"+m.Text, m.Unsubscribe
		}
		for _, want := range []string{"pond: 31.5", "temperature is 31.5 since 2026-10-17 14:00:00 CEST", "Dear Ed", "{other}"} {
			if !strings.Contains(got["ed@example.org"], want) {
				t.Errorf("no %q in %s", want, got["ed@example.org"])
			}
		}
		if strings.Contains(got["ed@example.org"], "https://evil.example") || !strings.Contains(got["vi@example.org"], "Dear Vi") || !strings.Contains(got["vi@example.org"], "Non voglio altre lettere") {
			t.Errorf("letters %q", got)
		}
		link := strings.TrimPrefix(links["vi@example.org"], "https://ardesia.example.org")
		if w := h.want(200, "", "GET", link, nil, nil); !strings.Contains(w.Body.String(), "<form method=\"post\">") || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("the page is %s", w.Body)
		}
		form := func(body string) {
			t.Helper()
			q := newForm(link, body)
			w := newRecorder()
			h.http.ServeHTTP(w, q)
			if w.Code != 200 {
				t.Fatalf("POST = %d %s", w.Code, w.Body)
			}
		}
		fire := func(want int) {
			t.Helper()
			before := len(h.carrier.all())
			h.report(th, "temperature", "20")
			h.report(th, "temperature", "32")
			h.settled()
			fleettest.Eventually(t, "letters", func() bool { return len(h.carrier.all()) >= before+want })
			if n := len(h.carrier.all()) - before; n != want {
				t.Errorf("%d letters, want %d", n, want)
			}
		}
		form("List-Unsubscribe=One-Click")
		form("List-Unsubscribe=One-Click")
		fire(1)
		form("again=1")
		fire(2)
		h.want(404, "", "GET", link[:len(link)-1], nil, nil)
		h.want(404, "", "POST", "/unsubscribe/x", nil, nil)
		// The API takes somebody from the lists.
		h.want(200, "editor", "POST", "/iot/v1/triggers/"+tr.ID+"/unsubscribe", map[string]any{"recipients": []any{viewer.ID}}, nil)
		fire(1)
		var a wireAction
		h.want(200, "editor", "PUT", "/iot/v1/actions/"+tr.Actions[0].ID+"/unsubscribe", map[string]any{"recipients": []any{editor.ID}}, &a)
		if len(a.Email.Delivery.To) != 0 || len(a.Email.Delivery.BCC) != 0 {
			t.Errorf("recipients are left: %+v", a.Email.Delivery)
		}
		fire(0)
		var n int
		if err := h.set.Core.One(t.Context(), func(r db.Row) error { return r.Scan(&n) }, `select count(*) from journal where action = 'trigger:mute'`); err != nil || n != 1 {
			t.Errorf("%d entries of muting, %v", n, err)
		}
		if err := h.Forget(t.Context(), viewer.ID); err != nil {
			t.Error(err)
		}
	})
}

// A value is set once for each time, and is told to the board as any other.
func TestAnActionSetsAProperty(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		th := h.thing("pond", "", map[string]string{"lamp": "STATUS", "pump": "STATUS", "fleeting level": "INT"})
		set := func(name, value string) map[string]any {
			return map[string]any{"kind": "SET-PROPERTY", "name": "set", "set_property": map[string]any{"property_id": fleettest.PropertyID(th, name), "value": json.RawMessage(value)}}
		}
		h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp"), "actions": []any{set("pump", "true"), set("fleeting level", "7")}})
		h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "pump"), "actions": []any{h.hook("/pump")}})
		// The pause of a crash between the value and the end of its delivery.
		h.set.cut = cutOnce("tried")
		h.again()
		h.report(th, "lamp", "true")
		fleettest.Eventually(t, "a value", func() bool {
			h.clock.Pass(time.Minute)
			return h.last(th, "pump") == "true" && h.last(th, "fleeting level") == "7"
		})
		fleettest.Eventually(t, "the end", func() bool { h.clock.Pass(time.Minute); return h.waiting() == 0 })
		h.settled()
		if got := h.values("/pump"); !same(got, []string{"true"}) {
			t.Errorf("a trigger on the value fires at %v", got)
		}
		if n := h.points(th, "pump"); n != 1 {
			t.Errorf("the value is there %d times", n)
		}
	})
}

// A trigger does no more than its rate, and a space no more than its quota of the day.
func TestStormsAreHeld(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change     func(*setting)
		done, held int64
	}{
		"rate":  {func(s *setting) { s.config.Rate = 5 }, 5, 15},
		"quota": {func(s *setting) { s.limit = limitTo(10, 7) }, 7, 13},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, db.SQLite, c.change)
			th := h.thing("pond", "", map[string]string{"mode": "CHARSTRING"})
			h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "mode"), "actions": []any{h.hook("/hook")}})
			for i := range 20 {
				h.report(th, "mode", string(rune('a' + i))[:0]+`"`+string(rune('a'+i))+`"`)
			}
			h.settled()
			var u wireUsage
			h.want(200, "viewer", "GET", "/v1/triggers/usage", nil, &u)
			if u.Today != c.done || u.HeldToday != c.held || int64(len(h.values("/hook"))) != c.done {
				t.Errorf("done %d, held %d, told %d; want %d and %d", u.Today, u.HeldToday, len(h.values("/hook")), c.done, c.held)
			}
			if name == "rate" {
				h.clock.Pass(time.Minute)
				h.report(th, "mode", `"z"`)
				h.settled()
				if n := len(h.values("/hook")); n != 6 {
					t.Errorf("after a minute %d, want 6", n)
				}
				return
			}
			for range 9 {
				h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "mode")})
			}
			w := h.want(412, "editor", "PUT", "/iot/v1/triggers", map[string]any{"name": "x", "property_id": fleettest.PropertyID(th, "mode")}, nil)
			if !strings.Contains(w.Body.String(), "10 of at most 10 triggers") {
				t.Errorf("says %s", w.Body)
			}
			h.again() // what was used is not forgotten
			h.report(th, "mode", `"z"`)
			h.settled()
			if n := len(h.values("/hook")); n != 7 {
				t.Errorf("after a start %d, want 7", n)
			}
		})
	}
}
