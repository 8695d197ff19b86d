package onboard

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	catalogue "github.com/ardesia-iot/ardesia/internal/fleet/board"
)

// What a claim can be refused for. Clients tell them apart by the numbers in codes.
var (
	// ErrUnknownBoard is a board that nobody has registered: register it, then claim again.
	ErrUnknownBoard = problem.New(problem.Invalid, "board-unknown", "This board is not registered yet. Register it with its public key, then claim it again.")
	// ErrOtherKey is a token that was signed by another key than the board's.
	ErrOtherKey = problem.New(problem.Invalid, "board-other-key", "The token was signed by another key than the one that is registered for this board. If the board's key was made anew, whoever has the device must delete it first, or take its hardware id off.")
	// ErrClaimToken is what is no token of a board at all.
	ErrClaimToken = problem.New(problem.Invalid, "board-token", "board_token is not a token that a board has signed.")
	// ErrStale is a token that was signed too long ago, or by a clock that is wrong.
	ErrStale = problem.New(problem.Invalid, "board-token-stale", "The board's token was signed more than 15 minutes ago, or by a clock that is ahead. Give the board the time and let it sign another one.")
	// ErrReplayed is a token that was used before, or is older than one that was.
	ErrReplayed = problem.New(problem.Conflict, "board-token-used", "This token, or a newer one of the board, was used for a claim before. Let the board sign another one.")
	// ErrLocked is a board whose device is locked in another space.
	ErrLocked = problem.New(problem.Conflict, "board-locked", "The board belongs to somebody who has locked it. They must unlock its device, or delete it, first.")
	// ErrTooMany is a space with too many boards on their way.
	ErrTooMany = problem.New(problem.Precondition, "onboarding-limit", "Too many boards are on their way into this space, or registered and never claimed. Finish or drop some, or wait a day.")
)

var (
	// ErrNotFound is an onboarding that is not there, or not for this caller.
	ErrNotFound = problem.New(problem.NotFound, "onboarding-not-found", "There is no such onboarding.")
	// ErrInvalid is a registration or a claim that breaks a rule of its fields.
	ErrInvalid = problem.New(problem.Invalid, "invalid-board", "The board is not valid.")
	// ErrRegistered is a registration of a board that others have proved to have, with another key.
	ErrRegistered = problem.New(problem.Conflict, "board-registered", "This board is in use with another key. Whoever has its device must delete it first, or take its hardware id off.")
	// ErrToken is what a board hears whose token does not let it in.
	ErrToken = problem.New(problem.Unauthenticated, "board-token", "This needs a token that the board has signed with the key that it was claimed with.")
	// ErrNoClaim is a board that nobody is bringing in.
	ErrNoClaim = problem.New(problem.NotFound, "board-not-claimed", "Nobody is bringing this board in: it was not claimed, or too long ago. Claim it again.")
	// ErrName is a request for a certificate in another board's name.
	ErrName = problem.New(problem.Invalid, "csr-wrong-name", "The common name of the certificate request must be the unique hardware id of the board that asks.")
)

// Bounds. What boards and clients need is a fraction of them.
const (
	claimLife     = 24 * time.Hour     // for a claimed board to come and get its certificate; then the claim is taken back
	endedLife     = 7 * 24 * time.Hour // an onboarding that has ended is shown for so long
	repeatLife    = time.Hour          // after the end the board may still ask again for the answer that it lost
	tokenLife     = 15 * time.Minute   // of a token since it was signed; clients use one within seconds
	tokenAhead    = 5 * time.Minute    // a board's clock may be ahead; it is set by a client or NTP just before
	maxOpen       = 100                // onboardings of one space that have not ended
	maxRegistered = 1000               // boards of one space that nobody has brought in
	maxName       = 64                 // characters, as of devices
	maxSerial     = 64
)

// An Onboarding is the way of one board to a device.
type Onboarding struct {
	ID, Space      string
	Owner          string // user id of who claimed
	HardwareID     string // 64 lower-case hex digits
	Name           string // that the device will have
	BLEMAC         string // "" without one
	ConnectionType string
	FQBN           string
	Locked         bool // the device will be

	Device        string // its id, chosen before it is made; "" before. It is there for good when ProvisionedAt is set
	ClaimedAt     time.Time
	ProvisionedAt time.Time // zero: the board has no certificate yet
	EndedAt       time.Time // zero: the board has not said yet that it has it
}

// open says whether the board may still come.
func (o Onboarding) open(now time.Time) bool {
	return o.EndedAt.IsZero() && now.Before(o.ClaimedAt.Add(claimLife))
}

// A Board is what is registered of one.
type Board struct {
	HardwareID string // 64 lower-case hex digits
	PublicKey  string // PEM of the key that signs its tokens: P-256, uncompressed
	Serial     string // "" when the client knows none
	VID, PID   string // USB vendor and product, in hexadecimal digits
}

// A Claim is what a person says of a board that is to come in.
type Claim struct {
	Token          string // signed by the board; it names the board
	Name           string // of the device
	BLEMAC         string // "" or FF:FF:FF:FF:FF:FF without one
	ConnectionType string
	Locked         bool
}

var (
	macForm      = regexp.MustCompile(`^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$`)
	hardwareForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	someGood     = regexp.MustCompile(`[a-zA-Z0-9_.@-]`) // the rule of devices: one good character is enough
)

// noMAC is what a board without Bluetooth says (device-protocol reference, section 6.3).
const noMAC = "FF:FF:FF:FF:FF:FF"

// ways are how boards can be connected that come in so (section 6.3).
var ways = map[string]bool{"wifi": true, "eth": true, "nb": true, "gsm": true, "lora": true, "catm1": true, "cellular": true}

// check says which rule c breaks, and tidies it.
func (c *Claim) check() error {
	if c.BLEMAC = strings.ToUpper(c.BLEMAC); c.BLEMAC == noMAC {
		c.BLEMAC = ""
	}
	switch {
	case c.Name != "" && !text(c.Name, maxName):
		return ErrInvalid.With("device_name has at most 64 characters, and at least one letter, digit, \"_\", \".\", \"@\" or \"-\".")
	case c.BLEMAC != "" && !macForm.MatchString(c.BLEMAC):
		return ErrInvalid.With("ble_mac is six pairs of hex digits with colons between them.")
	case !ways[c.ConnectionType]:
		return ErrInvalid.With("connection_type is one of wifi, eth, nb, gsm, lora, catm1, cellular.")
	}
	return nil
}

// check says which rule b breaks, and tidies it. fqbn is what kind of board it is, key the uncompressed point.
func (b *Board) check() (fqbn string, key []byte, err error) {
	b.HardwareID = strings.ToLower(b.HardwareID)
	switch {
	case !hardwareForm.MatchString(b.HardwareID):
		return "", nil, ErrInvalid.With("unique_hardware_id is 64 hex digits.")
	case b.Serial != "" && !text(b.Serial, maxSerial):
		return "", nil, ErrInvalid.With("serial has at most 64 characters, and is empty or has at least one letter, digit, \"_\", \".\", \"@\" or \"-\".")
	}
	public, err := boardcert.ParsePublicKeyPEM([]byte(b.PublicKey))
	if err != nil {
		return "", nil, ErrInvalid.With("public_key is not the public key of a board: PEM, P-256, uncompressed.")
	}
	if key, err = public.Bytes(); err != nil {
		return "", nil, ErrInvalid.With("public_key is not a point of the curve P-256.")
	}
	fqbn, err = kindOf(b.VID, b.PID)
	return fqbn, key, err
}

// kindOf finds the FQBN of a board by its USB numbers: only Arduino's own boards come in so.
func kindOf(vid, pid string) (string, error) {
	hex := func(s string) (uint64, error) {
		return strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s), "0x"), 16, 16)
	}
	v, err := hex(vid)
	if err != nil {
		return "", ErrInvalid.With("vid is a USB vendor id of four hex digits, such as 2341.")
	}
	p, err := hex(pid)
	if err != nil {
		return "", ErrInvalid.With("pid is a USB product id of four hex digits, such as 8057.")
	}
	for _, b := range otafile.Boards {
		if uint64(b.Magic) == v<<16|p && catalogue.SignsTokens(b.FQBN) {
			return b.FQBN, nil
		}
	}
	return "", ErrInvalid.With("No board with these vid and pid comes in by a token of its own. Add it with PUT /iot/v2/devices instead.")
}

// typeOf is the type of a device of a board.
func typeOf(fqbn string) string {
	if b := catalogue.Find(fqbn); b != nil {
		return b.Type
	}
	return ""
}

func text(s string, bound int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= bound && someGood.MatchString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// shown names a board in the journal, where its hardware id would stay for ever.
func shown(index []byte) string {
	return base64.RawURLEncoding.EncodeToString(index[:min(16, len(index))])
}
