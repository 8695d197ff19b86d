package ota

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// The wire types of this room. JSON names live here and nowhere else.

func hexOf(sha [32]byte) string { return hex.EncodeToString(sha[:]) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// wireStart is devicev2.otabinaryurl.
type wireStart struct {
	Key     string `json:"binary_key" rule:"required,length=1..200"`
	Async   bool   `json:"async"`
	Minutes int    `json:"expire_in_mins" rule:"range=0..43200"`
}

// wireStartURL is devicev2.otaurlpyalod. user_id is not read: who asks is known.
type wireStartURL struct {
	Key  string `json:"binary_key" rule:"required,length=1..200"`
	SHA  string `json:"sha256" pattern:"^([a-fA-F0-9]{64})?$"`
	User string `json:"user_id"`
}

// wireUploaded is ArduinoDevicev2Otaupload.
type wireUploaded struct {
	Version int    `json:"ota_version"`
	SHA     string `json:"file_sha,omitempty"`
	ID      string `json:"ota_id,omitempty"`
	Status  string `json:"status,omitempty"`
}

// toUploaded tells the id also for boards of the first generation, whose updates we follow as well.
func toUploaded(u Update, i Image) wireUploaded {
	return wireUploaded{Version: u.Version, SHA: hexOf(i.FileSHA), ID: u.ID, Status: string(u.Status)}
}

// wireUpdate is the object ota of the compatible API (cloud-api reference, section 7.1), and some fields of our own behind it.
type wireUpdate struct {
	ID         string `json:"id"`
	DeviceID   string `json:"device_id"`
	Status     string `json:"status"`
	StartedAt  string `json:"started_at"`
	EndedAt    string `json:"ended_at,omitempty"`
	Reason     string `json:"error_reason,omitempty"`
	Size       int64  `json:"firmware_size"`
	MaxRetries int    `json:"max_retries"`
	Attempt    int    `json:"retry_attempt"`

	State     string `json:"state,omitempty"` // what the device said last
	Fetched   int64  `json:"fetched"`         // bytes
	Image     string `json:"image_id"`
	Campaign  string `json:"campaign_id,omitempty"`
	Wave      int    `json:"wave,omitempty"` // the first is 1
	By        string `json:"user_id"`
	CreatedAt string `json:"created_at"`
	StartAt   string `json:"start_at,omitempty"`
	ExpiresAt string `json:"expires_at"`
	SHA       string `json:"sha256"` // of the new image
}

func toWire(u Update) wireUpdate {
	w := wireUpdate{
		ID: u.ID, DeviceID: u.Device, Status: string(u.Status), StartedAt: stamp(u.StartedAt), EndedAt: stamp(u.EndedAt), Reason: u.Error, Size: u.Bytes,
		MaxRetries: u.MaxRetries, Attempt: u.Attempt, State: u.State, Fetched: u.Fetched, Image: u.Image, Campaign: u.Campaign, By: u.Owner,
		CreatedAt: stamp(u.CreatedAt), StartAt: stamp(u.StartAt), ExpiresAt: stamp(u.ExpiresAt), SHA: hexOf(u.Final),
	}
	if u.Campaign != "" {
		w.Wave = u.Wave + 1
	}
	if w.StartedAt == "" {
		w.StartedAt = w.CreatedAt // clients show it as it is
	}
	return w
}

type wireUpdates struct {
	Updates []wireUpdate `json:"ota"`
}

// wireLine is one of states.
type wireLine struct {
	Update string `json:"ota_id"`
	State  string `json:"state"`
	Data   string `json:"state_data,omitempty"`
	At     string `json:"timestamp"`
}

type wireCourse struct {
	Update wireUpdate `json:"ota"`
	Lines  []wireLine `json:"states"`
}

// toCourse keeps the latest steps, in the order that is asked for; the first first unless it says otherwise.
func toCourse(u Update, lines []Line, f Filter) wireCourse {
	if f.Limit > 0 && len(lines) > f.Limit {
		lines = lines[len(lines)-f.Limit:]
	}
	w := wireCourse{Update: toWire(u), Lines: make([]wireLine, 0, len(lines))}
	for _, l := range lines {
		one := wireLine{Update: u.ID, State: l.State, At: stamp(l.At)}
		if l.Data != 0 || l.State == "fetch" {
			one.Data = strconv.FormatInt(l.Data, 10)
		}
		w.Lines = append(w.Lines, one)
	}
	if !f.OldestFirst && f.Limit > 0 {
		slices.Reverse(w.Lines)
	}
	return w
}

type wireImage struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Key       string `json:"binary_key"`
	Board     string `json:"board"` // FQBN
	Magic     string `json:"magic"`
	FileSize  int64  `json:"file_size"`
	ImageSize int64  `json:"image_size"`
	FileSHA   string `json:"file_sha256"`
	SHA       string `json:"sha256"` // of the image, as the board tells it
	By        string `json:"user_id"`
	Lasting   bool   `json:"lasting"`
	CreatedAt string `json:"created_at"`
	UsedAt    string `json:"used_at"`
}

func toImage(i Image) wireImage {
	return wireImage{
		ID: i.ID, Name: i.Name, Key: i.Key(), Board: i.Magic.String(), Magic: fmt.Sprintf("%#010x", uint32(i.Magic)), FileSize: i.FileBytes, ImageSize: i.ImageBytes,
		FileSHA: hexOf(i.FileSHA), SHA: hexOf(i.ImageSHA), By: i.Owner, Lasting: i.Lasting, CreatedAt: stamp(i.CreatedAt), UsedAt: stamp(i.UsedAt),
	}
}

// wireWish starts a campaign.
type wireWish struct {
	Image     string   `json:"image_id" rule:"required"`
	Devices   []string `json:"device_ids" rule:"items=0..100000,length=1..64"`
	Tags      []string `json:"tags" rule:"items=0..16,length=1..129"` // key:value
	WaveSize  int      `json:"wave_size" rule:"range=0..100000"`
	MaxFailed int      `json:"max_failed_percent" rule:"range=0..100"`
	StartAt   string   `json:"start_at"`
	Minutes   int      `json:"expire_in_mins" rule:"range=0..43200"`
	Retries   int      `json:"max_retries"`
}

type wireSkipped struct {
	DeviceID string `json:"device_id"`
	Code     string `json:"code"`
	Detail   string `json:"detail"`
}

type wireTally struct {
	Wave    int    `json:"wave"` // the first is 1
	Status  string `json:"status"`
	Reason  string `json:"error_reason,omitempty"`
	Devices int    `json:"devices"`
}

type wireCampaign struct {
	ID        string        `json:"id"`
	State     string        `json:"state"`
	Image     string        `json:"image_id"`
	By        string        `json:"user_id"`
	Devices   int           `json:"devices"`
	WaveSize  int           `json:"wave_size"`
	Wave      int           `json:"wave"` // under way; the first is 1
	Waves     int           `json:"waves"`
	MaxFailed int           `json:"max_failed_percent"`
	CreatedAt string        `json:"created_at"`
	EndedAt   string        `json:"ended_at,omitempty"`
	Tally     []wireTally   `json:"tally,omitempty"`
	Skipped   []wireSkipped `json:"skipped,omitempty"`
}

func toCampaign(c Campaign, tallies []Tally, skipped []Skipped) wireCampaign {
	w := wireCampaign{ID: c.ID, State: string(c.State), Image: c.Image, By: c.Owner, Devices: c.Devices, WaveSize: c.WaveSize, Wave: c.Wave + 1, Waves: c.Waves(),
		MaxFailed: c.MaxFailed, CreatedAt: stamp(c.CreatedAt), EndedAt: stamp(c.EndedAt)}
	for _, t := range tallies {
		w.Tally = append(w.Tally, wireTally{t.Wave + 1, string(t.Status), t.Error, t.Devices})
	}
	for _, one := range skipped {
		p := problem.Of(one.Err)
		w.Skipped = append(w.Skipped, wireSkipped{one.Device, p.Code, p.Detail})
	}
	return w
}
