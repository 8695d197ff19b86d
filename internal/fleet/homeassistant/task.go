package homeassistant

// A what says what is to be told.
type what uint8

const (
	look     what = iota // a thing: what it is, or that it is not
	presence             // of a thing's device
	clearing             // a topic that has something old
	sweeping             // a thing whose old states the broker was asked for: once these are cleared
	value                // of a property: THING/PROPERTY
)

// A task is one thing to tell. What it says is looked up when its turn comes, so that it is the latest.
type task struct {
	what what
	id   string
}

// mostClearing is how many old topics wait to be taken back. What is beyond stays at the broker, and is old.
const mostClearing = 10_000

// tasks are what is to be done, each once, however often it was asked for: first what things are, then what they say. There are no more
// than things and properties are announced, and old topics. The zero value is ready.
type tasks struct {
	waits    map[task]bool
	first    []task
	then     []task
	clearing int
}

// add adds one, and says whether it was not there.
func (q *tasks) add(t task) bool {
	if q.waits[t] || t.what == clearing && q.clearing >= mostClearing {
		return false
	}
	if q.waits == nil {
		q.waits = map[task]bool{}
	}
	q.waits[t] = true
	switch t.what {
	case value:
		q.then = append(q.then, t)
	case clearing:
		q.clearing++
		fallthrough
	default:
		q.first = append(q.first, t)
	}
	return true
}

// take takes the one whose turn it is.
func (q *tasks) take() (t task, ok bool) {
	from := &q.first
	if len(*from) == 0 {
		from = &q.then
	}
	if len(*from) == 0 {
		return task{}, false
	}
	t = (*from)[0]
	if *from = (*from)[1:]; len(*from) == 0 {
		*from = nil // the array before it
	}
	if t.what == clearing {
		q.clearing--
	}
	delete(q.waits, t)
	return t, true
}

func (q *tasks) clear() { *q = tasks{} }
