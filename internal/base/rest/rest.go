// Package rest is the one place where our rooms meet HTTP bodies: it reads JSON
// within a bound, writes JSON with a media type, and turns problems into the
// error object that clients of the compatible API decode.
package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrBody is a body that is not the JSON that the route expects.
	ErrBody = problem.New(problem.Invalid, "invalid-body", "The request's body is not the JSON that this route expects.")
	// ErrTooLarge is a body above the route's bound.
	ErrTooLarge = problem.New(problem.TooLarge, "body-too-large", "The request's body is larger than this route accepts.")
	// ErrQuery is a parameter of the query that cannot be read; its detail says which.
	ErrQuery = problem.New(problem.Invalid, "invalid-query", "A parameter of the query cannot be read.")
)

// Flag reads a boolean parameter of the query, in whichever case: Python writes True. Absent is false.
func Flag(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, ErrQuery.With("The parameter \"" + name + "\" is true or false.")
	}
	return v, nil
}

// Read decodes the JSON body of r into v. Fields that v does not have are
// skipped, because official clients send more than we use. Anything after the
// one JSON value, and an empty body, is ErrBody. The route has bounded the body.
func Read(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	if err := dec.Decode(v); err != nil {
		return bodyError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			return ErrBody.With("The request's body has something after its JSON value.")
		}
		return bodyError(err)
	}
	return nil
}

func bodyError(err error) error {
	var (
		tooLarge *http.MaxBytesError
		syntax   *json.SyntaxError
		kind     *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &tooLarge):
		return ErrTooLarge.With("The request's body is larger than the " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes that this route accepts.")
	case errors.Is(err, io.EOF):
		return ErrBody.With("The request has no body; this route expects JSON.")
	case errors.As(err, &syntax):
		return ErrBody.With("The request's body is not JSON: " + syntax.Error() + ", at byte " + strconv.FormatInt(syntax.Offset, 10) + ".")
	case errors.As(err, &kind):
		return ErrBody.With("The field \"" + kind.Field + "\" of the request's body cannot be a " + kind.Value + ".")
	}
	return ErrBody
}

// Write replies with v as JSON. mediaType is the whole Content-Type.
func Write(w http.ResponseWriter, status int, mediaType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone away is nobody's error
	return nil
}

// Media is the Content-Type of one object of the compatible API.
func Media(name string) string { return "application/vnd.arduino." + name + "+json" }

// Collection is the Content-Type of a list of such objects.
func Collection(name string) string { return Media(name) + "; type=collection" }

// status is the only place where a Kind meets HTTP. TestStatus covers every Kind.
var status = [problem.Kinds]int{
	problem.Internal:        http.StatusInternalServerError,
	problem.Invalid:         http.StatusBadRequest,
	problem.Unauthenticated: http.StatusUnauthorized,
	problem.Forbidden:       http.StatusForbidden,
	problem.NotFound:        http.StatusNotFound,
	problem.Conflict:        http.StatusConflict,
	problem.Precondition:    http.StatusPreconditionFailed,
	problem.TooLarge:        http.StatusRequestEntityTooLarge,
	problem.Limited:         http.StatusTooManyRequests,
	problem.Unavailable:     http.StatusServiceUnavailable,
	problem.Unsupported:     http.StatusNotImplemented,
}

// Status is the HTTP status of err; 500 for everything that is our own fault.
func Status(err error) int { return status[problem.Of(err).Kind] }

type wireProblem struct {
	ID     string `json:"id"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Status int    `json:"status"` // a number: Go clients cannot decode a string
}

// Fail replies to r with err, in the form that clients of the compatible API read.
// Only what is our own fault is logged here, and it is logged nowhere else.
func Fail(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	p, id := problem.Of(err), RequestID(r.Context())
	if p.Kind == problem.Internal {
		log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "id", id, "err", err)
	}
	if p.Retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.Retry.Seconds()))))
	}
	_ = Write(w, status[p.Kind], "application/vnd.goa.error+json", wireProblem{ID: id, Code: p.Code, Detail: p.Detail, Status: status[p.Kind]})
}

type requestID struct{}

// WithRequestID returns a context that carries the ID under which r is logged.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestID{}, id)
}

// RequestID is the ID of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestID{}).(string)
	return id
}
