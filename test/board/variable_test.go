package board

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// Two boards whose lamps are kept the same, and a program that is told of one of them, on the whole way: what one board says comes to
// the other's socket and to the program, what the other confirms goes nowhere, and all of it goes on after a start.
func TestTwoBoardsAndAReceiver(t *testing.T) {
	type told struct {
		Event  string `json:"event_id"`
		Hook   string `json:"webhook_id"`
		Device string `json:"device_id"`
		Thing  string `json:"thing_id"`
		Values []struct {
			Name      string          `json:"name"`
			Value     json.RawMessage `json:"value"`
			CreatedBy string          `json:"created_by"`
		} `json:"values"`
		body []byte
		head http.Header
	}
	calls := make(chan told, 64)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		one := told{body: body, head: r.Header.Clone()}
		if err := errors.Join(err, json.Unmarshal(body, &one)); err != nil {
			t.Errorf("a webhook says %q: %v", body, err)
		}
		calls <- one
	}))
	defer receiver.Close()
	h := servertest.Start(t, func(c *server.Config) { c.WebhookAllow = []string{"127.0.0.0/8"} })
	o := newOwner(t, h, "anna@example.org")
	var boards [2]*board
	var things [2]client.Thing
	for i, name := range []string{"one", "two"} {
		id := o.device(name)
		things[i] = o.thing(name, id, map[string]string{"lamp": "STATUS"})
	}
	var group struct {
		ID string `json:"id"`
	}
	o.do("PUT", "/iot/v1/sync", map[string]any{"type": "STATUS", "properties": []string{things[0].Properties[0].ID, things[1].Properties[0].ID}}, &group)
	o.do("POST", "/iot/v2/things/"+things[1].ID, map[string]any{"webhook_uri": receiver.URL + "/hook", "webhook_active": true}, nil)
	var hook struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
		Health struct {
			State string `json:"state"`
		} `json:"health"`
	}
	o.do("GET", "/v1/things/"+things[1].ID+"/webhook", nil, &hook)
	join := func() {
		t.Helper()
		for i, th := range things {
			boards[i] = connect(t, h, th.DeviceID, boardTLS(t, h), 30)
			boards[i].subscribe("/a/t/"+th.ID+"/e/i", 1)
		}
	}
	say := func(i int, on bool) {
		t.Helper()
		r := senml.Record{Name: "lamp", Kind: senml.Bool}
		if on {
			r.Int = 1
		}
		boards[i].tell("/a/t/"+things[i].ID+"/e/o", senml.Append(nil, []senml.Record{r}))
	}
	hears := func(i int, on bool) {
		t.Helper()
		got := boards[i].records("/a/t/" + things[i].ID + "/e/i")["lamp"]
		if got.Kind != senml.Bool || got.Int != 0 != on {
			t.Errorf("board %d is told %+v, want %v", i, got, on)
		}
	}
	called := func(value, by string) {
		t.Helper()
		select {
		case c := <-calls:
			seconds, err := strconv.ParseInt(c.head.Get("Webhook-Timestamp"), 10, 64)
			if err != nil || c.head.Get("Webhook-Signature") != webhook.Sign(hook.Secret, c.Event, time.Unix(seconds, 0), c.body) {
				t.Errorf("signature %v", c.head)
			}
			if c.Hook != hook.ID || c.Thing != things[1].ID || len(c.Values) != 1 || string(c.Values[0].Value) != value || c.Values[0].CreatedBy != by {
				t.Errorf("the program is told %s, want %s by %s", c.body, value, by)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the program is told nothing")
		}
	}
	join()
	say(0, true)
	hears(1, true)
	called("true", things[0].DeviceID)
	say(1, true) // as boards confirm
	called("true", things[1].DeviceID)
	boards[0].silent()
	say(1, false)
	called("false", things[1].DeviceID)
	hears(0, false)
	say(0, false)
	boards[1].silent()
	boards[0].silent()
	// A person's write reaches both.
	o.publish(things[0], "lamp", true)
	hears(0, true)
	hears(1, true)
	h.Stop()
	h = h.Again()
	o.h, o.api = h, h.Client(o.key)
	join()
	say(1, false)
	hears(0, false)
	var p struct {
		Last bool   `json:"last_value"`
		Sync string `json:"sync_id"`
	}
	o.do("GET", "/iot/v2/things/"+things[0].ID+"/properties/"+things[0].Properties[0].ID, nil, &p)
	if p.Last || p.Sync != group.ID {
		t.Errorf("property %+v", p)
	}
	o.do("GET", "/v1/things/"+things[1].ID+"/webhook", nil, &hook)
	if hook.Health.State != "ok" {
		t.Errorf("health %+v", hook.Health)
	}
}
