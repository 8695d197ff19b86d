package audit

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/me/activity": {
		ID: "me#activity", Summary: "What was done with your account, newest first",
		Query: askActivity{},
		Fails: []*problem.Problem{ErrPage},
	},
}

// askActivity are the parameters of the query, for the document; parsePage reads them.
type askActivity struct {
	Limit  int    `json:"limit" rule:"range=1..200" says:"how many entries; 50 if it is left out"`
	Before int64  `json:"before" rule:"range=1.." says:"only entries before the one with this number"`
	Action string `json:"action" rule:"length=..64" says:"only entries of this action, such as apikey:create"`
}
