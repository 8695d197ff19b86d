package signin

import (
	"embed"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
)

// Texts of all pages: of each language the files LANG.json and LANG.PART.json, which
// together have the same keys as those of the others, each once.
//
//go:embed text/*.json
var textFiles embed.FS

// A catalogue is the texts of all pages.
type catalogue struct{ tongue.Texts }

var readTexts = sync.OnceValues(func() (catalogue, error) {
	texts, err := tongue.Read(textFiles, "text")
	return catalogue{texts}, err
})

// problem is what an error says to people: the text of its code where there is one, else
// its own.
func (c catalogue) problem(lang string, err error) string {
	p := problem.Of(err)
	if p.Kind == problem.Limited {
		minutes := max(1, int(math.Ceil(p.Retry.Minutes())))
		if minutes == 1 {
			return c.Text(lang, "problem.limited-1")
		}
		return c.Text(lang, "problem.limited", strconv.Itoa(minutes))
	}
	if text, ok := c.Texts[lang]["problem."+p.Code]; ok {
		return text
	}
	return p.Detail
}

// Day is a date, and Moment a date with its time, both in the person's time zone, as programs and people read them.
func (p view) Day(t time.Time) string    { return t.In(p.zone()).Format(time.DateOnly) }
func (p view) Moment(t time.Time) string { return t.In(p.zone()).Format("2006-01-02 15:04 MST") }

func (p view) zone() *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}

// Zones are the time zones that people choose from, one for each place of the tz database.
//
//go:embed text/zones.txt
var zones string

// initial is the first letter of a name, for people without a picture.
func initial(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return ""
}

// counted is a number as people read it: 12,000, or 12.000 in Italian.
func counted(lang string, n int) string {
	mark := ","
	if lang == "it" {
		mark = "."
	}
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + mark + digits[i:]
	}
	return digits
}
