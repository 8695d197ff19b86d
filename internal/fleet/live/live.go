package live

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
)

var (
	// ErrTooMany is a person who has too many connections already.
	ErrTooMany = problem.New(problem.Limited, "live-too-many", "You have as many live connections open as one person may have. Close one, for instance a page that nobody looks at.")
	// ErrSpaceFull is a space whose people have too many connections.
	ErrSpaceFull = problem.New(problem.Limited, "live-space-full", "This space has as many live connections open as it may have. Close one, or try again later.")
	// ErrBusy is a server that has too many connections, or is about to stop.
	ErrBusy = problem.New(problem.Unavailable, "live-busy", "The server takes no further live connections at the moment. Try again later.")
)

const (
	maxThings  = 200 // that one client names
	maxDevices = 200 // likewise
)

// A Wish is what a client wants to hear of.
type Wish struct {
	Things     []string // IDs
	Dashboard  string   // ID of one that shows what is wanted, too; "" for none
	Devices    []string // IDs
	AllDevices bool
}

// AllThings says that no thing was named.
func (w Wish) AllThings() bool { return len(w.Things) == 0 && w.Dashboard == "" }

// ReadWish reads the query of a request.
func ReadWish(q url.Values) (w Wish, err error) {
	if w.Things, err = readIDs(q["thing"], "thing", maxThings); err != nil {
		return Wish{}, err
	}
	if w.Devices, err = readIDs(q["device"], "device", maxDevices); err != nil {
		return Wish{}, err
	}
	board, err := readIDs(q["dashboard"], "dashboard", 1)
	if err != nil {
		return Wish{}, err
	}
	if len(board) > 0 {
		w.Dashboard = board[0]
	}
	switch all := q["devices"]; {
	case len(all) == 0:
	case len(all) == 1 && all[0] == "all":
		w.AllDevices = true
	default:
		return Wish{}, rest.ErrQuery.With(`The parameter "devices" is "all" or left out.`)
	}
	return w, nil
}

// readIDs reads a parameter that may come up to most times; what comes twice counts once.
func readIDs(texts []string, name string, most int) ([]string, error) {
	if len(texts) > most {
		return nil, rest.ErrQuery.With(`The parameter "` + name + `" comes at most ` + strconv.Itoa(most) + ` times.`)
	}
	var all []string
	had := make(map[string]bool, len(texts))
	for _, text := range texts {
		id := strings.ToLower(text)
		if !topic.IsID(id) {
			return nil, rest.ErrQuery.With(`The parameter "` + name + `" is a UUID.`)
		}
		if !had[id] {
			had[id] = true
			all = append(all, id)
		}
	}
	return all, nil
}

// A Mark is a place in what one run of the server tells: what is newer has a higher At. Marks of two runs cannot be compared.
type Mark struct {
	Run string
	At  int64
}

const (
	runLength = 13 // characters of a run
	maxMark   = 32 // bytes
	markBase  = 36
)

// String is the mark as an id of an event.
func (m Mark) String() string { return m.Run + "-" + strconv.FormatInt(m.At, markBase) }

// ReadMark reads an id; false for what none of our ids looks like.
func ReadMark(text string) (Mark, bool) {
	run, at, cut := strings.Cut(text, "-")
	if !cut || len(text) > maxMark || len(run) != runLength {
		return Mark{}, false
	}
	for _, c := range run {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return Mark{}, false
		}
	}
	n, err := strconv.ParseInt(at, markBase, 64)
	m := Mark{Run: run, At: n}
	if err != nil || n < 0 || m.String() != text {
		return Mark{}, false
	}
	return m, true
}

// A Reason says why a client has to fetch again what it shows.
type Reason string

const (
	// Lost: values were told that the client did not hear.
	Lost Reason = "lost"
	// Changed: the dashboard is another, or a device was made or has gone.
	Changed Reason = "changed"
	// OfThing: the thing, or one of its properties, was made, changed or deleted.
	OfThing Reason = "thing"
	// Permission: who listens may see more, or less, than before.
	Permission Reason = "permission"
)
