package guard

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"POST /v1/apikeys/leaked": {
		ID: "apikeys#leaked", Summary: "Report an API key that was found in public",
		More:  "Whoever finds one sends it here; if it is right it is revoked and its owner is told. The answer is the same for all.",
		Fails: []*problem.Problem{ErrTries},
	},
}
