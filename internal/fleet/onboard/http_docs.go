package onboard

import (
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// refusals is what the document says where refusing answers: a body of its own, with a number that clients go by.
const refusals = "A refusal has err, a text, and err_code, a number, beside code, detail, id and status."

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"POST /provisioning/v1/onboarding/claim": {
		ID: "provisioning#claim", Summary: "Claim a board for the space",
		More:  "board_token is signed by the board, at most 15 minutes ago. The board then has a day to come for its certificate. " + refusals + " With the err_code 1, register the board and claim it again; with 3, its key is another than the registered one.",
		Plain: true,
		Fails: []*problem.Problem{ErrClaimToken, ErrInvalid, ErrLocked, ErrOtherKey, ErrReplayed, ErrStale, ErrTooMany, ErrUnknownBoard, device.ErrTooMany},
	},
	"POST /provisioning/v1/boards/register": {
		ID: "provisioning#register", Summary: "Register the public key of a board",
		More:  "A registration that nobody claims within a day is forgotten. " + refusals,
		Plain: true,
		Fails: []*problem.Problem{ErrInvalid, ErrRegistered, ErrTooMany},
	},
	"GET /provisioning/v1/onboarding": {
		ID: "provisioning#list", Summary: "List the boards that are on their way into the space",
		More:  "The device_id of an entry is null until the board has its certificate.",
		Query: askOnboardings{},
		Fails: []*problem.Problem{rest.ErrQuery},
	},
	"DELETE /provisioning/v1/onboarding/{id}": {
		ID: "provisioning#drop", Summary: "Take back the claim of a board",
		More:  "A device that was made of it and has never connected is deleted. An onboarding that has ended only leaves the list. " + refusals,
		Plain: true,
		Fails: []*problem.Problem{ErrNotFound},
	},
	"POST /provisioning/v1/onboarding/provision/csr": {
		ID: "provisioning#certify", Summary: "Certify the key of a claimed board, for the board itself",
		More:  "The bearer token is one that the board has signed, and not the one that it was claimed with. The answer is one line: device_id|authority_key_id|not_before|serial|signature_x|signature_y.",
		Gives: "text/plain; charset=utf-8",
		Fails: []*problem.Problem{ErrLocked, ErrName, ErrNoClaim, ErrToken, boardcert.ErrCSR, ca.ErrInterrupted, ca.ErrKeyTaken, ca.ErrNotReady, ca.ErrQuota, ca.ErrWeakKey, device.ErrHardwareTaken, device.ErrIDTaken, device.ErrInvalid, device.ErrTooMany},
	},
	"POST /provisioning/v1/onboarding/provision/complete": {
		ID: "provisioning#complete", Summary: "Say that a board has its certificate, for the board itself",
		More:  "The bearer token is one that the board has signed, and not the one that it was claimed with.",
		Fails: []*problem.Problem{ErrNoClaim, ErrToken, device.ErrNotFound},
	},
}

// askOnboardings are the parameters of the query, for the document; the handler reads them.
type askOnboardings struct {
	All bool `json:"all" says:"also those of others, and those that have ended; otherwise only your own that have not"`
}
