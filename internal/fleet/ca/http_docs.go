package ca

import (
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /iot/v2/devices/{id}/certs": {
		ID: "devices_v2_certs#list", Summary: "List the certificates of a device",
		Gives: rest.Collection("devicev2.cert"),
	},
	"PUT /iot/v2/devices/{id}/certs": {
		ID: "devices_v2_certs#create", Summary: "Sign a certificate request of a device",
		Gives: rest.Media("devicev2.cert"),
		Fails: []*problem.Problem{ErrInterrupted, ErrKeyTaken, ErrLabel, ErrName, ErrNotReady, ErrQuota, ErrWeakKey, boardcert.ErrCSR},
	},
	"GET /iot/v2/devices/{id}/certs/{cid}": {
		ID: "devices_v2_certs#show", Summary: "Show a certificate",
		Gives: rest.Media("devicev2.cert"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"POST /iot/v2/devices/{id}/certs/{cid}": {
		ID: "devices_v2_certs#update", Summary: "Enable or disable a certificate, or sign another request in its place",
		Gives: rest.Media("devicev2.cert"),
		Fails: []*problem.Problem{ErrInterrupted, ErrKeyTaken, ErrLabel, ErrName, ErrNotFound, ErrNotReady, ErrQuota, ErrRevoked, ErrWeakKey, boardcert.ErrCSR},
	},
	"DELETE /iot/v2/devices/{id}/certs/{cid}": {ID: "devices_v2_certs#delete", Summary: "Revoke a certificate", Fails: []*problem.Problem{ErrNotFound}},
}
