// Package browsertest drives Chromium in tests: it opens tabs of a width and look, and judges what they show. A page is
// good when nothing was reported (console errors, exceptions, breaches of its policy), axe finds nothing, nothing is cut
// off. A picture is kept of what is not, and with ARDESIA_PICTURES=yes of each, for whoever looks.
package browsertest

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed axe.min.js
var axe string

// patience is how long one step in a browser may take.
const patience = 60 * time.Second

// shell is one Chromium without windows for all tests of a process, which ends with it; whole is one with everything.
// The shell does a page in three quarters of the processor's time, and knows no notices.
var (
	shell = sync.OnceValues(func() (context.Context, error) {
		path, err := exec.LookPath("chromium-headless-shell")
		if err != nil {
			return whole() // there are systems without
		}
		return start(chromedp.ExecPath(path))
	})
	whole = sync.OnceValues(func() (context.Context, error) { return start() })
)

func start(options ...chromedp.ExecAllocatorOption) (context.Context, error) {
	options = append(append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.IgnoreCertErrors, chromedp.Flag("lang", "en"),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1")), options...) // RFC 6761: these names are nobody's
	alloc, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(alloc)
	return ctx, chromedp.Do(ctx)
}

// A Look is what somebody looks at pages with.
type Look struct {
	Width int // of the screen, in pixels
	Dark  bool
	Whole bool // by a Chromium with everything, which shows notices
	// Keeps lets pages have a service worker, which loads a whole application once more for each tab of somebody new.
	Keeps bool
	// Ignore are addresses of which a failing answer is no error of the page, by a part of them; "" is all.
	Ignore []string
}

// String is the look's part of a picture's name.
func (l Look) String() string {
	if l.Dark {
		return fmt.Sprintf("%d-dark", l.Width)
	}
	return fmt.Sprintf("%d-light", l.Width)
}

// A Screen is a tab with cookies of its own, and what went wrong in it.
type Screen struct {
	T   testing.TB
	Ctx context.Context

	look    Look
	mu      sync.Mutex
	trouble []string // guarded by mu
	dialogs int      // guarded by mu
}

// Open opens a tab. Without Chromium the test fails, and says how to get it.
func Open(t testing.TB, look Look) *Screen {
	t.Helper()
	chrome := shell
	if look.Whole {
		chrome = whole
	}
	root, err := chrome()
	if err != nil {
		t.Fatalf("start Chromium (scripts/need chromium=chromium chromium-headless-shell=chromium-headless-shell): %v", err)
	}
	return tab(t, root, look, chromedp.WithNewBrowserContext())
}

// Beside opens another tab of the same person, with the same cookies.
func (s *Screen) Beside(look Look) *Screen { s.T.Helper(); return tab(s.T, s.Ctx, look) }

func tab(t testing.TB, parent context.Context, look Look, options ...chromedp.ContextOption) *Screen {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	s := &Screen{T: t, Ctx: ctx, look: look}
	if err := chromedp.Listen(ctx, s.listen); err != nil {
		t.Fatal(err)
	}
	Call(s, network.Enable, network.EnableParams{})
	Call(s, log.Enable, cdp.Empty{})
	if !look.Keeps {
		Call(s, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `delete Navigator.prototype.serviceWorker`})
	}
	s.Resize(look)
	return s
}

// Resize gives the tab another width and look.
func (s *Screen) Resize(look Look) {
	s.T.Helper()
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	s.look.Width, s.look.Dark = look.Width, look.Dark
	Call(s, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: int64(look.Width), Height: 800, DeviceScaleFactor: 1, Mobile: look.Width < 600})
	Call(s, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// Call sends one command to the tab.
func Call[P, R any](s *Screen, c cdp.Command[P, R], params P) {
	s.T.Helper()
	if _, err := chromedp.Call(s.Ctx, c, params); err != nil {
		s.T.Fatal(err)
	}
}

func (s *Screen) listen(event any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		ignored := e.Entry.Source == log.EntrySourceNetwork && slices.ContainsFunc(s.look.Ignore, func(part string) bool { return strings.Contains(e.Entry.URL, part) })
		if e.Entry.Level == log.EntryLevelError && !ignored {
			s.trouble = append(s.trouble, string(e.Entry.Source)+": "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		s.trouble = append(s.trouble, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			s.trouble = append(s.trouble, "console.error")
		}
	case *page.EventJavascriptDialogOpening:
		s.dialogs++
		go func() { // the tab waits for an answer; that it could not be given shows as a tab that hangs
			_, _ = chromedp.Call(s.Ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	}
}

// Trouble is what was reported since it was asked for last, and how many dialogs scripts have opened so far.
func (s *Screen) Trouble() (all []string, dialogs int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, s.trouble = s.trouble, nil
	return all, s.dialogs
}

// Ignore adds addresses to those of which a failing answer is no error.
func (s *Screen) Ignore(parts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look.Ignore = append(s.look.Ignore, parts...)
}

// Run does one thing after the other.
func (s *Screen) Run(actions ...chromedp.Action[chromedp.Void]) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.Ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		s.T.Fatal(err)
	}
}

// Eval is the value of an expression in the page.
func Eval[T any](s *Screen, js string, options ...chromedp.EvaluateOption) T {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.Ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, options...))
	if err != nil {
		s.T.Fatalf("%s: %v", js, err)
	}
	return v
}

// Text is the value of an expression that is a text.
func (s *Screen) Text(js string) string { s.T.Helper(); return Eval[string](s, js) }

// Path is where the tab is.
func (s *Screen) Path() string { s.T.Helper(); return s.Text(`location.pathname`) }

// Leave does what leads to another page, and waits for that.
func (s *Screen) Leave(action chromedp.Action[chromedp.Void]) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.Ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.WaitEvent(page.LoadEventFired, func(page.EventLoadEventFired) bool { return true }, action)); err != nil {
		s.T.Fatal(err)
	}
}

// Stumbles is what axe finds, as JSON; "[]" for nothing. While a modal dialog is open it is what one can use, and all that is judged.
// What the tab has shown before is judged for what can differ: its colours in another light, and its measures at another width.
func (s *Screen) Stumbles() string {
	s.T.Helper()
	if !Eval[bool](s, `typeof axe === "object"`) {
		Eval[chromedp.Void](s, axe)
	}
	return Eval[string](s, fmt.Sprintf(stumbles, s.look.Dark, s.look.Width), chromedp.EvalAwaitPromise)
}

// stumbles is a script that knows, in a page, as what each element was judged: whole, in which light, at which width. In a page
// that has changed, but for sizes and places, none was. The rules for a whole page run when all of it is new.
const stumbles = `(async (dark, width) => {
	const root = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.documentElement;
	const sizes = /^(width|height|d|points|transform|viewBox|[cr]?[xy][12]?)$/;
	const now = JSON.stringify([root, ...root.querySelectorAll("*")].map(e => [e.tagName,
		...[...e.attributes].filter(a => !sizes.test(a.name)).map(a => a.name + "=" + (a.name === "style" ? a.value.replace(/[-0-9.]+(px|%%)/g, "") : a.value)),
		...[...e.childNodes].filter(n => n.nodeType === Node.TEXT_NODE).map(n => n.data)]));
	if (window.judged?.now !== now || window.judged.root !== root) window.judged = {now, root, as: new Map()};
	const known = window.judged.as;
	const all = [root, ...root.querySelectorAll("*")].filter(e => e.checkVisibility({visibilityProperty: true}));
	for (const e of all) if (!known.has(e)) known.set(e, new Set());
	const found = [];
	const judge = async (as, runOnly) => {
		const fresh = new Set(all.filter(e => !known.get(e).has(as)));
		const tops = [...fresh].filter(e => !fresh.has(e.parentElement));
		if (!tops.length) return;
		const {violations} = await axe.run(tops.length > 40 || fresh.has(document.documentElement) ? root : {include: tops}, {resultTypes: ["violations"], selectors: false, preload: false, runOnly});
		found.push(...violations.map(v => [v.id, v.nodes.map(n => n.html + " " + n.failureSummary)]));
		for (const e of fresh) {
			known.get(e).add(as);
			if (as === "whole") known.get(e).add(dark).add(width);
		}
	};
	await judge("whole", ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
	await judge(dark, {type: "rule", values: ["color-contrast", "link-in-text-block"]});
	await judge(width, {type: "rule", values: ["scrollable-region-focusable", "target-size"]});
	return JSON.stringify(found);
})(%t, %d)`

// Judge ends the test of a page, and keeps its picture in a folder as name.png.
func (s *Screen) Judge(folder, name string) {
	s.T.Helper()
	if found := s.Stumbles(); found != "[]" {
		s.T.Errorf("%s: axe finds %s", name, found)
	}
	s.Look(folder, name)
}

// Pictures says whether pictures of what is good are kept, too, which takes a third of all time.
var Pictures = os.Getenv("ARDESIA_PICTURES") != ""

// tallest is how much of a page its picture shows, in pixels: the rest looks like it, and takes seconds.
const tallest = 3000

// cutOff is what has more text than room, where that is neither scrolled nor shortened on purpose; and lists that do not show all their rows. An open menu hangs
// over what it belongs to.
const cutOff = `[...document.querySelectorAll("table.list")].filter(e => e.scrollHeight > e.clientHeight + 1).concat([...document.querySelectorAll("button, a, summary, label, legend, h1, h2, h3, h4, th, td, dt, dd, li, p, .button, [role=tab], [role=menuitem], .dialog-body, .dialog-foot, .panel, .card, .acts, .head, .listbar, .chartbar, .setter-row, .pair, form, main")]
	.filter(e => e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1 && e.checkVisibility({visibilityProperty: true}))
	.filter(e => { const s = getComputedStyle(e); return s.textOverflow !== "ellipsis" && s.clipPath === "none" && !["auto", "scroll"].includes(s.overflowX) && !e.closest(".sr, svg, .u-wrap, .course-steps") && !(s.overflowX === "visible" && e.querySelector("[role=menu]")); }))
	.slice(0, 4).map(e => e.tagName + "." + e.className + " " + e.innerText.slice(0, 40) + " (" + e.scrollWidth + " in " + e.clientWidth + ")").join("; ")`

// Look is Judge without axe, which takes the most time.
func (s *Screen) Look(folder, name string) {
	s.T.Helper()
	if wide := s.Text(`document.documentElement.scrollWidth <= document.documentElement.clientWidth ? "" :
		[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(0, 4).map(e => e.tagName + "." + e.className).join(", ") || "something"`); wide != "" {
		s.T.Errorf("%s is wider than the screen: %s", name, wide)
	}
	if cut := s.Text(cutOff); cut != "" {
		s.T.Errorf("%s: cut off: %s", name, cut)
	}
	trouble, _ := s.Trouble()
	for _, line := range trouble {
		s.T.Errorf("%s: %s", name, line)
	}
	if !Pictures && !s.T.Failed() {
		return
	}
	high := min(tallest, Eval[float64](s, `document.documentElement.scrollHeight`))
	shot, err := chromedp.Call(s.Ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: new(true), FromSurface: new(true), OptimizeForSpeed: new(true), Format: page.CaptureScreenshotFormatPng,
		Clip: &page.Viewport{Width: Eval[float64](s, `document.documentElement.clientWidth`), Height: high, Scale: 1}})
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), shot.Data, 0o644)
	}
	if err != nil {
		s.T.Fatal(err)
	}
}
