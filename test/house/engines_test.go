package house

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// onEachEngine runs a test in a house on SQLite and in one on PostgreSQL.
func onEachEngine(t *testing.T, test func(t *testing.T, h *servertest.House)) {
	t.Run("sqlite", func(t *testing.T) { test(t, servertest.Start(t)) })
	t.Run("postgres", func(t *testing.T) {
		dsn := dbtest.Postgres(t)
		test(t, servertest.Start(t, func(c *server.Config) { c.Database = dsn }))
	})
}

// PostgreSQL stores neither NUL nor broken UTF-8, and says so with an error that must not
// become our own.
func TestTextThatNoEngineStores(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, h *servertest.House) {
		_, key := h.Person("anna@example.org")
		good := token(t, h, key)
		c := web(t, h)
		send := func(what string, change func(r *http.Request), body string) {
			t.Helper()
			path, method := "/iot/v2/things", "GET"
			if body != "" {
				path, method = "/iot/v1/clients/token", "POST"
			}
			r, err := http.NewRequestWithContext(t.Context(), method, h.URL()+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			change(r)
			answer, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode < 400 || answer.StatusCode >= 500 {
				t.Errorf("%s: %d %s", what, answer.StatusCode, text)
			}
		}
		asForm := func(r *http.Request) { r.Header.Set("Content-Type", isForm) }
		for what, id := range map[string]string{"NUL": "a%00b", "broken UTF-8": "%ff%fe", "NUL, as long as an id": strings.Repeat("a", 31) + "%00", "long": strings.Repeat("a", 4000)} {
			send("a client id in a form: "+what, asForm, "grant_type=client_credentials&client_secret=x&client_id="+id)
			send("a secret in a form: "+what, asForm, "grant_type=client_credentials&client_id="+key.ID+"&client_secret="+id)
			send("a client id by Basic: "+what, func(r *http.Request) { asForm(r); r.SetBasicAuth(id, "x") }, "grant_type=client_credentials")
			send("a space in a form: "+what, asForm, "grant_type=client_credentials&client_id="+key.ID+"&client_secret="+key.Secret+"&organization_id="+id)
		}
		send("a client id in JSON", func(r *http.Request) { r.Header.Set("Content-Type", isJSON) }, `{"grant_type":"client_credentials","client_id":"a\u0000b","client_secret":"x"}`)
		for _, space := range []string{"\xff\xfe", "x", strings.Repeat("é", 500)} {
			send("a space in a header", func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+good)
				r.Header["X-Organization"] = []string{space}
			}, "")
		}
	})
}
