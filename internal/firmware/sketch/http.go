package sketch

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

type wireProgram struct {
	Name     string     `json:"name"`
	Language Language   `json:"language"`
	Board    string     `json:"board,omitempty"` // FQBN
	Files    []wireFile `json:"files"`
	Hooks    []wireHook `json:"hooks"`
}

type wireFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Keep bool   `json:"keep"`
}

type wireHook struct {
	Name string `json:"name"`
	In   string `json:"in"`
	Text string `json:"text"`
}

// Routes are the addresses of this room. one is the Loader of a thing.
func (s *Service) Routes(one door.Loader) []door.Route {
	const path = "/v1/things/{id}/sketch"
	return docs.Tell([]door.Route{
		{Pattern: "GET " + path, Action: "thing:read", Resource: one, Out: wireProgram{}, Do: s.httpShow},
		{Pattern: "GET " + path + ".zip", Action: "thing:read", Resource: one, Do: s.httpZip},
	})
}

func (s *Service) made(r *http.Request, who access.Actor) (Program, error) {
	q := r.URL.Query()
	return s.Make(r.Context(), who, strings.ToLower(r.PathValue("id")), Query{Board: q.Get("board"), Language: q.Get("language")})
}

func (s *Service) httpShow(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	p, err := s.made(r, who)
	if err != nil {
		return err
	}
	out := wireProgram{Name: p.Name, Language: p.Language, Board: p.Board, Files: []wireFile{}, Hooks: []wireHook{}}
	for _, f := range p.Files {
		out.Files = append(out.Files, wireFile(f))
	}
	for _, h := range p.Hooks {
		out.Hooks = append(out.Hooks, wireHook(h))
	}
	return rest.Write(w, http.StatusOK, "application/json", out)
}

func (s *Service) httpZip(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	p, err := s.made(r, who)
	if err != nil {
		return err
	}
	body, err := p.Zip()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": p.Name + ".zip"}))
	_, _ = w.Write(body) // a client that has gone away is nobody's error
	return nil
}
