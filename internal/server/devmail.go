package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/web"
)

// devPages show a developer the letters that were put into the folder. Without --dev, or with a
// mail server, there are none.
func (s *Server) devPages() map[string]http.HandlerFunc {
	folder, ok := s.mail.(*mail.Folder)
	if !s.cfg.Dev || !ok {
		return nil
	}
	d := devMail{folder, s.cfg.Host}
	return map[string]http.HandlerFunc{"GET /dev/mail": d.only(d.list), "GET /dev/mail/{name}": d.only(d.show)}
}

type devMail struct {
	folder *mail.Folder
	host   string
}

// maxShown is how many letters the list has.
const maxShown = 100

// only lets in who sits at this machine, calls it by a name of its own, and was not sent by a proxy.
func (d devMail) only(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !fromHere(r.RemoteAddr) || local == nil || !fromHere(local.String()) || !d.ownName(r.Host) || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
			plain(w, http.StatusNotFound, "not found")
			return
		}
		page(w, r)
	}
}

func fromHere(addr string) bool {
	ap, err := netip.ParseAddrPort(addr)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// ownName keeps out pages of strangers whose name was made to point to this machine.
func (d devMail) ownName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == d.host || (err == nil && ip.IsLoopback())
}

func (d devMail) list(w http.ResponseWriter, _ *http.Request) {
	names, err := d.folder.List()
	if err != nil {
		plain(w, http.StatusInternalServerError, "the folder cannot be read: "+err.Error())
		return
	}
	p := web.Mailbox{Folder: d.folder.String(), More: len(names) > maxShown}
	for _, name := range names[:min(len(names), maxShown)] {
		l := web.MailRow{Name: name}
		m, err := d.folder.Open(name)
		if err != nil {
			l.Subject = "(cannot be read)"
		} else {
			l.At, l.To, l.Subject = m.At.UTC().Format(time.DateTime), m.To.Addr, m.Subject
		}
		p.Letters = append(p.Letters, l)
	}
	d.write(w, p, "")
}

func (d devMail) show(w http.ResponseWriter, r *http.Request) {
	m, err := d.folder.Open(r.PathValue("name"))
	switch {
	case errors.Is(err, mail.ErrNoLetter):
		plain(w, http.StatusNotFound, "there is no such letter")
		return
	case err != nil:
		plain(w, http.StatusInternalServerError, "the letter cannot be read: "+err.Error())
		return
	}
	d.write(w, web.Mailbox{Folder: d.folder.String(), Open: &web.MailShown{
		At: m.At.UTC().Format(time.DateTime), From: m.From.Addr, To: m.To.Addr, ID: m.ID, Subject: m.Subject, Text: m.Text, HTML: m.HTML, Links: links(m.Text),
	}}, m.HTML)
}

// link finds addresses that stand in a line of their own.
var link = regexp.MustCompile(`(?m)^https?://\S+$`)

func links(text string) []string { return link.FindAllString(text, 20) }

// style finds the style sheets of a letter.
var style = regexp.MustCompile(`(?s)<style>(.*?)</style>`)

// write shows the page. A frame with srcdoc lives under the policy of its page, so the letter's own
// style is let in by its hash, and nothing else of it: no script, no image, no address is ever fetched.
func (d devMail) write(w http.ResponseWriter, p web.Mailbox, html string) {
	var body bytes.Buffer
	if err := web.Mail.Execute(&body, p); err != nil {
		plain(w, http.StatusInternalServerError, "the page cannot be made")
		return
	}
	styles := "'self'"
	for _, m := range style.FindAllStringSubmatch(html, 4) {
		sum := sha256.Sum256([]byte(m[1]))
		styles += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+styles+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("Cache-Control", "no-store")
	safe(h)
	_, _ = w.Write(body.Bytes())
}
