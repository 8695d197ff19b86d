package dashboard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// The page of a public link in a browser, on a desk and on a phone: nothing is reported, axe finds
// nothing, nothing is cut off, and a picture is kept.
func TestPublicPageInABrowser(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "a", "", map[string]string{"temperature": "FLOAT", "a_long_name_of_a_variable_that_somebody_thought_of": "CHARSTRING"})
	for name, v := range map[string]any{"temperature": 21.5, "a_long_name_of_a_variable_that_somebody_thought_of": "a long text without any place where it could be broken: " + space + space} {
		h.want(200, "editor", "PUT", "/iot/v2/things/"+a.ID+"/properties/"+id(a, name)+"/publish", map[string]any{"value": v}, nil)
	}
	d := h.board("Greenhouse", widget("Gauge", id(a, "temperature")), widget("Messenger", id(a, "a_long_name_of_a_variable_that_somebody_thought_of")))
	i, err := h.AddImage(t.Context(), editor, d.ID, onePixel(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Update(t.Context(), editor, d.ID, func(d *Dashboard) error {
		w := widget("Image")
		w.Options = []byte(`{"url":"` + imagePath(d.ID, i.ID) + `"}`)
		d.Widgets = append(d.Widgets, w)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_, token, err := h.Publish(t.Context(), editor, d.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("..", "..", "..")
	axe, err := os.ReadFile(filepath.Join(root, "internal", "base", "browsertest", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/style.css":
			http.ServeFile(w, r, filepath.Join(root, "web", "style.css"))
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
		default:
			h.http.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("accept-lang", "it"))...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	ctx, late := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(late)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium (scripts/need chromium=chromium): %v", err)
	}
	var mu sync.Mutex
	var trouble []string // guarded by mu
	if err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok && e.Entry.Level == log.EntryLevelError {
			mu.Lock()
			defer mu.Unlock()
			trouble = append(trouble, string(e.Entry.Source)+": "+e.Entry.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "artifacts", "dashboard")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, width := range map[string]int64{"desk": 1000, "phone": 360} {
		if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: width < 600}); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+PublicPath(token)), chromedp.WaitReady(chromedp.CSS("table img"))); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](string(axe))); err != nil {
			t.Fatal(err)
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[string](`axe.run(document).then(r => JSON.stringify(r.violations.map(v => [v.id, v.nodes.map(n => n.html)])))`, chromedp.EvalAwaitPromise))
		if err != nil || found != "[]" {
			t.Errorf("%s: axe finds %s (%v)", name, found, err)
		}
		size, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.documentElement.scrollWidth > document.documentElement.clientWidth ? "wide" : "fits"`))
		if err != nil || size != "fits" {
			t.Errorf("%s: the page is %s (%v)", name, size, err)
		}
		lang, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.documentElement.lang`))
		if err != nil || lang != "it" {
			t.Errorf("%s: the page is in %q (%v)", name, lang, err)
		}
		shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "shared-"+name+".png"), shot, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, line := range trouble {
		t.Errorf("reported: %s", line)
	}
}
