package guard

import (
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

type wireLeak struct {
	ClientID     string `json:"client_id" rule:"required,length=1..128"`
	ClientSecret string `json:"client_secret" rule:"required,length=1..256"`
}

// wireThanks is the answer to whoever reports a secret, whether it worked or not.
type wireThanks struct {
	Detail string `json:"detail"`
}

const thanks = "Thank you. If this is a key of ours it is revoked now, and its owner is told."

// Routes are the addresses of this room; all are open to anyone.
func (s *Service) Routes() []door.Route {
	if s.needs.Leaked == nil {
		return nil
	}
	return docs.Tell([]door.Route{
		{Pattern: "POST /v1/apikeys/leaked", Open: true, MaxBody: 2 << 10, In: wireLeak{}, Out: wireThanks{}, Status: http.StatusAccepted, Do: s.httpLeaked},
	})
}

func (s *Service) httpLeaked(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	var in wireLeak
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if err := s.Leaked(r.Context(), rest.Client(r), in.ClientID, in.ClientSecret); err != nil {
		return err
	}
	return rest.Write(w, http.StatusAccepted, "application/json", wireThanks{thanks})
}
