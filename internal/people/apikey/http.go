package apikey

import (
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const isJSON = "application/json"

type wireKey struct {
	ID        string     `json:"client_id"`
	Secret    string     `json:"client_secret,omitempty"` // once, when it is made
	Name      string     `json:"name,omitempty"`          // its person's own: not told to others
	Account   string     `json:"account,omitempty"`       // of a space's keys: whose it is
	Space     string     `json:"space"`                   // the only one that it enters; "" for all of its person's
	Role      string     `json:"role"`                    // of a service account; "" for all that its person is
	Enabled   bool       `json:"enabled"`
	CreatedAt time.Time  `json:"created_at"`
	UsedAt    *time.Time `json:"last_used_at"` // null: never; some minutes late
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"` // when it ends by itself; left out: never
}

func toWire(k Key) wireKey {
	w := wireKey{ID: k.ID, Name: k.Name, Space: k.Space, Role: string(k.Role), Enabled: k.Enabled, CreatedAt: k.CreatedAt}
	if !k.UsedAt.IsZero() {
		w.UsedAt = &k.UsedAt
	}
	if k.Revoked() {
		w.RevokedAt = &k.RevokedAt
	}
	if !k.ExpiresAt.IsZero() {
		w.ExpiresAt = &k.ExpiresAt
	}
	return w
}

type wireNew struct {
	Name  string `json:"name" rule:"required,length=1..64"`
	Space string `json:"space" pattern:"^([0-9a-fA-F-]{36})?$"`
	Role  string `json:"role" rule:"enum=|admin|editor|viewer|service"`
	Ends  string `json:"expires_at" rule:"length=0..40"` // RFC 3339; "" for never
}

type wireChange struct {
	Name    *string `json:"name" rule:"length=1..64"`
	Enabled *bool   `json:"enabled"`
}

// Routes are the addresses of this room.
func (s *Service) Routes() []door.Route {
	return docs.Tell([]door.Route{
		{Pattern: "GET /v1/apikeys", Action: "apikey:list", Resource: own, Out: []wireKey{}, Do: s.httpList},
		{Pattern: "POST /v1/apikeys", Action: "apikey:create", Resource: own, In: wireNew{}, Out: wireKey{}, Status: http.StatusCreated, Do: s.httpAdd},
		{Pattern: "PATCH /v1/apikeys/{id}", Action: "apikey:update", Resource: s.load, In: wireChange{}, Out: wireKey{}, Do: s.httpChange},
		{Pattern: "DELETE /v1/apikeys/{id}", Action: "apikey:delete", Resource: s.load, Status: http.StatusNoContent, Do: s.httpRevoke},
		{Pattern: "GET /v1/spaces/{id}/apikeys", Space: "id", Action: "spacekey:list", Out: []wireKey{}, Do: s.httpBound},
		{Pattern: "DELETE /v1/spaces/{id}/apikeys/{key}", Space: "id", Action: "spacekey:revoke", Status: http.StatusNoContent, Do: s.httpRevokeBound},
	})
}

// own is the resource of what people do about all their keys.
func own(_ *http.Request, who access.Actor) (access.Resource, error) {
	return access.Resource{Type: "ApiKey", ID: "", Space: who.Space, Owner: who.ID}, nil
}

// load finds a key of who. Keys belong to a person, in whichever space that is asked.
func (s *Service) load(r *http.Request, who access.Actor) (access.Resource, error) {
	k, err := s.Get(r.Context(), who.ID, r.PathValue("id"))
	return access.Resource{Type: "ApiKey", ID: k.ID, Space: who.Space, Owner: k.Account}, err
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.List(r.Context(), who.ID)
	if err != nil {
		return err
	}
	out := make([]wireKey, 0, len(all))
	for _, k := range all {
		out = append(out, toWire(k))
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpAdd(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireNew
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	wish := Wish{Account: who.ID, Space: strings.ToLower(in.Space), Role: access.Role(in.Role), Name: in.Name}
	if in.Ends != "" {
		var err error
		if wish.ExpiresAt, err = time.Parse(time.RFC3339, in.Ends); err != nil {
			return ErrEnds.With("expires_at is a time such as 2031-01-31T00:00:00Z, or left out for never.")
		}
	}
	k, secret, err := s.Make(r.Context(), who, wish)
	if err != nil {
		return err
	}
	out := toWire(k)
	out.Secret = secret.Reveal()
	return rest.Write(w, http.StatusCreated, isJSON, out)
}

func (s *Service) httpChange(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireChange
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	id := r.PathValue("id")
	if in.Name != nil { // before anything is changed: a request counts entirely or not at all
		if err := checkName(*in.Name); err != nil {
			return err
		}
	}
	if in.Enabled != nil {
		if _, err := s.Enable(r.Context(), who, id, *in.Enabled); err != nil {
			return err
		}
	}
	if in.Name != nil {
		if _, err := s.Rename(r.Context(), who, id, *in.Name); err != nil {
			return err
		}
	}
	k, err := s.Get(r.Context(), who.ID, id)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, toWire(k))
}

func (s *Service) httpRevoke(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.Revoke(r.Context(), who, r.PathValue("id")))
}

func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (s *Service) httpBound(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Bound(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := make([]wireKey, 0, len(all))
	for _, k := range all {
		one := toWire(k)
		one.Account = k.Account
		out = append(out, one)
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpRevokeBound(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.RevokeBound(r.Context(), who, who.Space, r.PathValue("key")))
}
