package hook

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/things/{id}/webhook": {
		ID: "webhooks#ofThing", Summary: "Show the webhook of a thing, its secret and how it does",
		More:  "It comes and goes with the thing's webhook_uri.",
		Fails: []*problem.Problem{ErrNotFound, thing.ErrNotFound},
	},
	"POST /v1/things/{id}/webhook/secret": {
		ID: "webhooks#rotateOfThing", Summary: "Give the webhook of a thing a new secret",
		More:  "The old one signs beside it for a day.",
		Fails: []*problem.Problem{ErrNotFound, thing.ErrNotFound},
	},
	"PUT /iot/v2/devices/{id}/webhooks": {
		ID: "devices_v2_webhooks#create", Summary: "Add a webhook to a device",
		Gives: rest.Media("device.webhook"),
		Fails: []*problem.Problem{ErrTooMany, ErrURL, device.ErrNotFound},
	},
	"DELETE /iot/v2/devices/{id}/webhooks/{webhook}": {
		ID: "devices_v2_webhooks#delete", Summary: "Remove a webhook of a device",
		More:  "What waits for it is not sent any more.",
		Fails: []*problem.Problem{ErrNotFound, device.ErrNotFound},
	},
	"GET /v1/devices/{id}/webhooks": {
		ID: "webhooks#ofDevice", Summary: "List the webhooks of a device, their secrets and how they do",
		Fails: []*problem.Problem{device.ErrNotFound},
	},
	"POST /v1/devices/{id}/webhooks/{webhook}": {
		ID: "webhooks#turn", Summary: "Give a webhook of a device another address, or turn it on or off",
		More:  "What is left out stays. What waits for one that is turned off is not sent any more; what waits for one that is on goes to the new address.",
		Fails: []*problem.Problem{ErrNotFound, ErrURL, device.ErrNotFound},
	},
	"POST /v1/devices/{id}/webhooks/{webhook}/secret": {
		ID: "webhooks#rotateOfDevice", Summary: "Give a webhook of a device a new secret",
		More:  "The old one signs beside it for a day.",
		Fails: []*problem.Problem{ErrNotFound, device.ErrNotFound},
	},
}
