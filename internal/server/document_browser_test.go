package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// The page about the API in a browser, light on a phone and dark on a desk: nothing is reported, axe finds nothing,
// nothing is cut off, what is searched for is found, an address opens its operation, and a picture is kept.
func TestDocumentInABrowser(t *testing.T) {
	s := built(t)
	pages, err := s.docPages()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, page := range pages {
		mux.HandleFunc(pattern, page)
	}
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	axe, err := os.ReadFile(filepath.Join("..", "base", "browsertest", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	ctx, late := context.WithTimeout(ctx, 2*time.Minute)
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
	dir := filepath.Join("..", "..", "artifacts", "apidocs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ask := func(script string) string {
		t.Helper()
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for width, scheme := range map[int64]string{360: "light", 1280: "dark"} {
		if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 600}); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(site.URL+"/apidocs#op-things-v2-create"), chromedp.WaitReady(chromedp.CSS("#op-things-v2-create[open]"))); err != nil {
			t.Fatal(err)
		}
		shoot := func(name string) {
			shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name+"-"+strconv.FormatInt(width, 10)+".png"), shot, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		shoot("operation")
		if size := ask(`document.documentElement.scrollWidth > document.documentElement.clientWidth ? "wide" : "fits"`); size != "fits" {
			t.Errorf("%d: the page is %s", width, size)
		}
		// Everything closed but this and one shape: axe takes minutes for 170 open operations.
		if found := ask(`document.querySelector("#shape-thing-Property").open = true; scrollTo(0, 0); "done"`); found != "done" {
			t.Error(found)
		}
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](string(axe))); err != nil {
			t.Fatal(err)
		}
		if found := ask(`axe.run(document).then(r => JSON.stringify(r.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)])))`); found != "[]" {
			t.Errorf("%d: axe finds %s", width, found)
		}
		shoot("top")
		if n := ask(`document.getElementById("find").value = "PUT certs"; document.getElementById("find").dispatchEvent(new Event("input")); [...document.querySelectorAll(".operation")].filter(o => o.offsetParent).map(o => o.id).join() + " " + document.getElementById("found").textContent`); n != "op-devices-v2-certs-create 1 operation" {
			t.Errorf("%d: PUT certs finds %s", width, n)
		}
		shoot("found")
		if n := ask(`document.getElementById("find").value = ""; document.getElementById("find").dispatchEvent(new Event("input")); document.querySelectorAll(".operation").length > 150 && !document.querySelector(".operation[hidden]") ? "all" : "not all"`); n != "all" {
			t.Errorf("%d: without words %s are shown", width, n)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, line := range trouble {
		t.Errorf("reported: %s", line)
	}
}
