package house

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/ops/backup"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// An erased thing and an erased device are unreadable everywhere, in archives of before too, while their
// space and all else in it live on.
func TestErasedThingAndDevice(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, h *servertest.House) {
		anna, key := h.Person("anna@example.org")
		kept := settle(t, h, anna, key, "spared")
		gone := furnish(t, kept.space, "doomed", kept.c)
		var old, fresh backup.Pair
		h.Admin("backup", map[string]string{"dir": t.TempDir()}, &old)
		browser := web(t, h)
		token, err := kept.c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		thing, device := h.URL()+"/iot/v2/things/"+gone.own["thing"], h.URL()+"/iot/v2/devices/"+gone.own["device"]
		for _, url := range []string{thing, device} {
			if status, text := call(t, browser, "DELETE", url+"?force=true", token, ""); status != http.StatusOK && status != http.StatusNoContent {
				t.Fatalf("DELETE %s: %d %s", url, status, text)
			}
			if status, text := call(t, browser, "GET", url, token, ""); status != http.StatusNotFound {
				t.Errorf("GET %s: %d %s, want 404", url, status, text)
			}
		}
		// Nobody gets their ids again: not before their keys are destroyed, and not after.
		again := func(when string) {
			t.Helper()
			if status, text := call(t, browser, "PUT", h.URL()+"/iot/v2/things", token, `{"id":"`+gone.own["thing"]+`","name":"again"}`); status != http.StatusConflict {
				t.Errorf("the thing's id %s: %d %s, want 409", when, status, text)
			}
		}
		again("at once")
		h.Admin("backup", map[string]string{"dir": t.TempDir()}, &fresh) // which destroys the keys first
		again("later")
		kept.isWhole(t, "after")
		h.Stop()

		unreadable := func(where string, c *colony, want error) {
			t.Helper()
			cfg := h.Config
			if where != "the data directory" {
				cfg.Data, cfg.Database = where, ""
			}
			ring, history := gone.unlock(t, where, cfg)
			if _, err := ring.Thing(t.Context(), c.space, c.own["thing"]); !errors.Is(err, want) {
				t.Errorf("%s: the key of the thing %s: %v, want %v", where, c.name, err, want)
			}
			if _, err := ring.Device(t.Context(), c.space, c.own["device"]); !errors.Is(err, want) {
				t.Errorf("%s: the key of the device %s: %v, want %v", where, c.name, err, want)
			}
			if c == gone {
				c.hasNoHistory(t, where, history)
			} else if _, ok := history.Last(c.own["property"]); !ok {
				t.Errorf("%s: %s has no last value any more", where, c.name)
			}
		}
		unreadable("the data directory", gone, keys.ErrErased)
		unreadable("the data directory", kept, nil)

		// An archive of before, with the newest keyring.
		root, err := keys.ReadRoot(filepath.Join(h.Config.Data, "keys", "root.key"), secret.String{})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := backup.Restore(t.Context(), backup.Request{
			Archives: backup.Pair{Data: old.Data, Keyring: fresh.Keyring}, Dir: dir,
			Access: keys.Access{Provider: root}, Now: time.Now,
		}); err != nil {
			t.Fatal(err)
		}
		unreadable(dir, gone, keys.ErrErased)
		unreadable(dir, kept, nil)
		cfg := h.Config
		cfg.Data, cfg.Database = dir, ""
		restored := servertest.Open(t, cfg)
		kept.c = restored.ClientIn(t, key, kept.space)
		kept.isWhole(t, "restored")
		if token, err = kept.c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The start has seen that the keys are gone, and erased what the archive brought back.
		for _, path := range []string{"/iot/v2/things", "/iot/v2/devices", "/iot/v2/things?show_deleted=true", "/iot/v2/devices?show_deleted=true"} {
			if status, text := call(t, web(t, restored), "GET", restored.URL()+path, token, ""); status != http.StatusOK || strings.Contains(text, "doomed") || !strings.Contains(text, "spared") {
				t.Errorf("GET %s: %d %s, want only what was spared", path, status, text)
			}
		}
	})
}
