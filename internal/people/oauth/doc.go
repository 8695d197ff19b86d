// Package oauth is the room of access tokens: one OAuth 2.0 authorisation server and
// OpenID Provider for people's programs, and the tokens of API keys.
//
// Two kinds of token open the API. A program with an API key gets a JWT (RFC 7519) for
// five minutes; it counts only for the environment that issued it, for our API, and as
// long as its key is not revoked and its person not shut out. A program that a person
// signed in to gets an access token (RFC 9068) for ten minutes, with the scope iot for
// the API; it names a grant, and counts as long as the grant stands. Both are asked at
// every use, with an answer kept for a second. All are signed with ES256, and nothing
// else is ever accepted.
//
// A grant is what one person let one client do, once. Its code is good for a minute and
// once; its refresh tokens take turns. A code or a refresh token that comes a second time
// ends the grant, and all that came of it. A refresh token may come again for ten seconds
// after its first use, since an answer can get lost. A grant ends with the browser's
// session, unless the person agreed to offline_access, and with the person's epoch.
//
// Invariants: PKCE with S256 for every client; redirect addresses are compared letter by
// letter, but for a loopback address's port; the only response is a code in the query,
// with the issuer beside it (RFC 9207); codes, tokens and secrets are kept as SHA-256
// only; of people there are only ids, and requests that wait are sealed, since they may
// hold an address. A person agrees once, but each time to a program that anything on her
// machine could be (RFC 8252, section 8.6). A user code is SHA-256 of 34 bits: it is good for ten minutes, and
// whoever can read the database needs no user code.
//
// A program that gave an address for it is told when a session in which it got a grant has ended, by whatever
// (OpenID Connect Back-Channel Logout 1.0): see backchannel.go.
//
// Signing in, asking for consent and user codes are pages of another room, which calls
// [Service.Asked], [Service.Consent], [Service.Pending], [Service.Approve] and
// [Service.Deny], and is given to [Service.Bind]. The library behind all of it is seen in
// fosite*.go, authorize.go and http_*.go only.
//
// Tables: oauth_key, oauth_client, oauth_request, oauth_grant, oauth_code, oauth_refresh,
// oauth_device, oauth_consent, oauth_logout. Routes: POST /iot/v1/clients/token,
// GET /.well-known/jwks.json and those of providerRoutes.
package oauth
