package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:generate go test . -run TestKinds -update
//go:generate go test ./bundle -run TestDist$ -update

//go:embed dist
var distFiles embed.FS

// cookieTheme chooses how the application looks.
const cookieTheme = "__Host-ardesia-theme"

// Needs are what an App is made of; all must be there.
type Needs struct {
	Place   func() Place                                    // where devices find this server
	Account func() string                                   // origin of the pages of the account; "" where it is the application's own
	Limit   func(h http.Header, r *http.Request) error      // bounds how often one address reports; its error ends the request
	Reports func(r *http.Request, all []Report)             // is told what browsers report of the policy
	Fail    func(http.ResponseWriter, *http.Request, error) // answers with an error
}

// An App serves the application that people work in: one first page for all of its addresses, and the files that
// page loads, which stand under the hash of all of them and never change there.
type App struct {
	needs Needs
	*built
}

// built is what stands in dist, ready for browsers, and the same for all of a program.
type built struct {
	build string
	files map[string]asset
	first string // index.html, with ARDESIA_LANG, ARDESIA_THEME, ARDESIA_ACCOUNT and ARDESIA_PAGE still in it
	pages []page
}

// A page is one of the application whose code is in files of its own.
type page struct {
	parts []string // of its address behind /app, as web/app/router.ts reads them
	links string   // that have a browser load its code together with the first page's, which would ask for it only when it runs
}

// An asset is a file as browsers get it.
type asset struct {
	text, packed []byte // packed as encoding says; nil where that is no gain
	encoding     string
	media        string
}

// NewApp makes one of what was built.
func NewApp(needs Needs) (*App, error) {
	if needs.Place == nil || needs.Account == nil || needs.Limit == nil || needs.Reports == nil || needs.Fail == nil {
		return nil, errors.New("the web application needs Place, Account, Limit, Reports and Fail")
	}
	b, err := dist()
	return &App{needs, b}, err
}

// dist reads it once: packing and searching it takes a tenth of a second.
var dist = sync.OnceValues(readDist)

func readDist() (*built, error) {
	a := &built{files: map[string]asset{}}
	raw, packed := map[string][]byte{}, map[string][]byte{}
	sum := sha256.New()
	entries, err := fs.ReadDir(distFiles, "dist")
	if err != nil {
		return nil, err
	}
	for _, e := range entries { // in the order of their names
		text, err := fs.ReadFile(distFiles, path.Join("dist", e.Name()))
		if err != nil {
			return nil, err
		}
		if of, is := strings.CutSuffix(e.Name(), ".br"); is {
			packed[of] = text
			continue
		}
		raw[e.Name()] = text
		fmt.Fprintf(sum, "%s %d\n%s", e.Name(), len(text), text)
	}
	a.build = hex.EncodeToString(sum.Sum(nil)[:6])
	needs := directImports(raw)
	for name, text := range raw {
		settled := a.settle(name, text, raw, needs)
		if !bytes.Equal(settled, text) {
			delete(packed, name)
		}
		if a.files[name], err = newAsset(name, settled, packed[name]); err != nil {
			return nil, err
		}
	}
	a.first = string(a.files["index.html"].text)
	if a.pages = a.pagesIn(raw["main.js"], needs); len(a.pages) == 0 {
		return nil, errors.New("web/dist/main.js has no pages that web/app.go finds: look how it lists them")
	}
	for _, name := range own {
		if _, there := a.files[name]; !there {
			return nil, fmt.Errorf("web/dist has no %s: go generate ./web", name)
		}
	}
	return a, nil
}

// SharedPath is where the application shows a dashboard to everybody who has its public link, whose token is behind it.
const SharedPath = "/app/shared/"

// asked has a browser ask who is signed in while it loads the code that wants to know; web/app/session.ts asks the same.
const asked = `<link rel="preload" as="fetch" href="/v1/spaces" crossorigin>
`

// own are the files that have addresses of their own, beside those under the hash.
var own = []string{"index.html", "keeper.html", "manifest.webmanifest", "worker.js"}

// settle writes this build's address into a file that speaks of others, and their names into those that want a list.
func (a *built) settle(name string, text []byte, all map[string][]byte, needs map[string][]string) []byte {
	if !slices.Contains(own, name) {
		return text
	}
	out := strings.ReplaceAll(string(text), "/a/-/", a.prefix())
	switch name {
	case "index.html":
		out = strings.Replace(out, "<script ", a.preload(imports("main.js", needs))+"ARDESIA_PAGE<script ", 1)
	case "worker.js":
		var files []string
		for file := range all {
			if !slices.Contains(own, file) && file != "licences.txt" && !strings.HasPrefix(file, "icon-") {
				files = append(files, a.prefix()+file)
			}
		}
		slices.Sort(files)
		list, _ := json.Marshal(files) // of texts: it cannot fail
		out = strings.Replace(out, `"ARDESIA_FILES"`, string(list), 1)
		out = strings.Replace(out, "ARDESIA_BUILD", a.build, 1)
	}
	return []byte(out)
}

// preload has a browser load modules that it will be asked for.
func (a *built) preload(files []string) string {
	var links strings.Builder
	for _, file := range files {
		fmt.Fprintf(&links, "<link rel=\"modulepreload\" href=\"%s%s\">\n", a.prefix(), file)
	}
	return links.String()
}

// listed finds a page in the list of web/app/pages/routes.ts, as it is built.
var listed = regexp.MustCompile(`\{path:"(/[^"]*)",title:"[^"]*",load:\(\)=>import\("\./([^"]+)"\)\}`)

// pagesIn are the pages in what was built, in the order in which the application looks for them.
func (a *built) pagesIn(main []byte, needs map[string][]string) []page {
	before := imports("main.js", needs)
	var found []page
	for _, m := range listed.FindAllSubmatch(main, -1) {
		file := string(m[2])
		own := slices.DeleteFunc(append([]string{file}, imports(file, needs)...), func(name string) bool { return slices.Contains(before, name) })
		found = append(found, page{strings.Split(string(m[1]), "/")[1:], a.preload(own)})
	}
	return found
}

// links are those of the page at an address; none at the beginning, from where the application leads on.
func (a *built) links(address string) string {
	at := strings.Split(strings.Trim(strings.TrimPrefix(address, "/app"), "/"), "/")
	for _, p := range a.pages {
		if slices.EqualFunc(p.parts, at, func(want, part string) bool { return want == part || strings.HasPrefix(want, ":") && part != "" }) {
			return p.links
		}
	}
	return ""
}

func (a *built) prefix() string { return "/a/" + a.build + "/" }

// imported finds what a module cannot do without. What it loads later is in parentheses.
var imported = regexp.MustCompile(`(?:from|import)"\./([^"]+)"`)

// imports are the modules that file needs before it can begin, and those that they need.
func imports(file string, needs map[string][]string) []string {
	var found []string
	var look func(string)
	look = func(name string) {
		for _, next := range needs[name] {
			if !slices.Contains(found, next) {
				found = append(found, next)
				look(next)
			}
		}
	}
	look(file)
	return found
}

// directImports are, by its name, the modules that a file names itself.
func directImports(all map[string][]byte) map[string][]string {
	direct := map[string][]string{}
	for name, text := range all {
		if path.Ext(name) != ".js" {
			continue
		}
		for _, m := range imported.FindAllSubmatch(text, -1) {
			direct[name] = append(direct[name], string(m[1]))
		}
	}
	return direct
}

var media = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".svg": "image/svg+xml",
	".png": "image/png", ".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json",
}

// newAsset makes a file what browsers get. What was not packed by brotli when it was built, since it is another in each
// build, is packed by gzip.
func newAsset(name string, text, packed []byte) (asset, error) {
	one := asset{text: text, packed: packed, encoding: "br", media: media[path.Ext(name)]}
	if one.media == "" {
		return one, fmt.Errorf("nobody knows what %s is", name)
	}
	if one.media == "image/png" || packed != nil {
		return one, nil
	}
	packed, err := squeeze(text)
	if len(packed) < len(text) {
		one.packed, one.encoding = packed, "gzip"
	}
	return one, err
}

func squeeze(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

// Routes are the application's addresses, by the pattern of http.ServeMux. They are open to anyone: what they show
// is in the program that everybody can have; what belongs to people comes from the API.
func (a *App) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /a/{build}/{file}": a.file,
		"GET /app": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/app/", http.StatusPermanentRedirect)
		},
		"GET /app/{page...}":            a.page,
		"GET /app/keeper":               a.keeper,
		"GET /app/worker.js":            a.worker,
		"GET /app/manifest.webmanifest": func(w http.ResponseWriter, r *http.Request) { a.fresh(w, r, a.files["manifest.webmanifest"]) },
		"GET /app/place.json":           a.place,
		"POST /app/csp-report":          a.report,
	}
}

// file answers with a file of this build. Another build's is not there any more: whoever has an old first page
// loads it again.
func (a *App) file(w http.ResponseWriter, r *http.Request) {
	one, there := a.files[r.PathValue("file")]
	guard(w.Header(), policyNothing)
	if r.PathValue("build") != a.build || !there || slices.Contains(own, r.PathValue("file")) {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "This file is of another version of the application. Load the page again.", http.StatusNotFound)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	one.write(w, r)
}

// page is the first page, in the language and look of whoever asks.
func (a *App) page(w http.ResponseWriter, r *http.Request) {
	theme := "system"
	if c, err := r.Cookie(cookieTheme); err == nil && (c.Value == "light" || c.Value == "dark") {
		theme = c.Value
	}
	lang := Tongue(r)
	links := a.links(r.URL.Path)
	if !strings.HasPrefix(r.URL.Path, SharedPath) { // who looks at a public link need not be anybody
		links = asked + links
	}
	text := strings.NewReplacer("ARDESIA_LANG", lang, "ARDESIA_THEME", theme, "ARDESIA_ACCOUNT", html.EscapeString(a.needs.Account()), "ARDESIA_PAGE", links).Replace(a.first)
	guard(w.Header(), policyApp)
	if strings.HasPrefix(r.URL.Path, SharedPath) {
		w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	}
	w.Header().Set("Content-Language", lang)
	w.Header().Add("Vary", "Accept-Language, Cookie")
	a.fresh(w, r, asset{text: []byte(text), media: media[".html"]})
}

// keeper is the page in a frame that has the worker registered; web/app/keeper.ts says why.
func (a *App) keeper(w http.ResponseWriter, r *http.Request) {
	guard(w.Header(), policyKeeper)
	a.fresh(w, r, a.files["keeper.html"])
}

func (a *App) worker(w http.ResponseWriter, r *http.Request) {
	guard(w.Header(), policyWorker)
	a.fresh(w, r, a.files["worker.js"])
}

// fresh answers with what is asked for each time, and sent only when it has changed.
func (a *App) fresh(w http.ResponseWriter, r *http.Request, one asset) {
	h := w.Header()
	if h.Get("Content-Security-Policy") == "" {
		guard(h, policyNothing)
	}
	sum := sha256.Sum256(one.text)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	one.write(w, r)
}

func (a asset) write(w http.ResponseWriter, r *http.Request) {
	h, text := w.Header(), a.text
	h.Set("Content-Type", a.media)
	if a.packed != nil {
		h.Add("Vary", "Accept-Encoding")
		if accepts(r.Header.Get("Accept-Encoding"), a.encoding) {
			h.Set("Content-Encoding", a.encoding)
			text = a.packed
		}
	}
	h.Set("Content-Length", fmt.Sprint(len(text)))
	_, _ = w.Write(text) // who has gone away reads nothing
}

// accepts says whether a client takes an encoding. All browsers write theirs plainly; whoever weighs them gets the text as it is.
func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if strings.TrimSpace(part) == encoding {
			return true
		}
	}
	return false
}

// wirePlace is what the application is told of this server; all of it is on the welcome page, too.
type wirePlace struct {
	Host   string `json:"host"`
	Web    string `json:"web"`
	Secret string `json:"secret"`
	Cert   string `json:"cert"`
	CA     bool   `json:"ca"`
}

func (a *App) place(w http.ResponseWriter, r *http.Request) {
	p := a.needs.Place()
	text, err := json.Marshal(wirePlace{Host: p.Host, Web: p.Web, Secret: p.Secret, Cert: p.Cert, CA: p.Fingerprint != ""})
	if err != nil {
		a.needs.Fail(w, r, err)
		return
	}
	a.fresh(w, r, asset{text: text, media: "application/json"})
}
