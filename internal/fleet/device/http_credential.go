package device

import (
	"net/http"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// ErrNoCredentials is a type of device, or a way to the network, that we know no secrets of.
var ErrNoCredentials = problem.New(problem.NotFound, "no-network-credentials", "There is no such type of device, or no such connection.")

// wireCredential is ArduinoCredentialsv1.
type wireCredential struct {
	FriendlyName string `json:"friendly_name"`
	MaxLength    int    `json:"max_length"` // bytes
	Required     bool   `json:"required"`
	SecretName   string `json:"secret_name"`
	Sensitive    bool   `json:"sensitive"`
}

// wireConnections is ArduinoArduinoconnectionsV1: those that the type has, by their name.
type wireConnections map[string][]wireCredential

// credentialRoutes say which secrets a sketch needs; cloud-api reference, section 6.14.
func (s *Service) credentialRoutes() []door.Route {
	const path = "/iot/v1/network_credentials/{type}"
	return []door.Route{
		{Pattern: "GET " + path, Action: "credential:list", Out: []wireCredential{}, Do: s.httpCredentials},
		{Pattern: "GET " + path + "/connections", Action: "credential:list", Out: wireConnections{}, Do: s.httpConnections},
	}
}

// connectionsOf finds the ways to the network of what stands in the path: a type,
// or the ID of a device, which the command line tool puts there. usual is the one
// that is meant when nobody says more.
func (s *Service) connectionsOf(r *http.Request, who access.Actor) (all []Connection, usual string, err error) {
	typ := strings.ToLower(r.PathValue("type"))
	if !topic.IsID(typ) {
		all, known := Connections(typ)
		if !known {
			return nil, "", ErrNoCredentials
		}
		return all, all[0].Type, nil
	}
	d, err := s.Get(r.Context(), who, who.Space, typ, false)
	if err != nil {
		return nil, "", err
	}
	if all, _ = Connections(d.Type); len(all) > 0 && d.ConnectionType == "" {
		return all, all[0].Type, nil
	}
	return all, d.ConnectionType, nil
}

func (s *Service) httpCredentials(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	_, connection, err := s.connectionsOf(r, who)
	if err != nil {
		return err
	}
	if asked := r.URL.Query().Get("connection"); asked != "" {
		connection = asked
	}
	out := []wireCredential{}
	if connection != "" {
		c, known := ConnectionOf(connection)
		if !known {
			return ErrNoCredentials
		}
		out = wireCredentials(c)
	}
	return rest.Write(w, http.StatusOK, rest.Collection("credentialsv1"), out)
}

func (s *Service) httpConnections(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, _, err := s.connectionsOf(r, who)
	if err != nil {
		return err
	}
	out := make(wireConnections, len(all))
	for _, c := range all {
		out[c.Type] = wireCredentials(c)
	}
	return rest.Write(w, http.StatusOK, rest.Media("arduinoconnections.v1"), out)
}

func wireCredentials(c Connection) []wireCredential {
	all := make([]wireCredential, 0, len(c.Credentials))
	for _, one := range c.Credentials {
		all = append(all, wireCredential{FriendlyName: one.Label, MaxLength: one.MaxBytes, Required: one.Required, SecretName: one.Secret, Sensitive: one.Sensitive})
	}
	return all
}
