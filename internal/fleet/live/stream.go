package live

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A place is how far a stream has read a board.
type place struct {
	board *board
	at    int64
}

// A stream is one connection. But for out and the two channels it belongs to the goroutine that serves its request.
type stream struct {
	s    *Service
	r    *http.Request
	out  *writer
	wish Wish
	all  bool // no thing was named

	who     access.Actor // who it is for, as last asked
	session string
	things  map[string]bool // that were named
	devices map[string]bool // likewise
	places  []place         // the first is that of who's space

	shown  map[string]bool // properties that the dashboard shows now
	ofthem map[string]bool // their things
	closed bool            // the dashboard has gone, or was given back

	views   map[string]thing.View // what who sees of things, as far as it was asked
	present map[string]bool       // whether who may see devices, likewise

	call  chan struct{} // holds a word: a board has news
	again chan struct{} // holds a word: it must be asked again who this is, and what they may see
	doubt *time.Timer   // runs out when it must be asked once more
}

// doubtTime is after what time it is asked once more what is said to have ended: rooms below believe an answer for a second.
const doubtTime = 2 * time.Second

// maxViews is of how many things and devices a stream remembers whether they may be seen. About more it asks each time.
const maxViews = 8192

// open makes a stream and counts it; close gives everything back.
func (s *Service) open(out *writer, r *http.Request, who access.Actor, wish Wish) (*stream, error) {
	who.Request = ""
	x := &stream{
		s: s, r: r, out: out, wish: wish, all: wish.AllThings(), who: who, session: s.needs.Session(r), things: set(wish.Things), devices: set(wish.Devices),
		present: map[string]bool{}, call: make(chan struct{}, 1), again: make(chan struct{}, 1),
	}
	if err := s.enter(x); err != nil {
		return nil, err
	}
	word(x.again) // what ended between the door and here nobody has told it
	x.join(who.Space)
	err := x.lookAtDashboard(r.Context())
	if err == nil {
		err = x.lookAtThings(r.Context())
	}
	if err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

func (x *stream) close() { x.s.leave(x) }

func set(ids []string) map[string]bool {
	all := make(map[string]bool, len(ids))
	for _, id := range ids {
		all[id] = true
	}
	return all
}

// join hears of a space, from now on.
func (x *stream) join(space string) {
	if slices.ContainsFunc(x.places, func(p place) bool { return p.board.space == space }) {
		return
	}
	b := x.s.attach(space)
	x.places = append(x.places, place{b, x.s.clock.now()})
	word(x.call) // to begin to wait for what comes
	x.s.note(x)
}

// lookAtDashboard asks what the dashboard shows now.
func (x *stream) lookAtDashboard(ctx context.Context) error {
	x.shown, x.ofthem = map[string]bool{}, map[string]bool{}
	if x.wish.Dashboard == "" {
		return nil
	}
	now, err := x.s.needs.Dashboards.Showing(ctx, x.who, x.wish.Dashboard)
	if err != nil {
		return err
	}
	for property, of := range now.Properties {
		x.shown[property], x.ofthem[of] = true, true
	}
	x.join(now.Space) // one that shows nothing yet will show something
	return nil
}

// lookAtThings asks what who sees now of all things that the wish means.
func (x *stream) lookAtThings(ctx context.Context) error {
	named := slices.Clone(x.wish.Things)
	for id := range x.ofthem {
		if !x.things[id] {
			named = append(named, id)
		}
	}
	views, err := x.s.needs.Things.Views(ctx, x.who, named)
	if err != nil {
		return err
	}
	x.views = views
	clear(x.present)
	for _, v := range views {
		x.join(v.Space)
	}
	return nil
}

// wants says whether news is about what was asked for. It is called with the board locked.
func (x *stream) wants(n *news) bool {
	switch n.kind {
	case aValue:
		return x.all || x.things[n.thing] || x.shown[n.id]
	case aThing:
		return x.all || x.things[n.id] || x.ofthem[n.id]
	case aPresence, aDevice: // guests see none
		return (x.wish.AllDevices || x.devices[n.id]) && n.space == x.who.Space
	case aDashboard:
		return n.id == x.wish.Dashboard && !x.closed
	}
	return false
}

// may says whether who may know of news now, as far as they want it.
func (x *stream) may(ctx context.Context, n *news) (bool, error) {
	switch n.kind {
	case aValue:
		v, known := x.views[n.thing]
		if !known {
			var err error
			if v, err = x.view(ctx, n.thing); err != nil {
				return false, err
			}
		}
		return v.Shows(n.id), nil
	case aThing:
		before := x.views[n.id]
		delete(x.views, n.id)
		if n.space == x.who.Space {
			return x.allowed("thing:watch", "Thing", n.id), nil // also of one that has gone
		}
		after, err := x.view(ctx, n.id)
		return before.Space != "" || after.Space != "", err
	case aPresence, aDevice:
		may, known := x.present[n.id]
		if !known {
			if may = x.allowed("device:read", "Device", n.id); len(x.present) < maxViews {
				x.present[n.id] = may
			}
		}
		return may, nil
	}
	return true, nil // a dashboard: it was seen when it was asked for
}

// view asks what who sees of a thing, and remembers it.
func (x *stream) view(ctx context.Context, id string) (thing.View, error) {
	views, err := x.s.needs.Things.Views(ctx, x.who, []string{id})
	if err == nil && len(x.views) < maxViews {
		x.views[id] = views[id]
	}
	return views[id], err
}

// allowed asks the policy about something of who's space.
func (x *stream) allowed(action access.Action, noun, id string) bool {
	return x.s.needs.Policy.Allow(x.who, action, access.Resource{Type: noun, ID: id, Space: x.who.Space}) == nil
}

// mark is a place from which this stream can be taken up.
func (x *stream) mark() Mark {
	at := x.places[0].at
	for _, p := range x.places[1:] {
		at = min(at, p.at)
	}
	return Mark{x.s.run, at}
}

// errOver ends a stream in the way in which streams end.
var errOver = errors.New("the stream is over")

// serve tells what goes on until the client goes, the server stops, or who listens is nobody any more. last is what the client
// says is the last that it has heard; "" for one that begins.
func (x *stream) serve(ctx context.Context, last string) error {
	if err := x.begin(last); err != nil {
		return err
	}
	beat := time.NewTicker(x.s.cfg.Beat)
	defer beat.Stop()
	pace := time.NewTimer(0)
	defer pace.Stop()
	x.doubt = time.NewTimer(doubtTime)
	defer x.doubt.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return errOver
		case <-x.s.ended:
			return errOver
		case <-x.again:
			err = x.doubted(ctx)
		case <-x.doubt.C:
			err = x.askAgain(ctx)
		case <-beat.C:
			if err = x.askAgain(ctx); err == nil {
				x.out.b = appendBeat(x.out.b, x.mark())
			}
		case <-x.call:
			select { // not sooner than a pace after the last flush; what comes meanwhile goes with it
			case <-ctx.Done():
				return errOver
			case <-x.s.ended:
				return errOver
			case <-pace.C:
			}
			err = x.flush(ctx)
			pace.Reset(x.s.cfg.Pace)
		}
		if err == nil {
			err = x.out.send()
		}
		if err != nil {
			return err
		}
	}
}

// begin says hello, and whether the stream goes on from where the client was.
func (x *stream) begin(last string) error {
	m, ours := ReadMark(last)
	resumed := ours && m.Run == x.s.run
	for _, p := range x.places {
		resumed = resumed && p.board.knows(m.At)
	}
	if resumed {
		for i := range x.places {
			x.places[i].at = m.At
		}
	}
	x.out.b = appendHello(x.out.b, x.mark(), x.s.needs.Now(), resumed)
	if last != "" && !resumed {
		x.reload(Lost, "")
	}
	for _, id := range x.wish.Things {
		if x.views[id].Space == "" {
			x.reload(Permission, id)
		}
	}
	word(x.call) // it gets what it has missed, and begins to wait for more
	return x.out.send()
}

// reload tells the client to fetch again, and does not carry it on.
func (x *stream) reload(why Reason, thing string) {
	if why == Lost {
		x.s.counts.lost.Add(1)
	}
	x.out.b = appendReload(x.out.b, x.mark(), why, thing)
}

// doubted is askAgain for what somebody says to have ended.
func (x *stream) doubted(ctx context.Context) error {
	x.doubt.Reset(doubtTime)
	return x.askAgain(ctx)
}

// askAgain asks who this is and what they may see. An error ends the stream, also one that only says that nobody could tell:
// that a right has ended must not depend on our health.
func (x *stream) askAgain(ctx context.Context) error {
	who, err := x.s.needs.Again(x.r)
	if err != nil {
		return errors.Join(errOver, err)
	}
	who.Request = ""
	had := x.who
	x.who = who
	if who.ID != had.ID || who.Space != had.Space || who.Kind != had.Kind || !x.allowed("thing:watch", "Space", who.Space) {
		x.who = had // as it is counted
		return errOver
	}
	switch {
	case who != had:
		x.s.note(x)
		x.reload(Permission, "")
	case x.ofOwnSpace():
		return nil // of which everybody sees what their role says
	}
	before := maps.Clone(x.views)
	err = x.lookAtDashboard(ctx)
	gone := err != nil && (problem.Of(err).Kind == problem.NotFound || problem.Of(err).Kind == problem.Forbidden)
	if err != nil && !gone {
		return errors.Join(errOver, err)
	}
	if gone != x.closed {
		x.closed = gone
		x.reload(Permission, "")
	}
	if err := x.lookAtThings(ctx); err != nil {
		return errors.Join(errOver, err)
	}
	for id, v := range x.views {
		if had, known := before[id]; known && !same(had, v) || !known && v.Space != who.Space {
			x.reload(Permission, id)
		}
	}
	for id, had := range before {
		if _, still := x.views[id]; !still && had.Space != "" && had.Space != who.Space {
			x.reload(Permission, id)
		}
	}
	return nil
}

// ofOwnSpace says whether all that was asked for is of who's space. What is nowhere to be seen may be lent to them some day.
func (x *stream) ofOwnSpace() bool {
	return x.wish.Dashboard == "" && len(x.places) == 1 && !slices.ContainsFunc(x.wish.Things, func(id string) bool { return x.views[id].Space != x.who.Space })
}

func same(a, b thing.View) bool {
	return a.Space == b.Space && a.Whole == b.Whole && maps.Equal(a.Lent, b.Lent)
}
