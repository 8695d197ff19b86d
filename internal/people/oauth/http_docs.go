package oauth

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/guard"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"POST /iot/v1/clients/token": {
		ID: "token#create", Summary: "Exchange the id and secret of an API key for an access token",
		Takes: "application/x-www-form-urlencoded, application/json", Form: askToken{}, Gives: "application/vnd.arduino.token+json", More: "Id and secret may come in the body or with HTTP Basic. The token counts for expires_in seconds, in the space that organization_id or X-Organization names.",
		Fails: []*problem.Problem{ErrGrant, ErrOnly, ErrRequest, ErrToken, account.ErrNotFound, apikey.ErrCredentials, guard.ErrTries, org.ErrNotMember, org.ErrWeakKey, rest.ErrBody, rest.ErrTooLarge},
	},
	"GET /.well-known/jwks.json":                  {ID: "oauth2#keys", Summary: "The public keys that sign access tokens", Gives: "application/jwk-set+json"},
	"GET /.well-known/openid-configuration":       {ID: "oauth2#discover", Summary: "What this server's OpenID provider can do"},
	"GET /.well-known/oauth-authorization-server": {ID: "oauth2#metadata", Summary: "The same, where OAuth 2 has it"},
	"GET " + pathAuthorize:                        {ID: "oauth2#authorize", Summary: "Ask a person in a browser for consent", Page: true},
	"POST " + pathAuthorize:                       {ID: "oauth2#authorizeByPost", Summary: "Ask a person in a browser for consent", Page: true},
	"GET " + pathLogout:                           {ID: "oauth2#logout", Summary: "End a person's session in a browser", Page: true},
	"POST " + pathLogout:                          {ID: "oauth2#logoutByPost", Summary: "End a person's session in a browser", Page: true},
	"POST /oauth2/par": {
		ID: "oauth2#push", Summary: "Leave the parameters of an authorization request here before the browser comes",
		Takes: isForm, Form: askFormPush{}, Plain: true,
		Fails: []*problem.Problem{ErrRequest, ErrScope, ErrToken, guard.ErrTries},
	},
	"POST /oauth2/token": {
		ID: "oauth2#token", Summary: "Get an access token for a code, a refresh token, a device code or an API key",
		Takes: isForm, Form: askFormToken{}, Plain: true, Gives: "application/json",
		Fails: []*problem.Problem{ErrRequest, ErrScope, ErrToken, guard.ErrTries},
	},
	"POST /oauth2/device": {
		ID: "oauth2#device", Summary: "Begin to sign in on another device",
		Takes: isForm, Form: askFormDevice{}, Plain: true,
		Fails: []*problem.Problem{ErrRequest, ErrScope, ErrToken, guard.ErrTries},
	},
	"POST /oauth2/introspect": {
		ID: "oauth2#introspect", Summary: "Ask whether a token counts",
		Takes: isForm, Form: askFormIntrospect{}, Plain: true,
		Fails: []*problem.Problem{ErrRequest, ErrScope, ErrToken, guard.ErrTries},
	},
	"POST /oauth2/revoke": {
		ID: "oauth2#revoke", Summary: "End a token and what comes of it",
		Takes: isForm, Form: askFormRevoke{}, Plain: true,
		Fails: []*problem.Problem{ErrRequest, ErrScope, ErrToken, guard.ErrTries},
	},
	"GET /oauth2/userinfo": {
		ID: "oauth2#userinfo", Summary: "Who let the program in that asks",
		Plain: true,
		Fails: []*problem.Problem{ErrScope, ErrToken},
	},
	"POST /oauth2/userinfo": {
		ID: "oauth2#userinfoByPost", Summary: "Who let the program in that asks",
		Plain: true,
		Fails: []*problem.Problem{ErrScope, ErrToken},
	},
}

const isForm = "application/x-www-form-urlencoded"

// The fields of forms and queries, for the document.
type (
	askToken struct {
		Grant  string `json:"grant_type" rule:"enum=client_credentials" says:"how a token is asked for"`
		ID     string `json:"client_id" says:"of the API key; or with HTTP Basic"`
		Secret string `json:"client_secret" says:"of the API key; or with HTTP Basic"`
		Space  string `json:"organization_id" rule:"format=uuid" says:"the space to act in; the owner's own if it is left out"`
		For    string `json:"audience" says:"is taken and not looked at: each client of the compatible API sends one"`
	}
	askFormPush struct {
		Client    string `json:"client_id" rule:"required"`
		Type      string `json:"response_type" rule:"required,enum=code"`
		Redirect  string `json:"redirect_uri" rule:"required"`
		Scope     string `json:"scope"`
		State     string `json:"state"`
		Nonce     string `json:"nonce"`
		Challenge string `json:"code_challenge" rule:"required"`
		Method    string `json:"code_challenge_method" rule:"required,enum=S256"`
	}
	askFormToken struct {
		Grant    string `json:"grant_type" rule:"required,enum=client_credentials|authorization_code|refresh_token|urn:ietf:params:oauth:grant-type:device_code"`
		Client   string `json:"client_id"`
		Secret   string `json:"client_secret"`
		Code     string `json:"code"`
		Redirect string `json:"redirect_uri"`
		Verifier string `json:"code_verifier"`
		Refresh  string `json:"refresh_token"`
		Device   string `json:"device_code"`
		Scope    string `json:"scope"`
	}
	askFormDevice struct {
		Client string `json:"client_id" rule:"required"`
		Scope  string `json:"scope"`
	}
	askFormIntrospect struct {
		Token  string `json:"token" rule:"required"`
		Client string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	askFormRevoke struct {
		Token  string `json:"token" rule:"required"`
		Client string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
)
