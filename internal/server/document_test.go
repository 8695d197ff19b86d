package server

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the API has is a list that is read when it changes, and nothing of it is without words.
func TestOperations(t *testing.T) {
	s := built(t)
	doc, err := s.Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range doc.Untold() {
		t.Errorf("%s %s has no words: say in its room's docs (http_docs.go) which operation it is and what it does", op.Method, op.Path)
	}
	var out strings.Builder
	for _, op := range doc.Operations() {
		if op.Tags[0] == "Others" {
			t.Errorf("%s is in no group: see groups in document.go", op.ID)
		}
		fmt.Fprintf(&out, "%-6s %-58s %-42s %s\n", op.Method, op.Path, op.ID, strings.Join(slices.Sorted(maps.Keys(op.Responses)), " "))
	}
	path := filepath.Join("testdata", "operations.txt")
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the operations are now\n%s\n%s has\n%s", out.String(), path, want)
	}
}
