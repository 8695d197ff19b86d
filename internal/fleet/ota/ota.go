package ota

import (
	"fmt"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrNotFound is an update that is not there, or not for this caller.
	ErrNotFound = problem.New(problem.NotFound, "ota-not-found", "There is no such update.")
	// ErrRunning is a device that is being updated.
	ErrRunning = problem.New(problem.Conflict, "ota-running", "The device has an update that is not over: wait for its end, or cancel it.")
	// ErrOver is an update that has ended.
	ErrOver = problem.New(problem.Conflict, "ota-over", "The update is over already.")
	// ErrIncapable is a device that cannot be updated over the air.
	ErrIncapable = problem.New(problem.Precondition, "ota-incapable", "Devices of this type cannot be updated over the air.")
	// ErrOtherBoard is an image for another board.
	ErrOtherBoard = problem.New(problem.Invalid, "ota-other-board", "The file was made for another board than the device is.")
	// ErrImageNotFound is an image that is not there, or not for this caller.
	ErrImageNotFound = problem.New(problem.NotFound, "ota-image-not-found", "There is no such image.")
	// ErrImageUsed is an image that a device is being updated to.
	ErrImageUsed = problem.New(problem.Conflict, "ota-image-used", "Devices are being updated with this image: wait, or cancel their updates.")
	// ErrCampaignNotFound is a campaign that is not there, or not for this caller.
	ErrCampaignNotFound = problem.New(problem.NotFound, "ota-campaign-not-found", "There is no such campaign.")
	// ErrCampaignOver is a campaign that does not go on.
	ErrCampaignOver = problem.New(problem.Conflict, "ota-campaign-over", "The campaign is over.")
	// ErrNoDevices is a campaign without a device.
	ErrNoDevices = problem.New(problem.Invalid, "ota-no-devices", "No device is named, and none has those tags.")
	// ErrInvalid is an update or a campaign that breaks a rule.
	ErrInvalid = problem.New(problem.Invalid, "ota-invalid", "The update is not valid.")
	// ErrStorage is a space whose files take all the room that they may.
	ErrStorage = problem.New(problem.Precondition, "ota-storage", "The files of this space take all the room that they may: delete images that nobody needs, or ask whoever runs this server for more (ardesia space quota).")
)

// Bounds.
const (
	defaultLife = 10 * time.Minute    // of an update that has not begun (cloud-api reference, section 6.5)
	maxLife     = 30 * 24 * time.Hour // ours; the command line tool asks for a week at most
	maxAhead    = 365 * 24 * time.Hour
	maxRetries  = 10
	// lostRetries is how often an update is begun again that the device neither ended nor
	// gave a reason for: it lost power, or its connection for good.
	lostRetries = 2
	maxDevices  = 100_000 // of one campaign
	maxLines    = 200     // kept of the course of one update
	keepUpdates = 100     // that have ended, of one device
	maxName     = 128     // characters of an image's name
	// silence is how long a device that has begun may say nothing. While it fetches it says something every 10 s;
	// flashing and starting anew take minutes at most (device-protocol reference, section 7.2).
	silence = 30 * time.Minute
	// resendAfter is how long a device has to answer before it is sent the same again. It asks for its thing
	// every 4 s at most (device-protocol reference, section 4.1).
	resendAfter = 3 * time.Second
	// unneeded is how long an image stays that came with one update and was not used since.
	unneeded = 30 * 24 * time.Hour
)

// A Status says how far an update is. The texts are those of the API.
type Status string

const (
	Pending    Status = "pending"     // the device was not told yet
	InProgress Status = "in_progress" // it was
	Succeeded  Status = "succeeded"
	Failed     Status = "failed"
	Cancelled  Status = "cancelled"
	Expired    Status = "expired" // it did not begin in time
)

// Over says whether an update has ended.
func (s Status) Over() bool { return s != Pending && s != InProgress }

// Why an update failed, besides what devices say by a code.
const (
	// Mismatch is a device that started anew and runs the old image.
	Mismatch = "sha256mismatch"
	// UnknownSHA is a device that runs neither the old image nor the new one.
	UnknownSHA = "sha256unknown"
	// Interrupted is a device that started anew in the middle, more often than it is begun again.
	Interrupted = "interrupted"
	// Silent is a device that said nothing more.
	Silent = "noanswer"
)

// failures are the names of the codes that devices give, beginning with -1: those of Arduino's library
// (ArduinoIoTCloud, src/ota/interface/OTAInterface.h) in lower case, as people find them in Arduino's help pages.
var failures = strings.Fields(`nocapablebootloaderfail nootastoragefail otastorageinitfail otastorageopenfail otaheaderlengthfail otaheadercrcfail
	otaheadermagicnumberfail parsehttpheaderfail urlparseerrorfail serverconnecterrorfail httpheadererrorfail otadownloadfail otaheadertimeoutfail
	httpresponsefail otastorageendfail storageconfigfail libraryfail modemfail erroropenupdatefilefail errorwriteupdatefilefail errorreformatfail
	errorunmountfail errorrenamefail castorageinitfail castorageopenfail`)

// Failure is the name of a code that a device gives.
func Failure(code int32) string {
	if i := -int(code) - 1; i >= 0 && i < len(failures) {
		return failures[i]
	}
	return "unknownfail"
}

// legacyFailure is the name of a value of OTA_ERROR: 1 is a failed download, the others belong to the
// board (device-protocol reference, section 7.5).
func legacyFailure(code int64) string {
	if code == 1 {
		return Failure(-12)
	}
	return fmt.Sprintf("otaerror%d", code)
}

// An Update is that of one device.
type Update struct {
	ID, Space, Device string
	Owner             string // user id
	Image             string
	Campaign          string // "" for none
	Wave              int    // of the campaign
	Held              bool   // its wave has not come

	Status  Status
	Error   string // why it failed, a word; else ""
	Version int    // of the protocol: 1 or 2
	State   string // what the device said last; "" before
	Fetched int64  // bytes of the file that it has
	Bytes   int64  // of the file
	// From is the image that ran when it was sent, zero if nobody knows; Final is the new one.
	From, Final [32]byte

	MaxRetries, Attempt int
	lines               int

	CreatedAt time.Time
	StartAt   time.Time // not before; zero: at once
	ExpiresAt time.Time // when it has not begun by then
	StartedAt time.Time // zero: not yet
	HeardAt   time.Time // when it was sent or the device last spoke of it
	EndedAt   time.Time // zero: not yet
}

// A Line is one step of the course of an update.
type Line struct {
	Number int
	State  string
	Data   int64 // bytes when fetching, a code when failed
	At     time.Time
}

// An Image is a file for boards.
type Image struct {
	ID, Space, Owner string
	Name             string
	blob             string
	otafile.Info
	Lasting   bool // until somebody deletes it; else until nobody needs it
	CreatedAt time.Time
	UsedAt    time.Time
}

// Key is how the compatible API calls an image that is stored.
func (i Image) Key() string { return "ota/" + i.Space + "/" + i.ID + ".ota" }

// A Campaign updates many devices in waves.
type Campaign struct {
	ID, Space, Owner, Image string
	State                   CampaignState
	Devices                 int
	WaveSize                int // 0: all at once
	Wave                    int // which one is under way; 0 is the first
	MaxFailed               int // percent of a wave; more halt the campaign
	CreatedAt               time.Time
	EndedAt                 time.Time
}

// A CampaignState says whether a campaign goes on.
type CampaignState string

const (
	Running  CampaignState = "running"
	Halted   CampaignState = "halted" // too many of a wave failed: somebody has to look
	Stopped  CampaignState = "cancelled"
	Complete CampaignState = "done"
)

// Waves is how many waves c has.
func (c Campaign) Waves() int {
	if c.WaveSize == 0 {
		return 1
	}
	return (c.Devices + c.WaveSize - 1) / c.WaveSize
}

// expected is the magic of files for a device, and whether it is known.
func expected(typ, fqbn string) (otafile.Magic, bool) {
	if m, ok := otafile.ByType(typ); ok {
		return m, true
	}
	return otafile.ByFQBN(fqbn)
}

// fits says whether a file was made for a device.
func fits(typ, fqbn string, m otafile.Magic) error {
	want, known := expected(typ, fqbn)
	if !known || want == m {
		return nil
	}
	return ErrOtherBoard.With(fmt.Sprintf("The file was made for %v, and the device is a %v.", m, want))
}

// note adds a step to the course of u. The last places are taken by what matters: bytes
// that are fetched only move on there.
func (u *Update) note(state string, data int64, at time.Time, news *[]Line) {
	if u.lines >= maxLines && state == stateName(command.OtaFetch) {
		return
	}
	if u.lines < maxLines+50 { // a device that tells its states in circles tells nothing new
		u.write(state, data, at, news)
	}
}

func (u *Update) write(state string, data int64, at time.Time, news *[]Line) {
	u.lines++
	*news = append(*news, Line{u.lines, state, data, at})
}

// end finishes u.
func (u *Update) end(s Status, why string, data int64, at time.Time, news *[]Line) {
	u.Status, u.Error, u.EndedAt, u.Held = s, why, at, false
	if s == Failed {
		u.write(why, data, at, news) // there is always room for how it ended
	}
}

// stateName is how the API writes a state that devices tell.
func stateName(s command.OtaState) string { return s.String() }

// lost begins u again when it may, or ends it.
func (u *Update) lost(why string, at time.Time, news *[]Line) {
	if u.Attempt >= u.MaxRetries {
		u.end(Failed, why, 0, at, news)
		return
	}
	u.Attempt++
	u.State, u.Fetched, u.HeardAt = "", 0, at.Add(-resendAfter)
	u.note("retry", int64(u.Attempt), at, news)
}

// runs is told which image the device of u runs after a start.
func (u *Update) runs(sha [32]byte, at time.Time, news *[]Line) {
	switch {
	case u.Status.Over() || u.Status == Pending && sha != u.Final:
	case sha == u.Final:
		u.Fetched = u.Bytes
		if u.StartedAt.IsZero() {
			u.StartedAt = at
		}
		u.end(Succeeded, "", 0, at, news)
	case u.From != [32]byte{} && sha != u.From:
		u.end(Failed, UnknownSHA, 0, at, news)
	case u.State == stateName(command.OtaReboot):
		u.end(Failed, Mismatch, 0, at, news)
	case u.State != "":
		u.lost(Interrupted, at, news)
	default:
		u.HeardAt = at.Add(-resendAfter) // it has forgotten what it was sent
	}
}

// reported is told what the device of u says of it.
func (u *Update) reported(state command.OtaState, data int32, at time.Time, news *[]Line) {
	if u.Status != InProgress {
		return
	}
	switch state {
	case command.OtaAvailable, command.OtaStart, command.OtaFlash, command.OtaReboot, command.OtaFetch:
	case command.OtaFail:
		u.HeardAt = at
		u.end(Failed, Failure(data), int64(data), at, news)
		return
	case command.OtaUnavailable:
		u.end(Failed, Failure(-1), int64(data), at, news)
		return
	default:
		return // devices do not tell the others
	}
	bytes := int64(0)
	if state == command.OtaFetch {
		// Clients draw it as a part of the whole.
		u.Fetched = min(max(int64(data), 0), u.Bytes)
		bytes = u.Fetched
	}
	u.State, u.HeardAt = stateName(state), at
	u.note(u.State, bytes, at, news)
}

// release lets u begin, now that its wave has come. It has as long for that as if it had been started now.
func (u *Update) release(at time.Time) {
	begin := u.CreatedAt
	if !u.StartAt.IsZero() {
		begin = u.StartAt
	}
	u.Held = false
	if u.StartAt.After(at) {
		return
	}
	u.StartAt, u.ExpiresAt = time.Time{}, at.Add(u.ExpiresAt.Sub(begin))
}

// sent is told that the device of u was sent the update.
func (u *Update) sent(from [32]byte, version int, at time.Time) {
	u.Status, u.HeardAt, u.StartAt, u.Version = InProgress, at, time.Time{}, version
	if from != [32]byte{} {
		u.From = from
	}
	if u.StartedAt.IsZero() {
		u.StartedAt = at
	}
}

// sendable says whether the device of u is to be told of it, now that it listens. What it has begun it knows.
func (u *Update) sendable(at time.Time) bool {
	switch u.Status {
	case Pending:
		return !u.Held && !at.Before(u.StartAt) && at.Before(u.ExpiresAt)
	case InProgress:
		return u.State == "" && !at.Before(u.HeardAt.Add(resendAfter)) && (u.Attempt > 0 || at.Before(u.ExpiresAt))
	}
	return false
}

// late is told the time. It ends what did not begin, and what the device forgot.
func (u *Update) late(at time.Time, news *[]Line) {
	begun := u.Status == InProgress && (u.Attempt > 0 || u.State != "" && u.State != stateName(command.OtaAvailable))
	switch {
	case u.Status.Over() || u.Held:
	case !begun && !at.Before(u.ExpiresAt):
		u.end(Expired, "", 0, at, news)
	case begun && !at.Before(u.HeardAt.Add(silence)):
		u.end(Failed, Silent, 0, at, news)
	}
}
