package bundle

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write web/dist anew (go generate ./web)")

// web/dist is what the sources make, byte for byte, so that nobody has to trust whoever committed it.
func TestDist(t *testing.T) {
	want, err := Build("..")
	if err != nil {
		t.Fatal(err)
	}
	dist := filepath.Join("..", "dist")
	if *update {
		if err := os.RemoveAll(dist); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dist, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(dist, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := os.ReadDir(dist)
	if err != nil {
		t.Fatalf("%v: run go generate ./web", err)
	}
	have := map[string]bool{}
	for _, e := range entries {
		have[e.Name()] = true
		if _, made := want[e.Name()]; !made {
			t.Errorf("dist/%s is made of nothing: run go generate ./web", e.Name())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		got, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil || !bytes.Equal(got, want[name]) {
			t.Errorf("dist/%s is not what the sources make: run go generate ./web (%v)", name, err)
		}
	}
	if !have["main.js"] || !have["app.css"] || len(have) < 15 {
		t.Errorf("only %v was built: this test looks in the wrong place", slices.Sorted(maps.Keys(have)))
	}
}

// The same sources give the same files, wherever they lie.
func TestBuildDoesNotDependOnTheFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("copies the sources")
	}
	one, err := Build("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "elsewhere", "web")
	for _, part := range []string{"app", "vendor"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("..", part))); err != nil {
			t.Fatal(err)
		}
	}
	two, err := Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name := range one {
		if !bytes.Equal(one[name], two[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"no such module": {"main.tsx", `import x from "left-pad"; x();`, "not in web/vendor"},
		"no code":        {"main.tsx", `const = 1;`, "main.tsx:1:6"},
		"no style":       {"app.css", `a { color: }} b`, "app.css:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			app := filepath.Join(dir, "app")
			if err := os.CopyFS(app, os.DirFS(filepath.Join("..", "app"))); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(app, c.file), []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Build(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestPlainNames(t *testing.T) {
	f := Files{
		"main.js": []byte(`import"./chunk-AAAAAAAA.js";import("./Things-BBBBBBBB.js");import("./Deleted-DDDDDDDD.js")`), "chunk-AAAAAAAA.js": []byte("a"),
		"Things-BBBBBBBB.js": []byte(`import"./chunk-CCCCCCCC.js";`), "chunk-CCCCCCCC.js": []byte("c"), "Deleted-DDDDDDDD.js": []byte("d"), "Deleted-EEEEEEEE.js": []byte("e"),
	}
	got := f.plain()
	for name, want := range map[string]string{
		"main.js": `import"./shared-1.js";import("./things.js");import("./deleted.js")`, "shared-1.js": "a", "things.js": `import"./shared-2.js";`, "shared-2.js": "c",
		"deleted.js": "d", "deleted-2.js": "e",
	} {
		if string(got[name]) != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if len(got) != len(f) {
		t.Errorf("%d files became %d", len(f), len(got))
	}
}
