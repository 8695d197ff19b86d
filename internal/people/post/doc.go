// Package post is the room of letters to people: what they are told by mail, in which
// words, and that it reaches their mail server.
//
// Invariants:
//   - Send is done when the letter is on disk. From then on it is tried, with growing pauses, until
//     a mail server has it, refuses it for good, or nobody needs it any more. A crash at any point may
//     send it twice, with one Message-ID, and never loses it.
//   - A letter goes to the address that the account had when it was written.
//   - Recipient and content are sealed: under the person's key, or for an address that belongs to no
//     account under a key of this room. They are removed when the letter has ended; when, what kind and how
//     it ended is kept for 30 days.
//   - What people wrote into a field cannot become a header, a tag or, where readers' programs
//     make links of words, a link.
//   - Letters have no images, no scripts, and nothing that tells anyone that they were read.
//   - Nobody gets more than 20 letters of one kind in an hour.
//
// The words are in letter/LANGUAGE/KIND.txt, one text for both forms of the letter. The
// first lines are Subject, Action (the words on the button) and Facts (fields to list); then
// paragraphs, in which "[action]" and "[facts]" are where those go.
//
// Tables: post, post_rate. Routes: none.
package post
