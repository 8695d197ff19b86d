package template

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrArchive is a file that is no template.
	ErrArchive = problem.New(problem.Invalid, "invalid-template-file", "A template is a .tino file: a zip with template.json and the folder resources.")
	// ErrTooLarge is a file that is too large, or would be.
	ErrTooLarge = problem.New(problem.TooLarge, "template-too-large", fmt.Sprintf("A template's file has at most %d MiB, and %d MiB in at most %d files when it is unpacked.", MaxFile>>20, maxUnpacked>>20, maxEntries))
)

// Bounds of a .tino file; ours.
const (
	MaxFile     = 8 << 20  // bytes, packed
	maxUnpacked = 24 << 20 // bytes of all entries together
	maxEntries  = 1000
	maxRatio    = 200      // unpacked to packed, of one entry
	smallEntry  = 64 << 10 // bytes below which the ratio does not matter
	maxPath     = 200      // bytes
)

// Where things are in a .tino file; cloud-api reference, section 7.2.
const (
	manifestPath = "template.json"
	resources    = "resources/"
	sketches     = resources + "sketches/"
)

// Read reads a .tino file.
func Read(raw []byte) (*Whole, error) {
	files, err := unpack(raw)
	if err != nil {
		return nil, err
	}
	return readFiles(files)
}

// signature begins each entry of a zip's directory (APPNOTE.TXT, 4.3.12).
var signature = []byte("PK\x01\x02")

// unpack is a zip's files by their paths, all within the bounds.
func unpack(raw []byte) (map[string][]byte, error) {
	// The library takes some 500 bytes of memory for each entry, however few bytes stand for it.
	if len(raw) > MaxFile || bytes.Count(raw, signature) > maxEntries {
		return nil, ErrTooLarge
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, ErrArchive
	}
	if len(z.File) > maxEntries {
		return nil, ErrTooLarge
	}
	files, seen, left := map[string][]byte{}, map[string]bool{}, int64(maxUnpacked)
	for _, f := range z.File {
		name, folder := strings.CutSuffix(f.Name, "/")
		if err := checkPath(name); err != nil {
			return nil, err
		}
		low := strings.ToLower(name) // two names that some file systems take for one
		if seen[low] {
			return nil, ErrArchive.With(fmt.Sprintf("The file has %q twice.", name))
		}
		seen[low] = true
		switch {
		case folder && f.UncompressedSize64 == 0:
			continue
		case folder || !f.Mode().IsRegular():
			return nil, ErrArchive.With(fmt.Sprintf("In the file %q is neither a file nor a folder.", name))
		case f.Flags&1 != 0:
			return nil, ErrArchive.With("The file is encrypted.")
		case f.UncompressedSize64 > uint64(left):
			return nil, ErrTooLarge
		case f.UncompressedSize64 > smallEntry && f.UncompressedSize64/maxRatio > f.CompressedSize64:
			return nil, ErrTooLarge.With(fmt.Sprintf("In the file %q is packed more than %d times smaller than it is.", name, maxRatio))
		}
		text, err := unpackOne(f)
		if err != nil {
			return nil, err
		}
		left -= int64(len(text))
		files[name] = text
	}
	for name := range files { // what is a file is no folder
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, file := files[dir]; file {
				return nil, ErrArchive.With(fmt.Sprintf("In the file %q is a file and a folder.", dir))
			}
		}
	}
	return files, nil
}

func unpackOne(f *zip.File) ([]byte, error) {
	broken := ErrArchive.With(fmt.Sprintf("In the file %q cannot be unpacked.", f.Name))
	r, err := f.Open()
	if err != nil {
		return nil, broken
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, int64(f.UncompressedSize64)+1))
	if err != nil || uint64(len(text)) != f.UncompressedSize64 {
		return nil, broken
	}
	return text, nil
}

// checkPath refuses names that would be elsewhere, or that some system cannot write.
func checkPath(name string) error {
	wrong := ErrArchive.With(fmt.Sprintf("The file has an entry called %q, which is no name of a file below it.", name[:min(len(name), maxPath)]))
	if name == "" || len(name) > maxPath || !utf8.ValidString(name) || !fs.ValidPath(name) || name == "." {
		return wrong
	}
	for one := range strings.SplitSeq(name, "/") {
		if strings.HasSuffix(one, ".") || strings.HasSuffix(one, " ") || strings.HasPrefix(one, " ") ||
			strings.ContainsFunc(one, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`\:*?"<>|`, r) }) {
			return wrong
		}
	}
	if name != manifestPath && !strings.HasPrefix(name+"/", resources) {
		return ErrArchive.With(fmt.Sprintf("The file has an entry called %q: beside template.json all is in the folder resources.", name))
	}
	return nil
}

// The kinds of parts, by the word that names them in paths and in template.json.
const (
	kindThing     = "thing"
	kindDashboard = "dashboard"
	kindTrigger   = "trigger"
)

var kinds = []string{kindThing, kindDashboard, kindTrigger}

// manifest is what we write into template.json, beside what was there that is nothing to us.
type manifest struct {
	Title       string   `json:"title"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Source      string   `json:"source_template_id,omitempty"`
	Boards      []string `json:"compatible_boards"`
	Things      []string `json:"thing_templates"` // paths, here and below
	Dashboards  []string `json:"dashboard_templates"`
	Triggers    []string `json:"trigger_templates"`
	Counters    counters `json:"counters"`
}

type counters struct {
	Things       int `json:"things"`
	Dashboards   int `json:"dashboards"`
	Triggers     int `json:"triggers"`
	MaxVariables int `json:"max_variables"` // of one thing
}

var manifestKeys = []string{"title", "name", "description", "source_template_id", "compatible_boards", "thing_templates", "dashboard_templates", "trigger_templates", "counters"}

// readFiles makes a template of its files.
func readFiles(files map[string][]byte) (*Whole, error) {
	text, there := files[manifestPath]
	if !there {
		return nil, ErrArchive.With("The file has no template.json.")
	}
	var m map[string]json.RawMessage
	if len(text) > maxPartText {
		return nil, ErrTooLarge
	}
	if raw, err := toJSON(text); err != nil || json.Unmarshal(raw, &m) != nil || m == nil {
		return nil, ErrArchive.With("template.json is no JSON object.")
	}
	w := &Whole{}
	for key, into := range map[string]*string{"title": &w.Title, "name": &w.Name, "description": &w.Text, "source_template_id": &w.Source} {
		if raw, given := m[key]; given && json.Unmarshal(raw, into) != nil {
			return nil, ErrArchive.With(fmt.Sprintf("In template.json %q is no text.", key))
		}
	}
	if w.Name == "" {
		w.Name = w.Title
	}
	if raw, given := m["compatible_boards"]; given && json.Unmarshal(raw, &w.Boards) != nil {
		return nil, ErrArchive.With(`In template.json "compatible_boards" is no list of texts.`)
	}
	used := map[string]bool{manifestPath: true}
	for _, kind := range kinds {
		all, err := readParts(kind, m, files, used)
		if err != nil {
			return nil, err
		}
		switch kind {
		case kindThing:
			w.Things = all
		case kindDashboard:
			w.Dashboards = all
		case kindTrigger:
			w.Triggers = all
		}
	}
	for _, key := range manifestKeys {
		delete(m, key)
	}
	if len(m) > 0 {
		w.More = m
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if used[name] {
			continue
		}
		file := File{Path: name, Bytes: files[name]}
		rest, isSketch := strings.CutPrefix(name, sketches)
		folder, inside, deep := strings.Cut(rest, "/")
		if !isSketch || !deep {
			w.Assets = append(w.Assets, file)
			continue
		}
		file.Path = inside
		i := slices.IndexFunc(w.Sketches, func(s Sketch) bool { return s.Name == folder })
		if i < 0 {
			i = len(w.Sketches)
			w.Sketches = append(w.Sketches, Sketch{Name: folder})
		}
		w.Sketches[i].Files = append(w.Sketches[i].Files, file)
	}
	slices.SortFunc(w.Sketches, func(a, b Sketch) int { return strings.Compare(a.Name, b.Name) })
	return w, w.check()
}

// isText says whether a part can be in a file of that name.
func isText(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name))
}

// bounds are how many parts of a kind a template has.
var bounds = map[string]int{kindThing: maxThings, kindDashboard: maxDashboards, kindTrigger: maxTriggers}

// readParts reads those of a kind: what template.json lists, in its order, and then what is called as we call them.
// A list that it has read it takes from m.
func readParts(kind string, m map[string]json.RawMessage, files map[string][]byte, used map[string]bool) ([]json.RawMessage, error) {
	var paths []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		var list []string
		if !strings.Contains(key, kind) || json.Unmarshal(m[key], &list) != nil || len(list) == 0 || slices.ContainsFunc(list, func(name string) bool { return !isText(name) }) {
			continue
		}
		full := make([]string, len(list))
		for i, name := range list {
			if full[i] = name; files[name] == nil {
				full[i] = resources + name
			}
			if files[full[i]] == nil {
				return nil, ErrArchive.With(fmt.Sprintf("template.json names %q, which is not in the file.", name))
			}
		}
		paths = append(paths, full...)
		delete(m, key)
	}
	var more []string
	for name := range files {
		rest, inside := strings.CutPrefix(name, resources)
		if inside && !strings.Contains(rest, "/") && strings.HasPrefix(rest, kind) && isText(rest) && !slices.Contains(paths, name) {
			more = append(more, name)
		}
	}
	slices.SortFunc(more, func(a, b string) int { // thing_2 before thing_10
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	paths = append(paths, more...)
	if len(paths) > bounds[kind] { // before any is read
		return nil, ErrTooMany
	}
	var all []json.RawMessage
	for _, name := range paths {
		if used[name] {
			return nil, ErrArchive.With(fmt.Sprintf("template.json names %q twice.", name))
		}
		used[name] = true
		text := files[name]
		if len(text) > maxPartText {
			return nil, ErrTooLarge.With(fmt.Sprintf("In the file %q has more than %d KiB.", name, maxPartText>>10))
		}
		raw, err := toJSON(text)
		if err != nil || raw[0] != '{' {
			return nil, ErrArchive.With(fmt.Sprintf("In the file %q is %v.", name, errTree))
		}
		all = append(all, raw)
	}
	return all, nil
}

// Write writes a template as a .tino file. Equal templates are equal bytes.
func Write(w *Whole) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name string, text []byte) error {
		method, err := methodFor(text)
		if err != nil {
			return err
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method}) // without a time
		if err == nil {
			_, err = f.Write(text)
		}
		return err
	}
	files, err := w.files()
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := add(f.Path, f.Bytes); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if out.Len() > MaxFile {
		return nil, ErrTooLarge
	}
	return out.Bytes(), nil
}

// methodFor packs what does not get so small that Read would take it for a bomb.
func methodFor(text []byte) (uint16, error) {
	if len(text) <= smallEntry {
		return zip.Deflate, nil
	}
	var packed bytes.Buffer
	f, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return 0, err
	}
	if len(text)/maxRatio > packed.Len()/2 {
		return zip.Store, nil
	}
	return zip.Deflate, nil
}

// files are those of which a .tino file is made, in order.
func (w *Whole) files() ([]File, error) {
	m := manifest{Title: w.Title, Name: w.Name, Description: w.Text, Source: w.Source, Boards: append([]string{}, w.Boards...), Things: []string{}, Dashboards: []string{}, Triggers: []string{},
		Counters: counters{Things: len(w.Things), Dashboards: len(w.Dashboards), Triggers: len(w.Triggers)}}
	var all []File
	for _, of := range []struct {
		kind  string
		parts []json.RawMessage
		paths *[]string
	}{{kindThing, w.Things, &m.Things}, {kindDashboard, w.Dashboards, &m.Dashboards}, {kindTrigger, w.Triggers, &m.Triggers}} {
		for i, raw := range of.parts {
			text, err := toYAML(raw)
			if err != nil {
				return nil, err
			}
			if len(text) > maxPartText {
				return nil, ErrTooLarge.With(fmt.Sprintf("A part of the template has more than %d KiB.", maxPartText>>10))
			}
			name := resources + of.kind + "_" + strconv.Itoa(i+1) + ".yaml"
			*of.paths, all = append(*of.paths, name), append(all, File{name, text})
		}
	}
	for _, raw := range w.Things {
		t, err := readThing(raw)
		if err != nil {
			return nil, err
		}
		m.Counters.MaxVariables = max(m.Counters.MaxVariables, len(t.Variables))
	}
	text, err := m.text(w.More)
	if err != nil {
		return nil, err
	}
	if len(text) > maxPartText {
		return nil, ErrTooLarge.With(fmt.Sprintf("template.json would have more than %d KiB.", maxPartText>>10))
	}
	all = slices.Insert(all, 0, File{manifestPath, text})
	for _, s := range w.Sketches {
		for _, f := range s.Files {
			all = append(all, File{sketches + s.Name + "/" + f.Path, f.Bytes})
		}
	}
	all = append(all, w.Assets...)
	return all, w.bounded(all)
}

// bounded says whether what we write could be read again.
func (w *Whole) bounded(all []File) error {
	total, seen := 0, map[string]bool{}
	for _, f := range all {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		if low := strings.ToLower(f.Path); seen[low] {
			return ErrArchive.With(fmt.Sprintf("The template would have the file %q twice.", f.Path))
		} else {
			seen[low] = true
		}
		total += len(f.Bytes)
	}
	if len(all) > maxEntries || total > maxUnpacked {
		return ErrTooLarge
	}
	return nil
}

func (m manifest) text(more map[string]json.RawMessage) ([]byte, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	tree := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	for key, v := range more {
		if _, ours := tree[key]; !ours {
			tree[key] = v
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(tree); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
