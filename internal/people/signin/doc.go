// Package signin is the room of browsers: how a person comes in with one, what it is
// allowed to do afterwards, and the pages that people see on the way and of what is theirs:
// account, keys, spaces, activity.
//
// Invariants:
//   - Signing in is a machine of few states (flow.go). No step can be left out, done
//     twice or done in another order, whatever a browser sends: the machine is kept here, each
//     step counts once, and a flow belongs to the browser that began it.
//   - While an account is being guessed at, its password alone lets nobody in from a browser that
//     it does not know: a second proof is asked, or a code that was sent by mail.
//   - What a page says, and how long it takes, does not depend on whether there is such
//     an account. Only the mail tells.
//   - A provider's word is a first proof where its person is linked, and never more: whoever is not
//     linked proves the account's own side before. What it says of an address makes an account only where nobody has one.
//   - A session is a random value in a cookie of which only the SHA-256 is kept. It gets
//     another value at each proof, and ends with the account's epoch: a new password, a
//     freeze, a disabled account.
//   - What cannot be undone, or lets somebody in, needs a proof that is at most five minutes old.
//   - Whatever changes something is asked for by POST from our own pages.
//   - What a page of a space does is asked of the same policy as the API's route, and of how
//     surely the space wants people to sign in.
//   - The application's origin gets a session by a word that counts once, for a minute, in the browser that asked for it
//     (http_app.go). Its cookie opens no page of this room, and ends with the session.
//   - Pages work without script; none is inline, and no text from people is markup.
//
// Tables: signin_session, signin_app, signin_device, signin_flow. Cookies: __Host-ardesia (session),
// __Host-ardesia-app (the same at the application's origin), __Host-ardesia-hand (which browser a session is handed over to),
// __Host-ardesia-device (a browser that was here before), __Host-ardesia-flow (which
// browser began a flow), __Host-ardesia-lang. Pages: see Pages and AppPages.
package signin
