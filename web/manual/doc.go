// Package manual shows the documentation at /docs/: the texts of package docs, made into pages by the server, with contents,
// a search over all of them, and a look that is the application's.
//
// Invariants:
//   - It is open to anyone, tells nothing of this server's data, and is the same on every server of a version.
//   - A page is whole without script; what the script adds is buttons that copy.
//   - Texts are ours, and written as HTML all the same only by the renderer: raw HTML in a text is not shown, and no page has
//     script or style in its text.
//   - A link in a text leads to a page that is there, or the text is no link: NewSite refuses what is neither.
//
// Tables and topics: none. Routes: /docs/.
package manual
