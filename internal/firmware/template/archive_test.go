package template

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// pack makes a zip of names and texts in turn.
func pack(t testing.TB, all ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(all); i += 2 {
		f, err := z.Create(all[i])
		if err == nil {
			_, err = f.Write([]byte(all[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const (
	smallManifest = `{"name":"Small","description":"d","things":["thing_1.yaml"],"max_variables":1,"images":["resources/images/a.png"],"compatible_boards":["a:b:c"]}`
	smallThing    = "id: small-12345\nname: Small\ntimezone: Europe/Rome\nsketch_name: small\ntags:\n- key: room\n  value: x\nvariables:\n- id: t\n  name: t\n  permission: READ_ONLY\n  type: FLOAT\n  update_parameter: 1.50\n  update_strategy: ON_CHANGE\n  variable_name: t\n"
)

func small(t testing.TB, more ...string) []byte {
	t.Helper()
	return pack(t, append([]string{"template.json", smallManifest, "resources/", "", "resources/thing_1.yaml", smallThing,
		"resources/sketches/small/small.ino", "void setup() {}\n", "resources/sketches/small/src/a.h", "", "resources/images/a.png", "png"}, more...)...)
}

// What is read and written again is the same bytes as what is read and written once, and says the same.
func TestFilesAreStable(t *testing.T) {
	w, err := Read(small(t))
	if err != nil {
		t.Fatal(err)
	}
	if w.Name != "Small" || len(w.Things) != 1 || len(w.Sketches) != 1 || len(w.Sketches[0].Files) != 2 || len(w.Assets) != 1 || len(w.More) != 2 || w.More["images"] == nil {
		t.Errorf("read %+v", w)
	}
	if !bytes.Contains(w.Things[0], []byte(`"update_parameter":1.50`)) {
		t.Errorf("a number lost its digits: %s", w.Things[0])
	}
	first, err := Write(w)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(first)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(w, again) {
		t.Errorf("read %+v, then %+v", w, again)
	}
	if second, err := Write(again); err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same template is other bytes (%v)", err)
	}
}

// Texts that other readers of YAML take for something else come back as texts.
func TestTextsStayTexts(t *testing.T) {
	all := map[string]any{}
	for i, text := range []string{"", " ", "no", "On", "null", "~", "1e3", "0x1F", "1_000", "12:30:00", "2026-10-17", "- a", "a: b", "#", "é\n\ttwo", "'\"", "<<", "\u2028", "=", "*a", "&a", "!x", "%", "\u007f"} {
		all[fmt.Sprint("k", i)] = text
		all[text] = json.Number("1.0")
	}
	raw, err := writeJSON(all)
	if err != nil {
		t.Fatal(err)
	}
	text, err := toYAML(raw)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := toJSON(text); err != nil || !bytes.Equal(back, raw) {
		t.Errorf("%v\n%s\n%s\n%s", err, text, raw, back)
	}
}

func TestBadFiles(t *testing.T) {
	bomb := strings.Repeat("0", 4<<20)
	many := []string{}
	for i := range maxEntries {
		many = append(many, fmt.Sprintf("resources/a/%d", i), "")
	}
	linked := func() []byte {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		h := &zip.FileHeader{Name: "resources/link"}
		h.SetMode(0o777 | 1<<27) // a symbolic link, as fs.ModeSymlink
		if _, err := z.CreateHeader(h); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"no zip":                       {[]byte("PK not one"), ErrArchive},
		"nothing":                      {nil, ErrArchive},
		"too large":                    {make([]byte, MaxFile+1), ErrTooLarge},
		"no template.json":             {pack(t, "resources/thing_1.yaml", smallThing), ErrArchive},
		"template.json is a list":      {pack(t, "template.json", "[]"), ErrArchive},
		"no parts":                     {pack(t, "template.json", `{"name":"x"}`), ErrEmpty},
		"no name":                      {pack(t, "template.json", `{}`, "resources/thing_1.yaml", smallThing), ErrName},
		"path up":                      {small(t, "resources/../../etc/passwd", "x"), ErrArchive},
		"absolute path":                {small(t, "/resources/x", "x"), ErrArchive},
		"backslash":                    {small(t, `resources\..\x`, "x"), ErrArchive},
		"drive":                        {small(t, "C:/x", "x"), ErrArchive},
		"elsewhere":                    {small(t, "other/x", "x"), ErrArchive},
		"dot at the end":               {small(t, "resources/x.", "x"), ErrArchive},
		"control character":            {small(t, "resources/a\nb", "x"), ErrArchive},
		"long name":                    {small(t, "resources/"+strings.Repeat("a", 200), "x"), ErrArchive},
		"twice":                        {small(t, "resources/thing_1.yaml", smallThing), ErrArchive},
		"twice but for case":           {small(t, "resources/Thing_1.yaml", smallThing), ErrArchive},
		"file and folder":              {small(t, "resources/a", "x", "resources/a/b", "x"), ErrArchive},
		"folder with bytes":            {small(t, "resources/images", "x"), ErrArchive},
		"symbolic link":                {linked(), ErrArchive},
		"bomb":                         {small(t, "resources/bomb", bomb), ErrTooLarge},
		"many entries":                 {small(t, many...), ErrTooLarge},
		"part with aliases":            {small(t, "resources/thing_2.yaml", "a: &a [1]\nb: *a\n"), ErrArchive},
		"part with a key twice":        {small(t, "resources/thing_2.yaml", "name: a\nname: b\n"), ErrArchive},
		"part that nests deep":         {small(t, "resources/thing_2.yaml", strings.Repeat("[", 100)+strings.Repeat("]", 100)), ErrArchive},
		"part that is a list":          {small(t, "resources/thing_2.yaml", "- a\n"), ErrArchive},
		"part that is two documents":   {small(t, "resources/thing_2.yaml", smallThing+"---\n"+smallThing), ErrArchive},
		"list names what is not there": {pack(t, "template.json", `{"name":"x","things":["thing_7.yaml"]}`), ErrArchive},
		"two things with one ID":       {small(t, "resources/thing_2.yaml", smallThing), ErrPart},
		"no such type":                 {small(t, "resources/thing_2.yaml", strings.ReplaceAll(strings.ReplaceAll(smallThing, "FLOAT", "FLOTE"), "12345", "54321")), ErrPart},
		"dashboard of another thing":   {small(t, "resources/dashboard_1.json", `{"name":"d","widgets":[{"type":"Value","x":0,"y":0,"width":1,"height":1,"variables":[{"thing_id":"what","variable_id":"t"}]}]}`), ErrPart},
		"chart of another thing":       {small(t, "resources/dashboard_1.json", `{"name":"d","widgets":[{"type":"Advanced Chart","x":0,"y":0,"width":1,"height":1,"options":{"axes":{"what:t":{}}}}]}`), ErrPart},
		"trigger of another thing":     {small(t, "resources/trigger_1.json", `{"name":"t","linked_property":{"thing_id":"what","property_id":"t"}}`), ErrPart},
	} {
		t.Run(name, func(t *testing.T) {
			if w, err := Read(c.file); !errors.Is(err, c.want) || w != nil && err == nil {
				t.Errorf("Read = %v, want %v", err, c.want)
			}
		})
	}
}

// What packs very well is written so that it can be read again.
func TestRepetitiveFilesAreReadAgain(t *testing.T) {
	w, err := Read(small(t))
	if err != nil {
		t.Fatal(err)
	}
	w.Assets = append(w.Assets, File{"resources/zero", make([]byte, 1<<20)})
	file, err := Write(w)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Read(file); err != nil || len(back.Assets[1].Bytes) != 1<<20 {
		t.Errorf("Read = %v", err)
	}
}

// Whatever somebody sends as a file, Read refuses it, or it can be written, read again as the same, and written as the same bytes.
func FuzzRead(f *testing.F) {
	f.Add(small(f))
	f.Add(pack(f, "template.json", "name: y\ndashboards: [d.json]", "resources/d.json", `{"name":"d","widgets":[]}`))
	for _, g := range must(readGallery()) {
		f.Add(g.file)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := Read(raw)
		if err != nil {
			return
		}
		file, err := Write(w)
		if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrArchive) {
			return // YAML is longer than the JSON that came
		}
		if err != nil {
			t.Fatal(err)
		}
		back, err := Read(file)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		again, err := Write(back)
		if err != nil || !bytes.Equal(file, again) {
			t.Fatalf("the same template is other bytes (%v)", err)
		}
	})
}

// Whatever text is a part, its JSON and its YAML say the same.
func FuzzParts(f *testing.F) {
	f.Add([]byte(smallThing))
	f.Add([]byte(`{"a":[1,2.50,"x",null,true,{}]}`))
	f.Add([]byte("a: 0x10\nb: .5\nc: 2026-01-01\nd: !!str 5\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		raw, err := toJSON(text)
		if err != nil || raw[0] != '{' {
			return
		}
		written, err := toYAML(raw)
		if err != nil {
			t.Fatal(err)
		}
		back, err := toJSON(written)
		if err != nil || !bytes.Equal(raw, back) {
			t.Fatalf("%s became %s and then %s (%v)", raw, written, back, err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
