package web

import "html/template"

// Mail shows a developer the letters that were not sent.
var Mail = template.Must(template.ParseFS(files, "mail.html"))

// Mailbox is what Mail shows: a list, or one letter.
type Mailbox struct {
	Folder  string
	Letters []MailRow
	More    bool // there are older ones
	Open    *MailShown
}

// MailRow is one line of the list.
type MailRow struct{ Name, At, To, Subject string }

// MailShown is one letter.
type MailShown struct {
	At, From, To, ID, Subject, Text, HTML string
	Links                                 []string
}
