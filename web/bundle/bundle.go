// Package bundle makes web/dist out of web/app: what browsers load. It is used by the tests of web only, so
// that neither the bundler nor Node is needed to build or to run Ardesia.
//
// Invariants:
//   - The same sources give the same bytes, in whichever folder they lie.
//   - Names of files have no hashes: the server puts all of them under an address with the hash of all.
//   - Nothing is fetched: modules of others lie in web/vendor (scripts/web-vendor).
package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/evanw/esbuild/pkg/api"
)

// Files are what was built, by name.
type Files map[string][]byte

// entries are what is loaded by name; what they load lazily becomes files of its own.
var entries = []string{"main.tsx", "app.css", "worker.ts", "keeper.ts"}

// copied are files that are taken as they are.
var copied = []string{"index.html", "keeper.html", "manifest.webmanifest", "mark.svg"}

// Build builds what lies in the folder web.
func Build(web string) (Files, error) {
	app, err := filepath.Abs(filepath.Join(web, "app"))
	if err != nil {
		return nil, err
	}
	var points []string
	for _, name := range entries {
		points = append(points, filepath.Join(app, name))
	}
	r := api.Build(api.BuildOptions{
		EntryPoints: points, AbsWorkingDir: app, Outdir: filepath.Join(app, "out"), Write: false, LogLevel: api.LogLevelSilent,
		Bundle: true, Splitting: true, Format: api.FormatESModule, Platform: api.PlatformBrowser, Target: api.ES2022, Charset: api.CharsetUTF8,
		EntryNames: "[name]", ChunkNames: "[name]-[hash]", Plugins: []api.Plugin{vendored(filepath.Join(filepath.Dir(app), "vendor"))},
		TsconfigRaw: `{"compilerOptions":{"verbatimModuleSyntax":true}}`, JSX: api.JSXAutomatic, JSXImportSource: "preact", LegalComments: api.LegalCommentsNone, Define: map[string]string{"process.env.NODE_ENV": `"production"`},
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
	})
	if len(r.Errors) > 0 || len(r.Warnings) > 0 {
		return nil, troubles(append(r.Errors, r.Warnings...))
	}
	files := Files{}
	for _, f := range r.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	files = files.plain()
	for _, name := range copied {
		if files[name], err = os.ReadFile(filepath.Join(app, name)); err != nil {
			return nil, err
		}
	}
	if files["licences.txt"], err = licences(filepath.Join(web, "vendor")); err != nil {
		return nil, err
	}
	for name, icon := range icons {
		if files[name], err = icon.png(); err != nil {
			return nil, err
		}
	}
	return files, files.pack()
}

// Packed is what the name of a file ends with that has another as brotli packs it.
const Packed = ".br"

// pack adds the files of text as they are sent, where that is a gain.
func (f Files) pack() error {
	for _, name := range f.names() {
		switch filepath.Ext(name) {
		case ".js", ".css", ".svg", ".txt":
			var b bytes.Buffer
			z := brotli.NewWriterLevel(&b, brotli.BestCompression)
			if _, err := z.Write(f[name]); err != nil {
				return err
			}
			if err := z.Close(); err != nil {
				return err
			}
			if b.Len() < len(f[name]) {
				f[name+Packed] = b.Bytes()
			}
		}
	}
	return nil
}

// modules are those of others, by the names that sources import them by; tsconfig.json has their types.
var modules = map[string]string{
	"preact":               "preact/dist/preact.mjs",
	"preact/hooks":         "preact/hooks/dist/hooks.mjs",
	"preact/jsx-runtime":   "preact/jsx-runtime/dist/jsxRuntime.mjs",
	"@preact/signals":      "@preact/signals/dist/signals.mjs",
	"@preact/signals-core": "@preact/signals-core/dist/signals-core.mjs",
	"uplot":                "uplot/dist/uPlot.esm.js",
	"uplot/style":          "uplot/dist/uPlot.min.css",
	"world-atlas/land":     "world-atlas/land-110m.json",
}

// vendored finds modules of others in the folder dir, and nowhere else.
func vendored(dir string) api.Plugin {
	return api.Plugin{Name: "vendored", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: "^[^./]"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Kind == api.ResolveEntryPoint {
				return api.OnResolveResult{}, nil
			}
			file, known := modules[a.Path]
			if !known {
				return api.OnResolveResult{}, fmt.Errorf("%s imports %q, which is not in web/vendor (scripts/web-vendor)", a.Importer, a.Path)
			}
			return api.OnResolveResult{Path: filepath.Join(dir, filepath.FromSlash(file))}, nil
		})
	}}
}

func troubles(all []api.Message) error {
	var errs []error
	for _, m := range all {
		where := ""
		if m.Location != nil {
			where = fmt.Sprintf("%s:%d:%d: ", m.Location.File, m.Location.Line, m.Location.Column)
		}
		errs = append(errs, errors.New(where+m.Text))
	}
	return errors.Join(errs...)
}

// hashed is the name of a file that is loaded lazily, or shared by such files.
var hashed = regexp.MustCompile(`^(.+)-([A-Z0-9]{8})\.js$`)

// plain gives files names without hashes, so that a change of one text changes two files and not all: what is
// shared is called shared-1.js and so on, in the order of names of those who load it.
func (f Files) plain() Files {
	taken, renamed := map[string]bool{}, map[string]string{}
	var shared []string
	for _, name := range f.names() {
		m := hashed.FindStringSubmatch(name)
		switch {
		case m == nil:
			taken[name] = true
		case m[1] == "chunk":
			shared = append(shared, name)
		}
	}
	for _, name := range f.names() {
		if m := hashed.FindStringSubmatch(name); m != nil && m[1] != "chunk" {
			plain := strings.ToLower(m[1]) + ".js"
			for n := 2; taken[plain]; n++ {
				plain = fmt.Sprintf("%s-%d.js", strings.ToLower(m[1]), n)
			}
			taken[plain] = true
			renamed[name] = plain
		}
	}
	loaders := func(name string) string {
		var all []string
		for _, other := range f.names() {
			if other != name && !slices.Contains(shared, other) && strings.Contains(string(f[other]), name) {
				all = append(all, orElse(renamed[other], other))
			}
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	// Who is loaded by the same files differs in its content, and that in the order of its hash.
	slices.SortStableFunc(shared, func(a, b string) int { return strings.Compare(loaders(a), loaders(b)) })
	for i, name := range shared {
		renamed[name] = fmt.Sprintf("shared-%d.js", i+1)
	}
	var pairs []string
	for from, to := range renamed {
		pairs = append(pairs, from, to)
	}
	replace, out := strings.NewReplacer(pairs...), Files{}
	for name, text := range f {
		out[orElse(renamed[name], name)] = []byte(replace.Replace(string(text)))
	}
	return out
}

func (f Files) names() []string {
	var all []string
	for name := range f {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// licences are those of all modules that are built in.
func licences(vendor string) ([]byte, error) {
	all, err := filepath.Glob(filepath.Join(vendor, "*", "LICENSE"))
	if err != nil {
		return nil, err
	}
	scoped, err := filepath.Glob(filepath.Join(vendor, "@*", "*", "LICENSE"))
	if err != nil {
		return nil, err
	}
	all = append(all, scoped...)
	slices.Sort(all)
	var b strings.Builder
	b.WriteString("Ardesia's web application is under the Apache License 2.0. It contains these modules:\n")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(vendor, filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\n--- %s\n\n%s\n", filepath.ToSlash(name), strings.TrimSpace(string(text)))
	}
	return []byte(b.String()), nil
}
