// Package tongue is the languages that pages are written in, and their texts.
package tongue

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Languages are those of all pages, the first for whoever reads none of them; RFC 5646 codes.
var Languages = []string{"en", "it"}

// Spoken says whether lang is one of them.
func Spoken(lang string) bool { return slices.Contains(Languages, lang) }

// maxAccept is how much of a header is looked at, in bytes; browsers send under 100.
const maxAccept = 256

// Choose is the best of the languages for an Accept-Language header (RFC 9110, section 12.5.4).
// Weights are not weighed: browsers write the languages in order.
func Choose(accept string) string {
	for part := range strings.SplitSeq(accept[:min(len(accept), maxAccept)], ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag, _, _ = strings.Cut(tag, "-")
		if tag = strings.ToLower(tag); Spoken(tag) {
			return tag
		}
	}
	return Languages[0]
}

// Texts are texts by language and key.
type Texts map[string]map[string]string

// Read reads the files LANG.json and LANG.PART.json of dir, objects of texts by their keys. A key that
// stands twice, in whichever files of one language, is an error.
func Read(files fs.FS, dir string) (Texts, error) {
	all := Texts{}
	for _, lang := range Languages {
		names, err := fs.Glob(files, dir+"/"+lang+"*.json")
		if err != nil {
			return nil, err
		}
		all[lang] = map[string]string{}
		for _, name := range names {
			text, err := fs.ReadFile(files, name)
			if err != nil {
				return nil, err
			}
			part := map[string]string{}
			if err := json.Unmarshal(text, &part); err != nil {
				return nil, fmt.Errorf("texts in %s: %w", name, err)
			}
			for key, words := range part {
				if _, twice := all[lang][key]; twice {
					return nil, fmt.Errorf("texts in %s: %s is there twice", name, key)
				}
				all[lang][key] = words
			}
		}
	}
	return all, nil
}

// Text is the one with a key, filled in with args as fmt.Sprintf does. A key that nobody wrote a text
// for is shown itself.
func (t Texts) Text(lang, key string, args ...any) string {
	text, ok := t[lang][key]
	if !ok {
		return key
	}
	if len(args) > 0 {
		return fmt.Sprintf(text, args...)
	}
	return text
}
