package apikey

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/apikeys": {ID: "apikeys#list", Summary: "List your API keys"},
	"POST /v1/apikeys": {
		ID: "apikeys#create", Summary: "Make an API key",
		More:  "The secret is told this once.",
		Fails: []*problem.Problem{ErrEnds, ErrFull, ErrName, ErrRole, access.ErrRole, org.ErrNotFound, org.ErrNotMember},
	},
	"PATCH /v1/apikeys/{id}": {
		ID: "apikeys#update", Summary: "Rename, switch on or switch off an API key",
		Fails: []*problem.Problem{ErrEnds, ErrName, ErrNotFound, ErrRevoked},
	},
	"DELETE /v1/apikeys/{id}":     {ID: "apikeys#revoke", Summary: "Revoke an API key for good", Fails: []*problem.Problem{ErrNotFound}},
	"GET /v1/spaces/{id}/apikeys": {ID: "spaces#listKeys", Summary: "List the API keys that were made for a space"},
	"DELETE /v1/spaces/{id}/apikeys/{key}": {
		ID: "spaces#revokeKey", Summary: "Revoke an API key that was made for a space",
		Fails: []*problem.Problem{ErrNotFound},
	},
}
