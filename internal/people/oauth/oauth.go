package oauth

import (
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrToken is a token that is malformed, expired, revoked or not ours.
	ErrToken = problem.New(problem.Unauthenticated, "unauthenticated", "This needs a valid access token.")
	// ErrGrant is a grant that this endpoint does not know.
	ErrGrant = problem.New(problem.Invalid, "invalid_grant", "grant_type must be client_credentials.")
	// ErrRequest is a token request without credentials.
	ErrRequest = problem.New(problem.Invalid, "invalid_request", "client_id and client_secret are missing: send them in the body, or with HTTP Basic.")
	// ErrOnly is an API key that was made for one space and is used for another.
	ErrOnly = problem.New(problem.Forbidden, "apikey-space", "This API key works in one space, which is not this one.")
)

// Audience is what clients of the compatible API ask for and get; those of the Go
// README leave "/iot" out. Both are accepted in requests, this one stands in tokens.
const Audience = "https://api2.arduino.cc/iot"

const (
	life   = 5 * time.Minute // of a token
	leeway = 30 * time.Second
	// rotate is how long a key signs; its public half is shown for as long again.
	rotate = 30 * 24 * time.Hour
	// recheck is how long the answer that a token still counts is believed.
	recheck = time.Second
)
