package sync

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /iot/v1/sync": {ID: "sync_v1#list", Summary: "List groups of synchronised properties", Gives: rest.Collection("sync")},
	"PUT /iot/v1/sync": {
		ID: "sync_v1#create", Summary: "Keep properties the same",
		More:  "They are of one type, and each is in one group only. Nothing is copied until one of them changes.",
		Gives: rest.Media("sync"),
		Fails: []*problem.Problem{ErrFull, ErrMembers, ErrReadOnly, ErrTaken, ErrType, thing.ErrNotFound, thing.ErrPropertyNotFound},
	},
	"GET /iot/v1/sync/{id}": {
		ID: "sync_v1#show", Summary: "Show a group of synchronised properties",
		More:  "The state of each says whether it takes part, and why not.",
		Gives: rest.Media("sync"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"POST /iot/v1/sync/{id}": {
		ID: "sync_v1#update", Summary: "Give a group other properties",
		More:  "The properties replace those that were there; of these, some may stay that are deleted or have another type now.",
		Gives: rest.Media("sync"),
		Fails: []*problem.Problem{ErrMembers, ErrNotFound, ErrReadOnly, ErrTaken, ErrType, thing.ErrNotFound, thing.ErrPropertyNotFound},
	},
	"DELETE /iot/v1/sync/{id}": {
		ID: "sync_v1#delete", Summary: "Remove a group",
		More:  "Its properties stay as they are.",
		Fails: []*problem.Problem{ErrNotFound},
	},
}
