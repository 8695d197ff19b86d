package homeassistant

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/integrations/homeassistant": {
		ID: "homeassistant#show", Summary: "Show the bridge of the space to Home Assistant, and how it does",
		More:  "The password of the broker is never shown.",
		Fails: []*problem.Problem{ErrNotFound},
	},
	"PUT /v1/integrations/homeassistant": {
		ID: "homeassistant#set", Summary: "Set up the bridge of the space to Home Assistant, or change it",
		More: "What is left out is as if it had never been said, but for the password, which stays with the same broker, user and CA. " +
			"The answer does not wait for the broker: show the bridge to see whether it was let in.",
		Fails: []*problem.Problem{ErrBroker, ErrLogin, ErrCA, ErrPrefix, ErrTags, ErrPassword, thing.ErrTag},
	},
	"DELETE /v1/integrations/homeassistant": {
		ID: "homeassistant#remove", Summary: "Remove the bridge of the space to Home Assistant",
		More:  "What is announced at the broker is taken back there, if it can be reached; whether it could is the answer.",
		Fails: []*problem.Problem{ErrNotFound},
	},
}
