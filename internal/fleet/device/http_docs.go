package device

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /iot/v2/devices": {
		ID: "devices_v2#list", Summary: "List devices",
		Query: askDevices{},
		Gives: rest.Collection("devicev2"),
		Fails: []*problem.Problem{ErrTag, rest.ErrQuery},
	},
	"PUT /iot/v2/devices": {
		ID: "devices_v2#create", Summary: "Add a device",
		Gives: rest.Media("devicev2"),
		Fails: []*problem.Problem{ErrHardwareTaken, ErrInvalid, ErrTooMany},
	},
	"PUT /iot/v2/devices/claim": {
		ID: "devices_v2#createClaimed", Summary: "Add the device of a board by its hardware id",
		Gives: rest.Media("devicev2"),
		Fails: []*problem.Problem{ErrHardwareTaken, ErrIDTaken, ErrInvalid, ErrTooMany},
	},
	"GET /iot/v2/devices/{id}": {
		ID: "devices_v2#show", Summary: "Show a device",
		Query: askDeleted{},
		Gives: rest.Media("devicev2"),
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"POST /iot/v2/devices/{id}": {
		ID: "devices_v2#update", Summary: "Change a device, or bring a deleted one back",
		Gives: rest.Media("devicev2"),
		Fails: []*problem.Problem{ErrHardwareTaken, ErrInvalid, ErrNotFound, ErrTooMany},
	},
	"DELETE /iot/v2/devices/{id}": {
		ID: "devices_v2#delete", Summary: "Delete a device",
		Query: askForce{},
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"POST /iot/v2/devices/{id}/remove-uhwid": {
		ID: "devices_v2#removeHardwareID", Summary: "Forget which board a device is",
		Gives: rest.Media("devicev2"),
		Fails: []*problem.Problem{ErrNoHardware, ErrNotFound},
	},
	"GET /iot/v2/devices/{id}/events": {
		ID: "devices_v2#getEvents", Summary: "The newest value of each of a device's properties",
		Query: askEvents{},
		Gives: rest.Media("devicev2.event.properties"),
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"GET /iot/v2/devices/{id}/status": {
		ID: "devices_v2#GetStatusEvents", Summary: "When a device came and went, newest first",
		Query: askStatuses{},
		Gives: rest.Media("devicev2.status.events"),
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"GET /iot/v2/devices/{id}/properties": {
		ID: "devices_v2#getProperties", Summary: "List the properties of the thing that a device is attached to",
		Query: askDeleted{},
		Gives: rest.Media("devicev2properties"),
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"PUT /iot/v2/devices/{id}/properties": {
		ID: "devices_v2#updateProperties", Summary: "Set values by the names of properties",
		Fails: []*problem.Problem{ErrBusy, ErrNotFound, org.ErrValues},
	},
	"GET /iot/v2/devices/{id}/properties/{pid}": {
		ID: "devices_v2#timeseries", Summary: "Values of a property, newest first",
		Query: askHistory{},
		Gives: rest.Media("devicev2propertyvalues"),
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"GET /iot/v2/devices/{id}/pass": {
		ID: "devices_v2_pass#get", Summary: "Whether a device has a secret key, and a proposal for one",
		Query: askPass{},
		Gives: rest.Media("devicev2.pass"),
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"PUT /iot/v2/devices/{id}/pass": {
		ID: "devices_v2_pass#set", Summary: "Set a device's secret key",
		Gives: rest.Media("devicev2.pass"),
		Fails: []*problem.Problem{ErrNotFound, ErrSecret},
	},
	"POST /iot/v2/devices/{id}/pass": {
		ID: "devices_v2_pass#check", Summary: "Check a device's secret key",
		Silent: 400,
		Fails:  []*problem.Problem{ErrNotFound, ErrSecret, ErrWrongSecret},
	},
	"DELETE /iot/v2/devices/{id}/pass": {
		ID: "devices_v2_pass#delete", Summary: "Remove a device's secret key",
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"GET /iot/v2/devices/{id}/tags": {
		ID: "devices_v2_tags#list", Summary: "List the tags of a device",
		Gives: rest.Media("tags"),
		Fails: []*problem.Problem{ErrNotFound, ErrTag},
	},
	"PUT /iot/v2/devices/{id}/tags": {
		ID: "devices_v2_tags#upsert", Summary: "Set a tag of a device",
		Fails: []*problem.Problem{ErrNotFound, ErrTag, ErrTooManyTags},
	},
	"DELETE /iot/v2/devices/{id}/tags/{key}": {
		ID: "devices_v2_tags#delete", Summary: "Remove a tag of a device",
		Fails: []*problem.Problem{ErrNotFound},
	},
	"GET /iot/v1/network_credentials/{type}": {
		ID: "network_credentials_v1#show", Summary: "What a sketch must know to connect a type of board",
		Query: askCredentials{},
		Gives: rest.Collection("credentialsv1"),
		Fails: []*problem.Problem{ErrNoCredentials, ErrNotFound},
	},
	"GET /iot/v1/network_credentials/{type}/connections": {
		ID: "network_credentials_v1#showByDevice", Summary: "The ways in which a type of board can connect",
		Gives: rest.Media("arduinoconnections.v1"),
		Fails: []*problem.Problem{ErrNoCredentials, ErrNotFound},
	},
}

// The parameters of queries, for the document; the handlers read them.
type (
	askDevices struct {
		Serial   string   `json:"serial" says:"devices with this serial number"`
		Hardware string   `json:"unique_hardware_id" says:"the device with this hardware id"`
		Tags     []string `json:"tags" says:"KEY:VALUE, which a device must have; all of them if there are several"`
		Text     string   `json:"q" rule:"length=..256" says:"a part of the name, whatever the case of its letters"`
		Sort     string   `json:"sort" rule:"enum=name|-name|type|-type|created_at|-created_at|updated_at|-updated_at|last_activity_at|-last_activity_at" says:"by what; with a hyphen the other way round; the oldest first, if it is left out"`
		Deleted  bool     `json:"show_deleted" says:"deleted ones too"`
		Across   bool     `json:"across_user_ids" says:"is taken and changes nothing: all devices of the space are listed"`
	}
	askDeleted struct {
		Deleted bool `json:"show_deleted" says:"also if it was deleted"`
	}
	askForce struct {
		Force bool `json:"force" says:"for good, and not only until somebody brings it back"`
	}
	askEvents struct {
		Limit int    `json:"limit" rule:"range=0.." says:"how many; 100 if it is left out or 0, and at most 1000"`
		Start string `json:"start" rule:"format=date-time" says:"is taken and changes nothing: each property has one newest value"`
	}
	askStatuses struct {
		Limit int    `json:"limit" rule:"range=0.." says:"how many; 30 if it is left out or 0, which is also how many are kept at most"`
		Start string `json:"start" rule:"format=date-time" says:"only what is older"`
	}
	askHistory struct {
		Limit int    `json:"limit" rule:"range=0.." says:"how many; 100 if it is left out or 0, and at most 1000"`
		Start string `json:"start" rule:"format=date-time" says:"only what is older"`
	}
	askPass struct {
		Suggest bool `json:"suggested_password" says:"propose one; nothing is stored"`
	}
	askCredentials struct {
		Connection string `json:"connection" says:"wifi, eth, wifiandsecret, gsm, nb, lora, catm1 or cellular; the type's first if it is left out"`
	}
)
