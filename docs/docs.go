// Package docs is the documentation that the server shows (web/manual): the texts in this folder that are for whoever uses or
// keeps an Ardesia. What is for whoever changes it (adr, ARCHITECTURE.md, performance.md) is not in the program.
package docs

import "embed"

//go:embed guide/*.md operate.md integrations.md integrations compatibility.md acts/*.md
var Files embed.FS

// A Chapter is some pages that belong together.
type Chapter struct {
	Title string
	Pages []string // files, in the order in which they are read
}

// Chapters are all pages, in the order in which they are read.
var Chapters = []Chapter{
	{"Begin", []string{"guide/start.md", "guide/boards.md"}},
	{"Use", []string{"guide/api.md", "guide/ardesiactl.md", "integrations.md", "integrations/homeassistant.md", "compatibility.md"}},
	{"Keep", []string{"operate.md", "guide/ardesia.md", "guide/security.md"}},
	{"What happens when", []string{
		"acts/claim-board.md", "acts/issue-device-certificate.md", "acts/revoke-device-certificate.md", "acts/rotate-device-ca.md", "acts/apply-template.md",
		"acts/delete-device.md", "acts/erase-thing.md", "acts/erase-space.md", "acts/erase-person.md", "acts/forget-old-values.md", "acts/recover-account.md",
		"acts/rotate-root-key.md", "acts/restore.md", "acts/audit.md",
	}},
}
