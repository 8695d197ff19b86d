// Package web looks at the web application as people do: in Chromium, at a whole house, on a phone, a tablet and a desk,
// in light and dark. What the pages are judged by is in internal/base/browsertest; with ARDESIA_PICTURES=yes pictures
// of all of them are kept in artifacts/app for whoever reviews a change, else of those that fail.
package web
