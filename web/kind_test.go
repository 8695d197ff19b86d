package web

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

var update = flag.Bool("update", false, "write web/app/model/kinds.ts anew (go generate ./web)")

// kindNames are what the application calls kinds, in the order of its table. Numbers are those that it leaves out.
var kindNames = []struct {
	kind thing.Kind
	name string
}{
	{thing.Bool, "bool"}, {thing.Int, "int"}, {thing.Time, "time"}, {thing.Text, "text"}, {thing.Location, "location"}, {thing.Color, "color"},
	{thing.DimmedLight, "dimmed"}, {thing.ColoredLight, "colored"}, {thing.Television, "television"}, {thing.Schedule, "schedule"}, {thing.Free, "free"},
}

// What the application makes of a property's type is what the server does: its table is written from the server's.
func TestKinds(t *testing.T) {
	var b strings.Builder
	b.WriteString("// Types of properties by the kind of their values; all others are numbers. Written by go generate ./web.\nexport const kinds = {\n")
	known := map[thing.Kind]bool{thing.Float: true}
	for _, k := range kindNames {
		known[k.kind] = true
		var types []string
		for _, one := range thing.Types() {
			if one.Kind == k.kind {
				types = append(types, one.Name)
			}
		}
		fmt.Fprintf(&b, "  %s: %q,\n", k.name, strings.Join(types, " "))
	}
	b.WriteString("} as const;\n\n// The usual unit of types that have one.\nexport const units: Record<string, string> = {\n")
	types := map[string][]string{} // by unit
	for _, one := range thing.Types() {
		if len(one.Units) > 0 && one.Units[0] != "" {
			types[one.Units[0]] = append(types[one.Units[0]], one.Name)
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(types)) {
		fmt.Fprintf(&b, "  %q: %q,\n", unit, strings.Join(types[unit], " "))
	}
	b.WriteString("};\n")
	for _, one := range thing.Types() {
		if !known[one.Kind] {
			t.Errorf("the application has no name for the kind of %s", one.Name)
		}
	}
	path := filepath.Join("app", "model", "kinds.ts")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != b.String() {
		t.Errorf("%s is not what the server's types are: run go generate ./web (%v)", path, err)
	}
}
