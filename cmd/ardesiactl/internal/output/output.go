// Package output prints what a verb found: for people as a table, for programs as
// JSON or YAML of the same data.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"gopkg.in/yaml.v3"
)

// Formats are the values of --format.
var Formats = []string{"text", "json", "jsonmini", "yaml"}

// Print writes data in format. The text form is a table of columns and rows;
// with no rows it says so in words.
func Print(w io.Writer, format string, data any, columns []string, rows [][]string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(data)
	case "jsonmini":
		return json.NewEncoder(w).Encode(data)
	case "yaml":
		return yaml.NewEncoder(w).Encode(data)
	case "text":
		return table(w, columns, rows)
	}
	return fmt.Errorf("--format %q is none of %s", format, strings.Join(Formats, ", "))
}

func table(w io.Writer, columns []string, rows [][]string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "Nothing found.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(columns, "\t")))
	for _, r := range rows {
		for i := range r {
			r[i] = Printable(r[i])
		}
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// Printable keeps what others wrote from moving the cursor of this terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return '·'
		}
		return r
	}, s)
}

// Value is a property's value as one line of text.
func Value(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
