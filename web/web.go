// Package web holds the pages that the server shows to browsers. They are plain
// HTML and CSS without script; the application that people work in is not built yet.
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
