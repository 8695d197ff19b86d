package signin

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Texts of all pages: of each language the files LANG.json and LANG.PART.json, which
// together have the same keys as those of the others, each once.
//
//go:embed text/*.json
var textFiles embed.FS

// languages are those of the pages, the first for whoever reads none of them.
var languages = []string{"en", "it"}

// A catalogue is the texts by language and key.
type catalogue map[string]map[string]string

func readTexts() (catalogue, error) {
	all := catalogue{}
	for _, lang := range languages {
		names, err := fs.Glob(textFiles, "text/"+lang+"*.json")
		if err != nil {
			return nil, err
		}
		texts := map[string]string{}
		for _, name := range names {
			text, err := textFiles.ReadFile(name)
			if err != nil {
				return nil, err
			}
			part := map[string]string{}
			if err := json.Unmarshal(text, &part); err != nil {
				return nil, fmt.Errorf("texts in %s: %w", name, err)
			}
			for key, words := range part {
				if _, twice := texts[key]; twice {
					return nil, fmt.Errorf("texts in %s: %s is there twice", name, key)
				}
				texts[key] = words
			}
		}
		all[lang] = texts
	}
	return all, nil
}

// text is the one with a key. A key that nobody wrote a text for is shown itself.
func (c catalogue) text(lang, key string, args ...any) string {
	text, ok := c[lang][key]
	if !ok {
		return key
	}
	if len(args) > 0 {
		return fmt.Sprintf(text, args...)
	}
	return text
}

// problem is what an error says to people: the text of its code where there is one, else
// its own.
func (c catalogue) problem(lang string, err error) string {
	p := problem.Of(err)
	if p.Kind == problem.Limited {
		minutes := max(1, int(math.Ceil(p.Retry.Minutes())))
		if minutes == 1 {
			return c.text(lang, "problem.limited-1")
		}
		return c.text(lang, "problem.limited", strconv.Itoa(minutes))
	}
	if text, ok := c[lang]["problem."+p.Code]; ok {
		return text
	}
	return p.Detail
}

// choose is the best of our languages for an Accept-Language header (RFC 9110, section 12.5.4).
// Weights are not weighed: browsers write the languages in order.
func choose(accept string) string {
	if len(accept) > 256 {
		accept = accept[:256]
	}
	for part := range strings.SplitSeq(accept, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag, _, _ = strings.Cut(tag, "-")
		if spoken(strings.ToLower(tag)) {
			return strings.ToLower(tag)
		}
	}
	return languages[0]
}

func spoken(lang string) bool {
	for _, l := range languages {
		if l == lang {
			return true
		}
	}
	return false
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
