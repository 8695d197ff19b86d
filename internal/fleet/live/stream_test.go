package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/live/livetest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
)

// hasty is the pace of tests that do not look at it.
var hasty = Config{Pace: time.Millisecond}

func TestValuesAreToldAsTheAPIShowsThem(t *testing.T) {
	eachHouse(t, hasty, func(t *testing.T, h *house) {
		a := h.thing("a", "number", "text", "fleeting")
		b := h.thing("b", "number")
		all, _ := h.listen("editor", "", "")
		one, _ := h.listen("viewer", things(b), "")
		h.say(a, "number", "21.5")
		h.say(a, "text", `"grüß\n\"Gott\""`)
		h.say(a, "fleeting", "7")
		h.say(b, "number", "1")
		got := map[string]livetest.Value{}
		for _, v := range all.Until(fleettest.PropertyID(b, "number"), "1") {
			got[v.Property] = v
		}
		for _, th := range []thing.Thing{a, b} {
			for _, p := range th.Properties {
				var shown struct {
					Value json.RawMessage `json:"last_value"`
					At    time.Time       `json:"value_updated_at"`
				}
				doortest.Want(t, h.web.Config.Handler, http.StatusOK, "editor", "GET", "/iot/v2/things/"+th.ID+"/properties/"+p.ID, nil, &shown)
				if v := got[p.ID]; v.Thing != th.ID || string(v.Value) != string(shown.Value) || !v.At.Equal(shown.At) {
					t.Errorf("%s of %s is told as %s at %v, and shown as %s at %v", p.Name, th.Name, v.Value, v.At, shown.Value, shown.At)
				}
			}
		}
		if only := one.Until(fleettest.PropertyID(b, "number"), "1"); len(only) != 1 {
			t.Errorf("who asked for one thing heard %v", only)
		}
	})
}

// However much comes between two flushes, the client gets the newest of each property, in order, and not more often than it may.
func TestValuesAreCoalesced(t *testing.T) {
	h := newHouse(t, db.SQLite, Config{Pace: 50 * time.Millisecond})
	a := h.thing("a", "number", "other")
	l, _ := h.listen("editor", things(a), "")
	begin := time.Now()
	const n = 400
	for i := range n {
		h.say(a, "number", strconv.Itoa(i))
		h.say(a, "other", strconv.Itoa(-i))
	}
	last, flushes := -1, 0
	for last < n-1 {
		flushes++
		seen := map[string]bool{}
		for _, v := range l.Next("values").Values(t) {
			if seen[v.Property] {
				t.Fatal("a property came twice in one flush")
			}
			seen[v.Property] = true
			if v.Property != fleettest.PropertyID(a, "number") {
				continue
			}
			now, err := strconv.Atoi(string(v.Value))
			if err != nil || now <= last {
				t.Fatalf("%s came after %d", v.Value, last)
			}
			last = now
		}
	}
	if most := int(time.Since(begin)/(50*time.Millisecond)) + 2; flushes > most {
		t.Errorf("%d flushes in %v", flushes, time.Since(begin))
	}
}

func TestAStreamGoesOn(t *testing.T) {
	eachHouse(t, hasty, func(t *testing.T, h *house) {
		a := h.thing("a", "number", "other")
		l, hello := h.listen("editor", things(a), "")
		if hello.Data != `{"at":"2026-10-17T12:00:00.000000Z","resumed":false}` {
			t.Errorf("hello says %s", hello.Data)
		}
		h.say(a, "number", "1")
		l.Until(fleettest.PropertyID(a, "number"), "1")
		l.Leave()
		h.say(a, "number", "2")
		h.say(a, "other", "3")
		h.say(a, "number", "4")
		again, hello := h.listen("editor", things(a), l.Last)
		if !strings.Contains(hello.Data, `"resumed":true`) || hello.ID != l.Last {
			t.Errorf("it goes on with %+v, want from %s", hello, l.Last)
		}
		missed := map[string]string{}
		for missed[fleettest.PropertyID(a, "number")] != "4" || missed[fleettest.PropertyID(a, "other")] != "3" {
			for _, v := range again.Next("values").Values(t) { // in any order: what was told while nobody listened is not remembered
				missed[v.Property] = string(v.Value)
			}
		}
		// A property that went meanwhile is not told of.
		again.Leave()
		h.say(a, "other", "5")
		if err := h.Things.DeleteProperty(t.Context(), editor, a.ID, fleettest.PropertyID(a, "other"), true); err != nil {
			t.Fatal(err)
		}
		fleettest.Eventually(t, "that the property is forgotten", func() bool {
			b, _ := h.board(editor.Space)
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.items[key{aValue, fleettest.PropertyID(a, "other")}] == nil
		})
		once, _ := h.listen("editor", things(a), again.Last)
		if e := once.Next("reload"); e.Data != `{"reason":"thing","thing":"`+a.ID+`"}` {
			t.Errorf("of what changed meanwhile is said %s", e.Data)
		}

		for name, last := range map[string]string{
			"another run": Mark{"ABCDEFGHIJKLM", 1}.String(), "before": Mark{h.run, 1}.String(), "after": Mark{h.run, 1 << 60}.String(), "no id of ours": "17",
		} {
			l, hello := h.listen("editor", things(a), last)
			if !strings.Contains(hello.Data, `"resumed":false`) {
				t.Errorf("%s: %s", name, hello.Data)
			}
			if e := l.Next("reload"); e.Data != `{"reason":"lost"}` {
				t.Errorf("%s: %s", name, e.Data)
			}
			l.Leave()
		}
	})
}

// Nobody hears anything of another space, whatever they ask for.
func TestStrangersHearNothing(t *testing.T) {
	eachHouse(t, hasty, func(t *testing.T, h *house) {
		a := h.thing("a", "number")
		everything, _ := h.listen("stranger", "devices=all", "")
		named, _ := h.listen("stranger", things(a)+"&device="+a.Device, "")
		absent, _ := h.listen("stranger", "thing="+otherID, "")
		for l, id := range map[*livetest.Listener]string{named: a.ID, absent: otherID} {
			if e := l.Next("reload"); e.Data != `{"reason":"permission","thing":"`+id+`"}` {
				t.Errorf("of a thing that is another's, or not there, is said %s", e.Data)
			}
		}
		answer, _ := h.ask("stranger", "dashboard="+h.private(fleettest.PropertyID(a, "number")), "")
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("another's dashboard is answered with %d", answer.StatusCode)
		}
		theirs, err := h.Things.Create(t.Context(), stranger, thing.Thing{Name: "theirs", Timezone: "Europe/Rome", Properties: []thing.Property{property("number")}}, false)
		if err != nil {
			t.Fatal(err)
		}
		leave := h.connect(a)
		leave()
		h.say(a, "number", "1")
		if err := h.Things.Report(t.Context(), stranger, theirs.ID, []thing.Write{{Property: theirs.Properties[0].ID, JSON: json.RawMessage("2")}}); err != nil {
			t.Fatal(err)
		}
		if e := everything.Next("reload"); !strings.Contains(e.Data, theirs.ID) {
			t.Errorf("of a thing of their own is said %s", e.Data)
		}
		if got := everything.Until(theirs.Properties[0].ID, "2"); len(got) != 1 {
			t.Errorf("the stranger heard %v", got)
		}
		for _, l := range []*livetest.Listener{named, absent} {
			h.is("stranger", access.Actor{})
			h.Recheck(func(access.Actor) bool { return true })
			if e, open := l.Any(); open {
				t.Errorf("the stranger heard %+v", e)
			}
		}
	})
}

// private makes a dashboard that is shared with nobody.
func (h *house) private(property string) string {
	h.t.Helper()
	d, err := h.boards.Create(h.t.Context(), editor, dashboard.Dashboard{Name: "private", Widgets: []dashboard.Widget{
		{ID: "77000000-0000-4000-8000-000000000001", Type: "Chart", Variables: []string{property}, Place: dashboard.Place{Width: 1, Height: 1}}}})
	if err != nil {
		h.t.Fatal(err)
	}
	return d.ID
}

// A guest hears of the properties that are lent to them, from when on to when.
func TestGuestsHearWhatIsLent(t *testing.T) {
	eachHouse(t, hasty, func(t *testing.T, h *house) {
		a := h.thing("a", "shown", "hidden")
		d := h.share(access.Read, fleettest.PropertyID(a, "shown"))
		for name, query := range map[string]string{"by dashboard": "dashboard=" + d.ID, "by thing": things(a)} {
			l, _ := h.listen("stranger", query+"&devices=all", "")
			h.say(a, "hidden", "1")
			leave := h.connect(a)
			leave()
			h.say(a, "shown", "2")
			if got := l.Until(fleettest.PropertyID(a, "shown"), "2"); len(got) != 1 {
				t.Errorf("%s: a guest heard %v", name, got)
			}
			// The dashboard shows the other property now.
			if _, err := h.boards.Update(t.Context(), editor, d.ID, func(d *dashboard.Dashboard) error {
				d.Widgets[0].Variables = []string{fleettest.PropertyID(a, "hidden")}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if e := l.Next("reload"); !strings.Contains(e.Data, "permission") && !strings.Contains(e.Data, "changed") {
				t.Errorf("%s: of another dashboard is said %s", name, e.Data)
			}
			h.say(a, "shown", "3")
			h.say(a, "hidden", "4")
			for {
				e, _ := l.Any()
				if e.Name == "reload" {
					continue
				}
				if got := e.Values(t); len(got) != 1 || got[0].Property != fleettest.PropertyID(a, "hidden") {
					t.Errorf("%s: then a guest heard %+v", name, e)
				}
				break
			}
			if err := h.boards.Unshare(t.Context(), editor, d.ID, stranger.ID); err != nil {
				t.Fatal(err)
			}
			if e := l.Next("reload"); !strings.Contains(e.Data, "permission") {
				t.Errorf("%s: of a share that was taken back is said %s", name, e.Data)
			}
			h.say(a, "hidden", "5")
			h.is("stranger", access.Actor{})
			h.Recheck(func(who access.Actor) bool { return who.ID == stranger.ID })
			for {
				e, open := l.Any()
				if !open {
					break
				}
				if e.Name != "reload" {
					t.Errorf("%s: after the end a guest heard %+v", name, e)
				}
			}
			h.is("stranger", stranger)
			if err := h.boards.Share(t.Context(), editor, d.ID, []dashboard.Guest{{User: stranger.ID}}, access.Read); err != nil {
				t.Fatal(err)
			}
			if _, err := h.boards.Update(t.Context(), editor, d.ID, func(d *dashboard.Dashboard) error {
				d.Widgets[0].Variables = []string{fleettest.PropertyID(a, "shown")}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Who may see nothing yet hears when that has changed, without anybody who tells the stream.
func TestGuestsHearOfWhatWillBeLent(t *testing.T) {
	h := newHouse(t, db.SQLite, Config{Pace: time.Millisecond, Beat: 10 * time.Millisecond})
	a := h.thing("a", "shown")
	byThing, _ := h.listen("stranger", things(a), "")
	byThing.Next("reload") // it is not to be seen
	d := h.share(access.Read)
	byDashboard, _ := h.listen("stranger", "dashboard="+d.ID, "")
	if _, err := h.boards.Update(t.Context(), editor, d.ID, func(d *dashboard.Dashboard) error {
		d.Widgets[0].Variables = []string{fleettest.PropertyID(a, "shown")}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*livetest.Listener{"by thing": byThing, "by dashboard": byDashboard} {
		l.Next("reload")
		h.say(a, "shown", "1")
		e, open := l.Any()
		for open && e.Name == "reload" { // of the dashboard, and of the thing on it
			e, open = l.Any()
		}
		if got := e.Values(t); len(got) != 1 || got[0].Property != fleettest.PropertyID(a, "shown") {
			t.Errorf("%s: came %+v", name, e)
		}
	}
}

func TestMembersHearOfADashboard(t *testing.T) {
	h := newHouse(t, db.SQLite, hasty)
	a := h.thing("a", "shown", "hidden")
	d := h.share(access.Read, fleettest.PropertyID(a, "shown"))
	l, _ := h.listen("viewer", "dashboard="+d.ID, "")
	h.say(a, "hidden", "1")
	h.say(a, "shown", "2")
	if got := l.Until(fleettest.PropertyID(a, "shown"), "2"); len(got) != 1 {
		t.Errorf("a member heard %v", got)
	}
	if err := h.boards.Delete(t.Context(), editor, d.ID, false); err != nil {
		t.Fatal(err)
	}
	if e := l.Next("reload"); e.Data != `{"reason":"permission"}` && e.Data != `{"reason":"changed"}` {
		t.Errorf("of a dashboard that has gone is said %s", e.Data)
	}
}

func TestThingsThatChange(t *testing.T) {
	eachHouse(t, hasty, func(t *testing.T, h *house) {
		a := h.thing("a", "number")
		all, _ := h.listen("editor", "", "")
		one, _ := h.listen("viewer", things(a), "")
		wants := func(id string, who ...*livetest.Listener) {
			t.Helper()
			for _, l := range who {
				if e := l.Next("reload"); e.Data != `{"reason":"thing","thing":"`+id+`"}` {
					t.Errorf("of a thing that changed is said %s", e.Data)
				}
			}
		}
		b := h.thing("b", "number")
		wants(b.ID, all)
		_, p, err := h.Things.AddProperty(t.Context(), editor, a.ID, property("added"))
		if err != nil {
			t.Fatal(err)
		}
		wants(a.ID, all, one)
		if err := h.Things.Report(t.Context(), editor, a.ID, []thing.Write{{Property: p.ID, JSON: json.RawMessage("5")}}); err != nil {
			t.Fatal(err)
		}
		one.Until(p.ID, "5")
		all.Until(p.ID, "5")
		if err := h.Things.Delete(t.Context(), editor, a.ID, false); err != nil {
			t.Fatal(err)
		}
		wants(a.ID, all, one)
		if _, err := h.Things.Update(t.Context(), editor, a.ID, false, func(t *thing.Thing) error { t.DeletedAt = time.Time{}; return nil }); err != nil {
			t.Fatal(err)
		}
		wants(a.ID, all, one)
		h.say(a, "number", "6")
		one.Until(fleettest.PropertyID(a, "number"), "6")
	})
}

func TestDevices(t *testing.T) {
	eachHouse(t, hasty, func(t *testing.T, h *house) {
		a, b := h.thing("a", "number"), h.thing("b", "number")
		all, _ := h.listen("viewer", "devices=all&"+things(a), "")
		one, _ := h.listen("viewer", "device="+a.Device+"&"+things(a), "")
		wants := func(id, status string, who ...*livetest.Listener) {
			t.Helper()
			for _, l := range who {
				if e := l.Next("devices"); !strings.HasPrefix(e.Data, `[{"device":"`+id+`","status":"`+status+`","at":"2026-10-17T`) {
					t.Errorf("of a device is said %s, want %s", e.Data, status)
				}
			}
		}
		leave := h.connect(a)
		wants(a.Device, "ONLINE", all, one)
		if d, err := h.Devices.Get(t.Context(), editor, editor.Space, a.Device, false); err != nil || d.Status != "ONLINE" {
			t.Errorf("the API says %v (%v)", d.Status, err)
		}
		h.clock.Pass(time.Second)
		leave()
		wants(a.Device, "OFFLINE", all, one)
		h.connect(b)
		wants(b.Device, "ONLINE", all)
		h.thing("c")
		if e := all.Next("reload"); e.Data != `{"reason":"changed"}` {
			t.Errorf("of a new device is said %s", e.Data)
		}
	})
}

// Who is nobody any more is hung up on, and who may see less is told so.
func TestRightsEnd(t *testing.T) {
	eachHouse(t, hasty, func(t *testing.T, h *house) {
		a := h.thing("a", "number")
		key := editor
		key.Client = "a key"
		for name, end := range map[string]func(){
			"a key": func() {
				h.is("a key", access.Actor{})
				h.Recheck(func(who access.Actor) bool { return who.Client == "a key" })
			},
			"a session": func() { h.is("a session", access.Actor{}); h.RecheckSession("session of a session") },
			"a member":  func() { h.is("a member", access.Actor{}); h.RecheckSpace(editor.Space) },
			"a role":    func() { who := editor; who.Role = access.NoRole; h.is("a role", who); h.RecheckSpace(editor.Space) },
			"some space": func() {
				who := editor
				who.Space = stranger.Space
				h.is("some space", who)
				h.RecheckSpace(editor.Space)
			},
		} {
			h.is(name, editor)
			if name == "a key" {
				h.is(name, key)
			}
			l, _ := h.listen(name, things(a), "")
			other, _ := h.listen("viewer", things(a), "")
			h.say(a, "number", "1")
			l.Until(fleettest.PropertyID(a, "number"), "1")
			end()
			l.Ends()
			h.say(a, "number", "2")
			other.Until(fleettest.PropertyID(a, "number"), "2") // the others go on
			other.Leave()
		}
		l, _ := h.listen("editor", "", "")
		who := editor
		who.Role = access.Viewer
		h.is("editor", who)
		h.RecheckSpace(editor.Space)
		if e := l.Next("reload"); e.Data != `{"reason":"permission"}` {
			t.Errorf("of another role is said %s", e.Data)
		}
		h.say(a, "number", "3")
		l.Until(fleettest.PropertyID(a, "number"), "3")
		fleettest.Eventually(t, "that one stream is left", func() bool { return h.Counts().Streams == 1 })
	})
}

// What ends by itself, of which nobody tells, ends the stream when it is asked again.
func TestRightsRunOut(t *testing.T) {
	h := newHouse(t, db.SQLite, Config{Pace: time.Millisecond, Beat: 5 * time.Millisecond})
	l, _ := h.listen("editor", "", "")
	h.is("editor", access.Actor{})
	l.Ends()
}

func TestLimits(t *testing.T) {
	h := newHouse(t, db.SQLite, Config{PerPerson: 2, PerSpace: 3, Total: 4})
	for i := range 3 { // three more of the space, and two elsewhere
		who := editor
		who.ID = fmt.Sprintf("a1000000-0000-4000-8000-00000000010%d", i)
		h.is(fmt.Sprint(i), who)
	}
	refused := func(as string, status int, code string) {
		t.Helper()
		answer, cancel := h.ask(as, "", "")
		defer cancel()
		var e struct{ Code string }
		if err := json.NewDecoder(answer.Body).Decode(&e); err != nil || answer.StatusCode != status || e.Code != code || answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s gets %d %s (Retry-After %q, %v), want %d %s", as, answer.StatusCode, e.Code, answer.Header.Get("Retry-After"), err, status, code)
		}
	}
	first, _ := h.listen("editor", "", "")
	h.listen("editor", "", "")
	refused("editor", http.StatusTooManyRequests, "live-too-many")
	h.listen("0", "", "")
	refused("1", http.StatusTooManyRequests, "live-space-full")
	h.listen("stranger", "", "")
	refused("stranger", http.StatusServiceUnavailable, "live-busy")
	if c := h.Counts(); c.Streams != 4 || c.Opened != 4 || c.Refused != 3 {
		t.Errorf("counted %+v", c)
	}
	first.Leave()
	fleettest.Eventually(t, "that a place is free", func() bool { return h.Counts().Streams == 3 })
	h.listen("1", "", "")
}

// A client that does not read slows nobody, needs a bounded memory, and is cut off.
func TestASlowReaderIsCutOff(t *testing.T) {
	h := newHouse(t, db.SQLite, Config{Pace: time.Millisecond, Patience: 300 * time.Millisecond, Board: 1 << 20})
	a := h.thing("a", "text0", "text1", "text2", "text3", "number")
	answer, cancel := h.ask("editor", things(a), "")
	defer cancel()
	defer answer.Body.Close()
	fast, _ := h.listen("viewer", things(a), "")
	long := strings.Repeat("x", 16_000)
	for i := range 10_000 {
		h.say(a, fmt.Sprint("text", i%4), `"`+strconv.Itoa(i)+long+`"`)
		if i%50 == 0 {
			h.say(a, "number", strconv.Itoa(i))
			fast.Until(fleettest.PropertyID(a, "number"), strconv.Itoa(i))
		}
		b, _ := h.board(editor.Space)
		b.mu.Lock()
		kept := b.bytes
		b.mu.Unlock()
		if kept > 1<<20 {
			t.Fatalf("the board has %d bytes", kept)
		}
		if h.Counts().Streams == 1 {
			return
		}
	}
	t.Error("a client that does not read is never cut off")
}

// At the end of the server all streams end at once, and nobody is let in.
func TestStop(t *testing.T) {
	h := newHouse(t, db.SQLite, hasty)
	l, _ := h.listen("editor", "", "")
	h.end()
	l.Ends()
	fleettest.Eventually(t, "the end of all streams", func() bool { return h.Counts().Streams == 0 })
	refusal, cancel := h.ask("editor", "", "")
	defer cancel()
	if refusal.StatusCode != http.StatusServiceUnavailable || refusal.Header.Get("Retry-After") == "" {
		t.Errorf("after the end the answer is %d", refusal.StatusCode)
	}
}

// stuck is the way to a client that takes nothing: a write ends with its deadline.
type stuck struct {
	nowhere
	begun, late chan struct{}
}

func (s *stuck) Write([]byte) (int, error) {
	close(s.begun)
	<-s.late
	return 0, os.ErrDeadlineExceeded
}

func (s *stuck) SetWriteDeadline(time.Time) error {
	close(s.late)
	return nil
}

// A client that takes nothing does not keep the server from its end, nor a stream from ending when its time has come.
func TestStopDoesNotWaitForAClient(t *testing.T) {
	for name, patience := range map[string]time.Duration{"at the end of the server": time.Hour, "when patience has run out": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			s := bare(t, Config{}, new(feed.Feed[thing.Change]))
			w := &stuck{begun: make(chan struct{}), late: make(chan struct{})}
			x, err := s.open(newWriter(w, patience), httptest.NewRequestWithContext(t.Context(), "GET", "/v1/live", nil), editor, Wish{})
			if err != nil {
				t.Fatal(err)
			}
			defer x.close()
			ended := make(chan error, 1)
			go func() { ended <- x.serve(t.Context(), "") }()
			select {
			case <-w.begun:
			case err := <-ended:
				t.Fatalf("the stream ends before it writes: %v", err)
			}
			if patience == time.Hour {
				s.stop()
			}
			if err := <-ended; !errors.Is(err, errOver) {
				t.Errorf("the stream ends with %v", err)
			}
		})
	}
}

// When what happens comes faster than it can be put on boards, everybody is told to fetch again.
func TestWhatIsLostIsSaid(t *testing.T) {
	h := newHouse(t, db.SQLite, hasty)
	a := h.thing("a", "number")
	l, _ := h.listen("editor", things(a), "")
	h.say(a, "number", "1")
	l.Until(fleettest.PropertyID(a, "number"), "1")
	b, _ := h.board(editor.Space)
	b.mu.Lock() // Run waits for the board
	for range valueQueue + 10 {
		h.Things.Changes.Publish(thing.Change{Space: editor.Space, Thing: a.ID, Points: []series.Point{{Series: fleettest.PropertyID(a, "number")}}})
	}
	h.say(a, "number", "2")
	b.mu.Unlock()
	for {
		e, open := l.Any()
		if !open {
			t.Fatal("the stream has ended")
		}
		if e.Name == "reload" && e.Data == `{"reason":"lost"}` {
			break
		}
	}
	h.say(a, "number", "3")
	for now := ""; now != "3"; { // it may be said twice that something was lost
		e, open := l.Any()
		if !open || e.Name != "values" && e.Data != `{"reason":"lost"}` {
			t.Fatalf("came %+v (open: %v)", e, open)
		}
		if e.Name == "values" {
			for _, v := range e.Values(t) {
				now = string(v.Value)
			}
		}
	}
	if h.Counts().Lost == 0 {
		t.Error("what was lost is not counted")
	}
}

// Nobody listens: nothing is kept, and things tell nobody.
func TestNobodyListens(t *testing.T) {
	h := newHouse(t, db.SQLite, Config{Pace: time.Millisecond, Keep: time.Millisecond})
	a := h.thing("a", "number")
	l, _ := h.listen("editor", "", "")
	h.say(a, "number", "1")
	l.Until(fleettest.PropertyID(a, "number"), "1")
	l.Leave()
	fleettest.Eventually(t, "that the space is forgotten", func() bool {
		h.clock.Pass(time.Second)
		h.Service.mu.RLock()
		defer h.Service.mu.RUnlock()
		return len(h.Service.boards) == 0 && h.Service.sources == nil
	})
	h.say(a, "number", "2")
	again, hello := h.listen("editor", "", l.Last)
	if !strings.Contains(hello.Data, `"resumed":false`) {
		t.Errorf("a space that was forgotten goes on: %s", hello.Data)
	}
	again.Next("reload")
	h.say(a, "number", "3")
	again.Until(fleettest.PropertyID(a, "number"), "3")
}

func TestBeats(t *testing.T) {
	h := newHouse(t, db.SQLite, Config{Beat: 5 * time.Millisecond})
	l, hello := h.listen("editor", "", "")
	e, _ := l.Each()
	if m, ok := ReadMark(e.ID); e.Name != "comment still here" || !ok || m.String() != hello.ID {
		t.Errorf("came %+v, want a comment with the id of %+v", e, hello)
	}
}

// A request for the head of an answer is no listener.
func TestHead(t *testing.T) {
	h := newHouse(t, db.SQLite, hasty)
	w := doortest.Want(t, h.web.Config.Handler, http.StatusOK, "editor", "HEAD", "/v1/live", nil, nil)
	if w.Header().Get("Content-Type") != "text/event-stream" || h.Counts().Streams != 0 {
		t.Errorf("HEAD is answered with %v", w.Header())
	}
}
