package thing

import (
	"bufio"
	"encoding/csv"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const (
	// A download has as many values as there are, so it has no length that could
	// bound its time. downloadTime is for a few hundred million of them.
	downloadTime = time.Hour
	// downloadPart is how many values are written between two extensions of the
	// time that a client may take to read them, downloadWait.
	downloadPart = 4096
	downloadWait = 60 * time.Second
)

// downloadRoutes are ours: the compatible API mails a history, as CSV in a zip.
func (s *Service) downloadRoutes() []door.Route {
	return []door.Route{
		{Pattern: "GET /v1/things/{id}/history", Action: "series:export", Resource: s.resource, Timeout: downloadTime, Do: s.httpDownload},
	}
}

// httpDownload writes all values of a thing's properties, or of those that
// "property" names (by ID, variable name or name, repeatedly), from "from" to
// before "to": one property behind the other, the oldest value first. "format" is
// csv or json. An answer that ends early breaks the connection, so that nobody
// takes a part for the whole.
func (s *Service) httpDownload(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.Get(r.Context(), who, pathID(r), false)
	if err != nil {
		return err
	}
	all, err := t.chosen(r.URL.Query()["property"])
	if err != nil {
		return err
	}
	// Times are as far as points can lie, so that an open end is the end.
	from, err := moment(r, "from", series.Earliest)
	if err != nil {
		return err
	}
	to, err := moment(r, "to", series.Latest)
	if err != nil {
		return err
	}
	if err := checkRange(from, to); err != nil {
		return err
	}
	format := r.URL.Query().Get("format")
	kind := map[string]string{"": "text/csv; charset=utf-8", "csv": "text/csv; charset=utf-8", "json": "application/json"}[format]
	if kind == "" {
		return rest.ErrQuery.With("The parameter \"format\" is csv or json.")
	}
	if format == "" {
		format = "csv"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": slug(t.Name) + "." + format}))
	d := newDownload(w, format)
	patience := http.NewResponseController(w)
	written := 0
	for _, p := range all {
		q := series.Query{Series: p.ID, Space: t.Space, From: from, To: to}
		err := s.needs.Series.Each(r.Context(), q, func(point series.Point) error {
			if written%downloadPart == 0 {
				_ = patience.SetWriteDeadline(s.now().Add(downloadWait)) // not every writer has deadlines
			}
			written++
			return d.write(p, point)
		})
		if err != nil {
			return err
		}
	}
	return d.end()
}

// chosen finds living properties by their ID, variable name or name; all when none
// is named.
func (t *Thing) chosen(names []string) ([]Property, error) {
	living := t.Living()
	if len(names) == 0 {
		return living, nil
	}
	all := make([]Property, 0, len(names))
	for _, name := range names {
		p := findBy(living, func(p *Property) bool { return p.ID == strings.ToLower(name) || p.Variable == name })
		if p == nil {
			p = findBy(living, func(p *Property) bool { return p.Name == name })
		}
		if p == nil {
			return nil, ErrPropertyNotFound
		}
		all = append(all, *p)
	}
	return all, nil
}

func findBy(all []Property, is func(p *Property) bool) *Property {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// A download is a table of values as it is written.
type download struct {
	out  *bufio.Writer
	csv  *csv.Writer // nil for JSON
	row  [4]string
	some bool // JSON: something stands before the next object
	buf  []byte
}

func newDownload(w io.Writer, format string) *download {
	d := &download{out: bufio.NewWriterSize(w, 32<<10)}
	if format == "csv" {
		d.csv = csv.NewWriter(d.out)
		d.csv.UseCRLF = true // RFC 4180
		_ = d.csv.Write([]string{"time", "property_id", "property", "value"})
		return d
	}
	_ = d.out.WriteByte('[')
	return d
}

// write adds a value. An error of the client comes at once or with a later value.
func (d *download) write(p Property, at series.Point) error {
	if d.csv != nil {
		d.row = [4]string{at.At.Format(time.RFC3339Nano), p.ID, harmless(p.Variable), d.cell(at.Value)}
		return d.csv.Write(d.row[:])
	}
	b := d.buf[:0]
	if d.some {
		b = append(b, ',')
	}
	d.some = true
	b = append(b, "\n{\"time\":\""...)
	b = at.At.AppendFormat(b, time.RFC3339Nano)
	b = append(b, "\",\"property_id\":"...)
	b = strconv.AppendQuote(b, p.ID) // UUIDs and variable names need no escapes
	b = append(b, ",\"property\":"...)
	b = strconv.AppendQuote(b, p.Variable)
	b = append(b, ",\"value\":"...)
	b = append(appendJSON(b, at.Value), '}')
	d.buf = b
	_, err := d.out.Write(b)
	return err
}

// cell is a value as it stands in a table: texts without quotes, objects as JSON.
func (d *download) cell(v series.Value) string {
	if v.Kind == series.Text {
		return harmless(v.Text)
	}
	d.buf = appendJSON(d.buf[:0], v)
	return string(d.buf)
}

// harmless keeps spreadsheets from taking a text, which a device or a stranger to
// the reader may have written, for a formula. JSON has it as it is.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (d *download) end() error {
	if d.csv != nil {
		d.csv.Flush()
		if err := d.csv.Error(); err != nil {
			return err
		}
		return d.out.Flush()
	}
	_, _ = d.out.WriteString("\n]\n")
	return d.out.Flush()
}
