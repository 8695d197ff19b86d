// Package web holds what the server shows to browsers, but for the pages of people's accounts, which are those of
// internal/people/signin: the application that people work in, the welcome page, and a developer's letters.
//
// The application's sources are in app, in TypeScript. They are built by a Go program (bundle) into dist, which is
// committed, so that nobody needs Node.js to build or run Ardesia; a test builds them anew and compares.
//
// Invariants:
//   - No page has script or style in its text, or anything of another server; the policy of each says so, and browsers
//     report what breaks it.
//   - What is under /a/ never changes there: the address has the hash of all of it.
//   - Nothing that this package serves belongs to anybody; the API alone knows who asks.
package web

import (
	"embed"
	"html/template"
	"io/fs"
)

//go:embed welcome.html mail.html style.css
var files embed.FS

// Welcome is the first page: what this server is and how to connect to it.
var Welcome = template.Must(template.ParseFS(files, "welcome.html"))

// Place is what Welcome shows of this server.
type Place struct {
	Host        string // as clients are told
	Web         string // host:port
	Cert        string // host:port of MQTT with certificates
	Secret      string // host:port of MQTT with secret keys
	Live        string // host:port of MQTT over WebSocket
	Fingerprint string // SHA-256 of the CA that clients trust; "" when somebody else's
	Demo        bool
}

// Style is the pages' style sheet.
func Style() []byte {
	text, err := fs.ReadFile(files, "style.css")
	if err != nil {
		panic(err) // embedded: it is there
	}
	return text
}

// Mark is the picture that stands for Ardesia, SVG.
func Mark() []byte {
	text, err := fs.ReadFile(distFiles, "dist/mark.svg")
	if err != nil {
		panic(err) // embedded: it is there
	}
	return text
}
