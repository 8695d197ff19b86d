// Package manual shows the documentation at /docs/: the texts of package docs, made into pages by the server, with contents,
// a search over all of them, and a look that is the application's.
//
// Invariants:
//   - It is open to anyone, tells nothing of this server's data, and is the same on every server of a version.
//   - A page is at one address in all languages, and shown in that of whoever asks, as the application chooses it (web.Tongue). Its text
//     in Italian is the file beside the original, guide/start.it.md beside guide/start.md. One that has none is shown in English,
//     marked as such, and says so.
//   - A text in another language has the headings of its original, with their IDs: a link to a section leads to it in all of them.
//     Links in it are the original's, to the original's file. That blocks of code, links and lists are the original's too a test
//     looks after (TestTextsInOtherLanguages).
//   - A page is whole without script; what the script adds is buttons that copy. The language is chosen by a form.
//   - Texts are ours, and written as HTML all the same only by the renderer: raw HTML in a text is not shown, and no page has
//     script or style in its text.
//   - A link in a text leads to a page that is there, or the text is no link: NewSite refuses what is neither.
//
// Tables and topics: none. Routes: /docs/. Cookies: those of package web, of which it sets the language.
package manual
