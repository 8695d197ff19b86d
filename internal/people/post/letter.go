package post

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
)

//go:embed letter
var files embed.FS

// English is the language of those of whom we do not know one.
const English = "en"

// A tongue has what is the same in all letters of a language.
type tongue struct {
	date                               func(t time.Time) string
	hello, helloNobody, orLink, footer string
	facts                              map[string]string // what fields are called
}

// words has the languages that letters are written in.
var words = map[string]tongue{
	"en": {
		date:  func(t time.Time) string { return t.Format("2 January 2006, 15:04") + " UTC" },
		hello: "Hello %s,", helloNobody: "Hello,", orLink: "Or open this address:",
		footer: "Sent by Ardesia at %s. We never ask for a password in a letter.",
		facts: map[string]string{"when": "When", "until": "Until", "place": "From", "before": "Before that from", "device": "With", "method": "How", "factor": "What", "provider": "Service",
			"space": "Space", "inviter": "Invited by", "role": "Role", "key": "Key", "address": "New address", "left": "Codes left", "code": "Code", "most": "Values a day", "count": "Attempts", "dashboard": "Dashboard", "services": "Services", "addresses": "Addresses", "passkeys": "Passkeys", "keys": "API keys", "since": "Added after", "who": "Asked by", "message": "Message",
			"title": "Subject", "text": "Message", "trigger": "Trigger", "webhook": "Webhook of", "receiver": "Receiver", "answer": "Last answer"},
	},
	"it": {
		date: func(t time.Time) string {
			return strconv.Itoa(t.Day()) + " " + mesi[t.Month()-1] + " " + t.Format("2006, 15:04") + " UTC"
		},
		hello: "Ciao %s,", helloNobody: "Ciao,", orLink: "Oppure apri questo indirizzo:",
		footer: "Inviata da Ardesia su %s. Non chiediamo mai una password per lettera.",
		facts: map[string]string{"when": "Quando", "until": "Entro", "place": "Da", "before": "Prima da", "device": "Con", "method": "Come", "factor": "Che cosa", "provider": "Servizio",
			"space": "Spazio", "inviter": "Invito di", "role": "Ruolo", "key": "Chiave", "address": "Nuovo indirizzo", "left": "Codici rimasti", "code": "Codice", "most": "Valori al giorno", "count": "Tentativi", "dashboard": "Dashboard", "services": "Servizi", "addresses": "Indirizzi", "passkeys": "Passkey", "keys": "Chiavi API", "since": "Aggiunti dopo", "who": "Richiesta di", "message": "Messaggio",
			"title": "Oggetto", "text": "Messaggio", "trigger": "Trigger", "webhook": "Webhook di", "receiver": "Destinatario", "answer": "Ultima risposta"},
	},
}

var mesi = [12]string{"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"}

// language is the one of ours that is nearest to a BCP 47 tag.
func language(tags ...string) string {
	for _, tag := range tags {
		base, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(tag, "_", "-")), "-")
		if _, ok := words[base]; ok {
			return base
		}
	}
	return English
}

// A form is one file of letter/: a kind in a language.
type form struct {
	subject, action *template.Template
	facts           []string
	parts           []part
}

// A part is one paragraph, or where button or facts go.
type part struct {
	text          *template.Template // nil for the others
	action, facts bool
}

// forms are all letters, ready to be filled in.
type forms struct {
	all  map[string]form // by LANGUAGE/KIND
	html *htmltemplate.Template
}

// readForms reads all letters: one for each kind in each language, and nothing else.
func readForms() (*forms, error) {
	f := &forms{all: map[string]form{}}
	var err error
	if f.html, err = htmltemplate.New("layout.html").ParseFS(files, "letter/layout.html"); err != nil {
		return nil, err
	}
	for lang := range words {
		for _, kind := range append(Kinds(), trial) {
			name := path.Join(lang, string(kind))
			text, err := fs.ReadFile(files, "letter/"+name+".txt")
			if err != nil {
				return nil, err
			}
			if f.all[name], err = readForm(name, string(text)); err != nil {
				return nil, fmt.Errorf("letter %s: %w", name, err)
			}
		}
	}
	return f, nil
}

func readForm(name, text string) (f form, err error) {
	head, body, ok := strings.Cut(strings.TrimSpace(text), "\n\n")
	if !ok {
		return f, errors.New("no paragraphs")
	}
	parse := func(text string) *template.Template {
		t, wrong := template.New(name).Option("missingkey=zero").Parse(text)
		err = errors.Join(err, wrong)
		return t
	}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Subject":
			f.subject = parse(value)
		case "Action":
			f.action = parse(value)
		case "Facts":
			f.facts = strings.Fields(value)
		default:
			return f, fmt.Errorf("unknown line %q", line)
		}
	}
	for paragraph := range strings.SplitSeq(body, "\n\n") {
		switch paragraph = strings.Join(strings.Fields(paragraph), " "); paragraph {
		case "[action]":
			f.parts = append(f.parts, part{action: true})
		case "[facts]":
			f.parts = append(f.parts, part{facts: true})
		default:
			f.parts = append(f.parts, part{text: parse(paragraph)})
		}
	}
	if f.subject == nil {
		err = errors.Join(err, errors.New("no subject"))
	}
	return f, err
}

// A page is what the layouts show: one of text, action and facts in each part.
type page struct {
	Lang, Subject, House, OrLink, Footer string
	Parts                                []shown
}

type shown struct {
	Text   string
	Action string // words on the button, with Link
	Link   string
	Facts  []fact
}

type fact struct{ Name, Value string }

// write fills in a form. name is how the person is greeted; it may be empty.
func (f *forms) write(kind Kind, lang, name, house string, fields map[string]string) (mail.Message, error) {
	tmpl, ok := f.all[path.Join(lang, string(kind))]
	if !ok {
		return mail.Message{}, ErrLetter.With(fmt.Sprintf("There is no letter %q in %q.", kind, lang))
	}
	w := words[lang]
	data := map[string]string{"house": house}
	for k, v := range fields {
		data[k] = v
	}
	var failed error
	fill := func(t *template.Template) string {
		var b strings.Builder
		failed = errors.Join(failed, t.Execute(&b, data))
		return strings.TrimSpace(b.String())
	}
	p := page{Lang: lang, Subject: fill(tmpl.subject), House: house, OrLink: w.orLink, Footer: fmt.Sprintf(w.footer, house)}
	hello := w.helloNobody
	if name = tame(name); name != "" {
		hello = fmt.Sprintf(w.hello, name)
	}
	p.Parts = append(p.Parts, shown{Text: hello})
	for _, one := range tmpl.parts {
		switch {
		case one.action:
			if fields["link"] != "" && tmpl.action != nil {
				p.Parts = append(p.Parts, shown{Action: fill(tmpl.action), Link: fields["link"]})
			}
		case one.facts:
			var facts []fact
			for _, name := range tmpl.facts {
				if v := fields[name]; v != "" {
					facts = append(facts, fact{w.facts[name], v})
				}
			}
			if facts != nil {
				p.Parts = append(p.Parts, shown{Facts: facts})
			}
		default:
			for line := range strings.Lines(fill(one.text)) {
				if line = strings.TrimSpace(line); line != "" {
					p.Parts = append(p.Parts, shown{Text: line})
				}
			}
		}
	}
	if failed != nil {
		return mail.Message{}, fmt.Errorf("write a letter %q in %q: %w", kind, lang, failed)
	}
	var html strings.Builder
	if err := f.html.Execute(&html, p); err != nil {
		return mail.Message{}, fmt.Errorf("write a letter %q in %q: %w", kind, lang, err)
	}
	return mail.Message{Subject: p.Subject, Text: p.text(), HTML: html.String()}, nil
}

// text is the letter without HTML.
func (p page) text() string {
	var b strings.Builder
	for _, one := range p.Parts {
		switch {
		case one.Action != "":
			b.WriteString(wrap(one.Action+":") + one.Link + "\n\n")
		case one.Facts != nil:
			for _, f := range one.Facts {
				b.WriteString("  " + f.Name + ": " + f.Value + "\n")
			}
			b.WriteString("\n")
		default:
			b.WriteString(wrap(one.Text) + "\n")
		}
	}
	return b.String() + "-- \n" + wrap(p.Footer) // "-- " is how signatures begin (RFC 3676, section 4.3)
}

// width is how long a line of text is, in characters.
const width = 72

// wrap breaks text into lines, between words only.
func wrap(text string) string {
	var b strings.Builder
	n := 0
	for word := range strings.FieldsSeq(text) {
		size := len([]rune(word))
		switch {
		case n == 0:
		case n+1+size > width:
			b.WriteByte('\n')
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += size
	}
	return b.String() + "\n"
}
