package live

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

func fleetNoon() time.Time { return fleettest.Noon }

func aBoard() *board { return newBoard("space", &clock{wall: fleetNoon}) }

// everyone wants everything.
func everyone() *stream { return &stream{all: true, call: make(chan struct{}, 1)} }

func (b *board) say(property, text string, limit int) {
	b.put(news{key: key{aValue, property}, thing: "thing", frame: []byte(text)}, limit)
}

func texts(all []news) string {
	var out []string
	for _, n := range all {
		out = append(out, string(n.frame))
	}
	return strings.Join(out, " ")
}

const large = 1 << 30

func TestBoardKeepsTheNewestInOrder(t *testing.T) {
	b := aBoard()
	begin := b.clock.now()
	b.say("p", "p1", large)
	b.say("q", "q1", large)
	b.say("p", "p2", large)
	b.say("q", "q1", large) // says the same
	all, r := b.read(nil, begin, everyone(), large)
	if got := texts(all); got != "q1 p2" || r.lost || r.more {
		t.Errorf("read %q (%+v), want the newest of each, the oldest first", got, r)
	}
	b.say("r", "r1", large)
	if all, _ := b.read(nil, r.upTo, everyone(), large); texts(all) != "r1" {
		t.Errorf("read on, there is %q, want what is new", texts(all))
	}
	if !b.knows(begin) || b.knows(begin-1) || b.knows(b.clock.now()+1) {
		t.Error("a board knows what came since it is there, and nothing of what will come")
	}
}

func TestBoardTellsWhoMissedSomething(t *testing.T) {
	b := aBoard()
	begin := b.clock.now()
	limit := 3 * (itemBytes + 2)
	for i := range 5 {
		b.say(fmt.Sprint(i), fmt.Sprint("v", i), limit)
	}
	slow := everyone()
	all, r := b.read(nil, begin, slow, large)
	if len(all) != 0 || !r.lost {
		t.Errorf("read %q (%+v), want that something is lost", texts(all), r)
	}
	b.say("6", "v6", limit)
	select {
	case <-slow.call:
	default:
		t.Error("who has lost something is not called any more")
	}
	if all, r = b.read(nil, r.upTo, slow, large); texts(all) != "v6" || r.lost {
		t.Errorf("then read %q (%+v), want what came after", texts(all), r)
	}
	b.lose()
	if _, again := b.read(nil, r.upTo, slow, large); !again.lost || b.bytes != 0 || len(b.items) != 0 {
		t.Errorf("after all was lost: %+v, %d bytes, %d items", again, b.bytes, len(b.items))
	}
	b.say("x", strings.Repeat("x", 2*limit), limit)
	if len(b.items) != 1 {
		t.Error("one item that is larger than its board is not kept")
	}
}

// A board on which nothing happens makes room when there are others.
func TestQuietBoardsMakeRoom(t *testing.T) {
	const one = 10 * (itemBytes + 100)
	s := bare(t, Config{Board: one, Boards: one}, new(feed.Feed[thing.Change]))
	fill := func(space string) (b *board, begin int64) {
		b = s.attach(space)
		begin = s.clock.now()
		_, limit := s.board(space)
		for i := range 10 {
			b.put(news{key: key{aValue, strconv.Itoa(i)}, frame: make([]byte, 100)}, limit)
		}
		return b, begin
	}
	quiet, begin := fill("quiet")
	if quiet.bytes != one || !quiet.knows(begin) {
		t.Fatalf("alone a board has %d of %d bytes", quiet.bytes, one)
	}
	fill("loud")
	s.sweep()
	if quiet.bytes != one/2 || quiet.knows(begin) {
		t.Errorf("beside another it has %d of %d bytes, and knows what has gone: %t", quiet.bytes, one, quiet.knows(begin))
	}
}

func TestBoardGivesWhatFits(t *testing.T) {
	b := aBoard()
	after := b.clock.now()
	for i := range 10 {
		b.say(fmt.Sprint(i), fmt.Sprint("v", i), large)
	}
	var got []string
	who := everyone()
	for range 10 {
		all, r := b.read(nil, after, who, 3*(itemBytes+2))
		got, after = append(got, texts(all)), r.upTo
		if !r.more {
			break
		}
	}
	if text := strings.Join(got, "|"); text != "v0 v1 v2|v3 v4 v5|v6 v7 v8|v9" {
		t.Errorf("read %q", text)
	}
}

func TestBoardForgetsProperties(t *testing.T) {
	b := aBoard()
	begin := b.clock.now()
	b.say("p", "p1", large)
	b.say("q", "q1", large)
	b.forget("another", nil)
	b.forget("thing", map[string]bool{"q": true})
	if all, r := b.read(nil, begin, everyone(), large); texts(all) != "q1" || r.lost {
		t.Errorf("read %q (%+v), want what lives", texts(all), r)
	}
	b.forget("thing", nil)
	if len(b.items) != 0 || len(b.of) != 0 || b.oldest != nil || b.newest != nil || b.bytes != 0 {
		t.Errorf("a board without values has %d items and %d bytes", len(b.items), b.bytes)
	}
}

// Whatever is put and forgotten, in whichever order: somebody who reads in steps ends with what somebody ends with who was told
// everything, and the books agree.
func TestBoardAgainstAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 30))
	for range 200 {
		b := aBoard()
		at, who := b.clock.now(), everyone()
		now, read := map[string]string{}, map[string]string{}
		for step := range 200 {
			p := fmt.Sprint(random.IntN(12))
			switch random.IntN(10) {
			case 0:
				living := map[string]bool{}
				for other := range now {
					living[other] = other != p
				}
				b.forget("thing", living)
				delete(now, p)
				delete(read, p) // as the client does, which hears of it
			case 1, 2:
				all, r := b.read(nil, at, who, (1+random.IntN(4))*(itemBytes+6))
				if r.lost {
					t.Fatal("something was lost")
				}
				for _, n := range all {
					read[n.id] = string(n.frame)
				}
				at = r.upTo
			default:
				now[p] = fmt.Sprint("v", step)
				b.say(p, now[p], large)
			}
		}
		for more := true; more; {
			all, r := b.read(nil, at, who, 2*itemBytes)
			for _, n := range all {
				read[n.id] = string(n.frame)
			}
			at, more = r.upTo, r.more
		}
		if fmt.Sprint(now) != fmt.Sprint(read) {
			t.Fatalf("there is %v, and %v was read", now, read)
		}
		n, bytes := 0, 0
		for it := b.oldest; it != nil; it = it.newer {
			n++
			bytes += it.size()
			if it.newer == nil && b.newest != it || it.newer != nil && (it.newer.older != it || it.newer.seq <= it.seq) {
				t.Fatal("the list is out of order")
			}
		}
		if n != len(b.items) || bytes != b.bytes {
			t.Fatalf("%d items of %d bytes in the list, %d of %d in the books", n, bytes, len(b.items), b.bytes)
		}
	}
}
