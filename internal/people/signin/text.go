package signin

import (
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Texts of all pages, one file for each language; all files have the same keys.
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
		text, err := textFiles.ReadFile("text/" + lang + ".json")
		if err != nil {
			return nil, err
		}
		texts := map[string]string{}
		if err := json.Unmarshal(text, &texts); err != nil {
			return nil, fmt.Errorf("texts in %s: %w", lang, err)
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

// day is a date, and moment a date with its time, both in UTC, as programs and people read them.
func day(t time.Time) string    { return t.UTC().Format(time.DateOnly) }
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// initial is the first letter of a name, for people without a picture.
func initial(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return ""
}
