package live

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/live": {
		ID: "live#listen", Summary: "Hear what goes on, for as long as the connection lasts",
		More: "Server-sent events, each with an id. First hello, {\"at\",\"resumed\"}. Then values, [{\"thing\",\"property\",\"value\",\"at\"}]: properties whose last value is another, value as their last_value, " +
			"up to ten times a second and each with the newest only. devices, [{\"device\",\"status\",\"at\"}]: whether they are connected. reload, {\"reason\",\"thing\"}: fetch again what you show, since something was lost (lost), " +
			"the dashboard or which devices there are has changed (changed), the thing has (thing), or you may see more or less than before (permission); thing is there when it is about one. " +
			"Every 15 seconds a comment. What is there at the beginning is not told: say hello first, then fetch. Send the last id as Last-Event-ID to go on after a break: with resumed true all that is newer follows, some of it maybe twice; " +
			"otherwise a reload does. Without thing and dashboard it is about all things of the space. Who is a guest of a dashboard hears of the properties that are lent to them, by dashboard or by thing.",
		Query: askLive{},
		Gives: "text/event-stream",
		Fails: []*problem.Problem{ErrBusy, ErrSpaceFull, ErrTooMany, dashboard.ErrNotFound, rest.ErrQuery},
	},
}

// askLive is the parameters of the query, for the document; ReadWish reads them.
type askLive struct {
	Thing     []string `json:"thing" rule:"items=0..200" says:"only these things, by id; all if it is left out"`
	Dashboard string   `json:"dashboard" rule:"format=uuid" says:"what this dashboard shows, beside the things that are named"`
	Device    []string `json:"device" rule:"items=0..200" says:"whether these devices are connected, by id"`
	Devices   string   `json:"devices" rule:"enum=all" says:"whether the devices of the space are connected, all of them"`
}
