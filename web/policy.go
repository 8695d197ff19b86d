package web

import "net/http"

// A policy is what a page may do (Content-Security-Policy level 3); reports and what holds for all of them are added.
type policy string

const (
	policyNothing policy = "default-src 'none'"
	// The application runs scripts and styles of this server's files alone: none in the text of a page, none of another
	// server, and nothing may make a script or a page out of a text (Trusted Types without any policy).
	policyApp policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-src 'self'; worker-src 'none'; trusted-types 'none'"
	// The frame that registers the worker has one policy for the address of a script, which knows one address.
	policyKeeper policy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; trusted-types worker"
	// The worker itself fetches, and shows notices with our mark.
	policyWorker policy = "default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'self'; trusted-types 'none'"
)

// guard sets the headers of every answer of the application.
func guard(h http.Header, p policy) {
	ancestors := "'none'"
	if p == policyKeeper {
		ancestors = "'self'"
	}
	h.Set("Content-Security-Policy", string(p)+"; base-uri 'none'; form-action 'none'; frame-ancestors "+ancestors+
		"; require-trusted-types-for 'script'; report-uri /app/csp-report; report-to csp")
	h.Set("Reporting-Endpoints", `csp="/app/csp-report"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "serial=(self), camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Strict-Transport-Security", "max-age=63072000")
}
