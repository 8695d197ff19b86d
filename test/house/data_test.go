package house

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A server that works copies its databases' logs into the databases by itself, long
// before a writer would have to.
func TestDatabasesAreLookedAfter(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, func(cfg *server.Config) { cfg.APIRate = -1 })
	_, key := h.Person("maker@example.org")
	api := h.Client(key)
	file := filepath.Join(h.Config.Data, "core.db")
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	first := size()
	late := time.Now().Add(2 * time.Minute)
	for n := 0; size() < first+256<<10; n++ {
		if n == 1500 || time.Now().After(late) {
			t.Fatalf("after %d devices were made the database still has %d bytes", n, size())
		}
		device := map[string]any{"name": "board", "type": "login_and_secretkey_wifi"}
		if err := api.Do(t.Context(), http.MethodPut, "/iot/v2/devices", device, nil); err != nil {
			t.Fatal(err)
		}
	}
}
