package fault

import (
	"context"
	"errors"
	"net"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// A place is where the house is at the moment: its ports change when it starts anew.
type place struct {
	at atomic.Pointer[server.Addresses]
}

func (p *place) set(a server.Addresses) { p.at.Store(&a) }

func (p *place) dial(ctx context.Context, door string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", (*p.at.Load())[door])
}

// A house is one in this process or one of its own.
type house interface {
	Person(email string) (user string, key servertest.Key)
	Client(servertest.Key) *client.Client
	Sessions() []string
	CA() string
}

// An owner has boards and looks at their values.
type owner struct {
	t   *testing.T
	key servertest.Key
	api *client.Client
}

func newOwner(t *testing.T, h house) *owner {
	t.Helper()
	_, key := h.Person("anna@example.org")
	return &owner{t, key, h.Client(key)}
}

// find tells the owner that the house is elsewhere now.
func (o *owner) find(h house) { o.api = h.Client(o.key) }

// do is one request that must succeed; one too many is asked again later.
func (o *owner) do(method, path string, in, out any) {
	o.t.Helper()
	for {
		err := o.api.Do(o.t.Context(), method, path, in, out)
		var e *client.Error
		if errors.As(err, &e) && e.Status == 429 {
			wait, err := strconv.Atoi(e.Retry)
			if err != nil {
				o.t.Fatalf("429 without Retry-After: %v", err)
			}
			<-time.After(time.Duration(wait) * time.Second)
			continue
		}
		if err != nil {
			o.t.Fatalf("%s %s: %v", method, path, err)
		}
		return
	}
}

// secret is the key of every board here that has one.
const secret = "a-secret-that-boards-keep"

// device makes one that may come in by secret.
func (o *owner) device(name string) (id string) {
	o.t.Helper()
	var d client.Device
	o.do("PUT", "/iot/v2/devices", map[string]any{"name": name, "type": "login_and_secretkey_wifi", "serial": ""}, &d)
	o.do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": secret}, nil)
	return d.ID
}

// thing makes one with the properties of boards.
func (o *owner) thing(name, deviceID string) client.Thing {
	o.t.Helper()
	var th client.Thing
	o.do("PUT", "/iot/v2/things", inThing(name, deviceID), &th)
	return th
}

// status is whether the house believes that a device is there.
func (o *owner) status(id string) string {
	o.t.Helper()
	var d client.Device
	o.do("GET", "/iot/v2/devices/"+id, nil, &d)
	return d.Status
}

// awaitStatus waits for it.
func (o *owner) awaitStatus(id, want string) {
	o.t.Helper()
	for late := time.Now().Add(2 * patience); o.status(id) != want; {
		if time.Now().After(late) {
			o.t.Fatalf("device %s did not become %s", id, want)
		}
		<-time.After(200 * time.Millisecond)
	}
}

// comings are a device's latest status events, the oldest first.
func (o *owner) comings(id string) []string {
	o.t.Helper()
	var in struct {
		Events []struct{ Value string }
	}
	o.do("GET", "/iot/v2/devices/"+id+"/status?limit=100", nil, &in)
	var all []string
	for _, e := range in.Events {
		all = append(all, e.Value)
	}
	slices.Reverse(all)
	return all
}

type query struct {
	Q     string    `json:"q"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Limit int       `json:"series_limit"`
	Sort  string    `json:"sort"`
}

// page is how many values of a property one answer has at most.
const page = 1000

// stored is all raw values of a thing.
func (o *owner) stored(th client.Thing) history {
	o.t.Helper()
	byID, h := names(th), history{}
	var open []query
	for id, name := range byID {
		h[name] = map[int64]any{}
		open = append(open, query{Q: "property." + id, From: time.Unix(0, 0), To: time.Now().Add(48 * time.Hour), Limit: page, Sort: "ASC"})
	}
	for len(open) > 0 {
		var out struct{ Responses []client.Series }
		o.do("POST", "/iot/v2/series/batch_query_raw", map[string]any{"requests": open, "resp_version": 1}, &out)
		if len(out.Responses) != len(open) {
			o.t.Fatalf("%d answers to %d queries", len(out.Responses), len(open))
		}
		var next []query
		for i, r := range out.Responses {
			if r.Status != "ok" || len(r.Times) != len(r.Values) {
				o.t.Fatalf("raw values of %s: %s %s, %d times, %d values", byID[r.PropertyID], r.Status, r.Message, len(r.Times), len(r.Values))
			}
			values := h[byID[r.PropertyID]]
			for j, at := range r.Times {
				if !at.Equal(at.Truncate(time.Millisecond)) {
					o.t.Errorf("a value of %s is at %v; boards tell whole milliseconds", byID[r.PropertyID], at)
				}
				if _, twice := values[at.UnixMilli()]; twice {
					o.t.Errorf("two values of %s at %v", byID[r.PropertyID], at)
				}
				values[at.UnixMilli()] = r.Values[j]
			}
			if len(r.Times) == page {
				q := open[i]
				q.From = r.Times[page-1].Add(time.Microsecond)
				next = append(next, q)
			}
		}
		open = next
	}
	return h
}

// A latest is the last value that the API tells of a property.
type latest struct {
	at    time.Time
	value any
}

// lasts are the last values of a thing, by name; those without any are left out.
func (o *owner) lasts(th client.Thing) map[string]latest {
	o.t.Helper()
	byID := names(th)
	var in []map[string]string
	for id := range byID {
		in = append(in, map[string]string{"thing_id": th.ID, "property_id": id})
	}
	var out struct{ Responses []client.Series }
	o.do("POST", "/iot/v2/series/batch_query_raw/lastvalue", map[string]any{"requests": in}, &out)
	all := map[string]latest{}
	for _, r := range out.Responses {
		if len(r.Times) == 1 && len(r.Values) == 1 {
			all[byID[r.PropertyID]] = latest{r.Times[0], r.Values[0]}
		}
	}
	return all
}

// recent complains when a last value is older than what was acknowledged, or another.
func (o *owner) recent(th client.Thing, acknowledged map[string]device.Sample) {
	o.t.Helper()
	shown := o.lasts(th)
	for name, s := range acknowledged {
		got, there := shown[name]
		if !there || got.at.Before(s.At) || got.at.Equal(s.At) && !reflect.DeepEqual(got.value, plain(s.Value)) {
			o.t.Errorf("the last value of %s is %v at %v, but %v at %v was acknowledged", name, got.value, got.at, s.Value, s.At)
		}
	}
}
