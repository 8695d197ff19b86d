package web

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

var textLine = regexp.MustCompile(`(?m)^  "?([\w.]+)"?: ("(?:[^"\\]|\\.)*"),$`)

// textsIn are the texts of the application in a language, by their keys; places are names in a text and what stands there.
func textsIn(t testing.TB, lang string) func(key string, places ...string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "web", "app", "text", lang+".ts"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, m := range textLine.FindAllStringSubmatch(string(source), -1) {
		if all[m[1]], err = strconv.Unquote(m[2]); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
	}
	return func(key string, places ...string) string {
		t.Helper()
		text, known := all[key]
		if !known {
			t.Fatalf("no text has the key %s", key)
		}
		for i := 0; i+1 < len(places); i += 2 {
			text = strings.ReplaceAll(text, "{"+places[i]+"}", places[i+1])
		}
		return text
	}
}

// speaks has the tab's pages in a language, from the next one on.
func (s *screen) speaks(lang string) {
	s.T.Helper()
	browsertest.Call(s.Screen, network.SetCookie, network.SetCookieParams{Name: "__Host-ardesia-tongue", Value: lang, URL: s.h.front.at() + "/", Path: "/", Secure: new(true)})
}
