package sketch

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/things/{id}/sketch": {
		ID: "sketches#show", Summary: "Write the program of a thing",
		More:  "It is made anew each time, for the attached device. Files with keep are the user's own once they are there: hooks are the functions that such a file has to have.",
		Query: askProgram{},
		Fails: []*problem.Problem{ErrAuthority, ErrBoard, ErrCertificate, ErrConnection, ErrHost, ErrLanguage, ErrLoRa, ErrNoDevice, ErrNoProgram, ErrNoSketch, ErrOtherBoard, thing.ErrNotFound},
	},
	"GET /v1/things/{id}/sketch.zip": {
		ID: "sketches#download", Summary: "Download the program of a thing as a zip file",
		Query: askProgram{},
		Gives: "application/zip",
		Fails: []*problem.Problem{ErrAuthority, ErrBoard, ErrCertificate, ErrConnection, ErrHost, ErrLanguage, ErrLoRa, ErrNoDevice, ErrNoProgram, ErrNoSketch, ErrOtherBoard, thing.ErrNotFound},
	},
}

// askProgram are the parameters of queries, for the document; the handlers read them.
type askProgram struct {
	Board    string `json:"board" says:"FQBN, or type of device; that of the attached device if it is left out"`
	Language string `json:"language" rule:"enum=cpp|python|micropython|javascript" says:"cpp if it is left out, for computers python"`
}
