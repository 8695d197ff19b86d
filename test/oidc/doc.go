// Package oidc drives certified relying parties, unmodified, against the whole house:
// openid-client and oauth4webapi on Node.js, and golang.org/x/oauth2. They judge whether
// other programs can sign people in here. The pages where people sign in and agree are
// the test's own.
package oidc
