package simulate

import (
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Bounds of simulated boards.
const (
	Lasts     = time.Hour
	PerSpace  = 3
	PerServer = 50
)

var (
	// ErrConnected is a device that somebody is already.
	ErrConnected = problem.New(problem.Conflict, "device-connected", "The device is connected: end the program or switch off the board that is it, then start the simulated one.")
	// ErrTooMany is a space with as many simulated boards as it may have.
	ErrTooMany = problem.New(problem.Precondition, "simulation-limit", "This space has three simulated boards already: stop one, or wait until one ends by itself.")
	// ErrFull is a server with as many.
	ErrFull = problem.New(problem.Unavailable, "simulation-full", "This server simulates as many boards as it can: try again later, or run ardesiactl device simulate yourself.")
	// ErrStopping is a server that is on its way down.
	ErrStopping = problem.New(problem.Unavailable, "simulation-stopping", "The server is stopping; start the simulated board again when it is back.")
)

// A Simulation is a board that the server is now.
type Simulation struct {
	Device, Space string
	StartedAt     time.Time
	Until         time.Time // when it ends by itself
}

// Running says whether there is one: the zero Simulation is none.
func (m Simulation) Running() bool { return m.Device != "" }
