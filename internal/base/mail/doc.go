// Package mail writes letters and hands them to whoever carries them: a mail server
// (SMTP), or a folder in which a developer reads them.
//
// What a caller may rely on:
//
//   - A [Message] has one recipient. What cannot be an address, and a name or subject with
//     a control character, is refused before anything is written: no header can be put in.
//   - With SMTP nothing leaves unencrypted, neither the letter nor the password, unless
//     the server is on this machine and that was asked for.
//   - Nil of Send means that the next one has accepted the letter. An error may mean that it has, too: it
//     can have come between the letter and the answer. The Message-ID lets the reader's program see that two are one.
//   - [Permanent] tells the errors that trying again does not cure.
package mail
