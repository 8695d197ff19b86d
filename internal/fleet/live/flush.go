package live

import (
	"context"
	"errors"
	"sync"
)

// scratch is what a flush needs for a moment; a stream that waits has nothing of it.
type scratch struct {
	news          []news
	values, comes [][]byte
	reloads       []reload
	text          []byte
}

type reload struct {
	why   Reason
	thing string
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// kept is how many bytes a buffer may have that is used again.
const kept = 1 << 20

func (k *scratch) done() {
	clear(k.news)
	clear(k.values)
	clear(k.comes)
	clear(k.reloads)
	k.news, k.values, k.comes, k.reloads = k.news[:0], k.values[:0], k.comes[:0], k.reloads[:0]
	if cap(k.text) > kept {
		k.text = nil
	}
	scratches.Put(k)
}

// flush tells what the boards have that the client does not.
func (x *stream) flush(ctx context.Context) error {
	select {
	case <-x.again: // what has ended is not told once more
		if err := x.doubted(ctx); err != nil {
			return err
		}
	default:
	}
	k := scratches.Get().(*scratch)
	defer k.done()
	from := x.mark()
	for i := range x.places {
		p := &x.places[i]
		var r reading
		k.news, r = p.board.read(k.news, p.at, x, x.s.cfg.Flush)
		p.at = r.upTo
		if r.lost {
			x.s.counts.lost.Add(1)
			k.reloads = append(k.reloads, reload{Lost, ""})
		}
		if r.more {
			word(x.call)
		}
	}
	for i := range k.news {
		n := &k.news[i]
		may, err := x.may(ctx, n)
		if err != nil {
			return errors.Join(errOver, err) // it comes again, and goes on from what it has heard
		}
		if !may {
			continue
		}
		switch n.kind {
		case aValue:
			k.values = append(k.values, n.frame)
		case aPresence:
			k.comes = append(k.comes, n.frame)
		case aThing:
			k.reloads = append(k.reloads, reload{OfThing, n.id})
		case aDevice, aDashboard:
			if had := (reload{Changed, ""}); len(k.reloads) == 0 || k.reloads[len(k.reloads)-1] != had {
				k.reloads = append(k.reloads, had)
			}
		}
	}
	x.s.counts.values.Add(int64(len(k.values)))
	k.text = k.write(append(k.text[:0], x.out.b...), from, x.mark())
	x.out.b = nil
	return x.out.write(k.text)
}

// write adds the events of a flush to b. Only the last of them has an id that says that all was heard.
func (k *scratch) write(b []byte, from, to Mark) []byte {
	left := len(k.reloads)
	for _, list := range [][][]byte{k.values, k.comes} {
		if len(list) > 0 {
			left++
		}
	}
	id := func() Mark {
		if left--; left == 0 {
			return to
		}
		return from
	}
	for _, one := range k.reloads {
		b = appendReload(b, id(), one.why, one.thing)
	}
	if len(k.values) > 0 {
		b = appendList(b, "values", id(), k.values)
	}
	if len(k.comes) > 0 {
		b = appendList(b, "devices", id(), k.comes)
	}
	return b
}
