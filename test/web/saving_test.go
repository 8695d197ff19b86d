package web

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// saves has the browser put what this tab saves into a folder.
func (s *screen) saves() (folder string) {
	s.T.Helper()
	folder = s.T.TempDir()
	if _, err := chromedp.CallBrowser(s.Ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: s.profile(), DownloadPath: folder}); err != nil {
		s.T.Fatal(err)
	}
	return folder
}

// savedAs waits for a file, which gets its name once it is whole.
func (s *screen) savedAs(folder, name string) []byte {
	s.T.Helper()
	for deadline := time.Now().Add(patience); ; {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			return text
		}
		if time.Now().After(deadline) || pause(s.Ctx) != nil {
			all, _ := filepath.Glob(filepath.Join(folder, "*"))
			s.T.Fatalf("%s was not saved: there are %q; the page says %.400s", name, all, s.Text(`document.body.innerText`))
		}
	}
}

// rows are those of a CSV file as RFC 4180 has it, without the first, which is the header.
func rows(t *testing.T, text []byte, header ...string) [][]string {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(all) == 0 || !slices.Equal(all[0], header) {
		t.Fatalf("the file begins with %.120q, want %q (%v)", text, header, err)
	}
	if !bytes.HasSuffix(text, []byte("\r\n")) {
		t.Errorf("the file does not end with a line's end")
	}
	return all[1:]
}

// instant is a time as files have it: in UTC, and saying so.
func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !strings.HasSuffix(text, "Z") {
		t.Fatalf("%q is no time in UTC (%v)", text, err)
	}
	return at
}

// What the application saves comes to the disk as a file, with what was on the screen: a chart as a picture and as a table, the values
// of a dashboard, a file for each thing, and its template.
func TestSavingFiles(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	var shed struct {
		ID         string `json:"id"`
		Properties []struct {
			ID string `json:"id"`
		} `json:"properties"`
	}
	h.ask(http.MethodPut, "/iot/v2/things", map[string]any{"name": "Shed", "timezone": "Asia/Tokyo", "properties": []map[string]any{{"name": "damp", "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &shed)
	damp := shed.Properties[0].ID
	h.ask(http.MethodPut, "/iot/v2/things/"+shed.ID+"/properties/"+damp+"/publish", map[string]any{"value": 0.125}, nil)
	g.property["damp"] = damp
	id := h.wall(g, part{"Advanced Chart", []string{"temperature", "humidity"}, map[string]any{"range": "1h"}, 16, 9}, part{"Value", []string{"damp"}, nil, 6, 4})
	s := h.screen(t, browsertest.Look{Width: 1280, Whole: true})
	s.loaded(id, 2)
	s.until(`document.querySelector(".w-legend b")?.innerText.includes("2")`)
	folder := s.saves()

	s.press("PNG")
	picture, err := png.Decode(bytes.NewReader(s.savedAs(folder, "Advanced Chart.png")))
	if err != nil {
		t.Fatalf("the picture: %v", err)
	}
	if size, inks := picture.Bounds().Size(), inksOf(picture); size.X < 400 || size.X > 2000 || size.Y < 150 || size.Y > 1000 || inks < 5 {
		t.Errorf("the picture is %v with %d colours", size, inks)
	}
	if _, _, _, alpha := picture.At(1, 1).RGBA(); alpha != 0xffff {
		t.Error("the picture has no paper")
	}

	s.press("CSV")
	kept := h.kept(t, g, "temperature")
	hour := 0
	for _, row := range rows(t, s.savedAs(folder, "Advanced Chart.csv"), "time", "temperature", "humidity") {
		at := instant(t, row[0])
		if since := h.Now().Sub(at); since < -time.Minute || since > 2*time.Hour {
			t.Errorf("a row of a chart of one hour is of %s", row[0])
		}
		if row[1] == "" {
			continue
		}
		hour++
		value, err := strconv.ParseFloat(row[1], 64)
		if err != nil || !slices.ContainsFunc(kept, func(one float64) bool { return math.Abs(one-value) < 1e-9 }) {
			t.Errorf("%s was %s, which was never said (%v)", row[0], row[1], err)
		}
	}
	if hour < 18 || hour > 22 {
		t.Errorf("the chart of an hour has %d values, one each three minutes", hour)
	}

	s.click("More")
	s.click("Download values")
	s.until(`document.querySelectorAll("dialog .checklist input").length === 3`)
	s.says("One CSV file for each thing.")
	browsertest.Eval[bool](s.Screen, `([...document.querySelectorAll("dialog .checklist label")].find(e => e.innerText.startsWith("humidity")).click(), true)`)
	s.press("Download")
	all := rows(t, s.savedAs(folder, "Greenhouse.csv"), "time", "property_id", "property", "value")
	if len(all) != len(kept) {
		t.Errorf("the file has %d values, want %d", len(all), len(kept))
	}
	last := time.Time{}
	for i, row := range all {
		at := instant(t, row[0])
		if value, err := strconv.ParseFloat(row[3], 64); err != nil || value != kept[i] || row[1] != g.property["temperature"] || row[2] != "temperature" || !at.After(last) {
			t.Fatalf("row %d is %q after %v, want %v (%v)", i, row, last, kept[i], err)
		}
		last = at
	}
	if all := rows(t, s.savedAs(folder, "Shed.csv"), "time", "property_id", "property", "value"); len(all) != 1 || all[0][3] != "0.125" || h.Now().Sub(instant(t, all[0][0])).Abs() > 10*time.Minute {
		t.Errorf("of the shed is saved %q", all)
	}

	s.open("/app/dashboards")
	s.click("More about Widgets")
	s.click("Save as a template")
	var template struct {
		Name    string `json:"name"`
		Widgets []struct {
			Type      string `json:"type"`
			Variables []struct {
				Thing    string `json:"thing_id"`
				Variable string `json:"variable_id"`
			} `json:"variables"`
		} `json:"widgets"`
	}
	if err := json.Unmarshal(s.savedAs(folder, "Widgets.json"), &template); err != nil {
		t.Fatal(err)
	}
	if w := template.Widgets; template.Name != "Widgets" || len(w) != 2 || w[0].Type != "Advanced Chart" || len(w[0].Variables) != 2 || !strings.HasPrefix(w[0].Variables[0].Thing, "greenhouse-") || w[0].Variables[0].Variable != "temperature" {
		t.Errorf("the template is %+v", template)
	}
}

// kept are all values of a property that the server has, the oldest first.
func (h *home) kept(t *testing.T, g greenhouse, variable string) []float64 {
	t.Helper()
	var told []struct {
		Value float64 `json:"value"`
	}
	h.ask(http.MethodGet, "/v1/things/"+g.thing+"/history?format=json&property="+variable, nil, &told)
	all := make([]float64, len(told))
	for i, one := range told {
		all[i] = one.Value
	}
	return all
}

// inksOf counts the colours of a picture, up to ten.
func inksOf(p image.Image) int {
	had := map[color.Color]bool{}
	for y := p.Bounds().Min.Y; y < p.Bounds().Max.Y && len(had) < 10; y++ {
		for x := p.Bounds().Min.X; x < p.Bounds().Max.X && len(had) < 10; x++ {
			had[p.At(x, y)] = true
		}
	}
	return len(had)
}
