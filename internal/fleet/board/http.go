package board

import (
	"encoding/base64"
	"net/http"
	"path/filepath"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// ErrLoRa is a device that only a LoRa network could reach.
var ErrLoRa = problem.New(problem.Unsupported, "no-lora-network", "No LoRa network is connected to this server, so it cannot register LoRa devices. Boards on Wi-Fi, Ethernet or a mobile network can be added.")

type wireBoard struct {
	FQBN         string   `json:"fqbn"`
	Label        string   `json:"label"`
	Type         string   `json:"type"`
	Vendor       string   `json:"vendor"`
	Tags         []string `json:"tags"`
	Provisioning string   `json:"provisioning"`
	Sketch       string   `json:"min_provisioning_sketch_version,omitempty"`
	WiFi         string   `json:"min_provisioning_wifi_version,omitempty"`
	OTA          bool     `json:"ota_available"`
}

type wireFirmware struct {
	Bin      string `json:"bin"` // base64
	Filename string `json:"filename"`
	FQBN     string `json:"fqbn"`
	Name     string `json:"name"`
	SHA256   string `json:"sha256"` // of the program, hex
}

type wireItems struct {
	Items []wireItem `json:"items"`
}

type wireItem struct {
	FQBN    string `json:"fqbn"`
	Name    string `json:"name"`
	Package string `json:"package"`
}

type wirePlans struct {
	Plans []wirePlan `json:"frequency_plans"`
}

type wirePlan struct {
	Advanced bool   `json:"advanced"`
	ID       string `json:"id"`
	Name     string `json:"name"`
}

// inLoRa is CreateLoraDevicesV1Payload.
type inLoRa struct {
	App    string  `json:"app" rule:"required"`
	EUI    string  `json:"eui" rule:"required" pattern:"[0-9a-z]{16}"`
	Plan   string  `json:"frequency_plan" rule:"required,enum=EU_863_870_TTN|US_902_928_FSB_2|EU_433|AU_915_928_FSB_2|CN_470_510_FSB_11|AS_920_923|AS_920_923_TTN_AU|AS_923_925|AS_923_925_TTN_AU|KR_920_923_TTN|IN_865_867"`
	Name   string  `json:"name" rule:"required"`
	Type   string  `json:"type" rule:"required,enum=lora-device|mkrwan1300|mkrwan1310"`
	User   string  `json:"user_id" rule:"required"`
	AppEUI *string `json:"app_eui" pattern:"[0-9a-z]{16}"`
	AppKey *string `json:"app_key" pattern:"[0-9a-z]{16}"`
	Serial *string `json:"serial"`
}

// Routes are the addresses of this room. Paths and wire names are those of the API that
// we are compatible with; what is in the catalogue is no secret. programs are those that boards are provisioned with.
func Routes(programs Folder) []door.Route {
	return docs.Tell([]door.Route{
		{Pattern: "GET /iot/v1/supported/devices", Open: true, Out: []wireBoard{}, Do: programs.httpSupported},
		{Pattern: "GET /iot/v2/binaries/provisioningv2", Action: "board:list", Out: wireFirmware{}, Do: programs.httpFirmware},
		{Pattern: "GET /v3/boards", Open: true, Out: wireItems{}, Do: httpBoards},
		{Pattern: "GET /iot/v1/lora-freq-plans", Action: "board:list", Out: wirePlans{}, Do: httpPlans},
		// The only answer that it has is that there is no network.
		{Pattern: "PUT /iot/v1/lora-devices", Action: "device:create", In: inLoRa{}, Status: http.StatusNotImplemented, Do: httpLoRa},
	})
}

func (f Folder) httpSupported(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	all := make([]wireBoard, 0, len(boards))
	for _, b := range boards {
		ways, _ := device.Connections(b.Type) // a type without any has no tags
		tags := make([]string, 0, len(ways))
		for _, w := range ways {
			tags = append(tags, w.Type)
		}
		// v1: the board's key pair is made over USB, and the API signs its request. v2: the board asks by itself; without the
		// program that does so a client could not begin.
		one := wireBoard{FQBN: b.FQBN, Label: b.Name, Type: b.Type, Vendor: b.Vendor(), Tags: tags, Provisioning: "v1", OTA: b.OTA}
		if f.Has(b.FQBN) {
			one.Provisioning, one.Sketch, one.WiFi = "v2", SketchVersion, generation2[b.FQBN]
		}
		all = append(all, one)
	}
	return rest.Write(w, http.StatusOK, "application/json", all)
}

func (f Folder) httpFirmware(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	p, err := f.Read(r.URL.Query().Get("fqbn"))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, "application/json", wireFirmware{
		Bin: base64.StdEncoding.EncodeToString(p.Image), Filename: filepath.Base(f.path(p.FQBN)), FQBN: p.FQBN, Name: p.Name, SHA256: p.SHA256(),
	})
}

func httpBoards(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	all := wireItems{Items: make([]wireItem, 0, len(boards))}
	for _, b := range boards {
		all.Items = append(all.Items, wireItem{b.FQBN, b.Name, b.Package})
	}
	return rest.Write(w, http.StatusOK, "application/json", all)
}

func httpPlans(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	all := wirePlans{Plans: make([]wirePlan, 0, len(plans))}
	for _, p := range plans {
		all.Plans = append(all.Plans, wirePlan{p.Advanced, p.ID, p.Name})
	}
	return rest.Write(w, http.StatusOK, rest.Media("lorafreqplansv1"), all)
}

// httpLoRa refuses in words: keys that no network knows would only be found wrong in the field.
func httpLoRa(http.ResponseWriter, *http.Request, access.Actor) error { return ErrLoRa }
