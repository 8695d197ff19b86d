package device

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// The wire types of this room; cloud-api reference, sections 6.1, 6.3 and 6.4. JSON
// names live here and nowhere else. The seven keys without omitempty are those
// without which the Go client refuses a device.

// wireDevice is ArduinoDevicev2.
type wireDevice struct {
	Href     string `json:"href"`
	ID       string `json:"id"`
	Label    string `json:"label"`
	Name     string `json:"name"`
	Serial   string `json:"serial"`
	Type     string `json:"type"`
	UserID   string `json:"user_id"`
	BLEMAC   string `json:"ble_mac,omitempty"`
	ConnType string `json:"connection_type,omitempty"`

	CreatedAt      string `json:"created_at,omitempty"`
	UpdatedAt      string `json:"updated_at,omitempty"`
	DeletedAt      string `json:"deleted_at,omitempty"`
	LastActivityAt string `json:"last_activity_at,omitempty"`

	Status         string            `json:"device_status"`
	Events         []wireReport      `json:"events,omitempty"`
	FQBN           string            `json:"fqbn,omitempty"`
	IssuerCA       string            `json:"issuer_ca,omitempty"`
	LibVersion     string            `json:"lib_version,omitempty"`
	Locked         bool              `json:"locked"`
	NoSketch       bool              `json:"no_sketch"`
	OrganizationID string            `json:"organization_id,omitempty"`
	OTAAvailable   bool              `json:"ota_available"`
	OTACompatible  bool              `json:"ota_compatible"`
	Tags           map[string]string `json:"tags,omitempty"`
	Thing          any               `json:"thing,omitempty"`
	HardwareID     string            `json:"unique_hardware_id,omitempty"`
	Webhooks       any               `json:"webhooks,omitempty"`
	WiFiFW         string            `json:"wifi_fw_version,omitempty"`
}

func toWire(d Device) wireDevice {
	k, _ := KindOf(d.Type)
	w := wireDevice{
		Href: "/iot/v2/devices/" + d.ID, ID: d.ID, Label: d.Label(), Name: d.Name, Serial: d.Serial, Type: d.Type, UserID: d.Owner,
		BLEMAC: d.BLEMAC, ConnType: d.ConnectionType, Status: string(d.Status), Events: wireReports(d.Reported),
		CreatedAt: stampOf(d.CreatedAt), UpdatedAt: stampOf(d.UpdatedAt), DeletedAt: stampOf(d.DeletedAt), LastActivityAt: stampOf(d.LastActivityAt),
		FQBN: d.FQBN, LibVersion: d.Reported[LibVersion].Value, Locked: d.Locked, NoSketch: !k.Sketch,
		OTACompatible: k.OTA, OTAAvailable: k.OTA && d.Status == Online && d.Reported[OTASHA256].Value != "",
		Tags: d.Tags, HardwareID: d.HardwareID, WiFiFW: d.WiFiFW,
	}
	return w
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}

// wireReport is ArduinoDevicev2SimpleProperties.
type wireReport struct {
	Name      string `json:"name"`
	UpdatedAt string `json:"updated_at"`
	Value     any    `json:"value"`
}

func wireReports(facts Reported) []wireReport {
	all := make([]wireReport, 0, len(facts))
	for f, v := range facts {
		all = append(all, wireReport{string(f), stamp(v.At), v.Value})
	}
	slices.SortFunc(all, func(a, b wireReport) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// wireFields are what clients may write of a device. user_id and soft_deleted of
// CreateDevicesV2Payload are not read: a device belongs to who makes it, and is there.
type wireFields struct {
	BLEMAC     *string `json:"ble_mac"`
	ConnType   *string `json:"connection_type"`
	FQBN       *string `json:"fqbn"`
	Locked     *bool   `json:"locked"`
	Name       *string `json:"name"`
	Serial     *string `json:"serial"`
	HardwareID *string `json:"unique_hardware_id"`
	WiFiFW     *string `json:"wifi_fw_version"`
}

// apply changes those fields of d that w has.
func (w wireFields) apply(d *Device) {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&d.BLEMAC, w.BLEMAC)
	set(&d.ConnectionType, w.ConnType)
	set(&d.FQBN, w.FQBN)
	set(&d.Name, w.Name)
	set(&d.Serial, w.Serial)
	set(&d.WiFiFW, w.WiFiFW)
	set(&d.HardwareID, w.HardwareID)
	d.HardwareID = strings.ToLower(d.HardwareID)
	if w.Locked != nil {
		d.Locked = *w.Locked
	}
}

// wireCreate is CreateDevicesV2Payload.
type wireCreate struct {
	wireFields
	Type string    `json:"type" rule:"required"`
	Tags []wireTag `json:"tags" rule:"items=0..256"` // ours, as things have it
}

func (w wireCreate) device() Device {
	d := Device{Type: w.Type}
	w.apply(&d)
	for _, t := range w.Tags {
		if d.Tags == nil {
			d.Tags = make(map[string]string)
		}
		d.Tags[t.Key] = t.Value
	}
	return d
}

// wireClaim is CreateClaimedDevicesV2Payload.
type wireClaim struct {
	wireCreate
	ID string `json:"ID" rule:"format=uuid"` // in upper case indeed
}

// wireUpdate is devicev2.
type wireUpdate struct {
	wireFields
	Type        *string `json:"type"`
	SoftDeleted bool    `json:"soft_deleted"` // left out it is false, and an update restores the device
}

func (w wireUpdate) apply(d *Device) {
	w.wireFields.apply(d)
	if w.Type != nil {
		d.Type = *w.Type
	}
	if !w.SoftDeleted {
		d.DeletedAt = time.Time{}
	}
}

// wireEvents is ArduinoDevicev2EventProperties.
type wireEvents struct {
	Events []wireReport `json:"events"`
	ID     string       `json:"id"`
}

// wireStatuses is ArduinoDevicev2StatusEvents.
type wireStatuses struct {
	Events []wireStatus `json:"events"`
	ID     string       `json:"id"`
}

type wireStatus struct {
	UpdatedAt string `json:"updated_at"`
	Value     string `json:"value"`
}

// wireProperties is ArduinoDevicev2properties.
type wireProperties struct {
	RetentionDays float64 `json:"data_retention_days"`
	DeviceID      string  `json:"deviceId"`
	Properties    any     `json:"properties"`
	UserID        string  `json:"user_id"`
}

// wireValues is propertiesValues.
type wireValues struct {
	Input      bool        `json:"input"`
	Properties []wireValue `json:"properties" rule:"required,items=0..1000"`
}

type wireValue struct {
	Name  string          `json:"name" rule:"required,length=1..128"`
	Type  string          `json:"type"` // infer, base64, hex or json
	Value json.RawMessage `json:"value" rule:"required"`
}

// wireHistory is ArduinoDevicev2propertyvalues.
type wireHistory struct {
	ID     string       `json:"id"`
	Next   wireCursor   `json:"last_evaluated_key"`
	Name   string       `json:"name"`
	Values []wireSample `json:"values"`
}

type wireCursor struct {
	CreatedAt string `json:"created_at,omitempty"`
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
}

type wireSample struct {
	CreatedAt string      `json:"created_at"`
	Value     wirePayload `json:"value"`
}

type wirePayload struct {
	Payload string `json:"payload"`
	Number  int    `json:"seqno"`
}

// wirePass is ArduinoDevicev2Pass.
type wirePass struct {
	Set       bool   `json:"set"`
	Suggested string `json:"suggested_password,omitempty"`
}

// wireSetPass is devicev2.pass. Without a password the server makes one up.
type wireSetPass struct {
	Password string `json:"password"`
}

type wireCheckPass struct {
	Password string `json:"password" rule:"required"`
}

// wireTags is ArduinoTags.
type wireTags struct {
	Tags []wireTag `json:"tags"`
}

type wireTag struct {
	Key   string `json:"key" rule:"required,length=0..64"`
	Value string `json:"value" rule:"required,length=0..64"`
}
