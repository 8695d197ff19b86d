package board

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /iot/v1/supported/devices": {ID: "supported#list", Summary: "List the boards that this server knows"},
	"GET /v3/boards":                {ID: "builder#boards", Summary: "List the boards that sketches can be compiled for"},
	"GET /iot/v1/lora-freq-plans":   {ID: "lora_freq_plan_v1#list", Summary: "List the frequency plans of LoRa", Gives: rest.Media("lorafreqplansv1")},
	"PUT /iot/v1/lora-devices": {
		ID: "lora_devices_v1#create", Summary: "Add a LoRa device, which this server does not do",
		More:  "It has no LoRaWAN network server; the answer is 501.",
		Fails: []*problem.Problem{ErrLoRa},
	},
}
