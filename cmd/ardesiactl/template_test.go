package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
)

// A template is made of things, goes out as a file, comes back, and is made anew; the gallery is there, too.
func TestTemplates(t *testing.T) {
	home(t)
	good := func(out any, args ...string) {
		t.Helper()
		r := call(t, "", append(args, "--format", "json", "--yes")...)
		if r.code != exitOK {
			t.Fatalf("%v: %d %s", args, r.code, r.err)
		}
		if out != nil {
			if err := json.Unmarshal([]byte(r.out), out); err != nil {
				t.Fatalf("%v: %v in %s", args, err, r.out)
			}
		}
	}
	bad := func(code int, args ...string) {
		t.Helper()
		if r := call(t, "", append(args, "--format", "json", "--yes")...); r.code != code {
			t.Errorf("%v: %d %s, want %d", args, r.code, r.err, code)
		}
	}
	var th client.Thing
	good(&th, "thing", "create", "--name", "Green house", "--property", "temperature:FLOAT:rw")
	var made, back client.Template
	good(&made, "template", "create", "--name", "Farm", "--thing", th.ID, "--description", "d")
	file := filepath.Join(t.TempDir(), "farm.tino")
	good(nil, "template", "export", made.ID, "--outfile", file)
	bad(exitUsage, "template", "export", made.ID, "--outfile", file)
	good(nil, "template", "export", made.ID, "--outfile", file, "--overwrite")
	bad(exitConflict, "template", "import", file)
	bad(exitNotFound, "template", "import", file+".none")
	good(&made, "template", "rename", made.ID, "Old farm")
	good(&back, "template", "import", file)
	if made.Name != "Old farm" || back.Name != "Farm" || back.Things != 1 || back.ID == made.ID {
		t.Errorf("made %+v, then %+v", made, back)
	}
	var applied client.Applied
	good(&applied, "template", "apply", back.ID, "--prefix", "New", "--secret", "SECRET_SSID=net")
	var got client.Thing
	good(&got, "thing", "show", applied.Things[0].ID)
	if got.Name != "New Green house" || len(got.Properties) != 1 {
		t.Errorf("the thing is %+v", got)
	}
	bad(exitConflict, "template", "apply", back.ID, "--prefix", "New")
	bad(exitUsage, "template", "apply", back.ID, "--device", "nowhere=x", "--prefix", "Other")
	var all, gallery []client.Template
	good(&all, "template", "list")
	good(&gallery, "template", "list", "--gallery")
	if len(all) != 2 || len(gallery) < 4 {
		t.Errorf("%d templates and %d in the gallery", len(all), len(gallery))
	}
	good(&applied, "template", "apply", gallery[0].Slug)
	if len(applied.Things) != gallery[0].Things || len(applied.Dashboards) != gallery[0].Dashboards || len(applied.Triggers) != gallery[0].Triggers {
		t.Errorf("made %+v of %+v", applied, gallery[0])
	}
	dir := t.TempDir()
	good(nil, "template", "export", "thermostat", "--sketches", dir)
	if text, err := os.ReadFile(filepath.Join(dir, "thermostat", "thermostat.ino")); err != nil || len(text) == 0 {
		t.Errorf("no sketch was written: %v", err)
	}
	bad(exitUsage, "template", "export", "thermostat", "--sketches", dir)
	bad(exitNotFound, "template", "export", back.ID, "--sketches", dir)
	good(nil, "template", "delete", back.ID)
	bad(exitNotFound, "template", "show", back.ID)
	if err := os.WriteFile(file, []byte("no zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad(exitUsage, "template", "import", file)
}

// Whatever a server says a file of a sketch is called, nothing is written outside of the folder.
func TestSketchesStayInTheirFolder(t *testing.T) {
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	f, err := z.Create("resources/sketches/../../evil.ino")
	if err == nil {
		_, err = f.Write([]byte("x"))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	names, err := writeSketches(file.Bytes(), filepath.Join(dir, "a", "b"), false)
	if err == nil {
		t.Errorf("wrote %v", names)
	}
	if _, err := os.Stat(filepath.Join(dir, "evil.ino")); err == nil {
		t.Error("a file is outside of the folder")
	}
}
