package manual

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"strings"

	"github.com/ardesia-iot/ardesia/docs"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
)

var (
	//go:embed page.html
	pageText string
	//go:embed text/*.json
	textFiles embed.FS // the words around the pages
)

// A book is all pages as readers of one language have them.
type book struct {
	lang     string
	texts    tongue.Texts
	frame    *template.Template // what is around a page
	pages    []*Page            // in the order in which they are read
	byPath   map[string]*Page
	chapters []chapter
	entries  []entry
}

type chapter struct {
	Title string
	Pages []*Page
}

// A shelf is where files are: originals by their address, and by language the files in which it has their texts.
type shelf struct {
	files      fs.FS
	at         map[string]string // addresses by file
	translated map[string]map[string]string
}

// newShelf refuses a text that is in no chapter, and one in a language that nobody chooses.
func newShelf(files fs.FS, chapters []docs.Chapter) (*shelf, error) {
	s := &shelf{files: files, at: map[string]string{}, translated: map[string]map[string]string{}}
	for _, c := range chapters {
		for _, file := range c.Pages {
			s.at[file] = root + strings.TrimSuffix(strings.TrimPrefix(file, "guide/"), ".md")
		}
	}
	for _, lang := range tongue.Languages[1:] {
		s.translated[lang] = map[string]string{}
	}
	return s, fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !strings.HasSuffix(file, ".md") {
			s.at[file] = root + file
			return nil
		}
		original, lang := docs.Original(file)
		if s.at[original] == "" {
			return fmt.Errorf("%s is in no chapter", file)
		}
		if lang == "" {
			return nil
		}
		if s.translated[lang] == nil {
			return fmt.Errorf("%s is in %q, which no page is shown in", file, lang)
		}
		s.translated[lang][original] = file
		return nil
	})
}

// newBook makes the pages of a language. originals are those of the first one, by their address; nil for that itself.
func newBook(s *shelf, chapters []docs.Chapter, texts tongue.Texts, lang string, originals map[string]*Page) (*book, error) {
	b := &book{lang: lang, texts: texts, byPath: map[string]*Page{}}
	r := reader{files: s.files, at: s.at, lang: lang, markdown: markdown(texts.Text(lang, "anchor"))}
	for _, c := range chapters {
		one := chapter{Title: c.Title}
		if title := c.Titles[lang]; title != "" {
			one.Title = title
		}
		for _, file := range c.Pages {
			original := originals[s.at[file]]
			p, its := original, file
			if original != nil {
				its = s.translated[lang][file]
			}
			if its != "" {
				var err error
				if p, err = r.read(its, original); err != nil {
					return nil, err
				}
				p.Path = s.at[file]
			}
			one.Pages = append(one.Pages, p)
			b.pages, b.byPath[p.Path] = append(b.pages, p), p
		}
		b.chapters = append(b.chapters, one)
	}
	b.entries = index(b.pages, lang)
	var err error
	b.frame, err = template.New("page").Funcs(template.FuncMap{"t": b.text, "other": b.other}).Parse(pageText)
	return b, err
}

// text is one of the frame.
func (b *book) text(key string, args ...any) string { return b.texts.Text(b.lang, key, args...) }

// other marks what is written in another language than the frame.
func (b *book) other(lang string) template.HTMLAttr {
	if lang == b.lang {
		return ""
	}
	return template.HTMLAttr(` lang="` + lang + `"`) // one of tongue.Languages
}

// A choice is a language that somebody may choose instead.
type choice struct{ Code, Name string }

func (b *book) others() (all []choice) {
	for _, lang := range tongue.Languages {
		if lang != b.lang {
			all = append(all, choice{lang, b.texts.Text(lang, "name")})
		}
	}
	return all
}
