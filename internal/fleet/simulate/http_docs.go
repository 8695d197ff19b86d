package simulate

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/devices/{id}/simulation": {
		ID: "simulation#show", Summary: "Whether the server simulates a device, and until when",
		Fails: []*problem.Problem{device.ErrNotFound},
	},
	"POST /v1/devices/{id}/simulation": {
		ID: "simulation#start", Summary: "Let the server simulate a device for an hour",
		More: "The server connects as the device, with its id and secret key, and says what its sensors measure: temperature and humidity. It has led, lamp (a colored light), place (a location) and plan (a schedule), too; " +
			"what its thing does not have is ignored. The secret key is kept in memory only, so that none is simulated any more after the server was restarted. The simulation ends by itself after an hour; when the device is deleted or gets another secret key; " +
			"and when somebody else connects as the device. Asked for again, it begins anew. A space may have three, the whole server fifty.",
		Fails: []*problem.Problem{device.ErrNotFound, device.ErrWrongSecret, ErrConnected, ErrTooMany, ErrFull, ErrStopping},
	},
	"DELETE /v1/devices/{id}/simulation": {
		ID: "simulation#stop", Summary: "Stop simulating a device",
		Fails: []*problem.Problem{device.ErrNotFound},
	},
}
