package homeassistant

import (
	"net/http"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const isJSON = "application/json"

type (
	inSetup struct {
		Broker    string   `json:"broker" rule:"required,length=1..300"` // mqtts://host:port or mqtt://host:port
		User      string   `json:"user" rule:"length=0..256"`
		Password  *string  `json:"password" rule:"length=0..1024"` // left out: the one that is there, for the same broker, user and CA
		CA        string   `json:"ca" rule:"length=0..16384"`      // PEM; left out: whom the server's machine trusts
		Discovery string   `json:"discovery_prefix" rule:"length=0..64"`
		Topics    string   `json:"topic_prefix" rule:"length=0..64"`
		Tags      []string `json:"tags" rule:"items=0..16,length=1..129"` // key:value; things that have all of them; none: all things
		Writes    *bool    `json:"writes"`                                // true where it is not said
		Enabled   *bool    `json:"enabled"`                               // likewise
	}

	wireBridge struct {
		Broker      string    `json:"broker"`
		User        string    `json:"user"`
		PasswordSet bool      `json:"password_set"` // itself it is never shown
		CA          string    `json:"ca"`
		Discovery   string    `json:"discovery_prefix"`
		Topics      string    `json:"topic_prefix"`
		Tags        []string  `json:"tags"`
		Writes      bool      `json:"writes"`
		Enabled     bool      `json:"enabled"`
		CreatedAt   time.Time `json:"created_at"`
		UpdatedAt   time.Time `json:"updated_at"`
		State       wireState `json:"state"`
	}

	wireState struct {
		Status         string     `json:"status"` // connected, connecting, waiting (for the next try) or off
		ConnectedSince *time.Time `json:"connected_since"`
		LastError      string     `json:"last_error"` // in words; "" for none since the server started
		LastErrorAt    *time.Time `json:"last_error_at"`
		Things         int        `json:"things"`   // that are announced
		Entities       int        `json:"entities"` // of Home Assistant: their properties
		Sent           int64      `json:"messages_sent"`
		Taken          int64      `json:"commands_taken"`
		Refused        int64      `json:"commands_refused"`
		LastRefusal    string     `json:"last_refusal"` // in words
	}

	wireRemoved struct {
		Cleared bool `json:"cleared"` // whether the broker could be told that nothing is announced any more
	}
)

// Routes are the addresses of this room.
func (s *Service) Routes() []door.Route {
	const bridge = "/v1/integrations/homeassistant"
	return docs.Tell([]door.Route{
		{Pattern: "GET " + bridge, Action: "homeassistant:read", Out: wireBridge{}, Do: s.httpGet},
		{Pattern: "PUT " + bridge, Action: "homeassistant:update", In: inSetup{}, Out: wireBridge{}, Do: s.httpSet},
		{Pattern: "DELETE " + bridge, Action: "homeassistant:delete", Out: wireRemoved{}, Do: s.httpRemove},
	})
}

func (in *inSetup) setup() (u Setup, keep bool, err error) {
	yes := func(b *bool) bool { return b == nil || *b }
	u = Setup{Broker: in.Broker, User: in.User, CA: in.CA, Discovery: in.Discovery, Topics: in.Topics, Writes: yes(in.Writes), Enabled: yes(in.Enabled)}
	if u.Discovery == "" {
		u.Discovery = DefaultDiscovery
	}
	if u.Topics == "" {
		u.Topics = DefaultTopics
	}
	if in.Password != nil {
		u.Password = secret.New(*in.Password)
	}
	for _, text := range in.Tags {
		tag, err := thing.ParseTag(text)
		if err != nil {
			return u, false, err
		}
		u.Tags = append(u.Tags, tag)
	}
	return u, in.Password == nil, nil
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func wire(u Setup, now State) wireBridge {
	w := wireBridge{
		Broker: u.Broker, User: u.User, PasswordSet: u.Password.Reveal() != "", CA: u.CA, Discovery: u.Discovery, Topics: u.Topics, Tags: []string{},
		Writes: u.Writes, Enabled: u.Enabled, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
		State: wireState{
			Status: string(now.Status), ConnectedSince: orNil(now.ConnectedSince), LastError: now.LastError, LastErrorAt: orNil(now.LastErrorAt),
			Things: now.Things, Entities: now.Entities, Sent: now.Sent, Taken: now.Taken, Refused: now.Refused, LastRefusal: now.LastRefusal,
		},
	}
	for _, t := range u.Tags {
		w.Tags = append(w.Tags, t.Key+":"+t.Value)
	}
	return w
}

func (s *Service) httpGet(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	u, now, err := s.Get(r.Context(), who)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wire(u, now))
}

func (s *Service) httpSet(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inSetup
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	want, keep, err := in.setup()
	if err != nil {
		return err
	}
	u, now, err := s.Set(r.Context(), who, want, keep)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wire(u, now))
}

func (s *Service) httpRemove(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	cleared, err := s.Remove(r.Context(), who)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wireRemoved{cleared})
}
