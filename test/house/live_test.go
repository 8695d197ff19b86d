package house

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/fleet/live/livetest"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// hear opens a live connection with a token, over HTTP/2 or HTTP/1.1.
func hear(t *testing.T, h *servertest.House, version int, token, query, last string) (*livetest.Listener, livetest.Event) {
	t.Helper()
	c := web(t, h)
	c.Timeout = 0
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = version == 2
	r, err := http.NewRequest("GET", h.URL()+"/v1/live?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	return livetest.Listen(t, c, r)
}

// What goes on in a space is heard by its members alone, whatever others ask for; a board that speaks over MQTT and a person
// who writes over HTTP are heard, over both versions of HTTP.
func TestLiveIsForMembersAlone(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	_, annas := h.Person("anna@example.org")
	_, mallorys := h.Person("mallory@example.org")
	api := h.Client(annas)
	b := makeBoard(t, api, "canary")
	other := belongings(t, h, mallorys)
	var strangers []*livetest.Listener
	for _, query := range []string{"", "devices=all", "thing=" + b.thing + "&device=" + b.id} {
		l, _ := hear(t, h, 2, token(t, h, mallorys), query, "")
		if strings.Contains(query, b.thing) {
			if e := l.Next("reload"); e.Data != `{"reason":"permission","thing":"`+b.thing+`"}` {
				t.Errorf("of Anna's thing a stranger hears %s", e.Data)
			}
		}
		strangers = append(strangers, l)
	}
	mark := propertyCalled(t, api, b.thing, markName)
	for i, version := range []int{1, 2} {
		members, _ := hear(t, h, version, token(t, h, annas), "devices=all&thing="+b.thing, "")
		board := mustEnter(t, h, 4, b.withSecret())
		if e := members.Next("devices"); !strings.Contains(e.Data, `"device":"`+b.id+`","status":"ONLINE"`) {
			t.Errorf("of the board is said %s", e.Data)
		}
		board.publish("/a/t/"+b.thing+"/e/o", pack(markName, 10+i))
		members.Until(mark, fmt.Sprint(10+i))
		if err := api.Do(t.Context(), "PUT", "/iot/v2/things/"+b.thing+"/properties/"+mark+"/publish", map[string]any{"value": 20 + i}, nil); err != nil {
			t.Fatal(err)
		}
		members.Until(mark, fmt.Sprint(20+i))
		board.leave()
		if e := members.Next("devices"); !strings.Contains(e.Data, `"status":"OFFLINE"`) {
			t.Errorf("then of the board is said %s", e.Data)
		}
		members.Leave()
	}
	// What the strangers hear is their own, and nothing came before it.
	if err := h.Client(mallorys).Do(t.Context(), "PUT", "/iot/v2/things/"+other["thing"]+"/properties/"+other["property"]+"/publish", map[string]any{"value": 7}, nil); err != nil {
		t.Fatal(err)
	}
	for i, l := range strangers {
		if i == 2 {
			h.Admin("apikey.revoke", map[string]string{"client_id": mallorys.ID}, nil)
			if e, open := l.Any(); open {
				t.Errorf("a stranger hears %+v", e)
			}
			continue
		}
		if got := l.Until(other["property"], "7"); len(got) != 1 {
			t.Errorf("a stranger hears %v", got)
		}
	}
}

// A live connection ends when the one who listens is nobody any more, in whichever way, and the others go on.
func TestLiveEndsWithItsRights(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	anna, _ := h.Person("anna@example.org")
	var school struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": anna, "name": "School"}, &school)
	var key servertest.Key
	h.Admin("apikey.add", map[string]string{"user": anna, "space": school.ID, "name": "school"}, &key)
	own := belongings(t, h, key)
	witness, _ := hear(t, h, 2, token(t, h, key), "", "")
	for i := range 4 {
		user, _ := h.Person(fmt.Sprintf("member%d@example.org", i))
		h.Admin("space.member", map[string]string{"space": school.ID, "user": user, "role": "viewer"}, nil)
		var theirs servertest.Key
		h.Admin("apikey.add", map[string]string{"user": user, "space": school.ID, "name": "theirs"}, &theirs)
		l, _ := hear(t, h, 2, token(t, h, theirs), "thing="+own["thing"], "")
		value := fmt.Sprint(100 + i)
		publish := func() {
			t.Helper()
			if err := h.Client(key).Do(t.Context(), "PUT", "/iot/v2/things/"+own["thing"]+"/properties/"+own["property"]+"/publish", map[string]any{"value": 100 + i}, nil); err != nil {
				t.Fatal(err)
			}
		}
		publish()
		l.Until(own["property"], value)
		witness.Until(own["property"], value)
		switch i {
		case 0:
			h.Admin("apikey.revoke", map[string]string{"client_id": theirs.ID}, nil)
		case 1:
			h.Admin("user.disable", map[string]any{"user": user, "disabled": true}, nil)
		case 2:
			h.Admin("space.member", map[string]string{"space": school.ID, "user": user, "role": "none"}, nil)
		case 3:
			h.Admin("user.password", map[string]string{"user": user, "password": "another good long phrase 77"}, nil)
		}
		l.Ends()
	}
	h.Pass(10 * time.Minute) // tokens have run out, of which nobody tells
	witness.Ends()
}

// A board speaks, and somebody listens: over a break of the connection nothing is missed, and after a start of the server, which
// does not know what was, the client is told to fetch again.
func TestLiveAfterARestart(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	b := makeBoard(t, h.Client(key), "canary")
	mark := propertyCalled(t, h.Client(key), b.thing, markName)
	l, _ := hear(t, h, 2, token(t, h, key), "", "")
	board := mustEnter(t, h, 4, b.withSecret())
	say := func(value int) { board.publish("/a/t/"+b.thing+"/e/o", pack(markName, value)) }
	say(1)
	l.Until(mark, "1")
	l.Leave()
	say(2)
	say(3)
	l, hello := hear(t, h, 2, token(t, h, key), "", l.Last)
	if !strings.Contains(hello.Data, `"resumed":true`) {
		t.Errorf("after a break hello says %s", hello.Data)
	}
	if got := l.Until(mark, "3"); len(got) != 1 {
		t.Errorf("after a break comes %v, want the newest", got)
	}
	begin := time.Now()
	h.Stop() // with both under way
	l.Ends()
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("the server took %v to stop: it waited for who listens", took)
	}
	again := h.Again()
	l, hello = hear(t, again, 2, token(t, again, key), "", l.Last)
	if !strings.Contains(hello.Data, `"resumed":false`) {
		t.Errorf("after a start hello says %s", hello.Data)
	}
	if e := l.Next("reload"); e.Data != `{"reason":"lost"}` {
		t.Errorf("after a start comes %s", e.Data)
	}
	board = mustEnter(t, again, 4, b.withSecret())
	say(4)
	l.Until(mark, "4")
}

// propertyCalled is the id of a thing's property with a variable name.
func propertyCalled(t *testing.T, c *client.Client, thing, variable string) string {
	t.Helper()
	var th client.Thing
	if err := c.Do(t.Context(), "GET", "/iot/v2/things/"+thing, nil, &th); err != nil {
		t.Fatal(err)
	}
	for _, p := range th.Properties {
		if p.Variable == variable {
			return p.ID
		}
	}
	t.Fatalf("the thing has no variable %s", variable)
	return ""
}
