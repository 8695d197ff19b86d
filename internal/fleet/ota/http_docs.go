package ota

import (
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"POST /iot/v2/devices/{id}/ota": {
		ID: "devices_v2_ota#upload", Summary: "Send a program to a device",
		Takes: "multipart/form-data", Form: askUpload{}, Also: []int{http.StatusOK},
		Gives: rest.Media("devicev2.otaupload"),
		Fails: []*problem.Problem{ErrForm, ErrIncapable, ErrInvalid, ErrOtherBoard, ErrRunning, ErrStorage, device.ErrNotFound, otafile.ErrCRC, otafile.ErrEmpty, otafile.ErrFile, otafile.ErrLength, otafile.ErrTooLarge, otafile.ErrVersion, rest.ErrBody, rest.ErrQuery},
	},
	"PUT /iot/v2/devices/{id}/ota": {
		ID: "devices_v2_ota#send", Summary: "Send a stored program to a device",
		Also:  []int{http.StatusOK},
		Fails: []*problem.Problem{ErrImageNotFound, ErrIncapable, ErrInvalid, ErrOtherBoard, ErrRunning, ErrStorage, device.ErrNotFound},
	},
	"POST /iot/v2/devices/{id}/ota/url": {
		ID: "devices_v2_ota#url", Summary: "Send a stored program to a device by its address",
		Also:  []int{http.StatusOK},
		Fails: []*problem.Problem{ErrImageNotFound, ErrIncapable, ErrInvalid, ErrOtherBoard, ErrRunning, ErrStorage, device.ErrNotFound},
	},
	"GET /ota/v1/ota": {ID: "ota_v1#list", Summary: "List updates of devices", Query: askUpdates{}, Fails: []*problem.Problem{rest.ErrQuery}},
	"GET /ota/v1/ota/{id}": {
		ID: "ota_v1#show", Summary: "Show an update and the states it went through",
		Query: askStates{},
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"PUT /ota/v1/ota/{id}/cancel": {ID: "ota_v1#cancel", Summary: "Cancel an update", Fails: []*problem.Problem{ErrNotFound, ErrOver}},
	"GET /v1/ota/images":          {ID: "images#list", Summary: "List the stored programs"},
	"POST /v1/ota/images": {
		ID: "images#create", Summary: "Store a program",
		Takes: "multipart/form-data", Form: askImage{},
		Fails: []*problem.Problem{ErrForm, ErrInvalid, ErrOtherBoard, ErrStorage, otafile.ErrCRC, otafile.ErrEmpty, otafile.ErrFile, otafile.ErrLength, otafile.ErrTooLarge, otafile.ErrVersion, rest.ErrBody, rest.ErrQuery},
	},
	"GET /v1/ota/images/{id}":    {ID: "images#show", Summary: "Show a stored program", Fails: []*problem.Problem{ErrImageNotFound}},
	"DELETE /v1/ota/images/{id}": {ID: "images#delete", Summary: "Remove a stored program", Fails: []*problem.Problem{ErrImageNotFound, ErrImageUsed}},
	"GET /v1/ota/campaigns":      {ID: "campaigns#list", Summary: "List campaigns"},
	"POST /v1/ota/campaigns": {
		ID: "campaigns#create", Summary: "Send a stored program to many devices, in waves",
		Fails: []*problem.Problem{ErrImageNotFound, ErrIncapable, ErrInvalid, ErrNoDevices, ErrOtherBoard, ErrRunning},
	},
	"GET /v1/ota/campaigns/{id}": {ID: "campaigns#show", Summary: "Show a campaign", Fails: []*problem.Problem{ErrCampaignNotFound}},
	"GET /v1/ota/campaigns/{id}/ota": {
		ID: "campaigns#updates", Summary: "List the updates of a campaign",
		Query: askUpdates{},
		Fails: []*problem.Problem{ErrCampaignNotFound, rest.ErrQuery},
	},
	"PUT /v1/ota/campaigns/{id}/cancel": {
		ID: "campaigns#cancel", Summary: "Cancel a campaign",
		Fails: []*problem.Problem{ErrCampaignNotFound, ErrCampaignOver},
	},
	"PUT /v1/ota/campaigns/{id}/resume": {
		ID: "campaigns#resume", Summary: "Let a held campaign go on",
		Fails: []*problem.Problem{ErrCampaignNotFound, ErrCampaignOver},
	},
	"GET /ota/{token}": {
		ID: "ota_v1#file", Summary: "The file of an update, for its board",
		Gives: "application/octet-stream", Also: []int{http.StatusPartialContent}, Plain: true, More: "The address is told to one board only, which shows its certificate's id or its secret key. A part may be asked for with Range.",
		Fails: []*problem.Problem{ErrBoard, ErrNoFile},
	},
}

// The fields of forms and the parameters of queries, for the document; the handlers read them.
type (
	askUpload struct {
		File   string `json:"ota_file" rule:"required" says:"the .ota file; with fqbn a plain image"`
		Async  bool   `json:"async" says:"false: answer only after the device has finished; true if it is left out"`
		Expire int    `json:"expire_in_mins" rule:"range=1.." says:"how long it is tried; 10 if it is left out"`
		Name   string `json:"name" says:"of the image; the file's if it is left out"`
		Board  string `json:"fqbn" says:"the board that a plain image is for"`
	}
	askImage struct {
		File  string `json:"ota_file" rule:"required" says:"the .ota file; with fqbn a plain image"`
		Name  string `json:"name" says:"of the image; the file's if it is left out"`
		Board string `json:"fqbn" says:"the board that a plain image is for"`
	}
	askUpdates struct {
		Device string `json:"device_id" says:"only of this device; none, if there is no such device"`
		Limit  int    `json:"limit" rule:"range=0.." says:"how many"`
		Order  string `json:"order" rule:"enum=asc|desc" says:"desc, the newest first, if it is left out"`
	}
	askStates struct {
		Limit int    `json:"limit" rule:"range=0.." says:"how many states"`
		Order string `json:"order" rule:"enum=asc|desc" says:"desc, the newest first, if it is left out"`
	}
)
