// Package oidc drives certified relying parties, unmodified, against the whole house:
// openid-client and oauth4webapi on Node.js, and golang.org/x/oauth2. They judge whether
// other programs can sign people in here. The pages where people sign in and agree are
// the test's own.
//
// The other way round it has people sign in here with others: oidc-provider on Node.js as Google and as Apple,
// what GitHub documents of its own (provider.mjs), and an issuer that does wrong on demand (socialtest).
package oidc
