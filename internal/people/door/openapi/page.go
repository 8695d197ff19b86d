package openapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	_ "embed"

	"github.com/ardesia-iot/ardesia/internal/base/jsonschema"
)

//go:embed page.html
var pageText string

var pageOf = template.Must(template.New("page").Parse(pageText))

// What the page shows.
type (
	viewDoc struct {
		Info   Info
		About  []string // paragraphs
		Server string
		Token  string
		Groups []viewGroup
		Shapes []viewShape
	}
	viewGroup struct {
		Tag
		Anchor     string
		Operations []viewOperation
	}
	viewOperation struct {
		*Operation
		Anchor, Find string
		Params       []viewRow
		Bodies       []viewBody
		Answers      []viewAnswer
		Curl         string
	}
	viewRow struct {
		Name, Where, Kind, Says string
		Required                bool
		Link                    string // the anchor of a shape
	}
	viewBody struct {
		Kind, Link, Shape string
		Rows              []viewRow
	}
	viewAnswer struct {
		Status, Text string
		Codes        []viewCode
		Bodies       []viewBody
	}
	viewCode  struct{ Code, Says string }
	viewShape struct {
		Name, Anchor string
		Rows         []viewRow
	}
)

// Page is d for people, in HTML.
func (d *Document) Page() ([]byte, error) {
	v := viewDoc{Info: d.Info, About: strings.Split(d.Info.Description, "\n\n"), Server: "https://localhost:8443"}
	if len(d.Servers) > 0 {
		v.Server = d.Servers[0].URL
	}
	for _, t := range d.Tags {
		g := viewGroup{Tag: t, Anchor: "group-" + anchor(t.Name)}
		for _, op := range d.Operations() {
			if slices.Contains(op.Tags, t.Name) {
				g.Operations = append(g.Operations, d.view(op, v.Server))
			}
		}
		v.Groups = append(v.Groups, g)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		v.Shapes = append(v.Shapes, viewShape{name, "shape-" + anchor(name), rows(d.Components.Schemas[name])})
	}
	var out bytes.Buffer
	err := pageOf.Execute(&out, v)
	return out.Bytes(), err
}

var notInAnchor = regexp.MustCompile(`[^A-Za-z0-9]+`)

func anchor(name string) string { return notInAnchor.ReplaceAllString(name, "-") }

func (d *Document) view(op *Operation, server string) viewOperation {
	v := viewOperation{Operation: op, Anchor: "op-" + anchor(op.ID), Find: strings.ToLower(strings.Join([]string{op.Method, op.Path, op.ID, op.Summary}, " ")), Curl: d.curl(op, server)}
	for _, p := range op.Parameters {
		if p.Ref != "" {
			p = d.Components.Parameters[p.Ref[strings.LastIndexByte(p.Ref, '/')+1:]]
		}
		r := row(p.Name, p.Schema, p.Required)
		r.Where, r.Says = p.In, p.Description
		if p.Explode {
			r.Says += " (may be repeated)"
		}
		v.Params = append(v.Params, r)
	}
	if op.Body != nil {
		v.Bodies = bodies(op.Body.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		text, said, _ := strings.Cut(r.Description, "\n\n")
		a := viewAnswer{Status: status, Text: text}
		if status < "400" {
			a.Bodies = bodies(r.Content)
		}
		for line := range strings.SplitSeq(said, "\n\n") {
			code, says, ok := strings.Cut(line, ": ")
			if ok {
				a.Codes = append(a.Codes, viewCode{strings.Trim(code, "`"), says})
			}
		}
		v.Answers = append(v.Answers, a)
	}
	return v
}

func bodies(content map[string]*Media) []viewBody {
	var all []viewBody
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		b := viewBody{Kind: kind}
		if s := content[kind].Schema; s != nil {
			r := row("", s, false)
			b.Shape, b.Link = r.Kind, r.Link
			if r.Link == "" {
				b.Rows = rows(s)
			}
		}
		all = append(all, b)
	}
	return all
}

// rows are the members of an object.
func rows(s *jsonschema.Schema) []viewRow {
	var all []viewRow
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		all = append(all, row(name, s.Members[name], slices.Contains(s.Required, name)))
	}
	slices.SortStableFunc(all, func(a, b viewRow) int { // what must be there first
		return cmp.Compare(map[bool]int{true: 0, false: 1}[a.Required], map[bool]int{true: 0, false: 1}[b.Required])
	})
	return all
}

func row(name string, s *jsonschema.Schema, required bool) viewRow {
	kind, link := kindText(s)
	return viewRow{Name: name, Kind: kind, Link: link, Says: s.Description, Required: required}
}

// kindText says in words what a value looks like, and the anchor of the shape that it has.
func kindText(s *jsonschema.Schema) (text, link string) {
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, jsonschema.Root)
		return name, "shape-" + anchor(name)
	}
	if len(s.AnyOf) > 0 {
		text, link = kindText(s.AnyOf[len(s.AnyOf)-1])
		return text + " or null", link
	}
	text = strings.Join(s.Type, " or ")
	switch {
	case text == "":
		return "any value", ""
	case s.Items != nil:
		inner, link := kindText(s.Items)
		return "list of " + inner + between(float(s.MinItems), floats(s.MaxItems), " items"), link
	case s.Others != nil:
		inner, link := kindText(s.Others)
		return "object of any names, each " + inner, link
	case len(s.Enum) > 0 && len(s.Enum) <= 16:
		return "one of " + strings.Join(s.Enum, ", "), ""
	case len(s.Enum) > 0:
		return fmt.Sprintf("one of %d words: %s, …", len(s.Enum), strings.Join(s.Enum[:6], ", ")), ""
	case s.Format != "":
		text = s.Format + strings.TrimPrefix(text, "string")
	case s.Encoding != "":
		text = s.Encoding
	}
	text += between(s.Minimum, s.Maximum, "") + between(float(s.MinLength), floats(s.MaxLength), " characters")
	if s.Pattern != "" {
		text += ", with a match of " + s.Pattern
	}
	return text, ""
}

func float(n int) *float64 {
	if n == 0 {
		return nil
	}
	f := float64(n)
	return &f
}

func floats(n *int) *float64 {
	if n == nil {
		return nil
	}
	f := float64(*n)
	return &f
}

func between(low, high *float64, of string) string {
	say := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	switch {
	case low != nil && high != nil && *low == *high:
		return ", " + say(*low) + of
	case low != nil && high != nil:
		return ", " + say(*low) + " to " + say(*high) + of
	case low != nil:
		return ", at least " + say(*low) + of
	case high != nil:
		return ", at most " + say(*high) + of
	}
	return ""
}

// curl is how op is asked for from a shell.
func (d *Document) curl(op *Operation, server string) string {
	path := wildcard.ReplaceAllStringFunc(op.Path, func(m string) string {
		if strings.Contains(m, "key") {
			return "room"
		}
		if strings.Contains(m, "type") || strings.Contains(m, "token") {
			return strings.Trim(m, "{}")
		}
		return exampleID
	})
	var query []string
	for _, p := range op.Parameters {
		if p.In == "query" && p.Required {
			query = append(query, p.Name+"="+fmt.Sprint(d.example(p.Schema, 0)))
		}
	}
	if query != nil {
		path += "?" + strings.Join(query, "&")
	}
	lines := []string{"curl --cacert ca.pem"}
	if op.Method != "GET" {
		lines[0] += " -X " + op.Method
	}
	lines[0] += " '" + server + path + "'"
	if !op.Open {
		lines = append(lines, `-H "Authorization: Bearer $TOKEN"`)
	}
	return strings.Join(append(lines, d.curlBody(op)...), " \\\n  ")
}

func (d *Document) curlBody(op *Operation) []string {
	if op.Body == nil {
		return nil
	}
	kinds := slices.Sorted(maps.Keys(op.Body.Content))
	kind := kinds[0]
	if slices.Contains(kinds, "application/x-www-form-urlencoded") {
		kind = "application/x-www-form-urlencoded"
	}
	media := op.Body.Content[kind]
	switch {
	case kind == "application/json":
		if media.Schema == nil {
			return []string{"-H 'Content-Type: application/json'", "--data-binary @file.json"}
		}
		text, err := json.Marshal(d.example(media.Schema, 0))
		if err != nil {
			return nil // an example is what JSON can say
		}
		return []string{"-H 'Content-Type: application/json'", "-d '" + string(text) + "'"}
	case media.Schema == nil:
		return []string{"-H 'Content-Type: " + kind + "'", "--data-binary @file"}
	}
	flag, all := "-d", []string{}
	if kind == "multipart/form-data" {
		flag = "-F"
	}
	for _, name := range slices.Sorted(maps.Keys(media.Schema.Members)) {
		switch {
		case strings.HasSuffix(name, "_file"):
			all = append(all, "-F '"+name+"=@sketch.ota'")
		case slices.Contains(media.Schema.Required, name), len(media.Schema.Required) == 0 && (strings.HasPrefix(name, "client_") || name == "grant_type"):
			value := fmt.Sprint(d.example(media.Schema.Members[name], 0))
			if strings.HasPrefix(name, "client_") {
				value = "$" + strings.ToUpper(name)
			}
			all = append(all, flag+` "`+name+"="+value+`"`)
		}
	}
	return all
}
