package rest

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxSearch is how long a text is that a list is searched for, in characters.
const maxSearch = 256

// A Listing is how a list is asked for by name and in which order. The compatible API has
// neither; both parameters are ours.
type Listing struct {
	Text string // is part of the name, whatever the case of its letters
	Sort string // one of the keys that the list knows; "" is the oldest first
	Desc bool   // the other way round
}

// ReadListing reads the parameters "q" and "sort": the latter is one of keys, with a hyphen before it for
// the other way round.
func ReadListing(r *http.Request, keys ...string) (Listing, error) {
	q := r.URL.Query()
	l := Listing{Text: q.Get("q")}
	if utf8.RuneCountInString(l.Text) > maxSearch || !utf8.ValidString(l.Text) {
		return l, ErrQuery.With("The parameter \"q\" is a part of a name, of at most 256 characters.")
	}
	l.Sort, l.Desc = strings.CutPrefix(q.Get("sort"), "-")
	if l.Sort != "" && !slices.Contains(keys, l.Sort) || l.Sort == "" && l.Desc {
		return l, ErrQuery.With("The parameter \"sort\" is one of " + strings.Join(keys, ", ") + "; with a hyphen before it, the other way round.")
	}
	return l, nil
}

// A SortKey is what one entry of a list is sorted by: a text, in whichever case, or a time.
type SortKey struct {
	Text string
	At   time.Time
}

// Listed are those of all, which come by age, that l asks for, in its order; what is equal stays by
// age. key gives what one is sorted by, for a key that ReadListing let pass; "name" is what is searched.
func Listed[T any](l Listing, all []T, key func(one *T, name string) SortKey) []T {
	type entry struct {
		key SortKey
		one T
	}
	text := strings.ToLower(l.Text)
	list := make([]entry, 0, len(all))
	for i := range all {
		if text != "" && !strings.Contains(strings.ToLower(key(&all[i], "name").Text), text) {
			continue
		}
		e := entry{one: all[i]}
		if l.Sort != "" {
			e.key = key(&all[i], l.Sort)
			e.key.Text = strings.ToLower(e.key.Text)
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		n := strings.Compare(a.key.Text, b.key.Text)
		if n == 0 {
			n = a.key.At.Compare(b.key.At)
		}
		if l.Desc {
			return -n
		}
		return n
	})
	some := make([]T, len(list))
	for i := range list {
		some[i] = list[i].one
	}
	return some
}
