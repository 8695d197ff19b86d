package device

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// A row is a device as the database has it.
type row struct {
	Device        // without the fields that private and reported hold
	private       []byte
	reported      []byte
	hardwareIndex []byte // nil without a hardware id
	secret        []byte // nil without a secret key
	leaving       string
	online        bool // as last written
}

// What a row has still to do before it is deleted.
const (
	staying     = ""
	leavingSoft = "soft" // be detached
	leavingHard = "hard" // lose its certificates, be detached, be removed
)

// sealedDevice is what the column private holds, sealed.
type sealedDevice struct {
	Name       string            `json:"n,omitempty"`
	Serial     string            `json:"s,omitempty"`
	BLEMAC     string            `json:"b,omitempty"`
	HardwareID string            `json:"h,omitempty"`
	FQBN       string            `json:"f,omitempty"`
	Tags       map[string]string `json:"t,omitempty"`
}

// sealedReport is one value of what the column reported holds, sealed.
type sealedReport struct {
	Value string `json:"v"`
	At    int64  `json:"a"` // µs since 1970, UTC
}

// Where sealed values stand: nobody can move one to another device or column.
func privatePlace(id string) []byte  { return keys.Place("device", "private", id) }
func reportedPlace(id string) []byte { return keys.Place("device", "reported", id) }

// close makes the row of d. What the row has besides a Device is left as it is.
func (r *row) close(d Device, seal keys.Sealer, hardwareIndex func([]byte) []byte) error {
	plain, err := json.Marshal(sealedDevice{Name: d.Name, Serial: d.Serial, BLEMAC: d.BLEMAC, HardwareID: d.HardwareID, FQBN: d.FQBN, Tags: d.Tags})
	if err != nil {
		return err
	}
	if r.private, err = seal.Seal(plain, privatePlace(d.ID)); err != nil {
		return fmt.Errorf("seal device %s: %w", d.ID, err)
	}
	r.Device = d
	r.index(hardwareIndex)
	return r.closeReported(d.Reported, seal)
}

// index takes the board of r's device; a deleted device does not keep its board from others.
func (r *row) index(hardwareIndex func([]byte) []byte) {
	r.hardwareIndex = nil
	if r.HardwareID != "" && r.DeletedAt.IsZero() {
		r.hardwareIndex = hardwareIndex([]byte(r.HardwareID))
	}
}

func (r *row) closeReported(facts Reported, seal keys.Sealer) error {
	wire := make(map[Fact]sealedReport, len(facts))
	for f, v := range facts {
		wire[f] = sealedReport{v.Value, v.At.UnixMicro()}
	}
	plain, err := json.Marshal(wire)
	if err != nil {
		return err
	}
	if r.reported, err = seal.Seal(plain, reportedPlace(r.ID)); err != nil {
		return fmt.Errorf("seal reports of device %s: %w", r.ID, err)
	}
	return nil
}

// open makes the Device of r.
func (r *row) open(seal keys.Sealer) (Device, error) {
	plain, err := seal.Open(r.private, privatePlace(r.ID))
	if err != nil {
		return Device{}, fmt.Errorf("open device %s: %w", r.ID, err)
	}
	var s sealedDevice
	if err := json.Unmarshal(plain, &s); err != nil {
		return Device{}, fmt.Errorf("read device %s: %w", r.ID, err)
	}
	d := r.Device
	d.Name, d.Serial, d.BLEMAC, d.HardwareID, d.FQBN, d.Tags = s.Name, s.Serial, s.BLEMAC, s.HardwareID, s.FQBN, s.Tags
	d.HasSecret = r.secret != nil
	d.Reported, err = r.openReported(seal)
	return d, err
}

func (r *row) openReported(seal keys.Sealer) (Reported, error) {
	plain, err := seal.Open(r.reported, reportedPlace(r.ID))
	if err != nil {
		return nil, fmt.Errorf("open reports of device %s: %w", r.ID, err)
	}
	var wire map[Fact]sealedReport
	if err := json.Unmarshal(plain, &wire); err != nil {
		return nil, fmt.Errorf("read reports of device %s: %w", r.ID, err)
	}
	facts := make(Reported, len(wire))
	for f, v := range wire {
		facts[f] = Report{v.Value, time.UnixMicro(v.At).UTC()}
	}
	return facts, nil
}

// merge takes newer reports into old ones.
func (old Reported) merge(newer Reported) Reported {
	all := maps.Clone(old)
	if all == nil {
		all = make(Reported, len(newer))
	}
	for f, v := range newer {
		if was, known := all[f]; !known || !was.At.After(v.At) {
			all[f] = v
		}
	}
	return all
}
