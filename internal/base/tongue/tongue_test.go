package tongue

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string // of key "a" in English; "" is an error
	}{
		"one file":     {map[string]string{"en.json": `{"a":"A %d"}`}, "A 1"},
		"two files":    {map[string]string{"en.json": `{"b":"B"}`, "en.more.json": `{"a":"A %d"}`}, "A 1"},
		"no file":      {nil, "a"},
		"a key twice":  {map[string]string{"en.json": `{"a":"A"}`, "en.more.json": `{"a":"B"}`}, ""},
		"no texts":     {map[string]string{"en.json": `["a"]`}, ""},
		"not the same": {map[string]string{"it.json": `{"a":"A"}`}, "a"},
	} {
		files := fstest.MapFS{}
		for file, text := range c.files {
			files["text/"+file] = &fstest.MapFile{Data: []byte(text)}
		}
		texts, err := Read(files, "text")
		if got := texts.Text("en", "a", 1); (err != nil) != (c.want == "") || err == nil && got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for accept, want := range map[string]string{
		"": "en", "it": "it", "IT-ch": "it", "de, it;q=0.5": "it", "de,fr": "en", ";;,,-": "en", "en-GB,it": "en", "EN-us": "en", "fr": "en", "it-IT,it;q=0.9,en;q=0.8": "it", "de-DE,de;q=0.9,it;q=0.5": "it", strings.Repeat("x", 300): "en",
		strings.Repeat("de,", 100) + "it": "en",
	} {
		if got := Choose(accept); got != want {
			t.Errorf("Choose(%.40q) = %q, want %q", accept, got, want)
		}
	}
}
