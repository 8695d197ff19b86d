package rest

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestListing(t *testing.T) {
	type one struct {
		name string
		at   int64
	}
	all := []one{{"b", 3}, {"A", 1}, {"c", 2}, {"a", 4}}
	for query, want := range map[string]string{
		"":             "b A c a",
		"sort=name":    "A a b c",
		"sort=-name":   "c b A a",
		"sort=at":      "A c b a",
		"sort=-at":     "a b c A",
		"q=A":          "A a",
		"q=a&sort=-at": "a A",
		"q=nothing":    "",
	} {
		l, err := ReadListing(httptest.NewRequest("GET", "/?"+query, nil), "name", "at")
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		found := Listed(l, all, func(o *one, name string) SortKey {
			if name == "name" {
				return SortKey{Text: o.name}
			}
			return SortKey{At: time.Unix(o.at, 0)}
		})
		var got []string
		for _, o := range found {
			got = append(got, o.name)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %q, want %q", query, s, want)
		}
	}
	for _, query := range []string{"sort=size", "sort=-", "sort=--name", "q=" + strings.Repeat("x", 257), "q=" + url.QueryEscape("\xff")} {
		if _, err := ReadListing(httptest.NewRequest("GET", "/?"+query, nil), "name"); !errors.Is(err, ErrQuery) {
			t.Errorf("%s: %v", query, err)
		}
	}
}
