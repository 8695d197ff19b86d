package board

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /iot/v1/supported/devices": {ID: "supported#list", Summary: "List the boards that this server knows"},
	"GET /iot/v2/binaries/provisioningv2": {
		ID: "binaries#provisioningv2", Summary: "Get the program that a board is provisioned with",
		More:  "There is one for the boards that the operator has put one here for.",
		Query: askProgram{},
		Fails: []*problem.Problem{ErrBoard, ErrNoFirmware},
	},
	"GET /v3/boards":              {ID: "builder#boards", Summary: "List the boards that sketches can be compiled for"},
	"GET /iot/v1/lora-freq-plans": {ID: "lora_freq_plan_v1#list", Summary: "List the frequency plans of LoRa", Gives: rest.Media("lorafreqplansv1")},
	"PUT /iot/v1/lora-devices": {
		ID: "lora_devices_v1#create", Summary: "Add a LoRa device, which this server does not do",
		More:  "It has no LoRaWAN network server; the answer is 501.",
		Fails: []*problem.Problem{ErrLoRa},
	},
}

// askProgram are the parameters of the query, for the document; the handler reads them.
type askProgram struct {
	FQBN string `json:"fqbn" rule:"required" says:"of the board; its options do not matter"`
}
