package ota

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
)

// Told is what a device of the first generation says of updates in one message. Fields that it does not
// name are nil.
type Told struct {
	Capable *bool     // OTA_CAP
	SHA     *[32]byte // OTA_SHA256: the image that runs
	Error   *int64    // OTA_ERROR: 0 is none
	URL     *string   // echo of what we sent
	Request *bool     // OTA_REQ: false when it begins
}

// told is what a device of the first generation says (device-protocol reference, section 7.5). At each connect it
// says capability, error and image together; in between it says what it does.
func (u *Update) told(t Told, at time.Time, news *[]Line) {
	if u.Status.Over() {
		return
	}
	if t.SHA != nil && (u.Status == InProgress || *t.SHA == u.Final) {
		if u.Status == InProgress && *t.SHA != u.Final && t.Error != nil && *t.Error != 0 && u.begun() {
			u.end(Failed, legacyFailure(*t.Error), *t.Error, at, news)
			return
		}
		u.runs(*t.SHA, at, news)
		return
	}
	if u.Status != InProgress {
		return
	}
	switch {
	case t.Error != nil && *t.Error != 0:
		u.HeardAt = at
		u.end(Failed, legacyFailure(*t.Error), *t.Error, at, news)
	case t.Request != nil && !*t.Request:
		// It downloads and starts anew without another word.
		u.State, u.HeardAt = stateName(command.OtaFetch), at
		u.note(stateName(command.OtaStart), 0, at, news)
		u.note(u.State, 0, at, news)
	case t.URL != nil:
		u.State, u.HeardAt = stateName(command.OtaAvailable), at
		u.note(u.State, 0, at, news)
	}
}

// begun says whether the device has begun to fetch.
func (u *Update) begun() bool { return u.State != "" && u.State != stateName(command.OtaAvailable) }

// toTold reads the facts that a device told, which its room has checked.
func toTold(said map[device.Fact]string) Told {
	var t Told
	if v, ok := said[device.OTACap]; ok {
		yes := v == "true"
		t.Capable = &yes
	}
	if sha, err := hex.DecodeString(said[device.OTASHA256]); err == nil && len(sha) == 32 {
		t.SHA = (*[32]byte)(sha)
	}
	if n, err := strconv.ParseInt(said[device.OTAError], 10, 64); err == nil {
		t.Error = &n
	}
	if v, ok := said[device.OTAURL]; ok {
		t.URL = &v
	}
	if v, ok := said[device.OTAReq]; ok {
		yes := v == "true"
		t.Request = &yes
	}
	return t
}
