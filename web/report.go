package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
)

// ErrReport is a report that no browser writes.
var ErrReport = problem.New(problem.Invalid, "invalid-report", "This is no report of a Content-Security-Policy.")

// Bounds of what anyone may send here.
const (
	maxReportBody = 16 << 10 // bytes
	maxReports    = 20       // in one body
	maxReportText = 200      // bytes of each field
)

// A Report is something that a page tried and its policy forbade: a fault of ours, of an extension of the browser, or
// an attack. All of it is a stranger's word.
type Report struct {
	Directive string // one of Directives
	Page      string // path
	Blocked   string // origin, or a word such as inline
	Source    string // path or origin of the script
	Line      int
}

// Directives are those that reports are counted by; whatever else somebody writes is "other".
var Directives = []string{
	"base-uri", "connect-src", "default-src", "font-src", "form-action", "frame-ancestors", "frame-src", "img-src", "manifest-src", "media-src", "object-src", "require-trusted-types-for",
	"script-src", "script-src-attr", "script-src-elem", "style-src", "style-src-attr", "style-src-elem", "trusted-types", "worker-src", "other",
}

// wireReport is the body of a report-uri (application/csp-report).
type wireReport struct {
	Report struct {
		Directive string `json:"effective-directive"`
		Violated  string `json:"violated-directive"`
		Page      string `json:"document-uri"`
		Blocked   string `json:"blocked-uri"`
		Source    string `json:"source-file"`
		Line      int    `json:"line-number"`
	} `json:"csp-report"`
}

// wireReporting is one entry of a body of the Reporting API (application/reports+json).
type wireReporting struct {
	Type string `json:"type"`
	Body struct {
		Directive string `json:"effectiveDirective"`
		Page      string `json:"documentURL"`
		Blocked   string `json:"blockedURL"`
		Source    string `json:"sourceFile"`
		Line      int    `json:"lineNumber"`
	} `json:"body"`
}

// ReadReports reads a body in one of the two forms that browsers send. Reports of other kinds are left out. Any
// other body is ErrReport.
func ReadReports(mediaType string, body []byte) ([]Report, error) {
	kind, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		return nil, ErrReport
	}
	switch kind {
	case "application/csp-report":
		var one wireReport
		if json.Unmarshal(body, &one) != nil || one.Report.Page == "" {
			return nil, ErrReport
		}
		r := one.Report
		directive := r.Directive
		if directive == "" {
			directive, _, _ = strings.Cut(r.Violated, " ")
		}
		return []Report{tame(directive, r.Page, r.Blocked, r.Source, r.Line)}, nil
	case "application/reports+json":
		var all []wireReporting
		if json.Unmarshal(body, &all) != nil || len(all) > maxReports {
			return nil, ErrReport
		}
		var reports []Report
		for _, one := range all {
			if one.Type == "csp-violation" {
				reports = append(reports, tame(one.Body.Directive, one.Body.Page, one.Body.Blocked, one.Body.Source, one.Body.Line))
			}
		}
		return reports, nil
	}
	return nil, ErrReport
}

// tame makes a report fit for a log: known words, bounded texts, and no address with what stands in its query, which
// may be a secret.
func tame(directive, page, blocked, source string, line int) Report {
	if !slices.Contains(Directives, directive) {
		directive = "other"
	}
	return Report{Directive: directive, Page: place(page), Blocked: place(blocked), Source: place(source), Line: max(0, min(line, 1<<20))}
}

// place is an address without its query, fragment and user.
func place(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		text = u.Scheme + "://" + u.Host + u.Path
	} else if i := strings.IndexAny(text, "?#"); i >= 0 {
		text = text[:i]
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	for len(text) > maxReportText {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// report takes what browsers report.
func (a *App) report(w http.ResponseWriter, r *http.Request) {
	guard(w.Header(), policyNothing)
	w.Header().Set("Cache-Control", "no-store")
	if err := a.needs.Limit(w.Header(), r); err != nil {
		a.needs.Fail(w, r, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReportBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		a.needs.Fail(w, r, rest.ErrTooLarge)
		return
	}
	if err != nil {
		return // who has gone away reads nothing
	}
	all, err := ReadReports(r.Header.Get("Content-Type"), body)
	if err != nil {
		a.needs.Fail(w, r, err)
		return
	}
	a.needs.Reports(r, all)
	w.WriteHeader(http.StatusNoContent)
}
