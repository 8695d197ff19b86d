package thing

import (
	"bufio"
	"encoding/csv"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// What a table is written as.
const (
	asCSV  = "csv"
	asJSON = "json"
)

// mediaTypes are those of tables.
var mediaTypes = map[string]string{asCSV: "text/csv; charset=utf-8", asJSON: "application/json"}

// tableFormat reads what a table shall be written as.
func tableFormat(r *http.Request, otherwise string) (string, error) {
	format := r.URL.Query().Get("format")
	if format == "" {
		format = otherwise
	}
	if mediaTypes[format] == "" {
		return "", rest.ErrQuery.With("The parameter \"format\" is csv or json.")
	}
	return format, nil
}

// A table is values as they are written, a row each: the time, two names of the property, the value.
type table struct {
	out    *bufio.Writer
	csv    *csv.Writer // nil for JSON
	row    [4]string   // CSV
	keys   [2]string   // JSON: what the names are called
	names  [2]string   // those of the row before
	quoted [2][]byte   // JSON: the same with quotes; CSV has them in row
	some   bool        // a row was written
	buf    []byte
}

// newTable begins a table in a format; keys are what its two names are called.
func newTable(w io.Writer, format string, keys [2]string) *table {
	t := &table{out: bufio.NewWriterSize(w, 32<<10), keys: keys}
	if format == asCSV {
		t.csv = csv.NewWriter(t.out)
		t.csv.UseCRLF = true // RFC 4180
		_ = t.csv.Write([]string{"time", keys[0], keys[1], "value"})
		return t
	}
	_ = t.out.WriteByte('[')
	return t
}

// write adds a row. An error of the client comes at once or with a later row.
func (t *table) write(at time.Time, names [2]string, v series.Value) error {
	if err := t.name(names); err != nil {
		return err
	}
	first := !t.some
	t.some = true
	if t.csv != nil {
		t.row[0], t.row[3] = at.Format(time.RFC3339Nano), t.cell(v)
		return t.csv.Write(t.row[:])
	}
	b := t.buf[:0]
	if !first {
		b = append(b, ',')
	}
	b = append(b, "\n{\"time\":\""...)
	b = at.AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	for i, key := range t.keys {
		b = append(b, ",\""...)
		b = append(b, key...)
		b = append(b, "\":"...)
		b = append(b, t.quoted[i]...)
	}
	b = append(b, ",\"value\":"...)
	b = append(appendJSON(b, v), '}')
	t.buf = b
	_, err := t.out.Write(b)
	return err
}

// name makes names ready to be written, which are mostly those of the row before.
func (t *table) name(names [2]string) (err error) {
	for i, name := range names {
		switch {
		case t.some && name == t.names[i]:
		case t.csv != nil:
			t.row[1+i] = harmless(name)
		default:
			if t.quoted[i], err = quote(name); err != nil {
				return err
			}
		}
	}
	t.names = names
	return nil
}

// cell is a value as it stands in CSV: texts without quotes, objects as JSON.
func (t *table) cell(v series.Value) string {
	if v.Kind == series.Text {
		return harmless(v.Text)
	}
	t.buf = appendJSON(t.buf[:0], v)
	return string(t.buf)
}

// harmless keeps spreadsheets from taking a text, which a device or a stranger to
// the reader may have written, for a formula. JSON has it as it is.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (t *table) end() error {
	if t.csv != nil {
		t.csv.Flush()
		if err := t.csv.Error(); err != nil {
			return err
		}
		return t.out.Flush()
	}
	_, _ = t.out.WriteString("\n]\n")
	return t.out.Flush()
}
