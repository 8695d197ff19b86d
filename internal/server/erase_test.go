package server_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

var errCut = errors.New("the power is off")

// The steps of docs/acts/erase-space.md after which the power goes off.
var steps = []string{"1", "2", "3.1", "3.2", "3.3", "5", "6.1", "6.2", "6.3"}

// eachEngine starts a house on each engine.
func eachEngine(t *testing.T, test func(t *testing.T, h *servertest.House)) {
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			test(t, servertest.Start(t, func(c *server.Config) {
				if e == db.Postgres {
					c.Database = dbtest.Postgres(t)
				}
			}))
		})
	}
}

// A doomed is a space with a device, a thing and a value, and an API key of its own.
type doomed struct {
	id, name, device, thing string
	key                     servertest.Key
}

func settle(t *testing.T, h *servertest.House, user string, key servertest.Key, name string) doomed {
	t.Helper()
	d := doomed{name: name}
	var made struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": user, "name": name}, &made)
	d.id = made.ID
	h.Admin("apikey.add", map[string]string{"user": user, "space": d.id, "name": "bound"}, &d.key)
	c := h.ClientIn(t, key, d.id)
	var board client.Device
	var th client.Thing
	for _, q := range []struct {
		path    string
		in, out any
	}{
		{"/iot/v2/devices", map[string]any{"name": "board", "type": "login_and_secretkey_wifi", "serial": ""}, &board},
		{"/iot/v2/things", map[string]any{"name": "thing", "properties": []any{
			map[string]any{"name": "x", "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th},
	} {
		if err := c.Do(t.Context(), "PUT", q.path, q.in, q.out); err != nil {
			t.Fatalf("PUT %s: %v", q.path, err)
		}
	}
	d.device, d.thing = board.ID, th.ID
	value := "/iot/v2/things/" + th.ID + "/properties/" + th.Properties[0].ID + "/publish"
	if err := c.Do(t.Context(), "PUT", value, map[string]any{"value": 4711.25}, nil); err != nil {
		t.Fatalf("PUT %s: %v", value, err)
	}
	return d
}

// erase asks for the erasure.
func (d doomed) erase(t *testing.T, h *servertest.House) (proof wireProof, err error) {
	t.Helper()
	in, err := json.Marshal(map[string]string{"space": d.id, "yes": d.name})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.Server.Admin(t.Context(), "space.erase", in)
	if err == nil {
		err = json.Unmarshal(answer, &proof)
	}
	return proof, err
}

// revoked says whether a person's key is.
func revoked(t *testing.T, h *servertest.House, user string, key servertest.Key) bool {
	t.Helper()
	var all []struct {
		ID      string `json:"client_id"`
		Revoked bool   `json:"revoked"`
	}
	h.Admin("apikey.list", map[string]string{"user": user}, &all)
	for _, k := range all {
		if k.ID == key.ID {
			return k.Revoked
		}
	}
	t.Fatalf("no API key %s", key.ID)
	return false
}

type wireProof struct {
	Things   int        `json:"things"`
	Devices  int        `json:"devices"`
	Members  int        `json:"members"`
	Keys     int        `json:"api_keys"`
	ErasedAt *time.Time `json:"erased_at"`
}

func (d doomed) there(t *testing.T, h *servertest.House, key servertest.Key) error {
	t.Helper()
	c := h.ClientIn(t, key, d.id)
	if err := c.Do(t.Context(), "GET", "/iot/v2/devices/"+d.device, nil, nil); err != nil {
		return err
	}
	return c.Do(t.Context(), "GET", "/iot/v2/things/"+d.thing, nil, nil)
}

// The power goes off between any two steps: before the second nothing has happened, and after
// it the next start brings it to its end, with what was counted at its beginning.
func TestSpaceErasureSurvivesPowerCut(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *servertest.House) {
		user, key := h.Person("anna@example.org")
		kept := settle(t, h, user, key, "kept")
		for _, step := range steps {
			gone := settle(t, h, user, key, "after step "+step)
			reached := false
			h.Server.CutErasure(func(s string) error {
				reached = reached || s == step
				if reached {
					return errCut
				}
				return nil
			})
			if proof, err := gone.erase(t, h); !errors.Is(err, errCut) || !reached {
				t.Fatalf("step %s: erased %+v, %v, want a power cut", step, proof, err)
			}
			if err := gone.there(t, h, key); (err == nil) != (step == "1") {
				t.Errorf("cut after step %s, its admin gets %v", step, err)
			}
			h.Stop()
			h = h.Again()
			if step == "1" {
				if err := gone.there(t, h, key); err != nil {
					t.Errorf("nothing was decided, and after the start: %v", err)
				}
				if proof, err := gone.erase(t, h); err != nil || proof.ErasedAt == nil {
					t.Errorf("a second try: %+v, %v", proof, err)
				}
			}
			if err := gone.there(t, h, key); err == nil || !strings.Contains(err.Error(), "not a member") {
				t.Errorf("cut after step %s, after the start its admin gets %v", step, err)
			}
			if err := h.ClientIn(t, gone.key, "").Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err == nil || !revoked(t, h, user, gone.key) {
				t.Errorf("cut after step %s, its API key works after the start, or is not revoked: %v", step, err)
			}
			if n, err := h.Server.Unerased(t.Context()); n != 0 || err != nil {
				t.Errorf("cut after step %s, %d erasures are not done after the start, %v", step, n, err)
			}
			if n, err := h.Server.Left(t.Context(), gone.id); n != 0 || err != nil {
				t.Errorf("cut after step %s, %d things and devices are left after the start, %v", step, n, err)
			}
			// Without its name: the answer is the proof of what the start has done.
			again := gone
			again.name = ""
			proof, err := again.erase(t, h)
			if err != nil || proof.ErasedAt == nil || proof.Things != 1 || proof.Devices != 1 || proof.Members != 1 || proof.Keys != 1 {
				t.Errorf("cut after step %s, the proof is %+v, %v", step, proof, err)
			}
			if err := kept.there(t, h, key); err != nil {
				t.Errorf("cut after step %s, another space: %v", step, err)
			}
		}
	})
}

// What fails while the server runs is tried again, and nobody gets in meanwhile.
func TestFailedSpaceErasureIsTriedAgain(t *testing.T) {
	h := servertest.Start(t)
	user, key := h.Person("anna@example.org")
	gone := settle(t, h, user, key, "gone")
	h.Server.CutErasure(func(s string) error {
		if s == "3.2" {
			return errCut
		}
		return nil
	})
	if _, err := gone.erase(t, h); !errors.Is(err, errCut) {
		t.Fatalf("erase = %v", err)
	}
	if err := gone.there(t, h, key); err == nil {
		t.Error("its admin still gets in")
	}
	if err := server.EraseAgain(h.Server, t.Context()); !errors.Is(err, errCut) {
		t.Errorf("the second try = %v", err)
	}
	h.Server.CutErasure(func(string) error { return nil })
	if err := server.EraseAgain(h.Server, t.Context()); err != nil {
		t.Errorf("the third try = %v", err)
	}
	if proof, err := gone.erase(t, h); err != nil || proof.ErasedAt == nil || proof.Things != 1 {
		t.Errorf("the proof is %+v, %v", proof, err)
	}
}

// A request that was let in before the erasure may add something until the key is
// gone. It goes too.
func TestLateRequestsLeaveNothingInAnErasedSpace(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *servertest.House) {
		user, key := h.Person("anna@example.org")
		gone := settle(t, h, user, key, "gone")
		asked := 0
		h.Server.CutErasure(func(s string) error {
			switch s {
			case "3.3":
				asked++
				return h.Server.AddTo(t.Context(), gone.id, user)
			case "5":
				asked++
				if err := h.Server.AddTo(t.Context(), gone.id, user); !errors.Is(err, keys.ErrErased) {
					t.Errorf("after the key is gone: %v, want %v", err, keys.ErrErased)
				}
				if n, err := h.Server.Left(t.Context(), gone.id); n != 2 || err != nil {
					t.Errorf("%d are left before the last look, %v, want 2", n, err)
				}
			}
			return nil
		})
		if proof, err := gone.erase(t, h); err != nil || proof.ErasedAt == nil || asked != 2 {
			t.Errorf("erased %+v, %v", proof, err)
		}
		if n, err := h.Server.Left(t.Context(), gone.id); n != 0 || err != nil {
			t.Errorf("%d are left, %v", n, err)
		}
	})
}
