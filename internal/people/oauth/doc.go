// Package oauth is the room of access tokens: it gives them to programs that bring
// an API key, and says who brings one.
//
// A token is a JWT (RFC 7519) signed with ES256, good for five minutes. It counts
// only for the environment that issued it (iss), for our API (aud), and as long as
// its key is not revoked and its person not shut out: both are asked at every use,
// with an answer kept for a second. The token of a key that was made for one space enters no
// other, whatever a request asks for.
//
// This is the client-credentials grant alone; signing in with a browser is a
// provider of its own that will stand behind the same Verify.
//
// Tables: oauth_key. Routes: POST /iot/v1/clients/token, GET /.well-known/jwks.json.
package oauth
