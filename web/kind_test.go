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

	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/fleet/board"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

var update = flag.Bool("update", false, "write the tables of web/app anew (go generate ./web)")

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
	table(t, filepath.Join("app", "model", "kinds.ts"), b.String())
}

// table holds a file of the application against what the server says, from which it is written.
func table(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the server says: run go generate ./web (%v)", path, err)
	}
}

// The boards that the application brings in over a cable are those that the server takes, by the numbers that USB tells of them.
func TestKindsOfBoards(t *testing.T) {
	var b strings.Builder
	b.WriteString("// Boards with a key of their own, by the numbers that USB tells of them. Written by go generate ./web.\nexport const boards: Record<string, { fqbn: string; type: string; name: string; ways: string }> = {\n")
	for _, one := range otafile.Boards {
		if !board.SignsTokens(one.FQBN) {
			continue
		}
		known := board.Find(one.FQBN)
		if known == nil {
			t.Fatalf("nobody knows the board %s", one.FQBN)
		}
		connections, _ := device.Connections(known.Type)
		var ways []string
		for _, c := range connections {
			if c.Type != "lora" { // no network of that kind is connected to this server
				ways = append(ways, c.Type)
			}
		}
		fmt.Fprintf(&b, "  \"%04x:%04x\": { fqbn: %q, type: %q, name: %q, ways: %q },\n", uint32(one.Magic)>>16, uint32(one.Magic)&0xffff, one.FQBN, known.Type, known.Name, strings.Join(ways, " "))
	}
	b.WriteString("};\n")
	table(t, filepath.Join("app", "serial", "boards.ts"), b.String())
}
