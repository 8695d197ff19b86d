// Package docs is the documentation that the server shows (web/manual): the texts in this folder that are for whoever uses or
// keeps an Ardesia. What is for whoever changes it (adr, ARCHITECTURE.md, performance.md) is not in the program.
//
// A text in another language stands beside its original: guide/start.it.md is guide/start.md in Italian.
package docs

import (
	"embed"
	"path"
	"strings"
)

//go:embed guide/*.md operate.md integrations*.md integrations compatibility.md acts/*.md
var Files embed.FS

// A Chapter is some pages that belong together.
type Chapter struct {
	Title  string
	Titles map[string]string // in other languages, by their code
	Pages  []string          // files of originals, in the order in which they are read
}

// Original is the text that a file has in another language, and which language that is; of an original itself, and "".
func Original(file string) (original, lang string) {
	name := strings.TrimSuffix(file, ".md")
	if lang = strings.TrimPrefix(path.Ext(name), "."); lang == "" || name == file {
		return file, ""
	}
	return strings.TrimSuffix(name, "."+lang) + ".md", lang
}

// Chapters are all pages, in the order in which they are read.
var Chapters = []Chapter{
	{"Begin", map[string]string{"it": "Per iniziare"}, []string{"guide/start.md", "guide/boards.md"}},
	{"Use", map[string]string{"it": "Usare"}, []string{"guide/api.md", "guide/ardesiactl.md", "integrations.md", "integrations/homeassistant.md", "compatibility.md"}},
	{"Keep", map[string]string{"it": "Gestire"}, []string{"operate.md", "guide/ardesia.md", "guide/security.md"}},
	{"What happens when", map[string]string{"it": "Che cosa succede quando"}, []string{
		"acts/claim-board.md", "acts/issue-device-certificate.md", "acts/revoke-device-certificate.md", "acts/rotate-device-ca.md", "acts/apply-template.md",
		"acts/delete-device.md", "acts/erase-thing.md", "acts/erase-space.md", "acts/erase-person.md", "acts/forget-old-values.md", "acts/recover-account.md",
		"acts/rotate-root-key.md", "acts/restore.md", "acts/audit.md",
	}},
}
