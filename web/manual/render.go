package manual

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// A Page is one text, made ready.
type Page struct {
	Path     string // its address
	Lang     string // of its text
	Title    string
	Body     template.HTML // of the renderer below
	Sections []Section     // of the second level
	parts    []part
}

// A Section is a heading on a page.
type Section struct{ ID, Title string }

// A part is what is under one heading, as the search reads it.
type part struct {
	level           int
	id, title, text string
}

// markdown is CommonMark with tables, whose cells have no style in the text of a page. Raw HTML is left out (goldmark's default).
// anchor is what the links of headings to themselves are called.
func markdown(anchor string) goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(blocks{anchor}, 100))),
	)
}

// A reader makes pages of the texts of one language.
type reader struct {
	files    fs.FS
	at       map[string]string // where a file of the folder is shown
	lang     string
	markdown goldmark.Markdown
}

var (
	errLink  = errors.New("a link leads to nothing that is there")
	errAlike = errors.New("its headings are not those of the original")
)

// read makes a page of a file. The headings of a text in another language are those of its original, and have their IDs: a link
// to a section leads to it in all languages. original is nil for what is one itself.
func (r reader) read(file string, original *Page) (*Page, error) {
	source, err := fs.ReadFile(r.files, file)
	if err != nil {
		return nil, err
	}
	p, err := r.render(file, source, original)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func (r reader) render(file string, source []byte, original *Page) (*Page, error) {
	doc := r.markdown.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(&names{used: map[string]bool{}}))))
	p := &Page{Lang: r.lang}
	var wrong error
	var lost []*ast.Link
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			wrong = errors.Join(wrong, p.heading(n, source, original))
		case *ast.Link:
			to, err := r.target(file, string(n.Destination))
			if err != nil {
				wrong = errors.Join(wrong, err)
			}
			if n.Destination = []byte(to); to == "" {
				lost = append(lost, n)
			}
		case *ast.Text:
			p.say(string(n.Value(source)))
			if n.SoftLineBreak() || n.HardLineBreak() {
				p.say(" ")
			}
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			p.say(" " + string(lines(n, source)) + " ")
		case *ast.Paragraph, *ast.TextBlock, *ast.ListItem:
			p.say(" ")
		}
		if n.Kind() == east.KindTableCell {
			p.say(" ")
		}
		return ast.WalkContinue, nil
	})
	if original != nil && len(p.parts) < len(original.parts) {
		wrong = errors.Join(wrong, fmt.Errorf("%w: %q is missing", errAlike, original.parts[len(p.parts)].title))
	}
	if err = errors.Join(err, wrong); err != nil {
		return nil, err
	}
	for _, n := range lost {
		unlink(n)
	}
	var out bytes.Buffer
	if err := r.markdown.Renderer().Render(&out, source, doc); err != nil {
		return nil, err
	}
	p.Body = template.HTML(out.String()) // our own texts, escaped by the renderer
	if p.Title == "" {
		return nil, errors.New("it has no title")
	}
	return p, nil
}

// heading begins another part of the page, and another section if it is of the second level.
func (p *Page) heading(n *ast.Heading, source []byte, original *Page) error {
	title := strings.TrimSpace(plain(n, source))
	if original != nil {
		at := len(p.parts)
		if at >= len(original.parts) {
			return fmt.Errorf("%w: %q is one more", errAlike, title)
		}
		like := original.parts[at]
		if like.level != n.Level {
			return fmt.Errorf("%w: %q is of level %d, %q of level %d", errAlike, title, n.Level, like.title, like.level)
		}
		n.SetAttributeString("id", []byte(like.id))
	}
	id := idOf(n)
	switch n.Level {
	case 1:
		p.Title = title
	case 2:
		p.Sections = append(p.Sections, Section{id, title})
	}
	p.parts = append(p.parts, part{level: n.Level, id: id, title: title})
	return nil
}

func idOf(n *ast.Heading) string {
	if v, is := n.AttributeString("id"); is {
		return string(v.([]byte))
	}
	return ""
}

// say adds to the part that is at hand.
func (p *Page) say(s string) {
	if n := len(p.parts); n > 0 {
		p.parts[n-1].text += s
	}
}

// plain is what is written in a node and below it.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it fails only if this does
		if t, is := n.(*ast.Text); is && entering {
			b.Write(t.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// lines are those of a block of code.
func lines(n ast.Node, source []byte) []byte {
	var all []byte
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		all = append(all, line.Value(source)...)
	}
	return all
}

// target is where a link of a file leads; "" for a file that is not shown, such as those for whoever changes Ardesia.
func (r reader) target(file, to string) (string, error) {
	u, err := url.Parse(to)
	if err != nil {
		return "", fmt.Errorf("%w: %s", errLink, to)
	}
	if u.Scheme == "https" || u.Scheme == "http" || strings.HasPrefix(to, "/") || u.Path == "" {
		return to, nil
	}
	other := path.Join(path.Dir(file), u.Path)
	at := r.at[other]
	if at == "" && !forDevelopers(other) {
		return "", fmt.Errorf("%w: %s", errLink, to)
	}
	if at != "" && u.Fragment != "" {
		at += "#" + u.Fragment
	}
	return at, nil
}

// forDevelopers says that a file is for whoever changes Ardesia, and not in the program; that it is there the tests of documents
// look after.
func forDevelopers(file string) bool {
	return strings.HasPrefix(file, "adr/") || strings.HasPrefix(file, "../") || file == "ARCHITECTURE.md" || file == "performance.md" || file == "acts"
}

// unlink leaves the words of a link and takes the link away.
func unlink(n *ast.Link) {
	parent := n.Parent()
	for c := n.FirstChild(); c != nil; c = n.FirstChild() {
		parent.InsertBefore(parent, n, c)
	}
	parent.RemoveChild(parent, n)
}

// names are IDs of headings as other places make them of the same texts, so that links from there to a heading work here.
type names struct{ used map[string]bool }

func (s *names) Generate(value []byte, _ ast.NodeKind) []byte {
	var b strings.Builder
	for _, r := range strings.ToLower(string(value)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	id := b.String()
	if id == "" {
		id = "section"
	}
	for n, first := 1, id; s.used[id]; n++ {
		id = fmt.Sprintf("%s-%d", first, n)
	}
	s.used[id] = true
	return []byte(id)
}

func (s *names) Put(value []byte) { s.used[string(value)] = true }

// blocks renders what this look wants otherwise than goldmark does: headings with a link to themselves, code that can be
// scrolled by keyboard, tables that do not push the page.
type blocks struct{ anchor string }

func (b blocks) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindHeading, b.heading)
	reg.Register(ast.KindFencedCodeBlock, code)
	reg.Register(east.KindTable, table)
}

func (b blocks) heading(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*ast.Heading)
	id := idOf(n)
	if entering {
		_, _ = fmt.Fprintf(w, "<h%d id=%q>", n.Level, id) // the id has letters, digits and hyphens
		return ast.WalkContinue, nil
	}
	if n.Level > 1 {
		_, _ = fmt.Fprintf(w, ` <a class="anchor" href="#%s" aria-label="%s">#</a>`, id, template.HTMLEscapeString(b.anchor))
	}
	_, _ = fmt.Fprintf(w, "</h%d>\n", n.Level)
	return ast.WalkContinue, nil
}

func code(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString(`<div class="code"><pre tabindex="0"><code>`)
		html.DefaultWriter.RawWrite(w, lines(node, source))
		_, _ = w.WriteString("</code></pre></div>\n")
	}
	return ast.WalkSkipChildren, nil
}

func table(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString(`<div class="table" tabindex="0"><table>` + "\n")
	} else {
		_, _ = w.WriteString("</table></div>\n")
	}
	return ast.WalkContinue, nil
}
