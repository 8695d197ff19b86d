package manual

import (
	"html/template"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxQuery = 100 // bytes that are looked at
	maxWords = 8
	maxHits  = 20
	around   = 90 // bytes of a text that are shown before and behind what was found
)

// A Hit is a section in which all words were found.
type Hit struct {
	Path, Page, Title string
	Lang              string
	Text              template.HTML // escaped, with marks around what was found
	foreign           bool          // in another language than whoever searches
	rank              int
}

// An entry is a section as the search looks at it.
type entry struct {
	path, page, title, text string
	lang                    string
	foreign                 bool
	lowTitle, lowText       string // the same with small letters: of as many bytes, or they would not fit
}

// index is what somebody finds who reads lang.
func index(pages []*Page, lang string) []entry {
	var all []entry
	for _, p := range pages {
		for _, s := range p.parts {
			e := entry{path: p.Path, page: p.Title, title: s.title, lang: p.Lang, foreign: p.Lang != lang, text: strings.Join(strings.Fields(s.text), " ")}
			if s.title != p.Title {
				e.path += "#" + s.id
			}
			e.lowTitle, e.lowText = small(e.page+" "+e.title), small(e.text)
			all = append(all, e)
		}
	}
	return all
}

// small makes small letters of big ones, and keeps the number of bytes.
func small(s string) string {
	return strings.Map(func(r rune) rune {
		if l := unicode.ToLower(r); utf8.RuneLen(l) == utf8.RuneLen(r) {
			return l
		}
		return r
	}, s)
}

// find finds the sections that have all words of a query: those in the language of whoever searches first, and of them those with
// the words in their title.
func find(all []entry, query string) []Hit {
	if len(query) > maxQuery {
		query = query[:maxQuery]
	}
	words := strings.Fields(small(strings.ToValidUTF8(query, " ")))
	words = words[:min(len(words), maxWords)]
	if len(words) == 0 {
		return nil
	}
	phrase := strings.Join(words, " ")
	var hits []Hit
	for _, e := range all {
		rank := 1
		if len(words) > 1 { // together they mean more
			rank += 10*min(strings.Count(e.lowText, phrase), 2) + 20*min(strings.Count(e.lowTitle, phrase), 1)
		}
		for _, w := range words {
			inTitle, inText := strings.Contains(e.lowTitle, w), strings.Contains(e.lowText, w)
			if !inTitle && !inText {
				rank = 0
				break
			}
			if inTitle {
				rank += 10
			}
			rank += min(strings.Count(e.lowText, w), 5)
		}
		if rank > 0 {
			hits = append(hits, Hit{Path: e.path, Page: e.page, Title: e.title, Lang: e.lang, Text: snippet(e, words), foreign: e.foreign, rank: rank})
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		if a.foreign != b.foreign {
			if b.foreign {
				return -1
			}
			return 1
		}
		return b.rank - a.rank
	})
	return hits[:min(len(hits), maxHits)]
}

// snippet is what stands around the words together, or the first of them that the text has.
func snippet(e entry, words []string) template.HTML {
	at := 0
	for _, w := range append([]string{strings.Join(words, " ")}, words...) {
		if i := strings.Index(e.lowText, w); i >= 0 {
			at = i
			break
		}
	}
	from, to := max(0, at-around), min(len(e.text), at+2*around)
	for from > 0 && !utf8.RuneStart(e.text[from]) {
		from--
	}
	for to < len(e.text) && !utf8.RuneStart(e.text[to]) {
		to++
	}
	var b strings.Builder
	if from > 0 {
		b.WriteString("… ")
	}
	for i := from; i < to; {
		n := 0
		for _, w := range words {
			if strings.HasPrefix(e.lowText[i:to], w) {
				n = max(n, len(w))
			}
		}
		if n > 0 {
			b.WriteString("<mark>" + template.HTMLEscapeString(e.text[i:i+n]) + "</mark>")
			i += n
			continue
		}
		_, size := utf8.DecodeRuneInString(e.text[i:to])
		b.WriteString(template.HTMLEscapeString(e.text[i : i+size]))
		i += size
	}
	if to < len(e.text) {
		b.WriteString(" …")
	}
	return template.HTML(b.String()) // every piece of the text is escaped above
}
