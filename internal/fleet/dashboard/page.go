package dashboard

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// What browsers see that follow a public link: a table without scripts. It wants
// the style sheet of the house's first page.
//
//go:embed page/shared.html page/en.json page/it.json
var pageFiles embed.FS

// A page is how a public dashboard is painted.
type page struct {
	paint *template.Template
	texts tongue.Texts
}

func newPage() (page, error) {
	var p page
	var err error
	if p.paint, err = template.ParseFS(pageFiles, "page/shared.html"); err != nil {
		return p, fmt.Errorf("page of a public dashboard: %w", err)
	}
	if p.texts, err = tongue.Read(pageFiles, "page"); err != nil {
		return p, fmt.Errorf("page of a public dashboard: %w", err)
	}
	return p, nil
}

// reads says whether who asks is a browser, which reads HTML before anything else.
func reads(r *http.Request) bool {
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	return strings.HasPrefix(strings.TrimSpace(first), "text/html")
}

type (
	pageData struct {
		Lang, Name, Error string
		Text              map[string]string
		Pages             []pagePart
	}

	pagePart struct {
		Name string // "" for the main one
		Rows []pageRow
	}

	pageRow struct {
		Widget, Variable, Value, When, At string
		Picture                           string // of this server, by the link
	}
)

// answer writes the page. Nothing on it comes from elsewhere.
func (p page) answer(w http.ResponseWriter, status int, data pageData) error {
	var out bytes.Buffer
	if err := p.paint.Execute(&out, data); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", data.Lang)
	h.Set("Vary", "Accept, Accept-Language")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a browser that has gone away is nobody's error
	return nil
}

// refuse says why there is nothing to see, as far as it is not our own fault.
func (p page) refuse(w http.ResponseWriter, lang string, err error) error {
	data := pageData{Lang: lang, Text: p.texts[lang], Error: p.texts[lang]["link"]}
	switch of := problem.Of(err); {
	case of.Kind == problem.Limited:
		data.Error = data.Text["busy"]
	case !errors.Is(err, ErrLink):
		return err
	}
	return p.answer(w, rest.Status(err), data)
}

// show writes a view.
func (p page) show(w http.ResponseWriter, lang string, view View) error {
	text := p.texts[lang]
	data := pageData{Lang: lang, Name: view.Dashboard.Name, Text: text}
	parts := []Page{{ID: MainPage}}
	for _, of := range append(parts, view.Dashboard.Pages...) {
		part := pagePart{Name: of.Name}
		for i := range view.Dashboard.Widgets {
			if one := &view.Dashboard.Widgets[i]; one.Page == of.ID {
				part.Rows = append(part.Rows, rowsOf(one, view, text)...)
			}
		}
		if of.ID != MainPage || len(part.Rows) > 0 || len(view.Dashboard.Pages) == 0 {
			data.Pages = append(data.Pages, part)
		}
	}
	return p.answer(w, http.StatusOK, data)
}

// rowsOf are the lines of one widget: one for each variable, and one for what is shown without any.
func rowsOf(w *Widget, view View, text map[string]string) (rows []pageRow) {
	name := w.Name
	if name == "" {
		name = w.Type
	}
	var options struct {
		URL  string `json:"url"`
		Text string `json:"text"`
	}
	_ = json.Unmarshal(w.Options, &options) // of other types these may be anything
	switch {
	case strings.HasPrefix(options.URL, publicPath):
		rows = append(rows, pageRow{Widget: name, Picture: options.URL})
	case w.Type == "Sticky Note":
		rows = append(rows, pageRow{Widget: name, Value: options.Text})
	}
	for _, handle := range w.Variables {
		v, there := view.Variables[handle]
		if !there {
			continue
		}
		row := pageRow{Widget: name, Variable: v.Name, Value: valueText(v, text)}
		if v.Last != nil {
			zone, err := time.LoadLocation(v.Timezone)
			if err != nil {
				zone = time.UTC
			}
			row.When, row.At = v.LastAt.In(zone).Format("2006-01-02 15:04:05"), v.LastAt.Format(time.RFC3339)
		}
		rows = append(rows, row)
	}
	return rows
}

// valueText is a value as people read it.
func valueText(v thing.Variable, text map[string]string) string {
	switch string(v.Last) {
	case "":
		return text["none"]
	case "true":
		return text["on"]
	case "false":
		return text["off"]
	}
	var words string
	if json.Unmarshal(v.Last, &words) == nil {
		return words
	}
	return string(v.Last)
}
