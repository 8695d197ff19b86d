package dashboard

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/outbound"
)

// A picture of another server is shown by way of this one: to whoever sees the dashboard and to nobody else, as seldom as
// is wished, and only if it is one.
func TestPicturesOfElsewhere(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		var asked atomic.Int64
		raw := onePixel(t)
		camera := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			switch r.URL.Path {
			case "/page":
				_, _ = w.Write([]byte("<html>CANARY"))
			case "/far":
				http.Redirect(w, r, "/", http.StatusFound)
			case "/long":
				_, _ = w.Write(append(raw, make([]byte, maxElsewhere)...))
			default:
				w.Header().Set("Content-Type", "text/html")
				_, _ = w.Write(raw)
			}
		}))
		t.Cleanup(camera.Close)
		h.far.ask["http"] = outbound.Client(outbound.Rule{Anywhere: true, Timeout: time.Minute})
		show := func(url, more string) (d Dashboard, path string) {
			one := widget("Image")
			one.Options = fmt.Appendf(nil, `{"url":%q%s}`, url, more)
			d = h.board("d", one)
			return d, ours1("/%s/widgets/%s/picture", d.ID, one.ID)
		}
		d, path := show(camera.URL+"/", `,"refresh":5`)
		w := h.want(200, "viewer", "GET", path, nil, nil)
		if !bytes.Equal(w.Body.Bytes(), raw) || w.Header().Get("Content-Type") != "image/png" {
			t.Errorf("the picture is %q %v", w.Body, w.Header())
		}
		h.want(404, "guest", "GET", path, nil, nil)
		h.want(200, "editor", "GET", path, nil, nil)
		if n := asked.Load(); n != 1 {
			t.Errorf("the other server was asked %d times, want once", n)
		}
		h.pass(5 * time.Second)
		h.want(200, "editor", "GET", path, nil, nil)
		if n := asked.Load(); n != 2 {
			t.Errorf("the other server was asked %d times, want twice", n)
		}
		_, token, err := h.Publish(t.Context(), editor, d.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		h.want(200, "", "GET", PublicPath(token)+strings.TrimPrefix(path, "/v1/dashboards/"+d.ID), nil, nil)
		for name, url := range map[string]string{
			"a page": camera.URL + "/page", "a way elsewhere": camera.URL + "/far", "too much": camera.URL + "/long", "nobody": "http://127.0.0.1:1/",
			"another scheme": "https://127.0.0.1:1/", "no address": "http://[", "nothing": "", "a path": "/elsewhere",
		} {
			_, path := show(url, "")
			if w := h.do("editor", "GET", path, nil, nil); w.Code != 404 || strings.Contains(w.Body.String(), "CANARY") {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		// Not all of them are kept.
		for i := range 2 * elsewhereAll {
			_, path := show(fmt.Sprintf("%s/%d", camera.URL, i), "")
			h.want(200, "editor", "GET", path, nil, nil)
		}
		if n := len(h.far.all); n > elsewhereAll || n != len(h.far.last) {
			t.Errorf("%d pictures are kept, %d keys", n, len(h.far.last))
		}
	})
}
