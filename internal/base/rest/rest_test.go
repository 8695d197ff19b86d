package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

func TestStatus(t *testing.T) {
	for kind, code := range status {
		if code < 400 {
			t.Errorf("kind %d has status %d", kind, code)
		}
	}
	wrapped := fmt.Errorf("look up: %w", problem.New(problem.NotFound, "x", "y"))
	if got := Status(wrapped); got != http.StatusNotFound {
		t.Errorf("Status of a wrapped problem = %d, want 404", got)
	}
	if got := Status(errors.New("disk")); got != http.StatusInternalServerError {
		t.Errorf("Status of our own fault = %d, want 500", got)
	}
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		max  int64
		want error
	}{
		"an object":            {`{"name":"a"}`, 100, nil},
		"unknown fields":       {`{"name":"a","more":[1]}`, 100, nil},
		"a newline behind":     {"{\"name\":\"a\"}\n", 100, nil},
		"nothing":              {"", 100, ErrBody},
		"not JSON":             {`{name}`, 100, ErrBody},
		"cut off":              {`{"name":"a`, 100, ErrBody},
		"two values":           {`{"name":"a"}{}`, 100, ErrBody},
		"something behind":     {`{"name":"a"}x`, 100, ErrBody},
		"a number for a text":  {`{"name":1}`, 100, ErrBody},
		"larger than the door": {`{"name":"` + strings.Repeat("a", 100) + `"}`, 50, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("PUT", "/", strings.NewReader(c.body))
			r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, c.max)
			var in struct {
				Name string `json:"name"`
			}
			if got := Read(r, &in); !errors.Is(got, c.want) {
				t.Errorf("Read = %v, want %v", got, c.want)
			}
		})
	}
}

func TestFail(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(WithRequestID(r.Context(), "r-1"))

	w := httptest.NewRecorder()
	Fail(logger, w, r, problem.New(problem.Limited, "slow-down", "Too many.").After(1500*time.Millisecond))
	var got wireProblem
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := (wireProblem{"r-1", "slow-down", "Too many.", 429}); got != want {
		t.Errorf("body is %+v, want %+v", got, want)
	}
	if got := w.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After is %q, want whole seconds upwards, 2", got)
	}
	if log.Len() != 0 {
		t.Errorf("a caller's mistake was logged: %s", log.String())
	}

	w = httptest.NewRecorder()
	Fail(logger, w, r, errors.New("password of the disk"))
	if strings.Contains(w.Body.String(), "password") {
		t.Errorf("our own fault was told to the caller: %s", w.Body)
	}
	if !strings.Contains(log.String(), "password of the disk") || !strings.Contains(log.String(), "r-1") {
		t.Errorf("our own fault is not in the log with its ID: %s", log.String())
	}
}

func TestFlag(t *testing.T) {
	for query, want := range map[string]string{"": "false", "force=": "false", "force=True": "true", "force=1": "true", "force=FALSE": "false", "force=maybe": "error", "other=true": "false"} {
		got, err := Flag(httptest.NewRequest(http.MethodGet, "/?"+query, nil), "force")
		switch {
		case want == "error" && !errors.Is(err, ErrQuery), want != "error" && (err != nil || strconv.FormatBool(got) != want):
			t.Errorf("%s: %v, %v, want %s", query, got, err, want)
		}
	}
}
