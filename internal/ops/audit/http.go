package audit

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// wireActivity is a page of entries.
type wireActivity struct {
	Entries []wireAct `json:"entries"`
	// Next is what to ask for as "before" to get the page after this one; 0 when this is the last.
	Next int64 `json:"next"`
}

type wireAct struct {
	Number   int64             `json:"number"`
	At       time.Time         `json:"at"`
	Action   string            `json:"action"`
	Text     string            `json:"text"` // the action in words
	By       string            `json:"by"`   // you, your-key, member, device, house, somebody
	Actor    string            `json:"actor"`
	Space    string            `json:"space,omitempty"`
	Resource string            `json:"resource"`
	ID       string            `json:"id,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"`
}

// Routes are the addresses of this room.
func (s *Service) Routes() []door.Route {
	return docs.Tell([]door.Route{{Pattern: "GET /v1/me/activity", Action: "account:read", Resource: myself, Out: wireActivity{}, Do: s.httpActivity}})
}

// myself is the account of whoever asks.
func myself(_ *http.Request, who access.Actor) (access.Resource, error) {
	return access.Resource{Type: "Account", ID: who.ID, Space: who.Space, Owner: who.ID}, nil
}

func (s *Service) httpActivity(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	p, err := parsePage(r.URL.Query().Get)
	if err != nil {
		return err
	}
	all, err := s.Activity(r.Context(), who, p)
	if err != nil {
		return err
	}
	out := wireActivity{Entries: make([]wireAct, 0, len(all))}
	for _, e := range all {
		out.Entries = append(out.Entries, wireAct{e.Number, e.At, e.Action, Say(e.Action), By(e, who.ID), e.Actor, e.Space, e.Resource, e.ID, e.Detail})
	}
	if n := len(all); n > 0 && n == p.Limit {
		out.Next = all[n-1].Number
	}
	return rest.Write(w, http.StatusOK, "application/json", out)
}

// parsePage reads before, limit and action of a query.
func parsePage(get func(string) string) (p Page, err error) {
	p.Limit = aPage
	if text := get("limit"); text != "" {
		if p.Limit, err = strconv.Atoi(text); err != nil || p.Limit < 1 || p.Limit > maxPage {
			return Page{}, ErrPage
		}
	}
	if text := get("before"); text != "" {
		if p.Before, err = strconv.ParseInt(text, 10, 64); err != nil || p.Before < 1 {
			return Page{}, ErrPage
		}
	}
	if p.Action = get("action"); len(p.Action) > maxAction {
		return Page{}, ErrPage.With("An action has at most 64 characters, such as \"apikey:create\".")
	}
	return p, nil
}

// maxAction is how long an action may be that is asked for, in bytes.
const maxAction = 64

// By says who acted, as the person user sees it: you, your-key, member, device, house or somebody.
func By(e journal.Entry, user string) string {
	kind, id, _ := strings.Cut(e.Actor, ":")
	id, _, key := strings.Cut(id, "/")
	switch {
	case kind == access.System.String():
		return "house"
	case kind == access.Device.String():
		return "device"
	case kind != access.User.String() && kind != access.APIKey.String():
		return "somebody"
	case id != user:
		return "member"
	case key:
		return "your-key"
	}
	return "you"
}
