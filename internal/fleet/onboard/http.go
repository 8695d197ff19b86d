package onboard

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

type inClaim struct {
	BLEMAC         string `json:"ble_mac" rule:"length=0..17"`
	Token          string `json:"board_token" rule:"required,length=0..1024"`
	ConnectionType string `json:"connection_type" rule:"required,length=0..16"`
	Name           string `json:"device_name" rule:"length=0..64"`
	Locked         *bool  `json:"locked"`
}

type inRegister struct {
	PID        string  `json:"pid" rule:"required,length=0..16"`
	PublicKey  string  `json:"public_key" rule:"required,length=0..1024"`
	Serial     *string `json:"serial" rule:"length=0..64"`
	HardwareID string  `json:"unique_hardware_id" rule:"required,length=0..64"`
	VID        string  `json:"vid" rule:"required,length=0..16"`
}

type inCSR struct {
	CSR string `json:"csr" rule:"required,length=0..1024"`
}

type inComplete struct {
	WiFiFW string `json:"wifi_fw_version" rule:"length=0..64"`
}

type wireClaim struct {
	ID string `json:"id"`
}

// wireRefusal is what clients read of a claim or a registration that was refused, with what our other errors have.
type wireRefusal struct {
	Err    string `json:"err"`
	Number int    `json:"err_code"`
	ID     string `json:"id"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Status int    `json:"status"`
}

type wireOnboarding struct {
	ID             string  `json:"id"`
	HardwareID     string  `json:"unique_hardware_id"`
	Name           string  `json:"device_name"`
	ConnectionType string  `json:"connection_type"`
	DeviceID       *string `json:"device_id"` // null until the board has its certificate: clients wait for it
	UserID         string  `json:"user_id"`
	OrgID          *string `json:"org_id"` // null in a private space
	BLEMAC         string  `json:"ble_mac"`
	CreatedAt      string  `json:"created_at"`
	ProvisionedAt  *string `json:"provisioned_at"`
	ClaimedAt      string  `json:"claimed_at"`
	EndedAt        *string `json:"ended_at"`
	FQBN           string  `json:"fqbn"`
}

type wireOnboardings struct {
	Onboardings []wireOnboarding `json:"onboardings"`
}

// numbers are how clients know refusals (cloud-api reference, section 7.3). 1 lets them register the board and claim it again, 3
// makes them give up. Those from 1001 are ours, away from those of theirs that we do not know.
var numbers = map[string]int{
	ErrUnknownBoard.Code: 1, ErrOtherKey.Code: 3,
	ErrClaimToken.Code: 1001, ErrStale.Code: 1002, ErrReplayed.Code: 1003, ErrLocked.Code: 1004, ErrTooMany.Code: 1005, ErrInvalid.Code: 1006, ErrRegistered.Code: 1007,
}

// otherNumber is that of every other refusal, such as that of a space which is full.
const otherNumber = 1000

// Routes are the addresses of this room; cloud-api reference, section 7.3, and device-protocol reference, section 6.3. Those of
// boards need no token of ours: the board's own is looked at in the room.
func (s *Service) Routes() []door.Route {
	const all, board = "/provisioning/v1/onboarding", "/provisioning/v1/onboarding/provision/"
	return docs.Tell([]door.Route{
		{Pattern: "POST " + all + "/claim", Action: "device:claim", In: inClaim{}, Out: wireClaim{}, MaxBody: 8 << 10, Do: s.refusing(s.httpClaim)},
		{Pattern: "POST /provisioning/v1/boards/register", Action: "device:claim", In: inRegister{}, MaxBody: 8 << 10, Do: s.refusing(s.httpRegister)},
		{Pattern: "GET " + all, Action: "device:list", Out: wireOnboardings{}, Do: s.httpList},
		{Pattern: "DELETE " + all + "/{id}", Action: "device:claim", Resource: s.load, Do: s.refusing(s.httpDrop)},

		{Pattern: "POST " + board + "csr", Open: true, In: inCSR{}, MaxBody: 4 << 10, Do: s.httpCSR},
		{Pattern: "POST " + board + "complete", Open: true, In: inComplete{}, MaxBody: 1 << 10, Do: s.httpComplete},
	})
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

// load is the door.Loader of one onboarding.
func (s *Service) load(r *http.Request, who access.Actor) (access.Resource, error) {
	o, err := s.needs.Store.get(r.Context(), who.Space, pathID(r))
	return access.Resource{Type: "Onboarding", ID: o.ID, Space: o.Space, Owner: o.Owner}, err
}

// refusing answers what people are refused in the form that clients of this part of the API read.
func (s *Service) refusing(do func(http.ResponseWriter, *http.Request, access.Actor) error) func(http.ResponseWriter, *http.Request, access.Actor) error {
	return func(w http.ResponseWriter, r *http.Request, who access.Actor) error {
		err := do(w, r, who)
		p := problem.Of(err)
		if err == nil || p.Kind == problem.Internal || p.Kind == problem.Limited {
			return err // the door's to answer, and to log
		}
		number, known := numbers[p.Code]
		if !known {
			number = otherNumber
		}
		return rest.Write(w, rest.Status(err), "application/json", wireRefusal{
			Err: p.Detail, Number: number, ID: rest.RequestID(r.Context()), Code: p.Code, Detail: p.Detail, Status: rest.Status(err),
		})
	}
}

func (s *Service) httpClaim(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inClaim
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	id, err := s.Claim(r.Context(), who, Claim{Token: in.Token, Name: in.Name, BLEMAC: in.BLEMAC, ConnectionType: in.ConnectionType, Locked: in.Locked != nil && *in.Locked})
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, "application/json", wireClaim{id})
}

func (s *Service) httpRegister(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inRegister
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	b := Board{HardwareID: in.HardwareID, PublicKey: in.PublicKey, VID: in.VID, PID: in.PID}
	if in.Serial != nil {
		b.Serial = *in.Serial
	}
	if err := s.Register(r.Context(), who, b); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	everything, err := rest.Flag(r, "all")
	if err != nil {
		return err
	}
	all, err := s.List(r.Context(), who, everything)
	if err != nil {
		return err
	}
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	wire := wireOnboardings{Onboardings: make([]wireOnboarding, 0, len(all))}
	for _, o := range all {
		one := toWire(o)
		if organization != "" {
			one.OrgID = &organization
		}
		wire.Onboardings = append(wire.Onboardings, one)
	}
	return rest.Write(w, http.StatusOK, "application/json", wire)
}

func toWire(o Onboarding) wireOnboarding {
	w := wireOnboarding{
		ID: o.ID, HardwareID: o.HardwareID, Name: o.Name, ConnectionType: o.ConnectionType, UserID: o.Owner, BLEMAC: o.BLEMAC,
		CreatedAt: stamp(o.ClaimedAt), ClaimedAt: stamp(o.ClaimedAt), FQBN: o.FQBN,
		ProvisionedAt: stampOr(o.ProvisionedAt), EndedAt: stampOr(o.EndedAt),
	}
	if !o.ProvisionedAt.IsZero() {
		w.DeviceID = &o.Device
	}
	return w
}

// stamp is a time as clients read it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func stampOr(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := stamp(t)
	return &text
}

func (s *Service) httpDrop(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.Drop(r.Context(), who, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// bearer is the token of a board.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// httpCSR answers one line of six fields, of which the board takes its certificate together (device-protocol reference, section 6.3).
func (s *Service) httpCSR(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	var in inCSR
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	i, err := s.Provision(r.Context(), door.Address(r), bearer(r), []byte(in.CSR))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(line(i))) // a board that has gone asks again
	return nil
}

// line is device_id|aki|not_before|serial|sig_x|sig_y.
func line(i Identity) string {
	return strings.Join([]string{
		i.Device, hex.EncodeToString(i.Certificate.AKI[:]), i.Certificate.NotBefore.UTC().Format(time.RFC3339),
		hex.EncodeToString(i.Certificate.Serial[:]), hex.EncodeToString(i.Signature[:32]), hex.EncodeToString(i.Signature[32:]),
	}, "|")
}

func (s *Service) httpComplete(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	var in inComplete
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if err := s.Complete(r.Context(), door.Address(r), bearer(r), in.WiFiFW); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
