package ca

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// wireCertificate is ArduinoDevicev2Cert; cloud-api reference, section 6.2.
type wireCertificate struct {
	CA         string         `json:"ca"`
	Compressed wireCompressed `json:"compressed"`
	DER        string         `json:"der"` // base64
	DeviceID   string         `json:"device_id"`
	Enabled    bool           `json:"enabled"`
	Href       string         `json:"href"`
	ID         string         `json:"id"`
	PEM        string         `json:"pem"` // about 610 characters; the schema's 512 is too short for any certificate of a board
}

// wireCompressed is ArduinoCompressedv2: what a secure element keeps.
type wireCompressed struct {
	AuthorityKeyIdentifier string `json:"authority_key_identifier"` // 40 hex digits
	NotAfter               string `json:"not_after"`                // whole hours, no fraction: boards cut the text
	NotBefore              string `json:"not_before"`
	Serial                 string `json:"serial"`           // 32 hex digits
	Signature              string `json:"signature"`        // r ‖ s, 128 hex digits, as updateCertificate takes it
	SignatureX             string `json:"signature_asn1_x"` // r, 64 hex digits
	SignatureY             string `json:"signature_asn1_y"` // s, 64 hex digits
}

type wireCreate struct {
	CA      string `json:"ca" rule:"length=0..64"`
	CSR     string `json:"csr" rule:"required,length=0..1024"`
	Enabled *bool  `json:"enabled"` // the schema requires it; a client that forgets it wants a certificate that works
}

type wireUpdate struct {
	CA      string `json:"ca" rule:"length=0..64"`
	CSR     string `json:"csr" rule:"length=0..1024"` // not used: another key is another certificate
	Enabled *bool  `json:"enabled"`
}

const media = "devicev2.cert"

// Routes are the addresses of this room. device finds the device that {id} names,
// in the caller's space: the room of devices has it.
func (s *Service) Routes(device door.Loader) []door.Route {
	const path = "/iot/v2/devices/{id}/certs"
	return docs.Tell([]door.Route{
		{Pattern: "GET " + path, Action: "certificate:list", Resource: device, Out: []wireCertificate{}, Do: s.httpList},
		{Pattern: "PUT " + path, Action: "certificate:issue", Resource: device, In: wireCreate{}, Out: wireCertificate{},
			MaxBody: 8 << 10, Status: http.StatusCreated, Do: s.httpIssue},
		{Pattern: "GET " + path + "/{cid}", Action: "certificate:read", Resource: device, Out: wireCertificate{}, Do: s.httpGet},
		{Pattern: "POST " + path + "/{cid}", Action: "certificate:update", Resource: device, In: wireUpdate{}, Out: wireCertificate{},
			MaxBody: 8 << 10, Do: s.httpUpdate},
		{Pattern: "DELETE " + path + "/{cid}", Action: "certificate:revoke", Resource: device, Do: s.httpRevoke},
	})
}

func of(r *http.Request, who access.Actor) Device {
	return Device{ID: strings.ToLower(r.PathValue("id")), Space: who.Space}
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.List(r.Context(), who, of(r, who), false)
	if err != nil {
		return err
	}
	wire := make([]wireCertificate, 0, len(all))
	for _, c := range all {
		one, err := toWire(c)
		if err != nil {
			return err
		}
		wire = append(wire, one)
	}
	return rest.Write(w, http.StatusOK, rest.Collection(media), wire)
}

func (s *Service) httpIssue(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireCreate
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	c, err := s.Issue(r.Context(), who, Request{
		Device: of(r, who), CSR: []byte(in.CSR), CA: in.CA, Enabled: in.Enabled == nil || *in.Enabled,
	})
	if err != nil {
		return err
	}
	return write(w, http.StatusCreated, c)
}

func (s *Service) httpGet(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	c, err := s.Get(r.Context(), who, of(r, who), strings.ToLower(r.PathValue("cid")))
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, c)
}

func (s *Service) httpUpdate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireUpdate
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	c, err := s.Get(r.Context(), who, of(r, who), strings.ToLower(r.PathValue("cid")))
	if err != nil {
		return err
	}
	enabled := c.Enabled
	if in.Enabled != nil {
		enabled = *in.Enabled
	}
	if c, err = s.SetEnabled(r.Context(), who, of(r, who), c.ID, enabled, in.CA); err != nil {
		return err
	}
	return write(w, http.StatusOK, c)
}

func (s *Service) httpRevoke(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	// What was revoked before is not there any more, for this API.
	if _, err := s.Get(r.Context(), who, of(r, who), strings.ToLower(r.PathValue("cid"))); err != nil {
		return err
	}
	if err := s.Revoke(r.Context(), who, of(r, who), strings.ToLower(r.PathValue("cid")), Unspecified); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func write(w http.ResponseWriter, status int, c Certificate) error {
	wire, err := toWire(c)
	if err != nil {
		return err
	}
	return rest.Write(w, status, rest.Media(media), wire)
}

func toWire(c Certificate) (wireCertificate, error) {
	p, signature, err := boardcert.Parse(c.DER)
	if err != nil {
		return wireCertificate{}, err
	}
	return wireCertificate{
		CA: c.CA, DeviceID: c.Device, Enabled: c.Enabled, ID: c.ID,
		Href: "/iot/v2/devices/" + c.Device + "/certs/" + c.ID,
		DER:  base64.StdEncoding.EncodeToString(c.DER), PEM: string(c.PEM()),
		Compressed: wireCompressed{
			AuthorityKeyIdentifier: hex.EncodeToString(p.AKI[:]),
			NotBefore:              p.NotBefore.UTC().Format(time.RFC3339),
			NotAfter:               p.NotAfter().Format(time.RFC3339),
			Serial:                 hex.EncodeToString(p.Serial[:]),
			Signature:              hex.EncodeToString(signature[:]),
			SignatureX:             hex.EncodeToString(signature[:32]),
			SignatureY:             hex.EncodeToString(signature[32:]),
		},
	}, nil
}
