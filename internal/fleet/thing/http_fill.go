package thing

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// ErrColumns is a batch whose times and values do not belong together.
var ErrColumns = problem.New(problem.Invalid, "invalid-batch", "A batch has as many times as values.")

// maxFillBody is enough for MaxFill numbers, or for some hundred of the longest texts, in bytes.
const maxFillBody = 4 << 20

// Columns, as batch_query_raw answers with them.
type (
	inPast struct {
		Times  []time.Time       `json:"times" rule:"required,items=1..10000"`
		Values []json.RawMessage `json:"values" rule:"required,items=1..10000"`
	}

	wireFilled struct {
		Written  int           `json:"written"`
		Same     int           `json:"same"`
		Occupied int           `json:"occupied"`
		Expired  int           `json:"expired"`
		Refused  []wireRefusal `json:"refused"`
	}

	wireRefusal struct {
		Index  int    `json:"index"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
)

// fillRoutes are ours: the compatible API has no way to bring a history along.
func (s *Service) fillRoutes() []door.Route {
	return []door.Route{
		{Pattern: "POST /v1/things/{id}/properties/{pid}/history", Action: "series:import", Resource: s.resource, MaxBody: maxFillBody, Timeout: 60 * time.Second,
			In: inPast{}, Out: wireFilled{}, Do: s.httpFill},
	}
}

func (s *Service) httpFill(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inPast
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if len(in.Times) != len(in.Values) {
		return ErrColumns
	}
	values := make([]Past, len(in.Times))
	for i := range values {
		values[i] = Past{in.Times[i], in.Values[i]}
	}
	done, err := s.Fill(r.Context(), who, pathID(r), pathProperty(r), values)
	if err != nil {
		return err
	}
	out := wireFilled{Written: done.Written, Same: done.Same, Occupied: done.Occupied, Expired: done.Expired, Refused: []wireRefusal{}}
	for _, no := range done.Refused {
		out.Refused = append(out.Refused, wireRefusal{no.Index, no.Why.Code, no.Why.Detail})
	}
	return rest.Write(w, http.StatusOK, "application/json", out)
}
