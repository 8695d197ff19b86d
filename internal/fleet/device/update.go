package device

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
)

// Updates is what this room tells the room of updates over the air, which stands above it. Each message of
// a device is told in the order in which it came. done, where there is one, is called exactly once: with nil when what was
// said is on disk. None may call back before it returns.
type Updates interface {
	// Runs is told which image a device runs: once after each of its starts.
	Runs(device string, sha [32]byte, done func(error))
	// Progress is told how far an update is.
	Progress(device string, p command.OtaProgress, done func(error))
	// Told is told what a device of the first generation says of updates: the facts whose names begin with OTA_.
	Told(device string, said map[Fact]string, done func(error))
	// Listens is told that a device can be sent an update: it listens, and has said what it runs, if it ever does.
	Listens(device string)
}

// BindUpdates is Bind for the room of updates. Without, nobody is told.
func (s *Service) BindUpdates(u Updates) { s.updates = u }

// A Reach is what is known of a device that could be sent an update.
type Reach struct {
	Generation int      // of the protocol; 0: it is not connected, or does not listen yet
	Capable    bool     // it says that it can be updated over the air
	SHA        [32]byte // of the image that it runs; zero if it never said
}

// Reach says whether and how a device can be sent an update now.
func (s *Service) Reach(ctx context.Context, device string) (Reach, error) {
	x := s.sessionOf(device)
	if x == nil {
		return Reach{}, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	var r Reach
	switch {
	case x.asked:
		r.Generation = 2
	case x.input != deaf && x.talks:
		r.Generation = 1
	default:
		return r, nil
	}
	if err := s.recall(ctx, x); err != nil {
		return Reach{}, err
	}
	sha, err := hex.DecodeString(x.reported[OTASHA256].Value)
	if err == nil && len(sha) == len(r.SHA) {
		r.SHA = [32]byte(sha)
	}
	r.Capable = r.Generation == 2 && r.SHA != [32]byte{} || x.reported[OTACap].Value == "true"
	return r, nil
}

// Living tells which of some devices there are, hidden ones included.
func (s *Service) Living(ctx context.Context, ids []string) (map[string]bool, error) {
	rows, err := s.needs.Store.among(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look for %d devices: %w", len(ids), err)
	}
	living := make(map[string]bool, len(rows))
	for _, r := range rows {
		living[r.ID] = r.leaving != leavingHard
	}
	return living, nil
}

// SendUpdate tells a connected device of the second generation of an update.
func (s *Service) SendUpdate(device string, c command.OtaUpdate) error {
	return s.sendCommand(device, c)
}

// SendUpdateURL tells a connected device of the first generation of an update.
func (s *Service) SendUpdateURL(device, url string) {
	pack := senml.Append(nil, []senml.Record{
		{Name: string(OTAURL), Kind: senml.Text, Text: url}, {Name: string(OTAReq), Kind: senml.Bool, Int: 1},
	})
	s.line.Send(device, topic.Name(topic.DeviceIn, device), pack, 0)
}

// both calls done once two others are done, with the first error.
func both(done func(error)) func(error) {
	var (
		mu     sync.Mutex
		first  error
		called bool
	)
	return func(err error) {
		mu.Lock()
		last := called
		if called = true; first == nil {
			first = err
		}
		err = first
		mu.Unlock()
		if last {
			done(err)
		}
	}
}

// aboutUpdates are those facts that concern updates.
func (f facts) aboutUpdates() map[Fact]string {
	var all map[Fact]string
	for fact, value := range f {
		switch fact {
		case OTACap, OTAError, OTASHA256, OTAURL, OTAReq:
			if all == nil {
				all = make(map[Fact]string)
			}
			all[fact] = value
		}
	}
	return all
}

// noUpdates stands for the room above until there is one.
type noUpdates struct{}

func (noUpdates) Runs(_ string, _ [32]byte, done func(error))                { done(nil) }
func (noUpdates) Progress(_ string, _ command.OtaProgress, done func(error)) { done(nil) }
func (noUpdates) Told(_ string, _ map[Fact]string, done func(error))         { done(nil) }
func (noUpdates) Listens(string)                                             {}
